#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// The C++ client of Muster. Needs nothing but the standard library to be included.
///
///     muster::Client client({.servers = {"ws://127.0.0.1:7400"}, .user = "alice"});
///     auto room = client.queue("/room/lobby");
///     room.on_message([](const muster::Message& m) { show(m.from, m.data); });
///     room.join();
///     room.send("chat", R"({"text":"hi"})", [](const muster::Outcome& o) { mark(o.is_ok()); });
///     for (;;) {
///         client.poll(std::chrono::milliseconds{100});  // All callbacks run in here.
///     }
///
/// It reconnects by itself, goes on where it was, and tells each request's outcome exactly once.
namespace muster {

/// What became of one request.
struct Outcome {
    enum class Kind : std::uint8_t {
        ok,
        rejected,  ///< the server said no: never applied, and never will be
        not_sent,  ///< had no effect, and never will: it was not sent, or was taken back in time
        unknown,   ///< nobody can tell any more: its queue was lost, or this client was away for
                   ///< long
    };
    Kind kind = Kind::ok;
    std::uint64_t seq = 0;                   ///< ok: its place in the queue, as far as it was told
    std::string code{};                      ///< otherwise: `M2003`, see `muster explain M2003`
    std::string name{};                      ///< `not_member`
    std::string detail{};                    ///< for people
    bool is_retryable = false;               ///< may the same request succeed later?
    std::optional<std::uint64_t> current{};  ///< conflict: the seq at which the key last changed

    [[nodiscard]] bool is_ok() const noexcept { return kind == Kind::ok; }
};

/// Where the client stands.
struct Status {
    enum class State : std::uint8_t {
        connecting,  ///< for the first time
        online,
        resuming,  ///< connecting again
        offline,   ///< waiting for the next attempt
        closed,    ///< for good: closed by you, its token refused, or its user connected elsewhere
    };
    State state = State::connecting;
    std::string code{};  ///< why, if there is a code for it: `M1003`
    std::string name{};  ///< `superseded`
    std::string detail{};
    std::chrono::milliseconds retry_in{0};  ///< offline only
};

// ---- What queues tell. All views are valid during the callback only. ------------------------

/// A place in a queue: bigger is later. Keep it to go on from there in another run of the program.
struct Position {
    std::uint64_t inc = 0;
    std::uint64_t seq = 0;
    friend bool operator==(const Position&, const Position&) = default;
};

/// A message, or a value: JSON text, or bytes.
struct Message {
    std::string_view queue{};
    std::string_view mount{};
    std::string_view from{};  ///< empty: the server
    std::string_view data{};
    bool is_binary = false;
    std::uint64_t seq = 0;
    std::int64_t time_ms = 0;  ///< since 1970, by the server's clock
};

struct KeyChange {
    std::string_view key{};
    std::optional<std::string_view> value{};  ///< nothing: the key was deleted
    bool is_binary = false;
};

struct StateChange {
    std::string_view queue{};
    std::string_view mount{};
    std::uint64_t seq = 0;
    std::vector<KeyChange> changes{};
};

struct Member {
    std::string_view user{};
    std::string_view info{};  ///< a JSON object
};

struct MembersChange {
    struct Gone {
        std::string_view user{};
        std::string_view why{};  ///< left | timeout | kicked
    };
    std::string_view queue{};
    std::uint64_t seq = 0;
    std::vector<Member> came{};  ///< or changed
    std::vector<Gone> gone{};
    std::uint64_t count = 0;  ///< members in all
};

struct MountInfo {
    std::string_view name{};
    bool is_state = false;
    std::string resume{};  ///< `fresh`, `replayed 2`, `snapshot` or `gap 23..31`
};

/// The queue is followed from now on, (again) from `at`; what was missed has come before.
struct Joined {
    std::string_view queue{};
    bool is_member = false;
    Position at{};
    std::vector<MountInfo> mounts{};
    std::uint64_t member_count = 0;
};

/// Everything that was known of the queue has been replaced.
struct Reset {
    std::string_view queue{};
    std::string_view why{};  ///< gone | deleted | behind | unknown
    Position at{};
};

/// These messages of a mount will not come.
struct Gap {
    std::string_view queue{};
    std::string_view mount{};
    std::uint64_t from = 0;
    std::uint64_t to = 0;
};

struct Left {
    std::string_view queue{};
    std::string_view why{};  ///< kicked, timeout, or why the server did not take us back
};

/// A mount came (`type` is message or state) or went (`type` is empty).
struct MountChange {
    std::string_view queue{};
    std::string_view mount{};
    std::string_view type{};
};

/// The answer to history(): the oldest message first.
struct HistoryPage {
    Outcome outcome{};
    std::vector<Message> messages{};
    bool has_more = false;  ///< older ones are still there
};

/// A key's value in the client's mirror.
struct Value {
    std::string data{};
    bool is_binary = false;
    /// For `if_seq`; nothing: it has not changed since this client follows the queue.
    std::optional<std::uint64_t> changed_at{};
};

/// Names one request, for Client::give_up().
using RequestNumber = std::uint64_t;

using Callback = std::function<void(const Outcome&)>;

namespace detail {
class ClientCore;
}

/// One queue, as a client sees it. A light handle: copies mean the same queue. Making one costs no
/// I/O, and it must not outlive its Client.
///
/// Requests made while the client is offline wait, bounded, and end `not_sent` after
/// ClientOptions::request_ttl; join and listen wait as long as it takes. Requests of one queue keep
/// their order.
class Queue {
public:
    [[nodiscard]] const std::string& name() const noexcept;

    // Requests. The callback runs once, inside poll().

    /// Becomes a member and stays one, also over reconnects, until leave() or a kick.
    RequestNumber join(Callback done = {});
    RequestNumber leave(Callback done = {});

    /// Follows the queue without being a member.
    RequestNumber listen(Callback done = {});
    RequestNumber unlisten(Callback done = {});

    /// As join and listen, but what came after `since` is told first, if the queue still knows it.
    RequestNumber join_since(Position since, Callback done = {});
    RequestNumber listen_since(Position since, Callback done = {});

    /// Sends a message: one JSON value, at most 16 KiB. Join or listen first.
    RequestNumber send(std::string_view mount, std::string_view json, Callback done = {});
    RequestNumber send_bytes(std::string_view mount, std::string_view bytes, Callback done = {});

    /// Sets a key of a state mount. `if_seq`: only if the key last changed there; 0: only if
    /// absent.
    RequestNumber set(std::string_view mount, std::string_view key, std::string_view json,
                      Callback done = {}, std::optional<std::uint64_t> if_seq = {});
    RequestNumber set_bytes(std::string_view mount, std::string_view key, std::string_view bytes,
                            Callback done = {}, std::optional<std::uint64_t> if_seq = {});
    RequestNumber del(std::string_view mount, std::string_view key, Callback done = {},
                      std::optional<std::uint64_t> if_seq = {});

    /// Reads remembered messages: the youngest ones, or those before `before`.
    RequestNumber history(std::string_view mount, std::function<void(const HistoryPage&)> done,
                          std::optional<std::uint64_t> before = {});

    // Handlers, one of each kind: setting one replaces the one before.

    void on_message(std::function<void(const Message&)> handler);
    void on_state(std::function<void(const StateChange&)> handler);
    void on_members(std::function<void(const MembersChange&)> handler);
    void on_mount(std::function<void(const MountChange&)> handler);
    void on_joined(std::function<void(const Joined&)> handler);
    void on_reset(std::function<void(const Reset&)> handler);
    void on_gap(std::function<void(const Gap&)> handler);
    void on_stalled(std::function<void(bool is_stalled)> handler);
    void on_left(std::function<void(const Left&)> handler);

    // The mirror: what the client knows of the queue, at once.

    [[nodiscard]] bool is_member() const;
    [[nodiscard]] Position position() const;
    [[nodiscard]] std::optional<Value> get(std::string_view mount, std::string_view key) const;
    [[nodiscard]] std::vector<std::string> keys(std::string_view mount) const;
    [[nodiscard]] std::vector<std::string> members() const;  ///< those that the server lists
    [[nodiscard]] std::uint64_t member_count() const;

private:
    friend class Client;
    Queue(detail::ClientCore& core, std::shared_ptr<const std::string> name)
        : core_(&core), name_(std::move(name)) {}

    detail::ClientCore* core_;
    std::shared_ptr<const std::string> name_;
};

/// How frames are written: as protobuf (subprotocol `muster.v1.proto`) or JSON (`muster.v1.json`).
enum class Encoding : std::uint8_t { proto, json };

struct ClientOptions {
    /// `host[:7400]` or `ws://host[:7400][/path]`. One is picked at random, and another after a
    /// failure.
    std::vector<std::string> servers{"ws://127.0.0.1:7400"};

    /// Who you are. Either a user's name, which only servers in --dev accept …
    std::string user{};
    /// … or a token …
    std::string token{};
    /// … or where to get one. Called inside poll(), before connecting and before the last one ends;
    /// nothing: none to be had now, ask again later. Answer quickly: keep one ready.
    std::function<std::optional<std::string>()> fetch_token{};

    /// How long a request may wait to be sent.
    std::chrono::milliseconds request_ttl{30'000};

    /// What to ask for; a server that has no protobuf chooses JSON. Nothing else depends on it.
    Encoding encoding = Encoding::proto;
};

/// One user's client program on line.
///
/// Owns:   one socket at a time, the requests under way, the mirrors of the queues it follows.
/// Thread: the one that calls it; it starts none, and nothing happens between two calls of poll().
class Client {
public:
    explicit Client(ClientOptions options);

    /// Closes. Callbacks of requests still open are dropped: call close() before to hear of them.
    ~Client();
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;
    Client(Client&&) noexcept;
    Client& operator=(Client&&) noexcept;

    /// Returns the queue called `name`, such as `/room/lobby`.
    [[nodiscard]] Queue queue(std::string_view name);

    /// Does what there is to do and runs callbacks; waits for that at most `timeout`, and returns
    /// after the first callbacks. Returns how many ran. Connects with its first call.
    std::size_t poll(std::chrono::milliseconds timeout);

    /// Ends all: every open request gets its outcome in the next poll().
    void close();

    /// Connects again: after `closed`, or at once instead of after the wait of `offline`.
    void reconnect();

    /// Gives a request up. Its callback still says what became of it, as soon as that is known.
    void give_up(RequestNumber request);

    void on_status(std::function<void(const Status&)> handler);
    [[nodiscard]] const Status& status() const noexcept;

    /// Messages to the user itself, whatever queue it is in. A reliable one counts as taken when
    /// the handler returns.
    void on_mail(std::function<void(const Message&)> handler);

    /// Queues that the server made us a member of, or whose handlers are not set.
    void on_any_joined(std::function<void(const Joined&)> handler);

    /// Returns who the server says that we are; empty before the first `online`.
    [[nodiscard]] const std::string& user() const noexcept;

    /// Returns how many requests wait for their outcome.
    [[nodiscard]] std::size_t open_request_count() const noexcept;

private:
    std::unique_ptr<detail::ClientCore> core_;
};

}  // namespace muster
