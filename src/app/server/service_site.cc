#include "app/server/service_site.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "shell/runtime/clock.h"

namespace muster::server {

ServiceSite::ServiceSite(Switchboard& switchboard, const ring::Placement& placement,
                         std::uint32_t payload_bytes_max)
    : switchboard_(switchboard),
      placement_(placement),
      payload_bytes_max_(payload_bytes_max),
      now_(runtime::monotonic_now()),
      kept_(switchboard.shard_count()) {}

// ---- Questions -------------------------------------------------------------------------------

std::optional<RequestId> ServiceSite::open(decltype(Question::what) what) {
    Question question{runtime::monotonic_now(), std::move(what)};
    if (questions_.size() >= questions_max) {
        give_up(std::move(question));
        return std::nullopt;
    }
    ++last_request_.value;
    questions_.emplace(last_request_, std::move(question));
    return last_request_;
}

void ServiceSite::ask(QueueName to, admin::MakeBody make_body,
                      std::function<void(std::optional<admin::Reply>)> then) {
    const auto request = open(ToActor{std::move(then)});
    if (!request) {
        return;
    }
    const ShardId shard = placement_.shard_of(placement_.bucket_of(to.text()));
    send(shard, request,
         actor::Message{actor::ServiceAddress{}, actor::ActorAddress{std::move(to)},
                        make_body(*request)});
}

void ServiceSite::list(admin::ListQuestion question,
                       std::function<void(std::optional<std::vector<QueueName>>)> then) {
    const auto request =
        open(ToAllForNames{std::move(then), question.count_max, switchboard_.shard_count(), {}});
    if (!request) {
        return;
    }
    send_to_all(*request, ListNames{*request, question.prefix, question.after, question.count_max});
}

void ServiceSite::metrics(std::function<void(std::string)> then) {
    const auto request = open(ToAllForCounters{std::move(then), switchboard_.shard_count(), {}});
    if (!request) {
        return;
    }
    send_to_all(*request, ReadCounters{*request});
}

void ServiceSite::stop_shards(std::function<void()> then) {
    is_ready_ = false;
    then_stopped_ = std::move(then);
    shards_draining_ = switchboard_.shard_count();
    shards_stopping_ = switchboard_.shard_count();
    for (std::uint16_t i = 0; i < switchboard_.shard_count(); ++i) {
        send(ShardId{i}, std::nullopt, StopShard{});
    }
}

void ServiceSite::send(ShardId to, std::optional<RequestId> request, ToShard item) {
    auto& kept = kept_[to.value];
    auto& channel = switchboard_.to_shard(switchboard_.shard_count(), to);
    if (kept.empty() && channel.push(item)) {
        switchboard_.bell_of(to).ring();
    } else {
        kept.push(Kept{request, std::move(item)});
    }
}

void ServiceSite::send_to_all(RequestId request, const ToShard& item) {
    for (std::uint16_t i = 0; i < switchboard_.shard_count(); ++i) {
        send(ShardId{i}, request, item);
    }
}

// The oldest stand first, so all whose time is over are gone after this.
void ServiceSite::flush_kept() {
    for (std::uint16_t i = 0; i < switchboard_.shard_count(); ++i) {
        auto& kept = kept_[i];
        auto& channel = switchboard_.to_shard(switchboard_.shard_count(), ShardId{i});
        bool has_sent = false;
        while (!kept.empty()) {
            const bool is_wanted = !kept[0].request || questions_.contains(*kept[0].request);
            if (is_wanted && !channel.push(kept[0].item)) {
                break;
            }
            kept.pop();
            has_sent = has_sent || is_wanted;
        }
        if (has_sent) {
            switchboard_.bell_of(ShardId{i}).ring();
        }
    }
}

std::size_t ServiceSite::kept_count() const noexcept {
    std::size_t count = 0;
    for (const auto& kept : kept_) {
        count += kept.size();
    }
    return count;
}

// ---- Answers ---------------------------------------------------------------------------------

void ServiceSite::take_from_shards(Instant now) {
    now_ = now;
    flush_kept();
    for (std::uint16_t i = 0; i < switchboard_.shard_count(); ++i) {
        while (auto item = switchboard_.to_service(ShardId{i}).pop()) {
            take(*std::move(item));
        }
    }
}

void ServiceSite::take(FromShard item) {
    if (auto* message = std::get_if<actor::Message>(&item)) {
        take(std::move(*message));
    } else if (auto* report = std::get_if<ShardReport>(&item)) {
        take(std::move(*report));
    } else if (auto* names = std::get_if<NamesReport>(&item)) {
        take(std::move(*names));
    } else if (const auto* noted = std::get_if<ShardNote>(&item)) {
        if (then_noted_) {
            then_noted_(*noted);
        }
    } else if (const auto* trouble = std::get_if<ShardTrouble>(&item)) {
        if (then_troubled_) {
            then_troubled_(*trouble);
        }
    } else if (const auto* failed = std::get_if<RecordingFailed>(&item)) {
        if (then_recording_failed_) {
            then_recording_failed_(*failed);
        }
    } else if (std::holds_alternative<ShardDrained>(item)) {
        if (shards_draining_ > 0 && --shards_draining_ == 0) {
            for (std::uint16_t i = 0; i < switchboard_.shard_count(); ++i) {
                send(ShardId{i}, std::nullopt, EndShard{});
            }
        }
    } else if (shards_stopping_ > 0 && --shards_stopping_ == 0) {
        then_stopped_();
    }
}

void ServiceSite::take(actor::Message message) {
    std::optional<RequestId> request;
    std::optional<admin::Reply> reply;
    if (auto* op = std::get_if<queue::OpReply>(&message.body)) {
        if (const auto* id = std::get_if<RequestId>(&op->reply_to.who)) {
            request = *id;
        }
        reply = std::move(*op);
    } else if (auto* read = std::get_if<queue::ReadReply>(&message.body)) {
        request = read->request;
        reply = std::move(*read);
    } else if (auto* user = std::get_if<user::UserReport>(&message.body)) {
        request = user->request;
        reply = std::move(*user);
    }
    const auto found = request ? questions_.find(*request) : questions_.end();
    if (found == questions_.end() || !std::holds_alternative<ToActor>(found->second.what)) {
        return;  // Its deadline was over.
    }
    const ToActor question = std::get<ToActor>(std::move(found->second.what));
    questions_.erase(found);
    question.then(std::move(reply));
}

void ServiceSite::take(ShardReport report) {
    const auto found = questions_.find(report.request);
    if (found == questions_.end()) {
        return;
    }
    auto& question = std::get<ToAllForCounters>(found->second.what);
    question.reports.push_back(std::move(report));
    if (--question.answers_open == 0) {
        const ToAllForCounters done = std::move(question);
        questions_.erase(found);
        done.then(metrics_text(done.reports));
    }
}

void ServiceSite::take(NamesReport report) {
    const auto found = questions_.find(report.request);
    if (found == questions_.end()) {
        return;
    }
    auto& question = std::get<ToAllForNames>(found->second.what);
    question.names.insert(question.names.end(), std::make_move_iterator(report.names.begin()),
                          std::make_move_iterator(report.names.end()));
    if (--question.answers_open == 0) {
        ToAllForNames done = std::move(question);
        questions_.erase(found);
        std::sort(done.names.begin(), done.names.end());
        done.names.resize(std::min(done.names.size(), done.count_max));
        done.then(std::move(done.names));
    }
}

void ServiceSite::time_passed(Instant now) {
    now_ = now;
    // Numbers grow with time, so the first ones are the oldest.
    while (!questions_.empty() && questions_.begin()->second.asked_at + deadline <= now) {
        Question question = std::move(questions_.begin()->second);
        questions_.erase(questions_.begin());
        give_up(std::move(question));
    }
    flush_kept();
}

void ServiceSite::give_up(Question question) {
    if (const auto* actor = std::get_if<ToActor>(&question.what)) {
        actor->then(std::nullopt);
    } else if (const auto* names = std::get_if<ToAllForNames>(&question.what)) {
        names->then(std::nullopt);
    } else {
        const auto& counters = std::get<ToAllForCounters>(question.what);
        counters.then(metrics_text(counters.reports));
    }
}

}  // namespace muster::server
