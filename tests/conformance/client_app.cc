// An app with the C++ client in it, for the transcripts of tests/conformance/client: commands on
// stdin, what the app is told on stdout, one JSON object a line. docs/reference/conformance.md has
// both lists.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/json.hpp>

#include "muster/client.h"

namespace muster {
namespace {

namespace json = boost::json;

constexpr std::chrono::milliseconds poll_time{5};
/// The mounts whose content the transcripts look at.
constexpr std::string_view state_mount = "board";

void tell(const json::object& what) { std::cout << json::serialize(what) << std::endl; }

std::string_view name_of(Outcome::Kind kind) {
    switch (kind) {
        case Outcome::Kind::ok: return "ok";
        case Outcome::Kind::rejected: return "rejected";
        case Outcome::Kind::not_sent: return "not-sent";
        case Outcome::Kind::unknown: return "unknown";
    }
    return "";
}

std::string_view name_of(Status::State state) {
    switch (state) {
        case Status::State::connecting: return "connecting";
        case Status::State::online: return "online";
        case Status::State::resuming: return "resuming";
        case Status::State::offline: return "offline";
        case Status::State::closed: return "closed";
    }
    return "";
}

std::string to_base64(std::string_view bytes) {
    constexpr std::string_view digits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        std::uint32_t group = 0;
        for (std::size_t j = 0; j < 3; ++j) {
            const char byte = i + j < bytes.size() ? bytes[i + j] : '\0';
            group = group << 8U | static_cast<unsigned char>(byte);
        }
        for (std::size_t j = 0; j < 4; ++j) {
            const bool is_there = i + j <= bytes.size();
            text += is_there ? digits[group >> (18U - 6U * j) & 63U] : '=';
        }
    }
    return text;
}

void put_data(json::object& into, std::string_view data, bool is_binary) {
    if (is_binary) {
        into["b"] = to_base64(data);
    } else {
        into["d"] = json::parse(data);
    }
}

json::object outcome_of(std::int64_t id, const Outcome& outcome) {
    json::object told{{"id", id}, {"outcome", name_of(outcome.kind)}};
    if (outcome.is_ok()) {
        told["seq"] = outcome.seq;
    } else {
        told["code"] = outcome.code;
    }
    if (outcome.current) {
        told["current"] = *outcome.current;
    }
    return told;
}

std::optional<std::uint64_t> number_in(const json::object& command, std::string_view name) {
    const auto* value = command.if_contains(name);
    return value == nullptr ? std::nullopt : std::optional(value->to_number<std::uint64_t>());
}

std::string text_in(const json::object& command, std::string_view name) {
    const auto* value = command.if_contains(name);
    return value == nullptr ? std::string{} : std::string{value->as_string()};
}

class App {
public:
    void take(const json::object& command);

    [[nodiscard]] bool is_connected() const { return client_ != nullptr; }

    /// Gives the client its time.
    void poll() { client_->poll(poll_time); }

private:
    /// One queue, and what the app knew of it when it was told last.
    struct Known {
        Queue queue;
        std::map<std::string, std::string> keys{};
        std::vector<std::string> members{};
    };

    void connect(const json::object& command);
    Known& known(const std::string& name);
    void tell_mirror(Known& known);
    void request(const json::object& command);

    std::unique_ptr<Client> client_;
    std::vector<std::string> tokens_;
    std::size_t tokens_taken_ = 0;
    std::map<std::string, Known> queues_;
    std::map<std::int64_t, RequestNumber> requests_;
};

void App::take(const json::object& command) {
    const std::string what = text_in(command, "do");
    if (what == "connect") {
        connect(command);
    } else if (what == "close") {
        client_->close();
    } else if (what == "give up") {
        client_->give_up(requests_.at(command.at("id").to_number<std::int64_t>()));
    } else {
        request(command);
    }
}

void App::connect(const json::object& command) {
    ClientOptions options;
    options.servers = {text_in(command, "url")};
    options.user = text_in(command, "user");
    options.encoding = Encoding::json;
    if (const auto* tokens = command.if_contains("tokens")) {
        tokens_ = json::value_to<std::vector<std::string>>(*tokens);
        options.fetch_token = [this] {
            const std::size_t last = tokens_.size() - 1;
            return std::optional(tokens_[std::min(tokens_taken_++, last)]);
        };
    }
    client_ = std::make_unique<Client>(std::move(options));
    client_->on_status([](const Status& status) {
        json::object told{{"on", "status"}, {"state", name_of(status.state)}};
        if (!status.code.empty()) {
            told["code"] = status.code;
        }
        tell(told);
    });
    client_->on_mail([](const Message& mail) {
        json::object told{{"on", "mail"}};
        put_data(told, mail.data, mail.is_binary);
        tell(told);
    });
    client_->on_any_joined([](const Joined& joined) {
        tell({{"on", "joined"}, {"q", joined.queue}, {"member", joined.is_member}});
    });
}

App::Known& App::known(const std::string& name) {
    if (const auto found = queues_.find(name); found != queues_.end()) {
        return found->second;
    }
    Known& made = queues_.emplace(name, Known{client_->queue(name)}).first->second;
    made.queue.on_joined([this, &made](const Joined& joined) {
        json::object resume;
        for (const MountInfo& mount : joined.mounts) {
            resume[mount.name] = mount.resume;
        }
        tell({{"on", "joined"},
              {"q", joined.queue},
              {"member", joined.is_member},
              {"at", json::array{joined.at.inc, joined.at.seq}},
              {"resume", resume}});
        tell_mirror(made);
    });
    made.queue.on_reset([this, &made](const Reset& reset) {
        tell({{"on", "reset"}, {"q", reset.queue}, {"why", reset.why}});
        tell_mirror(made);
    });
    made.queue.on_message([](const Message& message) {
        json::object told{
            {"on", "msg"}, {"q", message.queue}, {"m", message.mount}, {"seq", message.seq}};
        if (!message.from.empty()) {
            told["from"] = message.from;
        }
        put_data(told, message.data, message.is_binary);
        tell(told);
    });
    made.queue.on_state([this, &made](const StateChange& /*change*/) { tell_mirror(made); });
    made.queue.on_members([&made](const MembersChange& change) {
        for (const Member& member : change.came) {
            tell({{"on", "member"}, {"q", change.queue}, {"user", member.user}, {"in", true}});
        }
        for (const auto& [user, why] : change.gone) {
            tell({{"on", "member"},
                  {"q", change.queue},
                  {"user", user},
                  {"in", false},
                  {"why", why}});
        }
        made.members = made.queue.members();
    });
    made.queue.on_gap([](const Gap& gap) {
        tell({{"on", "gap"},
              {"q", gap.queue},
              {"m", gap.mount},
              {"from", gap.from},
              {"to", gap.to}});
    });
    made.queue.on_stalled(
        [name](bool is_stalled) { tell({{"on", "stalled"}, {"q", name}, {"is", is_stalled}}); });
    made.queue.on_left(
        [](const Left& left) { tell({{"on", "left"}, {"q", left.queue}, {"why", left.why}}); });
    return made;
}

// Tells what is otherwise in the client's mirror than it was.
void App::tell_mirror(Known& known) {
    const std::string& name = known.queue.name();
    std::map<std::string, std::string> keys;
    for (const std::string& key : known.queue.keys(state_mount)) {
        keys[key] = known.queue.get(state_mount, key)->data;
    }
    const auto tell_key = [&name](const std::string& key) {
        return json::object{{"on", "state"}, {"q", name}, {"m", state_mount}, {"k", key}};
    };
    for (const auto& [key, value] : keys) {
        if (const auto was = known.keys.find(key);
            was == known.keys.end() || was->second != value) {
            json::object told = tell_key(key);
            put_data(told, value, false);
            tell(told);
        }
    }
    for (const auto& [key, value] : known.keys) {
        if (!keys.contains(key)) {
            tell(tell_key(key));
        }
    }
    known.keys = std::move(keys);
    const auto members = known.queue.members();
    for (const std::string& user : members) {
        if (std::ranges::find(known.members, user) == known.members.end()) {
            tell({{"on", "member"}, {"q", name}, {"user", user}, {"in", true}});
        }
    }
    known.members = members;
}

void App::request(const json::object& command) {
    const std::string what = text_in(command, "do");
    const auto id = command.at("id").to_number<std::int64_t>();
    const std::string mount = text_in(command, "m");
    const std::string key = text_in(command, "k");
    const auto if_seq = number_in(command, "if");
    const auto* data = command.if_contains("d");
    const std::string text = data == nullptr ? std::string{} : json::serialize(*data);
    Queue& queue = known(text_in(command, "q")).queue;
    const auto done = [id](const Outcome& outcome) { tell(outcome_of(id, outcome)); };
    RequestNumber number = 0;
    if (what == "join") {
        number = queue.join(done);
    } else if (what == "listen") {
        number = queue.listen(done);
    } else if (what == "leave") {
        number = queue.leave(done);
    } else if (what == "unlisten") {
        number = queue.unlisten(done);
    } else if (what == "send") {
        number = queue.send(mount, text, done);
    } else if (what == "set") {
        number = data == nullptr ? queue.del(mount, key, done, if_seq)
                                 : queue.set(mount, key, text, done, if_seq);
    } else if (what == "history") {
        const auto page_done = [id](const HistoryPage& page) {
            json::object told = outcome_of(id, page.outcome);
            json::array items;
            for (const Message& message : page.messages) {
                json::object item{{"seq", message.seq}};
                put_data(item, message.data, message.is_binary);
                items.push_back(std::move(item));
            }
            told["items"] = std::move(items);
            tell(told);
        };
        number = queue.history(mount, page_done, number_in(command, "before"));
    }
    requests_[id] = number;
}

/// Reads what stdin has. Returns false at its end.
bool read_lines(std::string& unread, App& app) {
    std::array<char, 4096> buffer{};
    const ssize_t count = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (count <= 0) {
        return count < 0;  // Nothing yet.
    }
    unread.append(buffer.data(), static_cast<std::size_t>(count));
    for (std::size_t end = unread.find('\n'); end != std::string::npos; end = unread.find('\n')) {
        app.take(json::parse(unread.substr(0, end)).as_object());
        unread.erase(0, end + 1);
    }
    return true;
}

}  // namespace
}  // namespace muster

int main() {
    muster::App app;
    std::string unread;
    while (muster::read_lines(unread, app)) {
        if (app.is_connected()) {
            // From now on both the client and stdin want to be looked at.
            ::fcntl(STDIN_FILENO, F_SETFL, ::fcntl(STDIN_FILENO, F_GETFL) | O_NONBLOCK);
            app.poll();
        }
    }
    return 0;
}
