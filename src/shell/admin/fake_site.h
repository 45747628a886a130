#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include "base/check.h"
#include "base/fifo.h"
#include "shell/admin/api.h"
#include "shell/admin/site.h"

/// For the tests of this folder only.
namespace muster::admin {

/// A site that notes what it is asked and answers what the test has laid ready.
class FakeSite final : public Site {
public:
    struct Asked {
        QueueName to;
        actor::Body body;
    };
    using Then = std::function<void(std::optional<Reply>)>;

    void ask(QueueName to, MakeBody make_body, Then then) override {
        asked.push_back(Asked{std::move(to), make_body(RequestId{asked.size() + 1})});
        if (holds) {
            held.push(std::move(then));
            return;
        }
        then(next_reply(asked.back().body));
    }

    void list(ListQuestion question,
              std::function<void(std::optional<std::vector<QueueName>>)> then) override {
        listed.push_back(std::move(question));
        then(names);
    }

    void metrics(std::function<void(std::string)> then) override { then("muster_up 1\n"); }

    [[nodiscard]] std::uint32_t payload_bytes_max() const override { return 16 * 1024; }
    [[nodiscard]] bool is_ready() const override { return ready; }

    /// Answers the oldest question that is held.
    void release() { held.pop()(next_reply(asked.back().body)); }

    /// Returns the only question so far, as a body of type T.
    template <typename T>
    [[nodiscard]] const T& only() const {
        MUSTER_CHECK(asked.size() == 1);
        return std::get<T>(asked.front().body);
    }

    /// Returns the op of the only question so far.
    template <typename T>
    [[nodiscard]] const T& only_op() const {
        return std::get<T>(only<queue::Op>().body);
    }

    void reply_with(queue::Verdict verdict) {
        queue::OpReply reply;
        reply.verdict = std::move(verdict);
        replies.push(Reply{reply});
    }
    void reply_with(std::shared_ptr<const queue::Content> content) {
        replies.push(Reply{queue::ReadReply{RequestId{1}, std::move(content)}});
    }
    void reply_with(user::UserReport report) { replies.push(Reply{std::move(report)}); }
    void reply_with_silence() { replies.push(std::nullopt); }

    std::vector<Asked> asked;
    std::vector<ListQuestion> listed;
    /// Where there is none: OK at (7, 20), no such queue, an unknown user.
    Fifo<std::optional<Reply>> replies;
    Fifo<Then> held;
    std::optional<std::vector<QueueName>> names = std::vector<QueueName>{};
    bool holds = false;
    bool ready = true;

private:
    std::optional<Reply> next_reply(const actor::Body& body) {
        if (!replies.empty()) {
            return replies.pop();
        }
        if (std::holds_alternative<queue::Read>(body)) {
            return Reply{queue::ReadReply{}};
        }
        if (std::holds_alternative<user::ReadUser>(body)) {
            return Reply{user::UserReport{}};
        }
        queue::OpReply reply;
        reply.verdict.at = Cursor{Inc{7}, 20};
        return Reply{reply};
    }
};

[[nodiscard]] inline queue::Verdict ok_verdict(Seq seq, bool is_new = true) {
    queue::Verdict verdict;
    verdict.at = Cursor{Inc{7}, seq};
    verdict.is_new = is_new;
    return verdict;
}

[[nodiscard]] inline queue::Verdict rejected_verdict(ErrorCode code) {
    queue::Verdict verdict;
    verdict.kind = queue::Verdict::Kind::rejected;
    verdict.code = code;
    return verdict;
}

/// Returns the value of a response's header, or "".
[[nodiscard]] inline std::string header_of(const Response& response, std::string_view name) {
    for (const Header& header : response.headers) {
        if (header.name == name) {
            return header.value;
        }
    }
    return "";
}

[[nodiscard]] inline bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

/// An Api with three keys, before a FakeSite, driven by hand.
struct ApiBench {
    static constexpr std::string_view reader = "reader-key-0123456789";
    static constexpr std::string_view game_server = "game-server-key-0123456789";
    static constexpr std::string_view tenant = "tenant-key-0123456789";

    explicit ApiBench(bool is_open = false)
        : api(site, gate(is_open), [this](const Notice& notice) {
              const bool is_change = notice.kind == Notice::Kind::changed;
              noted.push_back(fmt::format("{} {} by {} from {}: {}{}",
                                          is_change ? "changed" : "refused", notice.method,
                                          notice.key, notice.peer, notice.path, notice.detail));
          }) {}

    static GateSettings gate(bool is_open) {
        GateSettings settings;
        settings.is_open = is_open;
        if (!is_open) {
            settings.keys.add(reader,
                              {.name = "dashboard", .role = Role::read, .queue_prefix = ""});
            settings.keys.add(game_server,
                              {.name = "game", .role = Role::game_server, .queue_prefix = ""});
            settings.keys.add(tenant,
                              {.name = "tenant", .role = Role::game_server, .queue_prefix = "/a/"});
        }
        return settings;
    }

    /// Returns a request with what a good caller says: host, key, and that the body is JSON.
    [[nodiscard]] Request request(std::string_view method, std::string_view target,
                                  std::string_view body = {}) const {
        Request made{.method = std::string{method},
                     .target = std::string{target},
                     .headers = {{"host", "localhost:7401"}},
                     .body = std::string{body},
                     .peer = "192.0.2.1",
                     .now = now};
        if (!key.empty()) {
            made.headers.push_back({"authorization", "Bearer " + key});
        }
        if (!body.empty()) {
            made.headers.push_back({"content-type", content_type});
        }
        return made;
    }

    /// Returns the answer, which must be there at once.
    Response answer(const Request& request) {
        std::optional<Response> response;
        api.handle(request, [&response](Response given) {
            MUSTER_CHECK(!response.has_value());
            response = std::move(given);
        });
        MUSTER_CHECK(response.has_value());
        return *std::move(response);
    }

    Response call(std::string_view method, std::string_view target, std::string_view body = {},
                  std::initializer_list<Header> headers = {}) {
        Request made = request(method, target, body);
        made.headers.insert(made.headers.end(), headers);
        return answer(made);
    }

    FakeSite site;
    std::vector<std::string> noted;  ///< for the log
    Api api;
    Instant now{std::chrono::seconds{1000}};
    std::string key{game_server};
    std::string content_type = "application/json";
};

}  // namespace muster::admin
