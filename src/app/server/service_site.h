#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "app/server/switchboard.h"
#include "base/fifo.h"
#include "base/ids.h"
#include "base/name.h"
#include "base/time.h"
#include "core/actor/messages.h"
#include "core/ring/placement.h"
#include "shell/admin/site.h"

namespace muster::server {

/// The site as the service thread sees it: questions to actors and shards go out over the
/// switchboard, answers come back and are paired by their request's number.
///
/// Thread:     the service thread.
/// Invariants: every question is answered once, at the latest at its deadline, with nothing. At
///             most questions_max are open; more are answered with nothing at once. Each item that
///             waits for a full channel is of an open question, or a stop.
/// Too late:   a number is never used again, so an answer after the deadline finds no question and
///             is dropped. What has not left to a full channel by then never leaves: the asker has
///             been told that nothing is known of it, and would ask again.
class ServiceSite final : public admin::Site {
public:
    static constexpr Duration deadline = std::chrono::seconds{5};
    static constexpr std::size_t questions_max = 4'096;

    ServiceSite(Switchboard& switchboard, const ring::Placement& placement,
                std::uint32_t payload_bytes_max);

    void ask(QueueName to, admin::MakeBody make_body,
             std::function<void(std::optional<admin::Reply>)> then) override;
    void list(admin::ListQuestion question,
              std::function<void(std::optional<std::vector<QueueName>>)> then) override;
    void metrics(std::function<void(std::string)> then) override;
    [[nodiscard]] std::uint32_t payload_bytes_max() const override { return payload_bytes_max_; }
    [[nodiscard]] bool is_ready() const override { return is_ready_; }

    /// From now on clients are served, or not any more.
    void set_ready(bool is_ready) noexcept { is_ready_ = is_ready; }

    /// Asks every shard to let its clients go and, once none has any, to end; `then` is called once
    /// all have ended.
    void stop_shards(std::function<void()> then);

    /// `then` is called when a shard's recording cannot go on.
    void on_recording_failed(std::function<void(const RecordingFailed&)> then) {
        then_recording_failed_ = std::move(then);
    }

    /// `then` is called with what a gateway has to say in the log.
    void on_note(std::function<void(const ShardNote&)> then) { then_noted_ = std::move(then); }

    /// `then` is called with what a shard has to say there of itself.
    void on_trouble(std::function<void(const ShardTrouble&)> then) {
        then_troubled_ = std::move(then);
    }

    /// Takes what the shards have sent. To be called when the service's bell was rung.
    void take_from_shards(Instant now);

    /// Gives up on questions whose deadline is over.
    void time_passed(Instant now);

    /// How many items wait for a full channel.
    [[nodiscard]] std::size_t kept_count() const noexcept;

private:
    struct ToActor {
        std::function<void(std::optional<admin::Reply>)> then;
    };
    struct ToAllForNames {
        std::function<void(std::optional<std::vector<QueueName>>)> then;
        std::size_t count_max = 0;
        std::size_t answers_open = 0;
        std::vector<QueueName> names;
    };
    struct ToAllForCounters {
        std::function<void(std::string)> then;
        std::size_t answers_open = 0;
        std::vector<ShardReport> reports;
    };
    struct Question {
        Instant asked_at;
        std::variant<ToActor, ToAllForNames, ToAllForCounters> what;
    };

    /// What a full channel did not take.
    struct Kept {
        std::optional<RequestId> request;  ///< whose it is; nothing: it is to leave in any case
        ToShard item;
    };

    std::optional<RequestId> open(decltype(Question::what) what);
    void send(ShardId to, std::optional<RequestId> request, ToShard item);
    void send_to_all(RequestId request, const ToShard& item);
    void flush_kept();
    void take(FromShard item);
    void take(actor::Message message);
    void take(ShardReport report);
    void take(NamesReport report);
    void give_up(Question question);

    Switchboard& switchboard_;
    ring::Placement placement_;
    std::uint32_t payload_bytes_max_;
    Instant now_{};
    bool is_ready_ = false;
    RequestId last_request_;
    std::map<RequestId, Question> questions_;
    std::vector<Fifo<Kept>> kept_;  ///< by shard
    std::size_t shards_draining_ = 0;
    std::size_t shards_stopping_ = 0;
    std::function<void()> then_stopped_;
    std::function<void(const RecordingFailed&)> then_recording_failed_;
    std::function<void(const ShardNote&)> then_noted_;
    std::function<void(const ShardTrouble&)> then_troubled_;
};

/// The metrics page: what all shards have counted, under the names of docs/reference/metrics.md.
[[nodiscard]] std::string metrics_text(const std::vector<ShardReport>& reports);

}  // namespace muster::server
