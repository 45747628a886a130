// state get|set|del|watch.

#include <functional>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/print.h"
#include "cli/session.h"
#include "core/wire/json_reader.h"
#include "core/wire/json_writer.h"

namespace muster::cli {
namespace {

// One request that needs membership: joins, asks, leaves again, prints what became of it.
int change(const Target& target, const StateArguments& arguments,
           const std::function<void(Queue&, Callback)>& request) {
    Session session(target);
    Queue queue = session.queue(arguments.queue);
    if (const auto failed = session.join(queue)) {
        return *failed;
    }
    std::optional<Outcome> outcome;
    request(queue, [&](const Outcome& o) { outcome = o; });
    if (const auto failed = session.wait_for([&] { return outcome.has_value(); })) {
        return *failed;
    }
    if (!arguments.stays) {
        session.leave(queue);
    }
    return print_outcome(*outcome, target.format);
}

std::string value_text(const Value& value) {
    if (!value.is_binary) {
        return value.data;
    }
    std::string text;
    wire::append_quoted_base64(text, value.data);
    return text;
}

// Prints one key or all of a mount, of which `is_state` says what it is, if it is there.
int print_state(const Queue& queue, const StateArguments& arguments, std::optional<bool> is_state,
                Format format) {
    if (!is_state || !*is_state) {
        print_error(fmt::format("{} has no state mount {}", arguments.queue, arguments.mount),
                    is_state ? "M3002" : "M3001");
        return exit_failed;
    }
    if (!arguments.key.empty()) {
        const auto value = queue.get(arguments.mount, arguments.key);
        if (!value) {
            print_error(fmt::format("{} has no key {}", arguments.mount, arguments.key));
            return exit_failed;
        }
        print_line(value_text(*value));
        return exit_ok;
    }
    std::string object;
    for (const auto& key : queue.keys(arguments.mount)) {
        std::string quoted;
        wire::append_quoted(quoted, key);
        const std::string value = value_text(*queue.get(arguments.mount, key));
        if (format == Format::text) {
            print_line(fmt::format("{}: {}", key, value));
        } else {
            object += fmt::format("{}{}:{}", object.empty() ? "" : ",", quoted, value);
        }
    }
    if (format == Format::json) {
        print_line("{" + object + "}");
    }
    return exit_ok;
}

}  // namespace

int state_get(const Target& target, const StateArguments& arguments) {
    Session session(target);
    Queue queue = session.queue(arguments.queue);
    std::optional<bool> is_state;
    session.on_joined(queue, [&](const Joined& joined) {
        for (const auto& mount : joined.mounts) {
            if (mount.name == arguments.mount) {
                is_state = mount.is_state;
            }
        }
    });
    if (const auto failed = arguments.joins ? session.join(queue) : session.listen(queue)) {
        return *failed;
    }
    const int code = print_state(queue, arguments, is_state, target.format);
    if (arguments.joins) {
        session.leave(queue);
    }
    return code;
}

int state_set(const Target& target, const StateArguments& arguments) {
    if (const auto valid = wire::validate_json(arguments.value); !valid) {
        print_error("the value is not JSON: " + valid.error().detail +
                    R"(; a text needs its quotes: '"red"')");
        return exit_usage;
    }
    return change(target, arguments, [&](Queue& queue, Callback done) {
        queue.set(arguments.mount, arguments.key, arguments.value, std::move(done),
                  arguments.if_seq);
    });
}

int state_del(const Target& target, const StateArguments& arguments) {
    return change(target, arguments, [&](Queue& queue, Callback done) {
        queue.del(arguments.mount, arguments.key, std::move(done), arguments.if_seq);
    });
}

int state_watch(const Target& target, const StateArguments& arguments) {
    SubArguments as_sub;
    as_sub.queue = arguments.queue;
    as_sub.mounts = {arguments.mount};
    as_sub.joins = arguments.joins;
    as_sub.stays = arguments.stays;
    return sub(target, as_sub);
}

}  // namespace muster::cli
