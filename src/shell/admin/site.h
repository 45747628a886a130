#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/name.h"
#include "core/actor/messages.h"
#include "core/queue/messages.h"
#include "core/user/messages.h"

namespace muster::admin {

/// What an actor answers to the service thread.
using Reply = std::variant<queue::OpReply, queue::ReadReply, user::UserReport>;

/// Makes the body of a message, once the site has drawn the number under which its reply comes.
using MakeBody = std::function<actor::Body(RequestId)>;

/// Which names are wanted.
struct ListQuestion {
    std::string prefix;
    std::string after;  ///< names that come after this one, by bytes
    std::size_t count_max = 0;
};

/// The site as the admin API sees it: what the app carries over channels to the shards, and a table
/// in the tests.
///
/// Thread: all calls are made on the service thread, and every `then` is called there, once, maybe
///         before the call returns. Every question has a deadline of the site's.
class Site {
public:
    Site() = default;
    Site(const Site&) = delete;
    Site& operator=(const Site&) = delete;
    virtual ~Site() = default;

    /// Sends a body to the actor `to`, from ServiceAddress, and hands on its reply. Nothing at the
    /// deadline: then the outcome is unknown. Two messages to one actor arrive in their order.
    virtual void ask(QueueName to, MakeBody make_body,
                     std::function<void(std::optional<Reply>)> then) = 0;

    /// Collects the names of actors from all shards, in order, at most count_max. Nothing at the
    /// deadline.
    virtual void list(ListQuestion question,
                      std::function<void(std::optional<std::vector<QueueName>>)> then) = 0;

    /// Collects the metrics of all shards, as Prometheus text.
    virtual void metrics(std::function<void(std::string)> then) = 0;

    /// Returns how many bytes a message, a value or a member's meta may have.
    [[nodiscard]] virtual std::uint32_t payload_bytes_max() const = 0;

    /// Returns whether clients would be served now.
    [[nodiscard]] virtual bool is_ready() const = 0;
};

}  // namespace muster::admin
