#pragma once

#include <cstdint>
#include <optional>

#include "base/ids.h"
#include "core/client/mirror.h"
#include "core/client/op_line.h"

namespace muster::client {

/// What a client knows of one queue, what it wants of it, and what is under way to it.
///
/// Invariants: what the application wants is what was granted (has_joined, has_listened), as far as
///             nothing newer in `line` says otherwise. `mirror.at()` is the cursor: all up to there
///             is known; events up to `seen` were shown.
/// Source:     GUARANTEES.md 5.2.
struct Followed {
    /// How far the stream is to be trusted.
    enum class Follow : std::uint8_t {
        none,      ///< what comes is not asked for (any more)
        asked,     ///< the same as resuming, if the join or listen on its way is not refused
        resuming,  ///< named in the hello: what was missed is coming, until `joined`
        live,      ///< every event must follow the one before
    };

    Mirror mirror;
    OpLine line;
    Seq seen = 0;  ///< ahead of the cursor while resuming
    Inc streamed;  ///< which history this connection streams; 0: that of the cursor that we named
    Follow follow = Follow::none;
    /// The last join (listen) that was granted stands, whatever has become of it since: it is what
    /// the application wants where nothing newer is on its way, or a newer one fails.
    bool has_joined = false;
    bool has_listened = false;
    bool is_member = false;
    bool is_shown = false;  ///< the application was told `joined`, and of no end since
    /// A join that was answered OK before its `joined`, which may still come.
    std::uint64_t unseen_join = 0;
    /// The last numbered join that was accepted: leaves with smaller numbers are of before it.
    OpNumber last_join = 0;
    Inc last_join_inc;

    // ---- What is wanted ----

    [[nodiscard]] bool wants_to_join() const noexcept { return line.ends_joined(has_joined); }
    [[nodiscard]] bool wants_to_listen() const noexcept {
        return line.ends_listening(has_listened);
    }
    [[nodiscard]] bool is_wanted() const noexcept {
        return is_member || wants_to_join() || wants_to_listen();
    }
    [[nodiscard]] bool is_leaving() const noexcept { return !line.ends_joined(true); }
    /// A leave or unlisten is on its way, with nothing newer behind it. Until its answer the stream
    /// goes on.
    [[nodiscard]] bool is_ending() const noexcept {
        return is_leaving() || !line.ends_listening(true);
    }

    // ---- What happens ----

    /// `joined` or `reset`: the stream begins behind `at`.
    void begins_at(Cursor at) noexcept;

    enum class Place : std::uint8_t { next, unwanted, breach };
    /// Says what an event of the stream is to us; `next` moves on to it.
    [[nodiscard]] Place take(Seq seq, std::optional<Seq> prev);

    /// Membership and stream are over, whoever ended them. A join on its way has not been judged
    /// yet: it stays wanted.
    void parted() noexcept;

    /// The server has ended a stream at our will; but it may begin another one, for a join or
    /// listen that is right behind.
    void stream_ended();

    void connection_ended();

    // ---- What we do about it ----

    /// Becomes a member again, where the application asked for it and the server says we are not.
    void stay_member();
    /// The same for who listens and is not streamed to any more.
    void stay_listener();

private:
    [[nodiscard]] Place take_while_resuming(Seq seq, std::optional<Seq> prev);
};

}  // namespace muster::client
