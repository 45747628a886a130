#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/rng.h"
#include "base/time.h"
#include "client/server_address.h"
#include "client/web_socket.h"
#include "core/client/client.h"
#include "core/client/messages.h"
#include "core/wire/frames.h"
#include "muster/client.h"

namespace muster::detail {

/// What an application wants to hear of one queue. Shared with the call under way, so that a
/// handler may replace itself.
template <typename... Arguments>
using Handler = std::shared_ptr<const std::function<void(Arguments...)>>;

struct Handlers {
    Handler<const Message&> message;
    Handler<const StateChange&> state;
    Handler<const MembersChange&> members;
    Handler<const MountChange&> mount;
    Handler<const Joined&> joined;
    Handler<const Reset&> reset;
    Handler<const Gap&> gap;
    Handler<bool> stalled;
    Handler<const Left&> left;
};

/// The client's shell: carries events to the machine of core/client and does what that asks for.
///
/// Owns:   the machine, its socket, the application's handlers and callbacks.
/// Thread: the application's; callbacks run in poll() only. A callback may make requests: the
///         machine takes them at once, and what it has to tell waits for the present callback.
class ClientCore {
public:
    explicit ClientCore(ClientOptions options);

    std::size_t poll(std::chrono::milliseconds timeout);
    void close();
    void reconnect();

    RequestNumber submit(std::string_view queue, client::Request request, Callback done);
    RequestNumber history(std::string_view queue, client::History request,
                          std::function<void(const HistoryPage&)> done);
    void give_up(RequestNumber request);

    [[nodiscard]] Handlers& handlers(std::string_view queue);
    [[nodiscard]] const client::Client& machine() const noexcept { return machine_; }
    [[nodiscard]] const Status& status() const noexcept { return status_; }

    Handler<const Status&> on_status;
    Handler<const Message&> on_mail;
    Handler<const Joined&> on_any_joined;

private:
    using Notice = std::variant<client::Verdict, client::StatusChanged, client::Dropped>;

    void step(const client::Event& event);
    void perform(const client::Action& action);
    void open_socket();
    void answer_token();
    void take_socket_steps();
    void take_message(std::string_view bytes);
    void wait(Instant until);

    // Telling the application.
    void deliver(const wire::ServerFrame& frame);
    void deliver(const wire::JoinedFrame& frame);
    void deliver(const wire::ResetFrame& frame);
    void deliver(const wire::MsgFrame& frame);
    void deliver(const wire::StateFrame& frame);
    void deliver(const wire::MembersFrame& frame);
    void deliver(const wire::MountChangeFrame& frame);
    void deliver(const wire::GapFrame& frame);
    void deliver(const wire::StalledFrame& frame);
    void deliver(const wire::LeftFrame& frame);
    template <typename Other>
    void deliver(const Other& /*frame*/) {}
    void deliver_history(const client::DeliverHistory& history);
    void tell_noticed();
    void tell(const client::Verdict& verdict);
    void tell(const client::StatusChanged& changed);
    void tell(const client::Dropped& dropped);
    template <typename Argument, typename... Arguments>
    void call(const Handler<Argument>& handler, const Arguments&... arguments);

    const ClientOptions options_;
    std::vector<ServerAddress> servers_;
    std::string bad_server_;  // Why there is none that can be used.
    Rng rng_;
    client::Client machine_;
    WebSocket socket_;
    std::optional<client::OpenSocket> to_open_;
    client::SocketId socket_id_;
    bool is_started_ = false;
    bool is_token_wanted_ = false;
    bool was_token_used_ = false;
    std::string encoded_;
    std::string scratch_;

    std::map<std::string, Handlers, std::less<>> handlers_;
    std::map<RequestNumber, Callback> callbacks_;
    std::map<RequestNumber, std::function<void(const HistoryPage&)>> history_callbacks_;
    RequestNumber last_request_ = 0;
    std::deque<Notice> noticed_;  // At most a few for each open request.
    Status status_;
    std::size_t called_ = 0;  // Callbacks run in this poll().
};

}  // namespace muster::detail
