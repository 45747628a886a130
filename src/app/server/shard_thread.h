#pragma once

#include <sys/epoll.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <thread>

#include "app/roles/shard_machine.h"
#include "app/server/shard_post.h"
#include "app/server/shard_troubles.h"
#include "app/server/switchboard.h"
#include "base/ids.h"
#include "base/time.h"
#include "core/actor/messages.h"
#include "shell/net/client_sockets.h"
#include "shell/net/listener.h"
#include "shell/runtime/poller.h"
#include "shell/runtime/recording_writer.h"

namespace muster::server {

struct ShardSettings {
    ShardId shard;
    std::uint64_t seed = 0;
    net::ClientSocketsSettings sockets;
    Duration drain_time = std::chrono::seconds{10};  ///< for clients to go, when the server stops
    /// For the disk, to take what is left of the recording then; what it does not take is lost.
    Duration recording_grace = std::chrono::seconds{2};
};

/// Returns how many of `connections_max` the shard number `shard` of `shard_count` may have: all
/// shares make up the whole, but each is at least 1, or its part of the port would be dead.
[[nodiscard]] constexpr std::uint32_t connections_share(std::uint32_t connections_max,
                                                        std::uint16_t shard_count,
                                                        ShardId shard) noexcept {
    const std::uint32_t share = connections_max / shard_count;
    const std::uint32_t rest = connections_max % shard_count;
    const std::uint32_t own = shard.value < rest ? share + 1 : share;
    return own == 0 ? 1 : own;
}

/// One shard: a thread that drives the shard's machines with what its sockets and channels bring,
/// and carries off what they put out.
///
/// A turn: sleep until something is ready; read every ready socket; take what the channels hold; do
/// what is due; write, once per connection; hand on, ringing each receiver once. While another
/// shard's channel is full, sockets are written but not read, and with too much waiting for it
/// (ShardPost::busy_from) operations are answered BUSY. Nothing ever waits for another thread.
///
/// Owns:   the machines, the sockets, the thread.
/// Thread: made and ended by the main thread; everything between on its own.
class ShardThread {
public:
    /// `recording`: to which all that the machines take and say is written down; nullptr: none is.
    ShardThread(const ShardSettings& settings, std::shared_ptr<const roles::Site> site,
                net::Listener listener, Switchboard& switchboard,
                std::unique_ptr<runtime::RecordingWriter> recording = nullptr);

    /// Starts the thread. After a StopShard it says ShardDrained once it has no client any more,
    /// and ends with EndShard, at the latest when drain_time is over, and the recording closed or
    /// recording_grace over; says ShardStopped last.
    void start();

    /// Waits for the thread's end.
    void join();

    /// After join(): is the recording closed, or was there none? If not, the disk's thread hangs
    /// with memory of this object in its hands, and the destructor waits until it does not.
    [[nodiscard]] bool has_let_go_of_disk() const noexcept { return has_let_go_of_disk_; }

private:
    void run();
    void turn();
    [[nodiscard]] std::span<const epoll_event> sleep();
    [[nodiscard]] std::optional<Duration> time_to_sleep();
    [[nodiscard]] bool reads_sockets() const noexcept;
    [[nodiscard]] bool channels_empty();
    void serve_sockets(std::span<const epoll_event> ready);
    void take_from_channels();
    void take(ToShard item);
    void take(actor::Message message);
    void carry_off();
    void report(RequestId request);
    void start_recording();
    void tell_notes();
    void look_after_recording();
    void look_after_troubles();
    void look_after_end();
    void end_recording();

    ShardSettings settings_;
    Switchboard& switchboard_;
    runtime::Poller poller_;
    std::unique_ptr<runtime::RecordingWriter> recording_;  // Where nothing is recorded: nullptr.
    bool is_recording_ = false;
    bool has_let_go_of_disk_ = true;
    roles::ShardMachine machine_;
    net::ClientSockets sockets_;
    ShardPost post_;
    Instant now_{};
    std::uint64_t turns_ = 0;
    std::uint64_t ops_refused_ = 0;
    ShardTroubles troubles_;
    Instant due_at_ = Instant::max();  // When the sleep that has just ended should have.
    Duration late_by_{};               // The most since the log was told.
    std::optional<Instant> stops_by_;
    bool has_said_drained_ = false;
    bool has_to_end_ = false;
    std::thread thread_;
};

}  // namespace muster::server
