#include "client/client_core.h"

#include <poll.h>

#include <algorithm>
#include <utility>

#include "core/wire/json_frames.h"
#include "core/wire/proto_frames.h"
#include "shell/runtime/entropy.h"

namespace muster::detail {

namespace {

/// How long a look-up of a name may go unnoticed once it is done.
constexpr Duration lookup_interval = std::chrono::milliseconds{10};

Instant now() {
    return Instant{
        std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch())};
}

WallTime wall_now() {
    return WallTime{std::chrono::duration_cast<std::chrono::milliseconds>(
                        std::chrono::system_clock::now().time_since_epoch())
                        .count()};
}

client::Settings settings_of(const ClientOptions& options) {
    return {.server_count = std::max<std::size_t>(options.servers.size(), 1),
            .user = options.token.empty() && !options.fetch_token ? options.user : std::string{}};
}

/// Join and listen wait as long as it takes: they say what is wanted, not what happens once.
bool waits_forever(const client::Request& request) {
    return !std::holds_alternative<client::Send>(request) &&
           !std::holds_alternative<client::Set>(request) &&
           !std::holds_alternative<client::History>(request);
}

}  // namespace

ClientCore::ClientCore(ClientOptions options)
    : options_(std::move(options)),
      rng_(runtime::random_bits()),
      machine_(settings_of(options_)),
      socket_(Rng{runtime::random_bits()}, options_.encoding) {
    for (const std::string& url : options_.servers) {
        auto address = parse_server_address(url);
        if (!address) {
            bad_server_ = address.error().detail;
        }
        servers_.push_back(address ? *std::move(address) : ServerAddress{});
    }
    if (servers_.empty()) {
        bad_server_ = "no server was named";
    }
}

// ---- What the application asks for ---------------------------------------------------------

std::size_t ClientCore::poll(std::chrono::milliseconds timeout) {
    called_ = 0;
    const Instant end = now() + timeout;
    if (!is_started_) {
        reconnect();
    }
    for (;;) {
        const auto wake = machine_.wake_at();
        if (wake && *wake <= now()) {
            step(client::TimePassed{});
        }
        open_socket();
        answer_token();
        take_socket_steps();
        tell_noticed();
        socket_.flush();
        if (called_ != 0 || now() >= end) {
            return called_;
        }
        wait(end);
    }
}

void ClientCore::wait(Instant until) {
    if (const auto wake = machine_.wake_at()) {
        until = std::min(until, *wake);
    }
    if (socket_.state() == WebSocket::State::resolving) {
        until = std::min(until, now() + lookup_interval);
    }
    if (is_token_wanted_ || to_open_) {
        return;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - now());
    const int timeout_ms =
        static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 24 * 3600 * 1000));
    pollfd ready{.fd = socket_.descriptor(), .events = socket_.wanted_events(), .revents = 0};
    ::poll(&ready, 1, timeout_ms);  // A negative descriptor is passed over: only the time counts.
}

void ClientCore::close() { step(client::Stop{}); }

void ClientCore::reconnect() {
    is_started_ = true;
    if (!bad_server_.empty()) {
        noticed_.emplace_back(client::StatusChanged{.status = client::Status::closed,
                                                    .reason = ErrorCode::bad_settings,
                                                    .detail = bad_server_});
        return;
    }
    step(client::Start{HashKey{runtime::random_bits(), runtime::random_bits()}});
}

RequestNumber ClientCore::submit(std::string_view queue, client::Request request, Callback done) {
    const RequestNumber id = ++last_request_;
    if (done) {
        callbacks_.emplace(id, std::move(done));
    }
    std::optional<Duration> ttl;
    if (!waits_forever(request)) {
        ttl = options_.request_ttl;
    }
    step(client::Submit{client::OpId{id}, QueueName{queue}, std::move(request), ttl});
    return id;
}

RequestNumber ClientCore::history(std::string_view queue, client::History request,
                                  std::function<void(const HistoryPage&)> done) {
    if (done) {
        history_callbacks_.emplace(last_request_ + 1, std::move(done));
    }
    return submit(queue, std::move(request), {});
}

void ClientCore::give_up(RequestNumber request) { step(client::GiveUp{client::OpId{request}}); }

Handlers& ClientCore::handlers(std::string_view queue) {
    const auto found = handlers_.find(queue);
    return found != handlers_.end()
               ? found->second
               : handlers_.emplace(std::string{queue}, Handlers{}).first->second;
}

// ---- The machine ---------------------------------------------------------------------------

void ClientCore::step(const client::Event& event) {
    client::Outbox outbox;
    client::Context ctx{now(), wall_now(), rng_, outbox};
    machine_.step(event, ctx);
    // First what goes out, since a callback may lead to the next step; then what came in.
    for (const client::Action& action : outbox) {
        perform(action);
    }
    for (const client::Action& action : outbox) {
        if (const auto* delivery = std::get_if<client::Deliver>(&action)) {
            deliver(*delivery->frame);
        } else if (const auto* history = std::get_if<client::DeliverHistory>(&action)) {
            deliver_history(*history);
        }
    }
}

void ClientCore::perform(const client::Action& action) {
    if (const auto* send = std::get_if<client::SendFrame>(&action)) {
        if (socket_.state() == WebSocket::State::open) {
            encoded_.clear();
            if (socket_.encoding() == Encoding::proto) {
                wire::proto::append_client_frame(encoded_, send->frame);
            } else {
                wire::append_client_frame(encoded_, send->frame);
            }
            socket_.send(encoded_);
        }
    } else if (const auto* open = std::get_if<client::OpenSocket>(&action)) {
        to_open_ = *open;
    } else if (const auto* close = std::get_if<client::CloseSocket>(&action)) {
        to_open_.reset();
        socket_.close(close->close_code);
    } else if (std::holds_alternative<client::FetchToken>(action)) {
        is_token_wanted_ = true;
    } else if (const auto* verdict = std::get_if<client::Verdict>(&action)) {
        noticed_.emplace_back(*verdict);
    } else if (const auto* changed = std::get_if<client::StatusChanged>(&action)) {
        noticed_.emplace_back(*changed);
    } else if (const auto* dropped = std::get_if<client::Dropped>(&action)) {
        noticed_.emplace_back(*dropped);
    }
}

void ClientCore::open_socket() {
    if (to_open_) {
        socket_id_ = to_open_->socket;
        socket_.open(servers_[to_open_->server_index]);
        to_open_.reset();
    }
}

void ClientCore::answer_token() {
    if (!std::exchange(is_token_wanted_, false)) {
        return;
    }
    if (options_.fetch_token) {
        if (auto token = options_.fetch_token()) {
            step(client::TokenFetched{*std::move(token)});
        } else {
            step(client::TokenFailed{.detail = "the application has none now"});
        }
    } else if (options_.token.empty()) {
        step(client::TokenFailed{.is_final = true, .detail = "neither a token nor a user is set"});
    } else if (std::exchange(was_token_used_, true)) {
        step(client::TokenFailed{.is_final = true,
                                 .detail = "the token has ended, and there is no other"});
    } else {
        step(client::TokenFetched{options_.token});
    }
}

void ClientCore::take_socket_steps() {
    using Kind = WebSocket::Step::Kind;
    while (auto taken = socket_.next()) {
        switch (taken->kind) {
            case Kind::opened: step(client::SocketOpened{socket_id_}); break;
            case Kind::message: take_message(taken->payload); break;
            case Kind::heard: step(client::Heard{socket_id_}); break;
            case Kind::garbage:
                step(client::GarbageReceived{socket_id_, std::move(taken->detail)});
                break;
            case Kind::closed:
                step(client::SocketClosed{.socket = socket_id_,
                                          .close_code = taken->close_code,
                                          .reason = taken->reason,
                                          .retry_after = taken->retry_after,
                                          .detail = std::move(taken->detail)});
                break;
        }
        tell_noticed();
    }
}

void ClientCore::take_message(std::string_view bytes) {
    const auto frame = socket_.encoding() == Encoding::proto
                           ? wire::proto::parse_server_frame(bytes)
                           : wire::parse_server_frame(bytes, scratch_);
    if (frame) {
        step(client::FrameReceived{socket_id_, &*frame});
    } else if (frame.error().code == ErrorCode::unsupported) {
        step(client::Heard{socket_id_});  // A newer server says something that we need not know.
    } else {
        step(client::GarbageReceived{socket_id_, frame.error().detail});
    }
}

}  // namespace muster::detail
