#include "shell/admin/batch.h"

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/wire/http_target.h"
#include "core/wire/json_reader.h"
#include "shell/admin/json_body.h"
#include "shell/admin/problem.h"

namespace muster::admin {
namespace {

struct Line {
    std::size_t number = 0;  // From 1, empty lines counted.
    std::string_view text;
};

std::vector<Line> split(std::string_view text) {
    std::vector<Line> lines;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const std::size_t size = text.find('\n');
        const std::string_view line = text.substr(0, size);
        text.remove_prefix(size == std::string_view::npos ? text.size() : size + 1);
        if (line.find_first_not_of(" \t\r") != std::string_view::npos) {
            lines.push_back(Line{number, line});
        }
    }
    return lines;
}

/// Reads one line as a request like any other, of that peer.
Parsed<Request> parse_line(std::string_view text, const std::string& peer, Instant now) {
    // The line's own object is one level more than a body may have.
    if (auto good = check_json(text, wire::json_depth_max + 1); !good) {
        return refuse(std::move(good.error()));
    }
    Fields fields = Fields::of(text);
    Request request;
    request.peer = peer;
    request.now = now;
    request.method = fields.text("method").value_or("");
    request.target = fields.text("path").value_or("");
    const auto add_header = [&](std::string_view field, std::string name) {
        if (auto value = fields.text(field)) {
            request.headers.push_back({std::move(name), *std::move(value)});
        }
    };
    add_header("idempotency_key", "idempotency-key");
    add_header("if_match", "if-match");
    add_header("if_none_match", "if-none-match");
    if (const auto* body = fields.find("body")) {
        request.body = body->raw();
        request.headers.push_back({"content-type", "application/json"});
    }
    const bool changes = request.method == "PUT" || request.method == "POST" ||
                         request.method == "PATCH" || request.method == "DELETE";
    if (!changes) {
        fields.refuse_field("method", "PUT, POST, PATCH or DELETE is needed",
                            ErrorCode::bad_request);
    }
    std::string path;
    if (wire::decode_target(request.target, path) && path == "/v1/batch") {
        fields.refuse_field("path", "a batch has no batches inside", ErrorCode::bad_request);
    }
    if (auto good = fields.finish(); !good) {
        return refuse(std::move(good.error()));
    }
    return request;
}

/// A batch under way. Kept alive by the answer that it waits for.
class Batch : public std::enable_shared_from_this<Batch> {
public:
    Batch(Api& api, const Request& request, const Access& access, Respond respond)
        : api_(api),
          text_(request.body),
          peer_(request.peer),
          now_(request.now),
          access_(access),
          respond_(std::move(respond)),
          lines_(split(text_)) {}

    void start() {
        if (lines_.size() > batch_lines_max) {
            respond_(to_response(Problem{.code = ErrorCode::frame_too_big,
                                         .detail = "a batch has at most 1,000 lines; none was "
                                                   "carried out",
                                         .limit = batch_lines_max}));
            return;
        }
        run();
    }

private:
    // Goes on until an answer is not there at once. A loop, since 1,000 answers that are there at
    // once would otherwise be 1,000 calls deep.
    void run() {
        is_running_ = true;
        while (next_ < lines_.size()) {
            is_answered_ = false;
            carry_out(lines_[next_]);
            if (!is_answered_) {
                break;
            }
        }
        is_running_ = false;
        if (next_ == lines_.size()) {
            respond_(Response{.content_type = "application/x-ndjson", .body = std::move(results_)});
        }
    }

    void carry_out(const Line& line) {
        if (is_stopped_) {
            take(to_response(
                Problem{.code = ErrorCode::refused,
                        .detail = "not carried out, since a line above got no answer"}));
            return;
        }
        const auto request = parse_line(line.text, peer_, now_);
        if (!request) {
            take(to_response(request.error()));
            return;
        }
        api_.carry_out(*request, access_, [self = shared_from_this()](const Response& response) {
            self->take(response);
            if (!self->is_running_) {
                self->run();
            }
        });
    }

    void take(const Response& response) {
        results_ +=
            fmt::format("{{\"line\":{},\"status\":{}", lines_[next_].number, response.status);
        for (const Header& header : response.headers) {
            if (header.name == "Idempotent-Replay") {
                results_ += ",\"replay\":true";
            }
        }
        is_stopped_ = is_stopped_ || response.is_unknown;
        std::string_view body = response.body;
        body = body.substr(0, body.find_last_not_of('\n') + 1);
        if (!body.empty()) {
            results_ += ",\"body\":";
            results_ += body;
        }
        results_ += "}\n";
        ++next_;
        is_answered_ = true;
    }

    Api& api_;
    std::string text_;
    std::string peer_;
    Instant now_;
    Access access_;
    Respond respond_;
    std::vector<Line> lines_;  // Of text_.
    std::size_t next_ = 0;
    std::string results_;
    bool is_running_ = false;
    bool is_answered_ = false;
    bool is_stopped_ = false;
};

}  // namespace

void run_batch(Api& api, const Request& request, const Access& access, Respond respond) {
    std::make_shared<Batch>(api, request, access, std::move(respond))->start();
}

}  // namespace muster::admin
