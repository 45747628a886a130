#include "app/server/shard_thread.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "app/roles/entry_recorder.h"
#include "app/roles/overload.h"
#include "base/units.h"
#include "core/gateway/messages.h"
#include "shell/runtime/clock.h"
#include "shell/runtime/doorbell.h"

namespace muster::server {
namespace {

constexpr std::size_t ready_sockets_max = 4096;
constexpr std::uint64_t doorbell_token = net::ClientSockets::listener_token | 1U;

// A turn takes this much of one channel at most, so that sockets get their share.
constexpr int taken_from_channel_max = 4096;

// The first sockets of a turn may fill a channel: once they have sent this much, it is handed on,
// to see whether the others are still to be read.
constexpr std::size_t departures_max = 256;

// Nobody rings when a full channel has room again.
constexpr Duration full_channel_wait = std::chrono::milliseconds{1};

}  // namespace

ShardThread::ShardThread(const ShardSettings& settings, std::shared_ptr<const roles::Site> site,
                         net::Listener listener, Switchboard& switchboard,
                         std::unique_ptr<runtime::RecordingWriter> recording)
    : settings_(settings),
      switchboard_(switchboard),
      poller_(ready_sockets_max),
      recording_(std::move(recording)),
      machine_(settings.shard, std::move(site), settings.seed),
      sockets_(poller_, std::move(listener), settings.sockets,
               [this](const gateway::Event& event) { machine_.step(event); }),
      post_(switchboard, settings.shard),
      troubles_(settings.shard) {
    poller_.add(switchboard_.bell_of(settings.shard).fd(), EPOLLIN, doorbell_token);
    start_recording();
}

void ShardThread::start() {
    thread_ = std::thread([this] { run(); });
}

void ShardThread::join() { thread_.join(); }

void ShardThread::run() {
    while (!has_to_end_ && (!stops_by_ || now_ < *stops_by_)) {
        turn();
    }
    end_recording();
    post_.send(FromShard{ShardStopped{settings_.shard}});
    post_.hand_on();
    while (!post_.service_has_all()) {
        std::this_thread::yield();
        post_.hand_on();
    }
}

void ShardThread::turn() {
    ++turns_;
    const auto ready = sleep();
    now_ = runtime::monotonic_now();
    machine_.begin_turn(now_, runtime::wall_now());
    serve_sockets(ready);
    take_from_channels();
    machine_.step();
    tell_notes();
    sockets_.time_passed(now_);
    sockets_.flush(machine_.outputs, now_);
    look_after_recording();
    look_after_end();
    look_after_troubles();
    carry_off();
}

// Late is who slept too long, as the whole machine may have, or took too long over one turn.
void ShardThread::look_after_troubles() {
    late_by_ =
        std::max({late_by_, now_ - std::min(due_at_, now_), runtime::monotonic_now() - now_});
    if (!post_.service_has_all()) {
        return;
    }
    const ShardTroubles::Seen seen{.accept_pauses = sockets_.accept_pauses(),
                                   .pause_reason = sockets_.pause_reason(),
                                   .ops_refused = ops_refused_,
                                   .late_by = std::exchange(late_by_, Duration{})};
    for (const ShardTrouble& trouble : troubles_.look(seen, now_)) {
        post_.send(FromShard{trouble});
    }
}

// Clients of other shards may still ask for what is here.
void ShardThread::look_after_end() {
    if (stops_by_ && !has_said_drained_ && sockets_.open_count() == 0) {
        has_said_drained_ = true;
        post_.send(FromShard{ShardDrained{settings_.shard}});
    }
}

// Before the first step, so that a replay can begin at the beginning.
void ShardThread::start_recording() {
    if (recording_ != nullptr) {
        runtime::RecordingWriter* writer = recording_.get();  // Lives longer than what uses it.
        machine_.record_to(std::make_unique<roles::EntryRecorder>(
            roles::EntrySink{[writer](std::string_view entry) { writer->append(entry); },
                             [writer] { return writer->segment(); }, writer->entry_bytes_max()}));
        is_recording_ = true;
    }
}

// Before the sockets of closed connections are gone, so that it can be said whose they were.
void ShardThread::tell_notes() {
    for (auto& note : machine_.take_notes()) {
        if (!post_.service_has_all()) {
            return;  // It cannot follow: what it wants to know is in the counters.
        }
        std::string peer = sockets_.peer_of(note.connection);
        post_.send(FromShard{ShardNote{std::move(note), std::move(peer)}});
    }
}

// A recording that cannot go on is given up: the server goes on without. What is left of it is
// closed when the shard ends, because that waits for a disk which may be what is too slow.
void ShardThread::look_after_recording() {
    if (!is_recording_ || recording_->is_on()) {
        return;
    }
    is_recording_ = false;
    machine_.record_to(nullptr);
    post_.send(
        FromShard{RecordingFailed{settings_.shard, recording_->take_stop_reason().value_or("")}});
}

// The disk may be what the recording has failed for, and a server that is told to end must end.
void ShardThread::end_recording() {
    if (recording_ == nullptr) {
        return;
    }
    machine_.record_to(nullptr);
    has_let_go_of_disk_ = recording_->close(settings_.recording_grace);
    auto reason = recording_->take_stop_reason();
    if (!has_let_go_of_disk_) {
        reason = fmt::format("the disk did not take the end of the recording within {}",
                             duration_text(settings_.recording_grace));
    }
    if (reason) {
        post_.send(FromShard{RecordingFailed{settings_.shard, *std::move(reason)}});
    }
}

std::span<const epoll_event> ShardThread::sleep() {
    runtime::Doorbell& bell = switchboard_.bell_of(settings_.shard);
    auto timeout = time_to_sleep();
    due_at_ = Instant::max();
    if (timeout != Duration::zero()) {
        due_at_ = timeout ? runtime::monotonic_now() + *timeout : Instant::max();
        bell.about_to_sleep();
        if (!channels_empty()) {
            timeout = Duration::zero();
        }
    }
    if (timeout && *timeout > Duration::zero() && !reads_sockets()) {
        // What the sockets have sent is not taken, so the poller would return at once, every time.
        bell.sleep(*timeout);
        timeout = Duration::zero();
    }
    const auto ready = poller_.wait(timeout);
    bell.awake();
    return ready;
}

// While channels are full, sockets are not read, so that less comes; but when the server stops and
// nobody is signed in any more, all that still comes is their end.
bool ShardThread::reads_sockets() const noexcept {
    return !post_.is_blocked() || (stops_by_ && machine_.counters().users_online == 0);
}

void ShardThread::serve_sockets(std::span<const epoll_event> ready) {
    for (std::size_t i = 0; i < ready.size(); ++i) {
        // Another one is first each turn: reading may end in between.
        const auto& event = ready[(i + turns_) % ready.size()];
        if (event.data.u64 == doorbell_token) {
            continue;
        }
        if (machine_.departures.size() >= departures_max) {
            carry_off();
        }
        const std::uint32_t events = reads_sockets() ? event.events : event.events & EPOLLOUT;
        if (events != 0) {
            sockets_.ready(event.data.u64, events, now_);
        }
    }
}

std::optional<Duration> ShardThread::time_to_sleep() {
    if (!post_.empty()) {
        return full_channel_wait;
    }
    if (!machine_.outputs.empty() || !machine_.departures.empty()) {
        return Duration::zero();
    }
    std::optional<Instant> next = stops_by_;
    for (const auto& wake : {machine_.next_wake(), sockets_.next_wake(), troubles_.next_wake()}) {
        if (wake && (!next || *wake < *next)) {
            next = wake;
        }
    }
    if (!next) {
        return std::nullopt;
    }
    const Instant now = runtime::monotonic_now();
    return *next <= now ? Duration::zero() : *next - now;
}

// ---- Channels --------------------------------------------------------------------------------

bool ShardThread::channels_empty() {
    for (std::size_t from = 0; from <= switchboard_.shard_count(); ++from) {
        if (!switchboard_.to_shard(from, settings_.shard).empty()) {
            return false;
        }
    }
    return true;
}

void ShardThread::take_from_channels() {
    for (std::size_t from = 0; from <= switchboard_.shard_count(); ++from) {
        auto& channel = switchboard_.to_shard(from, settings_.shard);
        for (int i = 0; i < taken_from_channel_max; ++i) {
            auto item = channel.pop();
            if (!item) {
                break;
            }
            take(*std::move(item));
        }
    }
}

void ShardThread::take(ToShard item) {
    if (auto* message = std::get_if<actor::Message>(&item)) {
        take(std::move(*message));
    } else if (const auto* counters = std::get_if<ReadCounters>(&item)) {
        report(counters->request);
    } else if (const auto* names = std::get_if<ListNames>(&item)) {
        post_.send(FromShard{
            NamesReport{names->request,
                        machine_.buckets().names(names->prefix, names->after, names->count_max)}});
    } else if (std::holds_alternative<EndShard>(item)) {
        has_to_end_ = true;
    } else if (!stops_by_) {
        stops_by_ = now_ + settings_.drain_time;
        sockets_.stop_accepting();
        machine_.step(gateway::Stopping{});
    }
}

void ShardThread::take(actor::Message message) {
    if (post_.is_strained()) {
        if (auto busy = roles::busy_answer(message)) {
            ++ops_refused_;
            machine_.step(*std::move(busy));
            return;
        }
    }
    machine_.step(std::move(message));
    if (machine_.departures.size() >= departures_max) {
        carry_off();
    }
}

void ShardThread::report(RequestId request) {
    ShardReport report;
    report.request = request;
    report.shard = settings_.shard;
    report.gateway = machine_.counters();
    report.slow_readers = machine_.slow_readers();
    report.actors = machine_.buckets().actor_count();
    report.sockets = sockets_.open_count();
    report.accept_pauses = sockets_.accept_pauses();
    report.turns = turns_;
    report.ops_refused = ops_refused_;
    report.events_conflated = post_.events_conflated();
    post_.send(FromShard{report});
}

void ShardThread::carry_off() {
    for (auto& departure : machine_.departures) {
        post_.send(std::move(departure));
    }
    machine_.departures.clear();
    post_.hand_on();
}

}  // namespace muster::server
