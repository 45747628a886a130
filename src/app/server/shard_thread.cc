#include "app/server/shard_thread.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "shell/runtime/clock.h"

namespace muster::server {
namespace {

constexpr std::size_t ready_sockets_max = 4096;
constexpr std::uint64_t doorbell_token = net::ClientSockets::listener_token | 1U;

// A turn takes this much of one channel at most, so that sockets get their share.
constexpr int taken_from_channel_max = 4096;

constexpr Duration congestion_wait = std::chrono::milliseconds{1};

}  // namespace

ShardThread::ShardThread(const ShardSettings& settings, std::shared_ptr<const roles::Site> site,
                         net::Listener listener, Switchboard& switchboard)
    : settings_(settings),
      switchboard_(switchboard),
      poller_(ready_sockets_max),
      machine_(settings.shard, std::move(site), settings.seed),
      sockets_(poller_, std::move(listener), settings.sockets,
               [this](const gateway::Event& event) { machine_.step(event); }),
      kept_for_shards_(switchboard.shard_count()) {
    poller_.add(switchboard_.bell_of(settings.shard).fd(), EPOLLIN, doorbell_token);
}

void ShardThread::start() {
    thread_ = std::thread([this] { run(); });
}

void ShardThread::join() { thread_.join(); }

void ShardThread::run() {
    while (!stops_by_ || (sockets_.open_count() > 0 && now_ < *stops_by_)) {
        turn();
    }
    kept_for_service_.emplace_back(ShardStopped{settings_.shard});
    while (!kept_for_service_.empty()) {
        retry_kept();
        std::this_thread::yield();
    }
}

void ShardThread::turn() {
    ++turns_;
    runtime::Doorbell& bell = switchboard_.bell_of(settings_.shard);
    auto timeout = time_to_sleep();
    if (timeout != Duration::zero()) {
        bell.about_to_sleep();
        if (!channels_empty()) {
            timeout = Duration::zero();
        }
    }
    const auto ready = poller_.wait(timeout);
    bell.awake();
    now_ = runtime::monotonic_now();
    machine_.begin_turn(now_, runtime::wall_now());
    const bool is_congested_now = is_congested();
    for (const auto& event : ready) {
        if (event.data.u64 != doorbell_token && !is_congested_now) {
            sockets_.ready(event.data.u64, event.events, now_);
        }
    }
    take_from_channels();
    machine_.step();
    sockets_.time_passed(now_);
    sockets_.flush(machine_.outputs, now_);
    hand_on();
}

std::optional<Duration> ShardThread::time_to_sleep() {
    if (is_congested()) {
        return congestion_wait;
    }
    if (!machine_.outputs.empty() || !machine_.departures.empty()) {
        return Duration::zero();
    }
    std::optional<Instant> next = stops_by_;
    for (const auto& wake : {machine_.next_wake(), sockets_.next_wake()}) {
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
        machine_.step(std::move(*message));
    } else if (const auto* counters = std::get_if<ReadCounters>(&item)) {
        report(counters->request);
    } else if (const auto* names = std::get_if<ListNames>(&item)) {
        push(switchboard_.to_service(settings_.shard), kept_for_service_,
             FromShard{NamesReport{names->request,
                                   machine_.buckets().names(names->prefix, names->after,
                                                            names->count_max)}});
        switchboard_.bell_of_service().ring();
    } else if (!stops_by_) {
        stops_by_ = now_ + settings_.drain_time;
        sockets_.stop_accepting();
        machine_.step(gateway::Stopping{});
    }
}

void ShardThread::report(RequestId request) {
    ShardReport report;
    report.request = request;
    report.shard = settings_.shard;
    report.gateway = machine_.counters();
    report.actors = machine_.buckets().actor_count();
    report.sockets = sockets_.open_count();
    report.accept_pauses = sockets_.accept_pauses();
    report.turns = turns_;
    push(switchboard_.to_service(settings_.shard), kept_for_service_, FromShard{report});
    switchboard_.bell_of_service().ring();
}

void ShardThread::hand_on() {
    retry_kept();
    if (machine_.departures.empty()) {
        return;
    }
    std::vector<bool> rings(switchboard_.shard_count() + std::size_t{1});
    for (auto& departure : machine_.departures) {
        if (departure.to) {
            const ShardId to = *departure.to;
            push(switchboard_.to_shard(settings_.shard.value, to), kept_for_shards_[to.value],
                 ToShard{std::move(departure.message)});
            rings[to.value] = true;
        } else {
            push(switchboard_.to_service(settings_.shard), kept_for_service_,
                 FromShard{std::move(departure.message)});
            rings[switchboard_.shard_count()] = true;
        }
    }
    machine_.departures.clear();
    for (std::uint16_t i = 0; i < switchboard_.shard_count(); ++i) {
        if (rings[i]) {
            switchboard_.bell_of(ShardId{i}).ring();
        }
    }
    if (rings[switchboard_.shard_count()]) {
        switchboard_.bell_of_service().ring();
    }
}

template <typename Item>
void ShardThread::push(runtime::Channel<Item>& channel, std::vector<Item>& kept, Item item) {
    if (!kept.empty() || !channel.push(item)) {
        kept.push_back(std::move(item));
    }
}

bool ShardThread::is_congested() const noexcept {
    return !kept_for_service_.empty() ||
           std::any_of(kept_for_shards_.begin(), kept_for_shards_.end(),
                       [](const auto& kept) { return !kept.empty(); });
}

void ShardThread::retry_kept() {
    const auto retry = [](auto& channel, auto& kept) {
        std::size_t taken = 0;
        while (taken < kept.size() && channel.push(kept[taken])) {
            ++taken;
        }
        kept.erase(kept.begin(), kept.begin() + static_cast<std::ptrdiff_t>(taken));
        return taken > 0;
    };
    for (std::uint16_t i = 0; i < switchboard_.shard_count(); ++i) {
        if (retry(switchboard_.to_shard(settings_.shard.value, ShardId{i}), kept_for_shards_[i])) {
            switchboard_.bell_of(ShardId{i}).ring();
        }
    }
    if (retry(switchboard_.to_service(settings_.shard), kept_for_service_)) {
        switchboard_.bell_of_service().ring();
    }
}

}  // namespace muster::server
