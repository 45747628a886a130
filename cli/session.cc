#include "cli/session.h"

#include <chrono>
#include <csignal>
#include <fstream>
#include <utility>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "base/error_code.h"
#include "cli/print.h"

namespace muster::cli {
namespace {

// Set by the signal handler, read between two polls.
volatile std::sig_atomic_t is_interrupted = 0;

void interrupt(int /*signal*/) { is_interrupted = 1; }

constexpr std::chrono::milliseconds poll_time{100};

}  // namespace

Session::Session(const Target& target) : target_(target) {
    ClientOptions options;
    options.servers = {target.server};
    options.user = target.user;
    options.token = target.token;
    options.request_ttl = target.patience;
    if (!target.token_file.empty()) {
        std::ifstream file(target.token_file);
        if (!(file >> options.token)) {
            trouble_ = fmt::format("cannot read a token from {}", target.token_file);
        }
    }
    client_.emplace(std::move(options));
    client_->on_status([this](const Status& status) { tell_of_connection(status); });
}

// Whoever looks at a stream should know why nothing comes.
void Session::tell_of_connection(const Status& status) {
    if (!is_following_) {
        return;
    }
    if (status.state == Status::State::offline && !is_away_) {
        is_away_ = true;
        print_error(fmt::format("the connection was lost{}{}; trying again",
                                status.detail.empty() ? "" : ": ", status.detail));
    } else if (status.state == Status::State::online && is_away_) {
        is_away_ = false;
        print_error("connected again");
    }
}

// Before the first hello, only a server that asks for patience gets it: one that is not there, or
// that refuses us, will not be another one in some seconds.
bool Session::is_hopeless() const {
    const Status& status = client_->status();
    if (status.state == Status::State::closed) {
        return true;
    }
    const ErrorInfo* info = find_error(status.code);
    return status.state == Status::State::offline && client_->user().empty() &&
           (info == nullptr || !info->retryable);
}

std::optional<int> Session::wait_for(const std::function<bool()>& done) {
    if (!trouble_.empty()) {
        print_error(trouble_);
        return exit_failed;
    }
    const auto give_up_at = std::chrono::steady_clock::now() + target_.patience;
    while (!done()) {
        if (is_interrupted != 0) {
            return exit_ok;
        }
        client_->poll(poll_time);
        if (!done() && (is_hopeless() || std::chrono::steady_clock::now() > give_up_at)) {
            return give_up();
        }
    }
    return std::nullopt;
}

int Session::give_up() const {
    const Status& status = client_->status();
    const ErrorInfo* info = find_error(status.code);
    const bool is_refused = info != nullptr && (info->code == ErrorCode::bad_token ||
                                                info->code == ErrorCode::token_expired);
    if (info != nullptr && info->code == ErrorCode::bad_settings) {
        print_error(
            status.detail);  // The address: what the registry says is of a server's settings.
        return exit_usage;
    }
    if (status.state == Status::State::closed || is_refused) {
        print_error(!status.detail.empty() ? status.detail
                    : info != nullptr      ? info->meaning
                                           : "the server has closed the connection",
                    status.code);
        return exit_failed;
    }
    if (status.state == Status::State::offline && client_->user().empty()) {
        print_error(cannot_connect_text(target_.server, status.detail), status.code);
        return exit_unreachable;
    }
    print_error(fmt::format("no answer from {} within {}{}{}", target_.server,
                            std::chrono::duration<double>(target_.patience),
                            status.detail.empty() ? "" : ": ", status.detail),
                status.code);
    return exit_unreachable;
}

void Session::end_on_interrupt() {
    std::signal(SIGINT, interrupt);
    std::signal(SIGTERM, interrupt);
}

int Session::follow(const std::function<bool()>& done) {
    is_following_ = true;
    tell_of_connection(client_->status());  // It may have been lost since the last frame was shown.
    while (!done() && is_interrupted == 0) {
        client_->poll(poll_time);
        if (client_->status().state == Status::State::closed) {
            return give_up();
        }
    }
    return exit_ok;
}

std::optional<int> Session::join(Queue& queue) { return enter(queue, true); }

std::optional<int> Session::listen(Queue& queue) { return enter(queue, false); }

void Session::on_joined(Queue& queue, std::function<void(const Joined&)> handler) {
    is_watched_ = true;
    queue.on_joined([this, handler = std::move(handler)](const Joined& joined) {
        joined_count_ += joined.is_member ? 1 : 0;
        if (handler) {
            handler(joined);
        }
    });
}

std::optional<int> Session::enter(Queue& queue, bool joins) {
    if (!is_watched_) {
        on_joined(queue, {});
    }
    std::optional<Outcome> outcome;
    const auto note = [&](const Outcome& o) {
        outcome = o;
        // The server tells of the memberships that there are before it answers the first request.
        was_member_ = joined_count_ > 1;
    };
    if (joins) {
        queue.join(note);
    } else {
        queue.listen(note);
    }
    if (const auto failed = wait_for([&] { return outcome.has_value(); })) {
        return failed;
    }
    if (!outcome->is_ok()) {
        // A closed client was refused as a whole, and its status knows more of why.
        if (client_->status().state == Status::State::closed) {
            return give_up();
        }
        const int code = print_outcome(*outcome, target_.format);
        const ErrorInfo* info = joins ? nullptr : find_error(outcome->code);
        if (info != nullptr && info->code == ErrorCode::forbidden) {
            fmt::print(stderr, "  If its members may listen, --join becomes one.\n");
        } else if (info != nullptr && info->code == ErrorCode::no_queue) {
            fmt::print(stderr, "  If anyone may create it, --join does.\n");
        }
        return code;
    }
    if (target_.is_verbose) {
        fmt::print(stderr, "muster: {} {} as {}\n", joins ? "joined" : "listening to", queue.name(),
                   client_->user());
    }
    return std::nullopt;
}

void Session::leave(Queue& queue) {
    if (was_member_) {
        return;
    }
    if (is_interrupted != 0) {
        is_interrupted = 0;  // The next one ends this wait, too.
        if (client_->status().state != Status::State::online) {
            return;  // Whoever interrupts does not want to wait for a connection.
        }
    }
    bool has_left = false;
    queue.leave([&has_left](const Outcome&) { has_left = true; });
    static_cast<void>(wait_for([&has_left] { return has_left; }));
}

}  // namespace muster::cli
