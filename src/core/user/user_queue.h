#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/container/flat_map.hpp>

#include "base/rare_list.h"
#include "core/actor/actor.h"
#include "core/user/messages.h"

namespace muster::proto {
class UserQueueState;
}

namespace muster::user {

/// What all user queues of a site have in common.
struct UserSettings {
    /// How long a user without a connection stays a member of what it joined (T_resume).
    Duration resume_time = std::chrono::seconds{120};
    /// A connection not heard of for so long is gone: 2.5 intervals of its Check.
    Duration silent_time = std::chrono::milliseconds{37'500};
    std::size_t joined_max = 64;   ///< queues that one user is in
    std::size_t clients_max = 16;  ///< client programs whose last attempt number is kept
    Logins logins = Logins::newest;
    std::size_t devices_max = 3;  ///< connections at once, for Logins::devices; at most clients_max
};

/// A user's own queue, `/user/alice`: arbitrates the user's connections (UserSettings::logins),
/// holds the session, and the list of joined queues. GUARANTEES.md 5.4 is its table.
///
/// Owns:       the slots, with their connection epochs (cep); the session; the list of joined
///             queues.
/// Invariants: at most one connection is current in a slot; its cep is larger than all before it in
///             any slot. There is one slot, but for Logins::devices. `session_` is set from the
///             first attach to T_resume after the last connection; connections are current only
///             within it. What the user joined itself is left when the session ends; what the
///             backend joined stays. On line, for members and in reports, is who has a session.
/// In:         Attach, Detach, Check, Pass, QueueEnded, Tell, Disconnect, ReadUser, queue::OpReply,
///             Wake; what is meant for other queues (Op, Subscribe, Fence, Read) is refused.
/// Out:        Attached, Stale, Checked, Kick, MembershipChanged, Told, UserReport, queue::Op,
///             queue::OpReply, queue::Presence.
/// Files:      user_queue.cc, user_queue_saved.cc.
class UserQueue final : public actor::Actor {
public:
    /// A place for one connection, and the client program whose place it is in this session.
    struct Slot {
        Cep cep;  ///< the last one given out here; inc 0: none yet
        ConnectionId connection;
        ShardId gateway;
        bool is_taken = false;  ///< by that connection of that gateway: it is current
        Cid cid;                ///< none: it was nobody's in this session
        Instant seen_at;        ///< when the connection was last heard of, or since when it is away

        [[nodiscard]] ConnectionRef ref() const noexcept { return {gateway, connection}; }
        void take(const ConnectionRef& by) noexcept {
            connection = by.connection;
            gateway = by.gateway;
            is_taken = true;
        }
    };

    explicit UserQueue(std::shared_ptr<const UserSettings> settings, UserId user);

    void step(const actor::Event& event, actor::Context& ctx) override;
    [[nodiscard]] bool is_absent() const noexcept override;
    [[nodiscard]] std::optional<Instant> overdue_at() const noexcept override;
    void save(Instant now, std::string& out) const override;

    /// Returns the user queue that save() wrote, or nullptr when `state` is damaged.
    [[nodiscard]] static std::unique_ptr<UserQueue> restore(
        std::shared_ptr<const UserSettings> settings, UserId user, Instant now,
        std::string_view state);

private:
    /// A queue that the user is in, or may be soon.
    struct Membership {
        Inc inc;  ///< 0: not in it
        bool by_server = false;
        std::uint32_t joins_open = 0;   ///< passed on and not answered
        std::uint32_t leaves_open = 0;  ///< the same

        /// Whether a fence could come between a leave and the join behind it, and be forgotten with
        /// the member: who signs in then is told of the queue once these are answered.
        [[nodiscard]] bool is_settled() const noexcept {
            return inc.value != 0 && (joins_open == 0 || leaves_open == 0);
        }
    };
    struct LastAttempt {
        Cid cid;
        std::uint64_t number = 0;
    };

    void take(const Attach& attach, actor::Context& ctx);
    void take(const Detach& detach, actor::Context& ctx);
    void take(const Check& check, actor::Context& ctx);
    void take(const Pass& pass, const actor::Address& from, actor::Context& ctx);
    void take(const queue::OpReply& reply, actor::Context& ctx);
    void take(const QueueEnded& ended);
    void take(const Tell& tell, actor::Context& ctx);
    void take(const Disconnect& disconnect, actor::Context& ctx);
    void take(const ReadUser& read, actor::Context& ctx);
    void on_wake(actor::Context& ctx);
    void refuse(const actor::Message& message, actor::Context& ctx) const;

    void note_standing(const queue::OpReply& reply, actor::Context& ctx);
    [[nodiscard]] bool is_late(const Attach& attach) const;
    void note_attempt(const Attach& attach);
    void note_join(queue::Op& op, const QueueName& queue);
    void name_fences(queue::JoinOp& join, Cep of_sender) const;
    void take_over(Slot& slot, const Attach& attach, actor::Context& ctx);
    void go_away(Slot& slot, actor::Context& ctx);
    void begin_session(Cep cep, actor::Context& ctx);
    void end_session(actor::Context& ctx);
    void leave_behind(const QueueName& queue, actor::Context& ctx) const;
    void tell_presence(const QueueName& queue, bool is_online, Cep cep, actor::Context& ctx) const;
    void tell_membership(const queue::OpReply& reply, Inc inc, actor::Context& ctx) const;

    // The first slot is in the object: that of a user who may have one connection. The others are
    // made when they are taken.
    [[nodiscard]] std::size_t slot_count() const noexcept { return 1 + more_slots_.size(); }
    [[nodiscard]] Slot& slot(std::size_t index) noexcept {
        return index == 0 ? first_slot_ : more_slots_.begin()[index - 1];
    }
    [[nodiscard]] const Slot& slot(std::size_t index) const noexcept {
        return index == 0 ? first_slot_ : more_slots_.begin()[index - 1];
    }
    [[nodiscard]] Slot* slot_of(const ConnectionRef& connection) noexcept;
    [[nodiscard]] std::size_t connection_count() const noexcept;
    [[nodiscard]] Slot& slot_for(Cid cid);
    [[nodiscard]] Cep next_cep(const Slot& slot) const noexcept;
    void take_inc(actor::Context& ctx);
    template <typename Act>
    void for_each_connection(Act act) const;

    [[nodiscard]] bool read_saved(const proto::UserQueueState& saved, Instant now);

    std::shared_ptr<const UserSettings> settings_;
    UserId user_;
    SessionId session_;
    Slot first_slot_;  ///< the inc of its cep is this user queue's
    RareList<Slot> more_slots_;
    std::vector<LastAttempt> attempts_;  ///< the newest client last
    boost::container::flat_map<QueueName, Membership, NameOrder> joined_;
    Seq told_ = 0;
};

}  // namespace muster::user
