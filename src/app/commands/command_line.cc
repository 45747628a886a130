// The one file that knows CLI11.
#include "app/commands/command_line.h"

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/commands/bench_command.h"
#include "app/commands/replay_command.h"
#include "app/commands/serve_command.h"
#include "app/commands/token_command.h"
#include "app/explain.h"
#include "app/setting_value.h"
#include "app/version.h"
#include "cli/commands.h"
#include "cli/terminal.h"

namespace muster::app {
namespace {

/// All that the command line can say, filled in by the parser.
struct Arguments {
    cli::Target target;
    cli::AdminTarget admin;
    cli::PubArguments pub;
    cli::SubArguments sub;
    cli::StateArguments state;
    cli::HistoryArguments history;
    std::string queue;
    std::string prefix;
    std::string definition;
    SettingsArguments settings;
    TokenArguments token;
    std::string program = "muster";  ///< as it was typed
    ReplayArguments replay;
    std::string record;
    std::string code;
    std::string format = "text";
    double patience_s = 10;
    bool acts_as_user = false;  ///< the command needs to know as whom it connects
    bool as_markdown = false;
    bool with_origin = false;

    [[nodiscard]] bool as_json() const { return format == "json"; }
};

/// What the parsed command does.
using Action = std::function<int()>;

// What stands in the environment is where the parser begins; what stands on the line replaces it.
void take_environment(Arguments& arguments) {
    const auto take = [](const char* name, std::string& value) {
        if (const char* set = std::getenv(name); set != nullptr && *set != '\0') {
            value = set;
        }
    };
    take("MUSTER_SERVER", arguments.target.server);
    take("MUSTER_ADMIN", arguments.admin.address);
    take("MUSTER_ADMIN_KEY_FILE", arguments.admin.key_file);
    take("MUSTER_CONFIG", arguments.settings.file);
}

// Settles as whom the command connects. Returns what is wrong with what was typed; empty: nothing.
std::string settle_user(cli::Target& target) {
    if (!target.token.empty() && !target.token_file.empty()) {
        return "--token and --token-file are two ways to say the same: leave one of them out";
    }
    const bool has_token = !target.token.empty() || !target.token_file.empty();
    if (!target.user.empty() && has_token) {
        return "a token says itself whose it is: leave out --user, or the token";
    }
    if (target.user.empty() && !has_token) {
        const char* token = std::getenv("MUSTER_TOKEN");
        target.token = token != nullptr ? token : "";
        if (target.token.empty()) {
            return "as whom? add --user NAME (for a server in --dev) or --token-file FILE";
        }
    }
    return {};
}

void add_format(CLI::App& command, Arguments& arguments) {
    command.add_option("-o,--output", arguments.format, "text or json")
        ->check(CLI::IsMember({"text", "json"}));
}

void add_target(CLI::App& command, Arguments& arguments) {
    command
        .add_option("--server", arguments.target.server,
                    "where to connect: host, port, host:port or ws://host:port")
        ->capture_default_str();
    command.add_option("--user", arguments.target.user, "your name; enough for a server in --dev");
    command.add_option("--token", arguments.target.token,
                       "your token, for any other server; `muster token` makes one");
    command.add_option("--token-file", arguments.target.token_file, "a file that holds your token");
    command
        .add_option("--patience", arguments.patience_s,
                    "seconds to wait for an answer; a refused connection ends at once")
        ->check(CLI::Range(0.001, 86'400.0))
        ->capture_default_str();
    command.add_flag("-v,--verbose", arguments.target.is_verbose, "say what is done on the way");
    add_format(command, arguments);
    command.parse_complete_callback([&arguments] { arguments.acts_as_user = true; });
}

void add_admin_target(CLI::App& command, Arguments& arguments) {
    command
        .add_option("--admin", arguments.admin.address,
                    "the server's admin address: host, port or host:port")
        ->capture_default_str();
    command.add_option("--key-file", arguments.admin.key_file,
                       "a file with the admin key, such as muster-data/admin.key; not for --dev");
    add_format(command, arguments);
}

void add_settings(CLI::App& command, Arguments& arguments) {
    command.add_option("--config", arguments.settings.file,
                       "a settings file; `muster config init` prints one");
    command
        .add_option("--set", arguments.settings.assignments,
                    "section.key=value, over file and environment")
        ->allow_extra_args(false);
    command.add_flag("--dev", arguments.settings.is_dev,
                     "for development: users without tokens, this machine only");
}

void add_join(CLI::App& command, bool& joins) {
    command.add_flag("--join", joins,
                     "become a member first, where only members may listen; else just listen");
}

void add_mount(CLI::App& command, std::string& queue, std::string& mount) {
    command.add_option("queue", queue, "such as /room/lobby")->required();
    command.add_option("mount", mount, "such as chat or scores")->required();
}

// ---- The commands ----------------------------------------------------------------------------

void add_message_commands(CLI::App& app, Arguments& a, Action& action) {
    CLI::App* pub = app.add_subcommand("pub", "Send a message to a queue");
    add_mount(*pub, a.pub.queue, a.pub.mount);
    pub->add_option("json", a.pub.json, R"(the message, such as '{"text":"hi"}')")->required();
    pub->add_flag("--stay", a.pub.stays, "stay a member of the queue");
    add_target(*pub, a);
    pub->footer(R"(Such as: muster pub /room/lobby chat '{"text":"hi"}' --user carol
It joins the queue, sends, and leaves again.)");
    pub->callback([&a, &action] { action = [&a] { return cli::pub(a.target, a.pub); }; });

    CLI::App* sub = app.add_subcommand("sub", "Show what happens in a queue, until Ctrl-C");
    sub->add_option("queue", a.sub.queue, "such as /room/lobby")->required();
    sub->add_option("--mounts", a.sub.mounts, "only these, such as chat,scores; default: all")
        ->delimiter(',');
    sub->add_option("--count", a.sub.count_max, "end after so many messages and changes")
        ->check(CLI::NonNegativeNumber);  // Else the parser takes -1 for 2^64 - 1.
    add_join(*sub, a.sub.joins);
    sub->add_flag("--stay", a.sub.stays, "with --join: stay a member of the queue afterwards");
    add_target(*sub, a);
    sub->footer("Such as: muster sub /room/lobby --mounts chat,scores --user dave");
    sub->callback([&a, &action] { action = [&a] { return cli::sub(a.target, a.sub); }; });

    CLI::App* history = app.add_subcommand("history", "Show the remembered messages of a mount");
    add_mount(*history, a.history.queue, a.history.mount);
    history->add_option("--limit", a.history.limit, "at most so many, the youngest ones")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    add_join(*history, a.history.joins);
    add_target(*history, a);
    history->footer("Such as: muster history /room/lobby chat --limit 10 --user dave");
    history->callback(
        [&a, &action] { action = [&a] { return cli::history(a.target, a.history); }; });
}

void add_state_commands(CLI::App& app, Arguments& a, Action& action) {
    CLI::App* state = app.add_subcommand("state", "Read and change live state");
    state->footer("Such as: muster state set /room/lobby scores carol 7 --user carol");
    state->require_subcommand(1);
    const auto add = [&](const char* name, const char* help, auto command) {
        CLI::App* sub = state->add_subcommand(name, help);
        add_mount(*sub, a.state.queue, a.state.mount);
        add_target(*sub, a);
        sub->callback([&a, &action, command] {
            action = [&a, command] { return command(a.target, a.state); };
        });
        return sub;
    };
    CLI::App* get = add("get", "Print one key, or all", &cli::state_get);
    get->add_option("key", a.state.key, "only this one");
    CLI::App* set = add("set", "Set a key to a JSON value", &cli::state_set);
    set->add_option("key", a.state.key, "such as carol")->required();
    set->add_option("value", a.state.value, R"(JSON, such as 7 or '"red"')")->required();
    CLI::App* del = add("del", "Delete a key", &cli::state_del);
    del->add_option("key", a.state.key, "such as carol")->required();
    for (CLI::App* change : {set, del}) {
        change
            ->add_option("--if-seq", a.state.if_seq,
                         "only if the key last changed at this seq; 0: only if it is absent")
            ->check(CLI::NonNegativeNumber);
        change->add_flag("--stay", a.state.stays, "stay a member of the queue");
    }
    CLI::App* watch = add("watch", "Show changes as they come, until Ctrl-C", &cli::state_watch);
    for (CLI::App* reading : {get, watch}) {
        add_join(*reading, a.state.joins);
    }
    watch->add_flag("--stay", a.state.stays, "with --join: stay a member of the queue afterwards");
}

void add_queue_commands(CLI::App& app, Arguments& a, Action& action) {
    CLI::App* queue =
        app.add_subcommand("queue", "List, show, create and remove queues, as the backend does");
    queue->footer("Such as: muster queue create /room/1 --key-file muster-data/admin.key");
    queue->require_subcommand(1);
    const auto add = [&](const char* name, const char* help, Action command) {
        CLI::App* sub = queue->add_subcommand(name, help);
        add_admin_target(*sub, a);
        sub->callback([&action, command = std::move(command)] { action = command; });
        return sub;
    };
    add("ls", "List queues", [&a] {
        return cli::queue_ls(a.admin, a.prefix);
    })->add_option("prefix", a.prefix, "such as /room/");
    add("show", "Describe a queue", [&a] { return cli::queue_show(a.admin, a.queue); })
        ->add_option("queue", a.queue, "such as /room/lobby")
        ->required();
    CLI::App* create = add("create", "Create a queue",
                           [&a] { return cli::queue_create(a.admin, a.queue, a.definition); });
    create->add_option("queue", a.queue, "such as /room/lobby")->required();
    create->add_option("definition", a.definition,
                       R"(JSON, such as '{"ttl":"1h"}'; default: what its template says)");
    add("rm", "Remove a queue", [&a] { return cli::queue_rm(a.admin, a.queue); })
        ->add_option("queue", a.queue, "such as /room/lobby")
        ->required();
}

void add_replay_command(CLI::App& app, Arguments& a, Action& action) {
    CLI::App* replay = app.add_subcommand("replay", "Run a recording again (serve --record)");
    replay->footer("A folder stands for all shards of the life that was written to last.");
    replay->add_option("recording", a.replay.paths, "files of a recording, or a folder")
        ->required();
    replay->add_option(
        "--until", a.replay.until,
        "stop before that entry (412) and its cause, or where a queue comes to a seq (/room/1@20)");
    CLI::Option* dump = replay
                            ->add_option_function<std::string>(
                                "--dump", [&a](const std::string&) { a.replay.dumps_state = true; },
                                "`state`: print what each queue holds at the end, as JSON")
                            ->check(CLI::IsMember({"state"}));
    replay->add_option("--queue", a.replay.queue, "with --dump: only this one")->needs(dump);
    CLI::Option* gdb = replay->add_flag("--gdb", a.replay.in_gdb,
                                        "under gdb, which stops at --until or the crash");
    replay
        ->add_option("--against", a.replay.against,
                     "another build of muster: do the two make the same of every input?")
        ->excludes(gdb)
        ->excludes(dump);
    replay->add_flag("--go-on", a.replay.goes_on)->group("");        // For --gdb.
    replay->add_flag("--shadow", a.replay.is_shadow)->group("");     // For --against.
    replay->add_option("--explain", a.replay.explained)->group("");  // Likewise.
    replay->add_option("--entries", a.replay.entries)->group("");    // Likewise.
    add_format(*replay, a);
    replay->callback([&a, &action] {
        action = [&a] {
            a.replay.as_json = a.as_json();
            a.replay.program = a.program;
            return replay_command(a.replay);
        };
    });
}

int explain_command(const Arguments& a) {
    if (a.as_markdown) {
        fmt::print("{}", error_reference_markdown());
        return cli::exit_ok;
    }
    if (a.code.empty()) {
        fmt::print("{}", list_errors());
        return cli::exit_ok;
    }
    const auto meant = errors_meant_by(a.code);
    if (meant.empty()) {
        cli::print_error(fmt::format("there is no code {}; `muster explain` lists all", a.code));
        return cli::exit_failed;
    }
    for (const ErrorInfo* info : meant) {
        fmt::print("{}{}", a.as_json() ? explain_as_json(*info) : explain(*info),
                   a.as_json() ? "\n" : "");
    }
    return cli::exit_ok;
}

void add_server_commands(CLI::App& app, Arguments& a, Action& action) {
    CLI::App* serve = app.add_subcommand("serve", "Run a server");
    serve->footer(
        "To play with: muster serve --dev\n"
        "For others: muster config init > muster.toml, then muster serve --config "
        "muster.toml");
    add_settings(*serve, a);
    serve->add_option("--record", a.record, "write down what happens, for `muster replay`")
        ->check(CLI::IsMember({"off", "crash", "all"}));
    serve->callback([&a, &action] {
        action = [&a] {
            if (!a.record.empty()) {
                a.settings.assignments.push_back("recording.mode=" + a.record);
            }
            return serve_command(a.settings, a.program);
        };
    });

    CLI::App* config = app.add_subcommand("config", "Write, check and show settings");
    config->require_subcommand(1);
    config->add_subcommand("init", "Print a settings file with every default")->callback([&action] {
        action = [] { return config_init_command(); };
    });
    CLI::App* check = config->add_subcommand("check", "Say what is wrong with the settings");
    add_settings(*check, a);
    check->callback([&a, &action] { action = [&a] { return config_check_command(a.settings); }; });
    CLI::App* show = config->add_subcommand("show", "Print the settings in force");
    add_settings(*show, a);
    add_format(*show, a);
    show->add_flag("--origin", a.with_origin, "and where each value comes from");
    show->callback([&a, &action] {
        action = [&a] { return config_show_command(a.settings, a.with_origin, a.as_json()); };
    });

    CLI::App* token = app.add_subcommand("token", "Make a token for a user");
    token->add_option("--user", a.token.user, "whom it lets in")->required();
    token->add_option("--data", a.token.data_folder,
                      "the server's data folder, whose key signs; default: as in the settings");
    add_settings(*token, a);
    token->footer(
        "Such as: muster token --config muster.toml --user alice\n"
        "The settings are those of the server, so that its data folder is found.");
    token->add_option("--key-file", a.token.key_file, "another key, in place of the server's own");
    token->add_option("--kid", a.token.kid, "what the server's settings call that key");
    token
        ->add_option("--ttl", a.token.lifetime_s,
                     "how long it is good, such as 90s or 1h; default: 1h, at most 24h")
        ->transform(
            CLI::AsNumberWithUnit(std::map<std::string, long>{{"s", 1}, {"m", 60}, {"h", 3600}},
                                  CLI::AsNumberWithUnit::CASE_SENSITIVE));
    token->callback(
        [&a, &action] { action = [&a] { return token_command(a.token, a.settings); }; });

    CLI::App* explain =
        app.add_subcommand("explain", "Say what an error code means, and what to do");
    explain->add_option("code", a.code, "such as M2003, not_member or 4003; none: list all");
    explain->add_flag("--markdown", a.as_markdown, "print the page of the reference");
    add_format(*explain, a);
    explain->callback([&a, &action] { action = [&a] { return explain_command(a); }; });

    CLI::App* version_command = app.add_subcommand("version", "Print the version");
    add_format(*version_command, a);
    version_command->callback([&a, &action] {
        action = [&a] {
            cli::print_line(a.as_json() ? fmt::format(R"({{"version":"{}"}})", version())
                                        : fmt::format("muster {}", version()));
            return static_cast<int>(cli::exit_ok);
        };
    });
}

// Returns what to say of the first word that should name a command and does not, or is missing;
// empty: all is well so far.
std::string command_trouble(const CLI::App& app, int argc, const char* const* argv) {
    const CLI::App* level = &app;
    for (int i = 1;; ++i) {
        const auto commands = level->get_subcommands([](const CLI::App*) { return true; });
        const std::string_view word = i < argc ? argv[i] : "";
        if (commands.empty() || word.starts_with('-')) {
            return {};
        }
        std::vector<std::string_view> names;
        const CLI::App* found = nullptr;
        for (const CLI::App* command : commands) {
            names.push_back(command->get_name());
            found = command->get_name() == word ? command : found;
        }
        if (found == nullptr) {
            const std::string where = level == &app ? "" : " of '" + level->get_name() + "'";
            const std::string all = fmt::format("there are: {}", fmt::join(names, ", "));
            if (i >= argc) {
                return fmt::format("a command{} is missing; {} (--help says more)", where, all);
            }
            const std::string_view meant = closest(word, names);
            return fmt::format("unknown command '{}'{}; {}", word, where,
                               meant.empty() ? all : fmt::format("did you mean '{}'?", meant));
        }
        level = found;
    }
}

constexpr const char* general_footer = R"(
To begin with: `muster serve --dev` in one terminal, then in another
  muster sub /room/lobby --join --user dave
  muster pub /room/lobby chat '{"text":"hi"}' --user carol
Each command has a --help of its own. In place of options, the environment may say MUSTER_SERVER,
MUSTER_TOKEN, MUSTER_ADMIN, MUSTER_ADMIN_KEY_FILE and MUSTER_CONFIG.
Exit codes: 0 done, 1 failed or refused, 2 wrong usage or settings, 3 the server cannot be reached.)";

}  // namespace

int run_command_line(int argc, char** argv) {
    CLI::App app("Muster: a stateful real-time message queue for chat and games", "muster");
    app.require_subcommand(1);
    app.set_version_flag("--version", fmt::format("muster {}", version()), "Print the version");
    app.footer(general_footer);
    Arguments arguments;
    if (argc > 0 && argv[0] != nullptr && *argv[0] != '\0') {
        arguments.program = argv[0];
    }
    take_environment(arguments);
    Action action;
    add_server_commands(app, arguments, action);
    add_message_commands(app, arguments, action);
    add_state_commands(app, arguments, action);
    add_queue_commands(app, arguments, action);
    add_bench_commands(app, [&action](Action chosen) { action = std::move(chosen); });
    add_replay_command(app, arguments, action);
    if (const std::string trouble = command_trouble(app, argc, argv); !trouble.empty()) {
        cli::print_error(trouble);
        return cli::exit_usage;
    }
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? cli::exit_ok : cli::exit_usage;
    }
    if (arguments.acts_as_user) {
        if (const std::string trouble = settle_user(arguments.target); !trouble.empty()) {
            cli::print_error(trouble);
            return cli::exit_usage;
        }
    }
    const auto format = arguments.as_json() ? cli::Format::json : cli::Format::text;
    arguments.target.format = format;
    arguments.admin.format = format;
    arguments.target.patience =
        std::chrono::milliseconds{static_cast<std::int64_t>(arguments.patience_s * 1000)};
    return action();
}

}  // namespace muster::app
