#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "bench/peers/conversation.h"

/// `muster bench`: loads a server over real sockets as many clients would, and says what it did:
/// next to every rate, how much was expected, received, lost, doubled and out of order.
namespace muster::bench {

enum class Work : std::uint8_t {
    fanout,   ///< one sends, all of one room receive
    rooms,    ///< many rooms of a few members, all of whom send
    state,    ///< all members of rooms set their own key many times a second; some read slowly
    storm,    ///< all are cut at once and come back at once
    idle,     ///< users who are signed in and have joined a room, and do nothing
    logins,   ///< connect, sign in, join, as fast as it goes
    creates,  ///< make a room, join, send, hear it, leave, as fast as it goes
};
inline constexpr std::size_t work_count = 7;

[[nodiscard]] std::string_view name_of(Work work) noexcept;

struct Options {
    Work work = Work::rooms;
    Peer peer = Peer::muster;
    std::string server = "127.0.0.1:7400";
    std::uint32_t clients = 1'000;
    std::uint32_t members = 10;  ///< of a room; fanout: all are in one
    /// rooms: messages a second that all senders together offer; state: of each member; fanout: 0
    /// is a closed loop, as fast as the window allows.
    double rate = 0;
    std::uint32_t window = 64;  ///< fanout: messages under way; logins, creates: clients busy
    std::uint32_t payload_bytes = 100;
    std::uint32_t seconds = 10;
    double warmup_seconds = 1;     ///< before the counting begins
    double cool_down_seconds = 0;  ///< after it, at cool_down_rate; still watched
    double cool_down_rate = 0;
    std::uint32_t publishers = 0;     ///< redis: connections that send; 0: one for each who sends
    std::uint32_t slow_percent = 10;  ///< state: of the listeners
    std::uint32_t processes = 0;      ///< that load the server; 0: as many as descriptors need
    bool numbers_ops = false;         ///< rooms: each op carries its number, and is de-duplicated
    bool is_lone = false;             ///< fanout: one message, and the next long after all have it
    bool overloads = false;           ///< fanout: what is possible, then 120 % of it, then 50 %
    bool searches = false;            ///< rooms: the highest rate with a p99 below 100 ms
    int server_pid = 0;               ///< for its CPU time and memory; 0: unknown
    bool shows_progress = true;       ///< on stderr, once a second
};

/// What `muster bench WORK` does when it is not told otherwise.
[[nodiscard]] Options default_options(Work work) noexcept;

struct Report;

/// Runs one work against a server that is up. Errors: cannot connect, sign in or join in time; a
/// work that this server cannot do.
[[nodiscard]] Result<Report> run(const Options& options);

}  // namespace muster::bench
