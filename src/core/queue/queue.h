#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/rate.h"
#include "base/result.h"
#include "core/actor/actor.h"
#include "core/queue/client_records.h"
#include "core/queue/content.h"
#include "core/queue/idempotency_table.h"
#include "core/queue/messages.h"
#include "core/queue/template.h"

namespace muster::proto {
class QueueState;
}

namespace muster::queue {

/// What all queues of a site have in common. Shared by its shards.
struct QueueSettings {
    TemplateTable templates;
    Limits limits;
};

/// A named place, `/room/123`: mounts and members under one contiguous seq. Decides every op by the
/// table of GUARANTEES.md 5.1, keeps the verdicts of numbered ops, and publishes each change to the
/// gateway shards that follow the queue.
///
/// Owns:       the original Content, the op records, the fences, the subscribers.
/// Invariants: `content_` is set exactly while the queue exists. Every change of it is an Event that
///             has been published, in the order of seq. Outputs of one step follow the order in
///             which things happened: an op's events come before its verdict. What nobody has
///             written to, joined or listened to for its idle time goes away.
/// In:         Op, Subscribe, Unsubscribe, Fence, Presence, Read, Wake.
/// Out:        OpReply, Subscribed, SubscribeRefused, Published, Ended, FenceReply, ReadReply,
///             user::QueueEnded.
/// Files:      queue.cc (readers, changes, time), queue_ops.cc (decisions), queue_saved.cc.
class Queue final : public actor::Actor {
public:
    /// How often a queue looks at what it must not remember for long, while there is such: old
    /// messages, rates, idempotency keys. So these may stay so much longer in memory, unseen.
    static constexpr Duration tidy_interval = std::chrono::seconds{60};

    explicit Queue(std::shared_ptr<const QueueSettings> settings);

    void step(const actor::Event& event, actor::Context& ctx) override;
    [[nodiscard]] bool is_absent() const noexcept override { return !content_.has_value(); }
    void save(Instant now, std::string& out) const override;

    /// Returns the queue that save() wrote, or nullptr when `state` is damaged.
    [[nodiscard]] static std::unique_ptr<Queue> restore(
        std::shared_ptr<const QueueSettings> settings, Instant now, std::string_view state);

    [[nodiscard]] const std::optional<Content>& content() const noexcept { return content_; }

private:
    struct Subscriber {
        ShardId gateway;
        SubId sub;
    };
    using NamedMount = std::pair<const MountName, Mount>;
    using RateKey = std::pair<UserId, MountName>;
    using Fences = std::multimap<UserId, Cep, NameOrder>;

    void take(const Op& op, const actor::Address& from, actor::Context& ctx);
    void take(const Subscribe& subscribe, actor::Context& ctx);
    void take(const Unsubscribe& unsubscribe, actor::Context& ctx);
    void take(const Fence& fence, actor::Context& ctx);
    void take(const Presence& presence, actor::Context& ctx);
    void take(const Read& read, actor::Context& ctx);
    void on_wake(actor::Context& ctx);

    // The lines of GUARANTEES.md 5.1, each for one kind of op. They return the verdict and, where
    // it is OK, have published the change.
    Verdict decide(const Op& op, actor::Context& ctx);
    Verdict decide_present(const Op& op, actor::Context& ctx);
    Verdict decide_absent(const Op& op, actor::Context& ctx);
    Verdict decide_idempotent(const Op& op, actor::Context& ctx);
    Verdict apply(const Op& op, actor::Context& ctx);
    Verdict join(const Op& op, const JoinOp& join, actor::Context& ctx);
    Verdict leave(const Op& op, const LeaveOp& leave, actor::Context& ctx);
    Verdict send(const Op& op, const SendOp& send, actor::Context& ctx);
    Verdict set(const Op& op, const SetOp& set, actor::Context& ctx);
    Verdict create(const CreateOp& create, actor::Context& ctx);
    Verdict create_again(const CreateOp& create, actor::Context& ctx) const;
    Verdict put_mount(const PutMountOp& put, actor::Context& ctx);
    Verdict delete_mount(const DeleteMountOp& remove, actor::Context& ctx);
    Verdict delete_queue(actor::Context& ctx);

    /// Returns the mount `name`, if it is of the kind and `op` may write to it; else why not.
    [[nodiscard]] Result<const NamedMount*> writable(const Op& op, const MountName& name,
                                                     MountKind kind) const;
    [[nodiscard]] std::optional<Verdict> refuse_change(const SetOp& set, const Mount& mount) const;
    /// Counts a message to `mount` against its rate; returns how long to wait, if it is too fast.
    [[nodiscard]] std::optional<Duration> over_rate(const Op& op, const NamedMount& mount,
                                                    actor::Context& ctx);

    void begin(CreateOp definition, std::shared_ptr<const Template> rules, actor::Context& ctx);
    void publish(Event event, actor::Context& ctx);
    void remove_member(const UserId& user, LeaveReason reason, actor::Context& ctx);
    [[nodiscard]] Fences::iterator find_fence(const UserId& member, std::uint8_t slot);
    [[nodiscard]] bool is_fenced(const UserId& member, Cep cep) const;
    void raise_fence(const UserId& member, Cep cep);
    void note_whether_empty(actor::Context& ctx);
    void age_clients(actor::Context& ctx);
    void end_history(actor::Context& ctx);
    void vanish();
    [[nodiscard]] Duration idle_ttl() const noexcept;
    [[nodiscard]] bool is_member(const UserId& user) const;
    [[nodiscard]] std::optional<Standing> standing_of(const UserId& user) const;

    [[nodiscard]] bool read_saved(const proto::QueueState& saved, Instant now);

    std::shared_ptr<const QueueSettings> settings_;
    std::optional<Content> content_;
    CreateOp definition_;  ///< what the queue was created as; its template is always named
    ClientRecords clients_;
    Fences fences_;                       ///< of members: the largest cep seen, in each slot
    std::map<RateKey, RateMeter> rates_;  ///< of those that wrote a short while ago
    IdempotencyTable idempotent_;
    std::vector<Subscriber> subscribers_;
    std::optional<Instant> idle_since_;  ///< while there is neither member nor subscriber
};

}  // namespace muster::queue
