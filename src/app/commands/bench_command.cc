#include "app/commands/bench_command.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "bench/bench.h"
#include "bench/report.h"
#include "bench/usage.h"
#include "cli/commands.h"
#include "cli/terminal.h"

namespace muster::app {
namespace {

/// What one work's part of the command line says.
struct BenchArguments {
    bench::Options options;
    std::string format = "text";
    std::string page;
};

// What would only show after the load had been made. Empty: nothing.
std::string trouble_of(const BenchArguments& arguments) {
    const bench::Options& options = arguments.options;
    if (options.server_pid != 0 && !bench::cpu_seconds(options.server_pid)) {
        return fmt::format("--server-pid {}: there is no such process", options.server_pid);
    }
    // Opened without being emptied: an older page stays until there is another one.
    if (!arguments.page.empty() && !std::ofstream(arguments.page, std::ios::app)) {
        return fmt::format("--html: cannot write {}: {}", arguments.page, std::strerror(errno));
    }
    return {};
}

int run_bench(BenchArguments arguments) {
    if (const std::string trouble = trouble_of(arguments); !trouble.empty()) {
        cli::print_error(trouble);
        return cli::exit_usage;
    }
    const bool as_json = arguments.format == "json";
    arguments.options.shows_progress = !as_json;
    const auto report = bench::run(arguments.options);
    if (!report) {
        cli::print_error(report.error().detail);
        return report.error().code == ErrorCode::bad_settings ? cli::exit_usage
                                                              : cli::exit_unreachable;
    }
    fmt::print("{}{}", as_json ? bench::as_json(*report) : bench::as_text(*report),
               as_json ? "\n" : "");
    if (!arguments.page.empty() &&
        !(std::ofstream(arguments.page) << bench::as_page(*report)).flush()) {
        cli::print_error("cannot write " + arguments.page);
        return cli::exit_failed;
    }
    return report->is_clean() ? cli::exit_ok : cli::exit_failed;
}

void add_own_options(CLI::App& command, bench::Options& options) {
    using bench::Work;
    const auto add_rate = [&](const char* help, double least) {
        command.add_option("--rate", options.rate, help)
            ->check(CLI::Range(least, 1e7))
            ->capture_default_str();
    };
    const auto add_window = [&](const char* help) {
        command.add_option("--window", options.window, help)
            ->check(CLI::Range(1, 10'000))
            ->capture_default_str();
    };
    const auto add_members = [&] {
        command.add_option("--members", options.members, "of one room")
            ->check(CLI::Range(1, 10'000))
            ->capture_default_str();
    };
    switch (options.work) {
        case Work::fanout:
            add_rate("messages a second; 0: as fast as --window allows", 0);
            add_window("messages under way at once");
            command
                .add_flag("--overload", options.overloads,
                          "120 % of what is possible, then 50 %: until when is all normal?")
                ->excludes(command.add_flag("--lone", options.is_lone,
                                            "one message at a time, with pauses"));
            break;
        case Work::rooms:
            add_rate("messages a second that all together send", 1);
            add_members();
            command.add_flag("--numbered", options.numbers_ops,
                             "each op carries its number, so that it takes effect once");
            command.add_flag("--search", options.searches,
                             "from --rate up: the highest rate with a p99 below 100 ms");
            command.add_option("--publishers", options.publishers,
                               "redis: connections that send; 0: one for each client");
            break;
        case Work::state:
            add_rate("changes a second of each member", 1);
            add_members();
            command.add_option("--slow", options.slow_percent, "percent who read slowly")
                ->check(CLI::Range(0, 100))
                ->capture_default_str();
            break;
        case Work::logins:
            add_members();
            add_window("clients that sign in at once");
            break;
        case Work::creates: add_window("clients that create at once"); break;
        case Work::storm:
        case Work::idle: add_members(); break;
    }
}

}  // namespace

void add_bench_commands(CLI::App& app, std::function<void(std::function<int()>)> chosen) {
    CLI::App* bench = app.add_subcommand("bench", "Load a server and say what it did");
    bench->require_subcommand(1);
    bench->footer(
        "The server must lift its rates: --set 'gateway.op_rate=1000000/s burst 1000000',\n"
        "and for many clients gateway.login_rate and gateway.resume_rate likewise, and\n"
        "--set gateway.unknown_of_address_max=100000 --set gateway.unknown_max=100000");
    const auto add = [&](bench::Work work, const char* help) {
        const auto arguments = std::make_shared<BenchArguments>();
        arguments->options = bench::default_options(work);
        bench::Options& options = arguments->options;
        if (const char* server = std::getenv("MUSTER_SERVER");
            server != nullptr && *server != '\0') {
            options.server = server;
        }
        CLI::App* command = bench->add_subcommand(std::string(name_of(work)), help);
        command->add_option("--server", options.server)->capture_default_str();
        const std::map<std::string, bench::Peer> peers{{"muster", bench::Peer::muster},
                                                       {"muster-proto", bench::Peer::muster_proto},
                                                       {"nats", bench::Peer::nats},
                                                       {"redis", bench::Peer::redis}};
        command
            ->add_option_function<std::string>(
                "--peer",
                [peers, arguments](const std::string& name) {
                    arguments->options.peer = peers.at(name);
                },
                "what kind of server it is")
            ->check(CLI::IsMember(peers));
        if (work != bench::Work::creates) {
            command->add_option("--clients", options.clients)
                ->check(CLI::Range(1, 500'000))
                ->capture_default_str();
        }
        command->add_option("--payload", options.payload_bytes, "bytes of one message")
            ->check(CLI::Range(60, 16'000))
            ->capture_default_str();
        command->add_option("--seconds", options.seconds)
            ->check(CLI::Range(1, 3'600))
            ->capture_default_str();
        command->add_option("--warmup", options.warmup_seconds, "seconds before the counting")
            ->check(CLI::Range(0.0, 60.0))
            ->capture_default_str();
        command
            ->add_option("--processes", options.processes,
                         "that load the server; 0: as many as descriptors need")
            ->check(CLI::Range(0, 32))
            ->capture_default_str();
        command->add_option("--server-pid", options.server_pid, "to tell its CPU time and memory")
            ->check(CLI::PositiveNumber);
        command->add_option("--html", arguments->page, "a file for a page with plots");
        command->add_option("-o,--output", arguments->format, "text or json")
            ->check(CLI::IsMember({"text", "json"}));
        add_own_options(*command, options);
        command->callback(
            [arguments, chosen] { chosen([arguments] { return run_bench(*arguments); }); });
    };
    using bench::Work;
    add(Work::fanout, "One sends, all in one room receive");
    add(Work::rooms, "Many rooms, all members send");
    add(Work::state, "Members set their own key many times a second; some read slowly");
    add(Work::storm, "All are cut at once and come back at once");
    add(Work::idle, "Users who have joined and do nothing");
    add(Work::logins, "Connect, sign in and join, as fast as it goes");
    add(Work::creates, "Make a room, join, send, hear it, leave, as fast as it goes");
}

}  // namespace muster::app
