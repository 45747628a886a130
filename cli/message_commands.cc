// pub, sub, history.

#include <algorithm>
#include <iterator>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/print.h"
#include "cli/session.h"
#include "core/wire/json_reader.h"

namespace muster::cli {

int pub(const Target& target, const PubArguments& arguments) {
    if (const auto valid = wire::validate_json(arguments.json); !valid) {
        print_error("the message is not JSON: " + valid.error().detail +
                    R"(; quote it for the shell: '{"text":"hi"}')");
        return exit_usage;
    }
    Session session(target);
    Queue queue = session.queue(arguments.queue);
    if (const auto failed = session.join(queue)) {
        return *failed;
    }
    std::optional<Outcome> outcome;
    queue.send(arguments.mount, arguments.json, [&](const Outcome& o) { outcome = o; });
    if (const auto failed = session.wait_for([&] { return outcome.has_value(); })) {
        return *failed;
    }
    if (!arguments.stays) {
        session.leave(queue);
    }
    return print_outcome(*outcome, target.format);
}

int sub(const Target& target, const SubArguments& arguments) {
    Session session(target);
    Queue queue = session.queue(arguments.queue);
    const bool json = target.format == Format::json;
    std::uint64_t count = 0;
    const auto is_wanted = [&](std::string_view mount) {
        return arguments.mounts.empty() ||
               std::find(arguments.mounts.begin(), arguments.mounts.end(), mount) !=
                   arguments.mounts.end();
    };
    const auto has_enough = [&] {
        return arguments.count_max != 0 && count >= arguments.count_max;
    };
    bool is_over = false;  // What comes while it leaves was not asked for.
    const auto show = [&](const auto& what) {
        if (!is_over) {
            print_line(json ? as_json(what) : as_text(what));
        }
    };
    const auto show_counted = [&](const auto& what) {
        if (is_wanted(what.mount) && !has_enough()) {
            ++count;
            show(what);
        }
    };
    queue.on_message([&](const Message& message) { show_counted(message); });
    queue.on_state([&](const StateChange& change) { show_counted(change); });
    queue.on_members([&](const MembersChange& change) {
        if (arguments.mounts.empty() && !has_enough()) {
            show(change);
        }
    });
    std::vector<std::string> missing;
    session.on_joined(queue, [&](const Joined& joined) {
        missing = missing_mounts(arguments.mounts, joined);
        show(joined);
    });
    queue.on_mount([&](const MountChange& change) {
        if (is_wanted(change.mount)) {
            show(change);
        }
    });
    queue.on_gap([&](const Gap& gap) {
        if (is_wanted(gap.mount)) {
            show(gap);
        }
    });
    queue.on_stalled([&](bool is_stalled) { show(Stall{queue.name(), is_stalled}); });
    std::optional<std::string> ended;
    queue.on_reset([&](const Reset& reset) {
        show(reset);
        if (reset.why == "deleted") {
            ended = std::string(reset.queue) + " was deleted";
        }
    });
    queue.on_left([&](const Left& left) {
        ended = "no longer a member of " + std::string(left.queue) + ": " + std::string(left.why);
    });
    Session::end_on_interrupt();  // What is shown from the first line on can be interrupted.
    if (const auto failed = arguments.joins ? session.join(queue) : session.listen(queue)) {
        return *failed;
    }
    const auto leave = [&] {
        is_over = true;
        if (arguments.joins && !arguments.stays) {
            session.leave(queue);
        }
    };
    for (const std::string& mount : missing) {
        print_error(fmt::format("{} has no mount {}", arguments.queue, mount), "M3001");
    }
    if (!missing.empty() && missing.size() == arguments.mounts.size()) {
        leave();
        return exit_failed;
    }
    const int code = session.follow([&] { return has_enough() || ended.has_value(); });
    if (ended) {
        print_error(*ended);
        return exit_failed;
    }
    if (code == exit_ok) {  // Else the client is closed.
        leave();
    }
    return code;
}

int history(const Target& target, const HistoryArguments& arguments) {
    Session session(target);
    Queue queue = session.queue(arguments.queue);
    if (const auto failed = arguments.joins ? session.join(queue) : session.listen(queue)) {
        return *failed;
    }
    std::vector<std::string> lines;  // The youngest first.
    std::optional<std::uint64_t> before;
    bool has_more = true;
    while (has_more && lines.size() < arguments.limit) {
        std::optional<Outcome> outcome;
        queue.history(
            arguments.mount,
            [&](const HistoryPage& page) {
                outcome = page.outcome;
                has_more = page.has_more && !page.messages.empty();
                if (!page.messages.empty()) {
                    before = page.messages.front().seq;
                }
                std::transform(page.messages.rbegin(), page.messages.rend(),
                               std::back_inserter(lines), [&](const Message& message) {
                                   return target.format == Format::json ? as_json(message)
                                                                        : as_text(message);
                               });
            },
            before);
        if (const auto failed = session.wait_for([&] { return outcome.has_value(); })) {
            return *failed;
        }
        if (!outcome->is_ok()) {
            return print_outcome(*outcome, target.format);
        }
    }
    if (arguments.joins) {
        session.leave(queue);
    }
    lines.resize(std::min(lines.size(), arguments.limit));
    std::for_each(lines.rbegin(), lines.rend(), print_line);
    return exit_ok;
}

}  // namespace muster::cli
