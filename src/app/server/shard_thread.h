#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "app/roles/shard_machine.h"
#include "app/server/switchboard.h"
#include "base/ids.h"
#include "shell/net/client_sockets.h"
#include "shell/runtime/poller.h"

namespace muster::server {

struct ShardSettings {
    ShardId shard;
    std::uint64_t seed = 0;
    net::ClientSocketsSettings sockets;
    Duration drain_time = std::chrono::seconds{10};  ///< for last bytes, when the server stops
};

/// One shard: a thread that drives the shard's machines with what its sockets and channels bring,
/// and carries off what they put out.
///
/// A turn: sleep until something is ready; read every ready socket; take what the channels hold; do
/// what is due; write, once per connection; hand on, ringing each receiver once.
///
/// Owns:   the machines, the sockets, the thread.
/// Thread: made and ended by the main thread; everything between on its own.
class ShardThread {
public:
    ShardThread(const ShardSettings& settings, std::shared_ptr<const roles::Site> site,
                net::Listener listener, Switchboard& switchboard);

    /// Starts the thread. It ends after a StopShard, when all is written or drain_time is over, and
    /// says ShardStopped last.
    void start();

    /// Waits for the thread's end.
    void join();

private:
    void run();
    void turn();
    [[nodiscard]] std::optional<Duration> time_to_sleep();
    [[nodiscard]] bool channels_empty();
    void take_from_channels();
    void take(ToShard item);
    void hand_on();
    template <typename Item>
    void push(runtime::Channel<Item>& channel, std::vector<Item>& kept, Item item);
    [[nodiscard]] bool is_congested() const noexcept;
    void retry_kept();
    void report(RequestId request);

    ShardSettings settings_;
    Switchboard& switchboard_;
    runtime::Poller poller_;
    roles::ShardMachine machine_;
    net::ClientSockets sockets_;
    // What a full channel did not take, by receiver: while any is here, no socket is read.
    std::vector<std::vector<ToShard>> kept_for_shards_;
    std::vector<FromShard> kept_for_service_;
    Instant now_{};
    std::uint64_t turns_ = 0;
    std::optional<Instant> stops_by_;
    std::thread thread_;
};

}  // namespace muster::server
