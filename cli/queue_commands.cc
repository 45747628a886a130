// queue ls|show|create|rm, over the admin API.

#include <fstream>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/http_call.h"
#include "cli/terminal.h"
#include "core/wire/json_reader.h"

namespace muster::cli {
namespace {

// Returns a field of a JSON object: a text unquoted, anything else as it stands.
std::string field(std::string_view json, std::string_view name) {
    std::string scratch;
    scratch.reserve(json.size());
    wire::JsonReader reader{json};
    wire::JsonValue key{};
    wire::JsonValue value{};
    if (reader.enter_object()) {
        while (reader.next_key(key) && reader.read(value)) {
            if (wire::to_text(key, scratch) == name) {
                return std::string(value.kind == wire::JsonKind::string
                                       ? wire::to_text(value, scratch)
                                       : value.raw());
            }
        }
    }
    return {};
}

std::string encoded(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                              (c >= '0' && c <= '9') || c == '/' || c == '-' || c == '_' ||
                              c == '.' || c == '~' || c == '@' || c == ':';
        if (is_plain) {
            out += c;
        } else {
            out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
        }
    }
    return out;
}

// Whether an answer may come from a Muster server: all that it answers are objects, those that
// refuse name their code, and the others a queue's life or a list of queues.
bool is_of_muster(const HttpAnswer& answer) {
    if (!wire::validate_json(answer.body)) {
        return false;
    }
    if (answer.status >= 400) {
        return !field(answer.body, "code").empty();
    }
    return !field(answer.body, "inc").empty() || !field(answer.body, "queues").empty();
}

// Calls, and prints what went wrong. Returns the answer, or the exit code in `failed`.
HttpAnswer call(const AdminTarget& target, std::string_view method, const std::string& path,
                std::string_view body, std::optional<int>& failed) {
    std::string key;
    if (!target.key_file.empty()) {
        std::ifstream file(target.key_file);
        if (!(file >> key)) {
            print_error(fmt::format("cannot read a key from {}", target.key_file));
            failed = exit_failed;
            return {};
        }
    }
    auto answer = http_call(target.address, method, path, body, key);
    if (!answer) {
        print_error(answer.error().detail);
        failed = answer.error().code == ErrorCode::upstream       ? exit_unreachable
                 : answer.error().code == ErrorCode::bad_settings ? exit_usage
                                                                  : exit_failed;
        return {};
    }
    if (!is_of_muster(*answer)) {
        print_error(other_server_text(answer->server, fmt::format("HTTP {}", answer->status)));
        failed = exit_failed;
    } else if (answer->status >= 400) {
        if (target.format == Format::json) {
            print_line(answer->body);
        } else {
            const std::string detail = field(answer->body, "detail");
            print_error(detail.empty() ? field(answer->body, "title") : detail,
                        field(answer->body, "code"));
        }
        failed = exit_failed;
    }
    return *std::move(answer);
}

// `same` is said in place of `done` where the queue was there already (200, not 201).
int call_and_print(const AdminTarget& target, std::string_view method, const std::string& path,
                   std::string_view body, std::string_view done, std::string_view same = {}) {
    std::optional<int> failed;
    const HttpAnswer answer = call(target, method, path, body, failed);
    if (failed) {
        return *failed;
    }
    if (target.format == Format::json || done.empty()) {
        print_line(answer.body);
    } else {
        print_line(same.empty() || answer.status == 201 ? done : same);
    }
    return exit_ok;
}

}  // namespace

int queue_ls(const AdminTarget& target, const std::string& prefix) {
    std::string cursor;
    do {
        std::string path = "/v1/queues?limit=1000&prefix=" + encoded(prefix);
        if (!cursor.empty()) {
            path += "&cursor=" + encoded(cursor);
        }
        std::optional<int> failed;
        const std::string page = call(target, "GET", path, {}, failed).body;
        if (failed) {
            return *failed;
        }
        const std::string queues = field(page, "queues");
        wire::JsonReader reader{queues};
        wire::JsonValue item{};
        if (reader.enter_array()) {
            while (reader.next_item() && reader.read(item)) {
                std::string scratch;
                scratch.reserve(item.raw().size());
                const bool is_text = item.kind == wire::JsonKind::string;
                const std::string name =
                    is_text ? std::string(wire::to_text(item, scratch)) : field(item.raw(), "name");
                print_line(target.format == Format::json ? item.raw() : std::string_view(name));
            }
        }
        cursor = field(page, "cursor");
    } while (!cursor.empty() && cursor != "null");
    return exit_ok;
}

int queue_show(const AdminTarget& target, const std::string& queue) {
    return call_and_print(target, "GET", "/v1/queues" + encoded(queue), {}, {});
}

int queue_create(const AdminTarget& target, const std::string& queue,
                 const std::string& definition) {
    return call_and_print(target, "PUT", "/v1/queues" + encoded(queue),
                          definition.empty() ? "{}" : definition, "created " + queue,
                          queue + " was there already");
}

int queue_rm(const AdminTarget& target, const std::string& queue) {
    return call_and_print(target, "DELETE", "/v1/queues" + encoded(queue), {}, "removed " + queue);
}

}  // namespace muster::cli
