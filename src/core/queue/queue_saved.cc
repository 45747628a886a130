// How a queue is written into a snapshot and read again.
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/error_code.h"
#include "core/actor/saved_time.h"
#include "core/queue/content_saved.h"
#include "core/queue/queue.h"
#include "muster/log.pb.h"

namespace muster::queue {
namespace {

using actor::from_saved;
using actor::to_saved;
using State = proto::QueueState;

// ---- Op records ------------------------------------------------------------------------------

void write(const KeptVerdict& verdict, State::Verdict& out) {
    out.set_kind(number_of(verdict.kind));
    out.set_code(number_of(verdict.code));
    out.set_seq(verdict.seq);
}

std::optional<KeptVerdict> read(const State::Verdict& saved) {
    const auto kind =
        enumerator(saved.kind(), KeptVerdict::Kind::conflict);  // Rings have no other.
    const auto code = error_code_of(saved.code());
    if (!kind || !code) {
        return std::nullopt;
    }
    return KeptVerdict{saved.seq(), *code, *kind};
}

struct SavedPlace {
    std::uint32_t place = 0;
    Instant at;
};

void write(const ClientRecords& clients, Instant now, State& out) {
    std::map<ClientKey, SavedPlace> places;
    for (const auto& left : clients.left()) {
        places.emplace(left.client,
                       SavedPlace{static_cast<std::uint32_t>(places.size() + 1), left.at});
    }
    for (const auto& [client, record] : clients.all()) {
        auto& saved = *out.add_clients();
        saved.set_user(text_of(client.user.text()));
        saved.set_cid_high(client.cid.high);
        saved.set_cid_low(client.cid.low);
        saved.set_highest(record->highest());
        for (auto age = record->kept_count(); age-- > 0;) {
            write(*record->find(record->highest() - age), *saved.add_verdicts());
        }
        for (std::size_t i = 0; i < record->outcome_count(); ++i) {
            const auto outcome = record->find(record->highest() - record->kept_count() - i);
            saved.add_outcomes(outcome->kind == KeptVerdict::Kind::ok);
        }
        if (const auto place = places.find(client); place != places.end()) {
            saved.set_left_as(place->second.place);
            saved.set_left_at_us(to_saved(place->second.at, now));
        }
        saved.set_slot(record->slot());
    }
}

std::optional<ClientRecord> read(const State::Client& saved, std::size_t window) {
    const auto kept_count = static_cast<std::uint64_t>(saved.verdicts_size());
    if (saved.highest() > saved_seq_max || kept_count > saved.highest() ||
        saved.slot() > std::numeric_limits<std::uint8_t>::max()) {
        return std::nullopt;
    }
    ClientRecord record(saved.highest() - kept_count);
    record.set_slot(static_cast<std::uint8_t>(saved.slot()));
    for (const auto& each : saved.verdicts()) {
        const auto verdict = read(each);
        if (!verdict) {
            return std::nullopt;
        }
        record.add(*verdict, window);
    }
    if (!record.restore_outcomes({saved.outcomes().begin(), saved.outcomes().end()})) {
        return std::nullopt;
    }
    return record;
}

bool read_clients(const State& saved, std::size_t window, Instant now, ClientRecords& clients) {
    std::map<std::uint32_t, ClientRecords::Left> left;
    const ClientKey* before = nullptr;
    ClientKey last;
    for (const auto& each : saved.clients()) {
        ClientKey client{UserId(each.user()), Cid{each.cid_high(), each.cid_low()}};
        auto record = read(each, window);
        if (!record || (before != nullptr && !(*before < client))) {
            return false;
        }
        if (each.left_as() != 0) {
            const auto at = from_saved(each.left_at_us(), now);
            if (!at || !left.emplace(each.left_as(), ClientRecords::Left{client, *at}).second) {
                return false;
            }
        }
        clients.restore(client, *std::move(record));
        last = std::move(client);
        before = &last;
    }
    for (const auto& [place, each] : left) {
        clients.restore_left(each.client, each.at);
    }
    return true;
}

void write(const IdempotencyTable& table, Instant now, State& out) {
    for (const auto& key : table.keys()) {
        const auto& kept = *table.find(key);
        auto& saved = *out.add_idempotent_ops();
        saved.set_user(text_of(key.user.text()));
        saved.set_key(text_of(key.text.view()));
        saved.set_body_hash(kept.body_hash);
        saved.set_until_us(to_saved(kept.until, now));
        write(kept.verdict, *saved.mutable_verdict());
    }
}

bool read_idempotent(const State& saved, Instant now, IdempotencyTable& table) {
    for (const auto& op : saved.idempotent_ops()) {
        const auto until = from_saved(op.until_us(), now);
        const auto verdict = read(op.verdict());
        if (!until || !verdict ||
            !table.restore(IdempotencyKey{UserId(op.user()), SharedText(op.key())},
                           IdempotencyTable::Kept{op.body_hash(), *until, *verdict})) {
            return false;
        }
    }
    return true;
}

}  // namespace

// ---- The whole -------------------------------------------------------------------------------

void Queue::save(Instant now, std::string& out) const {
    State saved;
    write(*content_, now, saved);
    write(definition_, *saved.mutable_definition());
    write(clients_, now, saved);
    for (const auto& [user, cep] : fences_) {
        auto& fence = *saved.add_fences();
        fence.set_user(text_of(user.text()));
        fence.set_cep_inc(cep.inc.value);
        fence.set_cep_counter(cep.counter);
    }
    for (const auto& [key, meter] : rates_) {
        auto& rate = *saved.add_rates();
        rate.set_user(text_of(key.first.text()));
        rate.set_mount(text_of(key.second.text()));
        rate.set_full_at_us(to_saved(meter.full_at(), now));
    }
    write(idempotent_, now, saved);
    for (const auto& [gateway, sub] : subscribers_) {
        auto& subscriber = *saved.add_subscribers();
        subscriber.set_gateway(gateway.value);
        subscriber.set_sub(sub.value);
    }
    if (idle_since_) {
        saved.set_idle_since_us(to_saved(*idle_since_, now));
    }
    saved.AppendToString(&out);
}

std::unique_ptr<Queue> Queue::restore(std::shared_ptr<const QueueSettings> settings, Instant now,
                                      std::string_view state) {
    State saved;
    if (state.size() > std::size_t{std::numeric_limits<int>::max()} ||
        !saved.ParseFromArray(state.data(), static_cast<int>(state.size()))) {
        return nullptr;
    }
    auto queue = std::make_unique<Queue>(std::move(settings));
    return queue->read_saved(saved, now) ? std::move(queue) : nullptr;
}

bool Queue::read_saved(const State& saved, Instant now) {
    auto definition = read(saved.definition());
    content_.emplace();
    if (!definition || !read(saved, now, *content_)) {
        return false;
    }
    definition_ = *std::move(definition);
    // All queues of one template share its rules, where they are still what they were.
    if (auto shared = settings_->templates.by_pattern(content_->rules->match);
        shared != nullptr && *shared == *content_->rules) {
        content_->rules = std::move(shared);
    }
    for (const auto& fence : saved.fences()) {
        const auto member = content_->members.find(std::string_view(fence.user()));
        const Cep cep{Inc{fence.cep_inc()}, fence.cep_counter()};
        if (member == content_->members.end() ||
            (!fences_.empty() && member->first < fences_.rbegin()->first) ||
            find_fence(member->first, cep.slot()) != fences_.end()) {
            return false;
        }
        fences_.emplace_hint(fences_.end(), member->first, cep);
    }
    for (const auto& rate : saved.rates()) {
        const auto full_at = from_saved(rate.full_at_us(), now);
        if (!full_at || !append(rates_, RateKey{UserId(rate.user()), MountName(rate.mount())},
                                RateMeter(*full_at))) {
            return false;
        }
    }
    for (const auto& subscriber : saved.subscribers()) {
        if (subscriber.gateway() > std::numeric_limits<std::uint16_t>::max()) {
            return false;
        }
        subscribers_.push_back(Subscriber{ShardId{static_cast<std::uint16_t>(subscriber.gateway())},
                                          SubId{subscriber.sub()}});
    }
    if (saved.has_idle_since_us()) {
        idle_since_ = from_saved(saved.idle_since_us(), now);
        if (!idle_since_ || !content_->members.empty() || !subscribers_.empty() ||
            idle_ttl() <= Duration::zero()) {
            return false;
        }
    }
    return read_clients(saved, settings_->limits.op_window, now, clients_) &&
           read_idempotent(saved, now, idempotent_);
}

}  // namespace muster::queue
