#include "cli/print.h"

#include <algorithm>
#include <ctime>
#include <iterator>

#include <fmt/format.h>

#include "base/error_code.h"
#include "client/server_address.h"
#include "core/wire/json_writer.h"

namespace muster::cli {
namespace {

std::string quoted(std::string_view text) {
    std::string out;
    wire::append_quoted(out, text);
    return out;
}

// A payload as JSON: itself, or its bytes in base64 under another name.
std::string data_field(std::string_view data, bool is_binary) {
    std::string out(is_binary ? "\"b\":" : "\"d\":");
    if (is_binary) {
        wire::append_quoted_base64(out, data);
    } else {
        out += data;
    }
    return out;
}

std::string clock_text(std::int64_t time_ms) {
    const std::time_t seconds = time_ms / 1000;
    std::tm parts{};
    localtime_r(&seconds, &parts);
    return fmt::format("{:02}:{:02}:{:02}", parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::string_view kind_text(Outcome::Kind kind) {
    switch (kind) {
        case Outcome::Kind::ok: return "ok";
        case Outcome::Kind::rejected: return "rejected";
        case Outcome::Kind::not_sent: return "not-sent";
        case Outcome::Kind::unknown: return "unknown";
    }
    return "unknown";
}

// What a reset means for somebody who reads along.
std::string_view meaning_of_reset(std::string_view why) {
    if (why == "gone") {
        return ": its history was lost, and it begins anew";
    }
    if (why == "behind") {
        return ": too much was missed to show it all";
    }
    if (why == "unknown") {
        return ": the server does not know what was seen last";
    }
    return "";
}

}  // namespace

int print_outcome(const Outcome& outcome, Format format) {
    if (format == Format::json) {
        std::string line = fmt::format(R"({{"outcome":"{}")", kind_text(outcome.kind));
        if (outcome.is_ok()) {
            line += fmt::format(R"(,"seq":{})", outcome.seq);
        } else {
            line += fmt::format(R"(,"code":"{}","name":"{}")", outcome.code, outcome.name);
            if (!outcome.detail.empty()) {
                line += fmt::format(R"(,"detail":{})", quoted(outcome.detail));
            }
        }
        if (outcome.current) {
            line += fmt::format(R"(,"current":{})", *outcome.current);
        }
        print_line(line + "}");
    } else if (outcome.is_ok()) {
        print_line(fmt::format("ok, seq {}", outcome.seq));
    }
    if (outcome.is_ok()) {
        return exit_ok;
    }
    if (format == Format::text) {
        std::string what(kind_text(outcome.kind));
        const ErrorInfo* info = find_error(outcome.code);
        if (!outcome.detail.empty()) {
            what += ": " + outcome.detail;
        } else if (info != nullptr) {
            what += fmt::format(": {}", info->meaning);
        }
        if (outcome.current) {
            what += fmt::format("; the key last changed at {}", *outcome.current);
        }
        print_error(what, outcome.code);
    }
    // What the client itself refuses (a bad name) is as final as what the server refuses.
    return outcome.kind == Outcome::Kind::not_sent && outcome.is_retryable ? exit_unreachable
                                                                           : exit_failed;
}

std::string as_text(const Message& message) {
    return fmt::format("{} {}: {} {}", clock_text(message.time_ms), message.mount,
                       message.from.empty() ? "(server)" : message.from,
                       message.is_binary ? fmt::format("({} bytes)", message.data.size())
                                         : std::string(message.data));
}

std::string as_json(const Message& message) {
    return fmt::format(R"({{"op":"msg","q":{},"m":{},"seq":{},"from":{},"t":{},{}}})",
                       quoted(message.queue), quoted(message.mount), message.seq,
                       quoted(message.from), message.time_ms,
                       data_field(message.data, message.is_binary));
}

std::string as_text(const StateChange& change) {
    std::string text;
    for (const auto& key : change.changes) {
        if (!text.empty()) {
            text += '\n';
        }
        text += fmt::format("{} {}: {}", change.mount, key.key,
                            !key.value      ? "(deleted)"
                            : key.is_binary ? fmt::format("({} bytes)", key.value->size())
                                            : std::string(*key.value));
    }
    return text;
}

std::string as_json(const StateChange& change) {
    std::string set;
    std::string deleted;
    for (const auto& key : change.changes) {
        std::string& list = key.value ? set : deleted;
        list += list.empty() ? "" : ",";
        list += key.value ? fmt::format("{}:{{{}}}", quoted(key.key),
                                        data_field(*key.value, key.is_binary))
                          : quoted(key.key);
    }
    return fmt::format(R"({{"op":"state","q":{},"m":{},"seq":{},"set":{{{}}},"del":[{}]}})",
                       quoted(change.queue), quoted(change.mount), change.seq, set, deleted);
}

std::string as_text(const MembersChange& change) {
    std::string text;
    for (const auto& member : change.came) {
        text += fmt::format("{}+ {}", text.empty() ? "" : "\n", member.user);
    }
    for (const auto& gone : change.gone) {
        text += fmt::format("{}- {} ({})", text.empty() ? "" : "\n", gone.user, gone.why);
    }
    return text;
}

std::string as_json(const MembersChange& change) {
    std::string set;
    std::string gone;
    for (const auto& member : change.came) {
        set += fmt::format("{}{}:{}", set.empty() ? "" : ",", quoted(member.user), member.info);
    }
    for (const auto& member : change.gone) {
        gone += fmt::format("{}{}:{}", gone.empty() ? "" : ",", quoted(member.user),
                            quoted(member.why));
    }
    return fmt::format(R"({{"op":"members","q":{},"seq":{},"set":{{{}}},"del":{{{}}},"count":{}}})",
                       quoted(change.queue), change.seq, set, gone, change.count);
}

std::string as_text(const Joined& joined) {
    std::string mounts;
    for (const auto& mount : joined.mounts) {
        mounts += fmt::format("{}{} {}", mounts.empty() ? "" : ", ", mount.name, mount.resume);
    }
    return fmt::format("{} {} at {}: {}", joined.is_member ? "joined" : "listening to",
                       joined.queue, joined.at.seq, mounts);
}

std::string as_json(const Joined& joined) {
    std::string resume;
    for (const auto& mount : joined.mounts) {
        resume += fmt::format("{}{}:{}", resume.empty() ? "" : ",", quoted(mount.name),
                              quoted(mount.resume));
    }
    return fmt::format(
        R"({{"op":"joined","q":{},"member":{},"at":[{},{}],"resume":{{{}}},"members":{}}})",
        quoted(joined.queue), joined.is_member, joined.at.inc, joined.at.seq, resume,
        joined.member_count);
}

std::string as_text(const Gap& gap) {
    return fmt::format("{}: messages {} to {} are lost", gap.mount, gap.from, gap.to);
}

std::string as_json(const Gap& gap) {
    return fmt::format(R"({{"op":"gap","q":{},"m":{},"from":{},"to":{}}})", quoted(gap.queue),
                       quoted(gap.mount), gap.from, gap.to);
}

std::string as_text(const Reset& reset) {
    return fmt::format("reset {} at {}: {}{}", reset.queue, reset.at.seq, reset.why,
                       meaning_of_reset(reset.why));
}

std::string as_json(const Reset& reset) {
    return fmt::format(R"({{"op":"reset","q":{},"at":[{},{}],"why":{}}})", quoted(reset.queue),
                       reset.at.inc, reset.at.seq, quoted(reset.why));
}

std::string as_text(const MountChange& change) {
    return fmt::format("mount {}: {}", change.mount,
                       change.type.empty() ? "(removed)" : change.type);
}

std::string as_json(const MountChange& change) {
    return fmt::format(R"({{"op":"mount","q":{},"m":{},"type":{}}})", quoted(change.queue),
                       quoted(change.mount),
                       change.type.empty() ? std::string("null") : quoted(change.type));
}

std::string as_text(const Stall& stall) {
    return fmt::format("{} {}", stall.queue, stall.is_stalled ? "stands still" : "goes on");
}

std::string as_json(const Stall& stall) {
    return fmt::format(R"({{"op":"stalled","q":{},"on":{}}})", quoted(stall.queue),
                       stall.is_stalled);
}

std::string cannot_connect_text(std::string_view server, std::string_view why) {
    const auto address = detail::parse_server_address(server);
    const std::string shown = address ? address->shown : std::string(server);
    if (why.starts_with(shown + ": ")) {
        why.remove_prefix(shown.size() + 2);
    }
    return fmt::format("cannot connect to {}{}{}", shown, why.empty() ? "" : ": ", why);
}

std::vector<std::string> missing_mounts(const std::vector<std::string>& wanted,
                                        const Joined& joined) {
    std::vector<std::string> missing;
    std::copy_if(wanted.begin(), wanted.end(), std::back_inserter(missing),
                 [&joined](const std::string& name) {
                     return std::none_of(joined.mounts.begin(), joined.mounts.end(),
                                         [&](const MountInfo& one) { return one.name == name; });
                 });
    return missing;
}

}  // namespace muster::cli
