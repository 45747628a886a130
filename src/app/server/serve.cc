#include "app/server/serve.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>

#include "app/server/note_line.h"
#include "app/server/recordings.h"
#include "app/server/service_site.h"
#include "app/server/shard_thread.h"
#include "app/server/site.h"
#include "app/version.h"
#include "shell/admin/api.h"
#include "shell/admin/http_server.h"
#include "shell/coord/data_folder.h"
#include "shell/net/listener.h"
#include "shell/observe/last_line.h"
#include "shell/observe/log_writer.h"
#include "shell/runtime/clock.h"
#include "shell/runtime/entropy.h"

namespace muster::server {
namespace {

constexpr auto housekeeping_interval = std::chrono::milliseconds{500};

SiteKeys keys_of(const coord::DataFolder& folder) {
    SiteKeys keys;
    keys.placement = folder.bucket_key;
    keys.table = {runtime::random_bits(), runtime::random_bits()};
    keys.resume = gateway::ClusterSecret{folder.resume_key};
    keys.own_token_key = folder.token_key;
    keys.epoch = folder.epoch;
    keys.bucket_seed = runtime::random_bits();
    return keys;
}

// One listening socket for each shard, all on one port.
Result<std::vector<net::Listener>> listen_for_clients(const app::Settings& settings) {
    std::string endpoint = settings.listen.client.text();
    // A port that is shared may be shared with another server, too: so see first that it is free.
    auto probe = net::listen_on(endpoint, {});
    if (!probe) {
        return tl::unexpected(probe.error());
    }
    endpoint = fmt::format("{}:{}", probe->address, probe->port);
    probe->socket.close();
    std::vector<net::Listener> listeners;
    for (std::uint32_t i = 0; i < settings.server.shards; ++i) {
        auto listener = net::listen_on(endpoint, {.shares_port = true});
        if (!listener) {
            return tl::unexpected(listener.error());
        }
        listeners.push_back(*std::move(listener));
    }
    return listeners;
}

admin::Role role_of(app::AdminRole role) {
    switch (role) {
        case app::AdminRole::read: return admin::Role::read;
        case app::AdminRole::game_server: return admin::Role::game_server;
        case app::AdminRole::operator_: return admin::Role::operate;
    }
    return admin::Role::read;
}

admin::GateSettings gate_settings(const app::Settings& settings, const coord::DataFolder& folder) {
    admin::GateSettings gate;
    gate.is_open = settings.is_dev;
    gate.keys.add(folder.admin_key, {"own", admin::Role::operate, {}});
    for (const auto& key : settings.admin_keys) {
        gate.keys.add(key.key, {key.name, role_of(key.role), {}});
    }
    return gate;
}

admin::HttpServerSettings admin_settings(const app::Settings& settings) {
    admin::HttpServerSettings admin;
    admin.address = settings.listen.admin.host;
    admin.port = settings.listen.admin.port;
    admin.body_bytes_max = settings.server.admin_body_bytes_max;
    return admin;
}

Result<std::vector<std::unique_ptr<ShardThread>>> make_shards(
    const app::Settings& settings, const std::shared_ptr<const roles::Site>& site,
    std::vector<net::Listener> listeners, Switchboard& switchboard, Recordings& recordings) {
    std::vector<std::unique_ptr<ShardThread>> shards;
    const auto crowd =
        std::make_shared<runtime::Crowd>(HashKey{runtime::random_bits(), runtime::random_bits()});
    for (std::uint16_t i = 0; i < switchboard.shard_count(); ++i) {
        ShardSettings shard;
        shard.shard = ShardId{i};
        shard.seed = runtime::random_bits();
        shard.sockets.connections_max = connections_share(settings.gateway.max_connections,
                                                          switchboard.shard_count(), shard.shard);
        shard.sockets.crowd = crowd;
        shard.drain_time = settings.server.drain_time;
        auto recording = recordings.open(shard.shard, shard.seed);
        if (!recording) {
            return tl::unexpected(recording.error());
        }
        shards.push_back(std::make_unique<ShardThread>(shard, site, std::move(listeners[i]),
                                                       switchboard, *std::move(recording)));
    }
    return shards;
}

/// The service thread: admin HTTP, signals, the answers of the shards, time.
class Service {
public:
    Service(boost::asio::io_context& io, Switchboard& switchboard, ServiceSite& site,
            observe::LogWriter& log, NoteLines& note_lines)
        : switchboard_(switchboard),
          site_(site),
          log_(log),
          note_lines_(note_lines),
          bell_(io, dup(switchboard.bell_of_service().fd())),
          signals_(io, SIGTERM, SIGINT),
          timer_(io) {}

    void start(std::function<void()> stop) {
        signals_.async_wait([stop = std::move(stop)](const auto& error, int) {
            if (!error) {
                stop();
            }
        });
        listen_to_bell();
        keep_house();
    }

    void end() {
        signals_.cancel();
        timer_.cancel();
        bell_.cancel();
        has_ended_ = true;
    }

private:
    void listen_to_bell() {
        site_.take_from_shards(runtime::monotonic_now());
        switchboard_.bell_of_service().about_to_sleep();
        site_.take_from_shards(runtime::monotonic_now());  // What came before we said so.
        if (has_ended_) {
            return;
        }
        bell_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                         [this](const auto& error) {
                             if (!error) {
                                 std::uint64_t rings = 0;
                                 [[maybe_unused]] const auto taken =
                                     read(bell_.native_handle(), &rings, sizeof rings);
                                 listen_to_bell();
                             }
                         });
    }

    void keep_house() {
        timer_.expires_after(housekeeping_interval);
        timer_.async_wait([this](const auto& error) {
            if (!error) {
                site_.time_passed(runtime::monotonic_now());
                note_lines_.time_passed(runtime::monotonic_now());
                log_.flush();
                keep_house();
            }
        });
    }

    Switchboard& switchboard_;
    ServiceSite& site_;
    observe::LogWriter& log_;
    NoteLines& note_lines_;
    boost::asio::posix::stream_descriptor bell_;
    boost::asio::signal_set signals_;
    boost::asio::steady_timer timer_;
    bool has_ended_ = false;
};

// Returns a word as a shell takes it.
std::string for_shell(std::string_view word) {
    const bool is_plain = std::all_of(word.begin(), word.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("/._-+:,@%").find(c) != std::string_view::npos;
    });
    if (is_plain) {
        return std::string(word);
    }
    std::string quoted = "'";
    for (const char c : word) {
        quoted += c == '\'' ? "'\\''" : std::string(1, c);
    }
    return quoted + "'";
}

// `program` is how this one was called: it need not be on the PATH.
std::string dev_greeting(std::string_view program, const std::string& client,
                         const std::string& admin) {
    const bool is_usual = client == app::ListenSettings{}.client.text();
    return fmt::format(
        "\n  Muster is ready:  http://{}/\n\n"
        "  Open it in two browser tabs, or try\n"
        "    {} pub /room/lobby chat '{{\"text\":\"hi\"}}' --user carol{}\n"
        "    curl http://{}/v1/queues/room/lobby\n\n"
        "  Development mode: users need no token, and only this machine can connect.\n\n",
        client, for_shell(program), is_usual ? "" : " --server " + client, admin);
}

constexpr auto log_patience = std::chrono::milliseconds{500};

// The last line of a server that cannot begin.
void say_cannot_listen(const Error& error, observe::LogWriter& log) {
    if (error.code == ErrorCode::cannot_listen) {
        log.write(observe::LogEvent::cannot_listen, "Muster cannot begin",
                  {{"reason", error.detail}});
        log.finish(log_patience);
    }
}

void write_notice(const admin::Notice& notice, observe::LogWriter& log) {
    std::vector<observe::LogField> fields;
    if (!notice.key.empty()) {
        fields.emplace_back("key", notice.key);
    }
    fields.emplace_back("peer", notice.peer);
    fields.emplace_back("method", notice.method);
    fields.emplace_back("path", notice.path);
    switch (notice.kind) {
        case admin::Notice::Kind::refused:
            fields.emplace_back("detail", notice.detail);
            log.write(observe::LogEvent::admin_refused, "An admin request was refused", fields);
            break;
        case admin::Notice::Kind::changed:
            log.write(observe::LogEvent::admin_change, "An admin request changed something",
                      fields);
            break;
    }
}

/// Where the server really listens.
struct Addresses {
    std::string client;
    std::uint16_t admin_port = 0;
};

void say_up(const app::Settings& settings, const coord::DataFolder& folder,
            const Addresses& addresses, std::string_view program, observe::LogWriter& log) {
    const std::string admin =
        fmt::format("{}:{}", settings.listen.admin.host, addresses.admin_port);
    log.write(observe::LogEvent::up, "Muster is up",
              {{"version", app::version()},
               {"roles", "gateway,node"},
               {"client", addresses.client},
               {"admin", admin},
               {"shards", settings.server.shards},
               {"epoch", folder.epoch.value},
               {"data", folder.path},
               {"settings", app::changed_values(settings)}});
    if (settings.is_dev) {
        fmt::print(stdout, "{}", dev_greeting(program, addresses.client, admin));
        std::fflush(stdout);
    }
}

}  // namespace

Result<void> serve(const app::Settings& settings, std::string_view program) {
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);  // A file at its limit is an error of the write, not the end.
    auto log = observe::LogWriter::open(settings.log.target, settings.log.level);
    if (!log) {
        return tl::unexpected(log.error());
    }
    // The port before all else: a server that finds it taken must not have touched the data folder.
    auto listeners = listen_for_clients(settings);
    if (!listeners) {
        say_cannot_listen(listeners.error(), *log);
        return tl::unexpected(listeners.error());
    }
    const auto folder = coord::DataFolder::open(settings.data.folder);
    if (!folder) {
        return tl::unexpected(folder.error());
    }
    const SiteKeys keys = keys_of(*folder);
    auto site = make_site(settings, keys);
    if (!site) {
        return tl::unexpected(site.error());
    }
    auto recordings = Recordings::begin(settings, keys, folder->path);
    if (!recordings) {
        return tl::unexpected(recordings.error());
    }
    if (auto prepared = observe::prepare_last_line(
            {settings.log.target, observe::LogIdentity::own(),
             recordings->are_on() ? recordings->folder().string() : std::string()});
        !prepared) {
        return tl::unexpected(prepared.error());
    }

    const auto shard_count = static_cast<std::uint16_t>(settings.server.shards);
    Switchboard switchboard(shard_count);
    ServiceSite service_site(switchboard, (*site)->placement, settings.queue.payload_bytes_max);
    boost::asio::io_context io(1);
    admin::Api api(service_site, gate_settings(settings, *folder),
                   [&](const admin::Notice& notice) { write_notice(notice, *log); });
    auto admin_server =
        admin::HttpServer::listen(io, admin_settings(settings),
                                  [&api](const admin::Request& request, admin::Respond respond) {
                                      api.handle(request, std::move(respond));
                                  });
    if (!admin_server) {
        say_cannot_listen(admin_server.error(), *log);
        return tl::unexpected(admin_server.error());
    }

    const std::string client_address =
        fmt::format("{}:{}", listeners->front().address, listeners->front().port);
    const auto shards =
        make_shards(settings, *site, *std::move(listeners), switchboard, *recordings);
    if (!shards) {
        return tl::unexpected(shards.error());
    }
    bool is_recording_complete = true;
    service_site.on_recording_failed([&](const RecordingFailed& failed) {
        is_recording_complete = false;
        log->write(observe::LogEvent::recording_failed, "A recording cannot go on",
                   {{"shard", failed.shard.value}, {"reason", failed.reason}});
    });
    NoteLines note_lines(
        [&](auto event, auto text, auto fields) { log->write(event, text, fields); });
    service_site.on_note(
        [&](const ShardNote& noted) { note_lines.take(noted, runtime::monotonic_now()); });
    service_site.on_trouble([&](const ShardTrouble& trouble) { note_lines.take(trouble); });
    Service service(io, switchboard, service_site, *log, note_lines);
    for (const auto& shard : *shards) {
        shard->start();
    }
    service_site.set_ready(true);
    service.start([&] {
        log->write(observe::LogEvent::draining, "Muster says goodbye to its clients");
        service_site.stop_shards([&] {
            admin_server->stop(std::chrono::seconds{1}, [&] {
                service.end();
                io.stop();
            });
        });
    });
    say_up(settings, *folder, {client_address, admin_server->port()}, program, *log);
    if (recordings->are_on()) {
        log->write(observe::LogEvent::recording_started, "What happens is recorded",
                   {{"folder", recordings->folder().string()}});
    }
    io.run();
    for (const auto& shard : *shards) {
        shard->join();
    }
    note_lines.time_passed(Instant::max());
    if (recordings->are_on()) {
        log->write(observe::LogEvent::recording_ended,
                   is_recording_complete ? "The recording is complete"
                                         : "The recording ends before the server does",
                   {{"folder", recordings->folder().string()}});
    }
    log->write(observe::LogEvent::down, "Muster has stopped");
    log->finish(log_patience);
    if (!std::all_of(shards->begin(), shards->end(),
                     [](const auto& shard) { return shard->has_let_go_of_disk(); })) {
        // A thread waits for the disk, and what it works on may neither go away before it nor be
        // waited for. All else is done; the kernel ends the thread, as soon as the disk lets it.
        std::fflush(stdout);
        ::_exit(EXIT_SUCCESS);
    }
    return {};
}

}  // namespace muster::server
