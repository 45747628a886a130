#include "app/setting_table.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <fmt/format.h>

#include "base/units.h"

namespace muster::app {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kib = 1024;
constexpr std::uint32_t mib = 1024 * kib;
constexpr std::uint64_t gib = std::uint64_t{1024} * mib;

constexpr std::array severities{Word<observe::Severity>{"critical", observe::Severity::critical},
                                Word<observe::Severity>{"error", observe::Severity::error},
                                Word<observe::Severity>{"warning", observe::Severity::warning},
                                Word<observe::Severity>{"notice", observe::Severity::notice},
                                Word<observe::Severity>{"info", observe::Severity::info},
                                Word<observe::Severity>{"debug", observe::Severity::debug}};

constexpr std::array login_policies{Word<user::Logins>{"newest", user::Logins::newest},
                                    Word<user::Logins>{"oldest", user::Logins::oldest},
                                    Word<user::Logins>{"devices", user::Logins::devices}};

constexpr std::array record_modes{Word<RecordMode>{"off", RecordMode::off},
                                  Word<RecordMode>{"crash", RecordMode::crash},
                                  Word<RecordMode>{"all", RecordMode::all}};

template <typename T>
std::optional<std::string> take(Parsed<T> parsed, T& place) {
    if (!parsed) {
        return std::move(parsed.error());
    }
    place = std::move(*parsed);
    return std::nullopt;
}

// Each of these makes the row of one kind of value. Bounds stand in the template's arguments, so
// that a row needs no memory but two pointers to functions.

template <auto section, auto member, std::uint32_t min, std::uint32_t max>
constexpr SettingRow count(std::string_view path, std::string_view help) {
    return {path, help,
            [](const TomlValue& value, Settings& settings) {
                return take(as_count(value, min, max), settings.*section.*member);
            },
            [](const Settings& settings) { return fmt::format("{}", settings.*section.*member); }};
}

template <auto section, auto member, std::uint32_t min, std::uint32_t max>
constexpr SettingRow size(std::string_view path, std::string_view help) {
    return {
        path, help,
        [](const TomlValue& value, Settings& settings) {
            return take(as_size(value, min, max), settings.*section.*member);
        },
        [](const Settings& settings) { return quoted_text(size_text(settings.*section.*member)); }};
}

template <auto section, auto member, std::int64_t min_ms, std::int64_t max_ms>
constexpr SettingRow duration(std::string_view path, std::string_view help) {
    return {path, help,
            [](const TomlValue& value, Settings& settings) {
                return take(as_duration(value, std::chrono::milliseconds{min_ms},
                                        std::chrono::milliseconds{max_ms}),
                            settings.*section.*member);
            },
            [](const Settings& settings) {
                return quoted_text(duration_text(settings.*section.*member));
            }};
}

template <auto section, auto member>
constexpr SettingRow flag(std::string_view path, std::string_view help) {
    return {path, help,
            [](const TomlValue& value, Settings& settings) {
                return take(as_bool(value), settings.*section.*member);
            },
            [](const Settings& settings) { return fmt::format("{}", settings.*section.*member); }};
}

template <auto section, auto member>
constexpr SettingRow rate(std::string_view path, std::string_view help) {
    return {
        path, help,
        [](const TomlValue& value, Settings& settings) {
            return take(as_rate(value), settings.*section.*member);
        },
        [](const Settings& settings) { return quoted_text(rate_text(settings.*section.*member)); }};
}

template <auto section, auto member>
constexpr SettingRow address(std::string_view path, std::string_view help) {
    return {
        path, help,
        [](const TomlValue& value, Settings& settings) {
            return take(as_address(value), settings.*section.*member);
        },
        [](const Settings& settings) { return quoted_text((settings.*section.*member).text()); }};
}

constexpr std::int64_t second = 1'000;
constexpr std::int64_t minute = 60 * second;
constexpr std::int64_t hour = 60 * minute;
constexpr std::int64_t day = 24 * hour;

std::optional<std::string> read_buckets(const TomlValue& value, Settings& settings) {
    const auto buckets = as_count(value, 1, 1U << 20U);
    if (!buckets || (*buckets & (*buckets - 1)) != 0) {
        return "wants a power of two from 1 to 1048576, such as 4096";
    }
    settings.server.buckets = *buckets;
    return std::nullopt;
}

std::optional<std::string> read_origins(const TomlValue& value, Settings& settings) {
    auto origins = as_texts(value);
    if (!origins) {
        return std::move(origins.error());
    }
    for (const std::string& origin : *origins) {
        const std::size_t scheme_end = origin.find("://");
        const bool is_good =
            scheme_end != std::string::npos && scheme_end > 0 && scheme_end + 3 < origin.size() &&
            origin.find_first_of("/?#*, ", scheme_end + 3) == std::string::npos &&
            std::none_of(origin.begin(), origin.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
        if (!is_good) {
            return fmt::format(
                "wants origins as browsers send them, such as "
                "\"https://example.com\" (lower case, no path), not {}",
                quoted_text(origin));
        }
    }
    settings.gateway.origins = std::move(*origins);
    return std::nullopt;
}

std::optional<std::string> read_log_target(const TomlValue& value, Settings& settings) {
    const auto text = as_text(value);
    if (!text) {
        return text.error();
    }
    auto target = observe::parse_log_target(*text);
    if (!target) {
        return fmt::format("{}, not {}", target.error().detail, quoted_text(*text));
    }
    settings.log.target = std::move(*target);
    return std::nullopt;
}

using S = Settings;
using G = GatewaySettings;
using V = ServerSettings;
using Q = queue::Limits;
using N = SessionSettings;

constexpr std::array table{
    address<&S::listen, &ListenSettings::client>(
        "listen.client", "Where clients connect: WebSocket, HTTP and plain TCP."),
    address<&S::listen, &ListenSettings::admin>("listen.admin", "The admin API and metrics."),

    SettingRow{"data.folder", "Keys and counters that outlive the server; made if missing.",
               [](const TomlValue& value, S& settings) {
                   return take(as_text(value), settings.data.folder);
               },
               [](const S& settings) { return quoted_text(settings.data.folder); }},

    count<&S::server, &V::shards, 0, 1024>(
        "server.shards", "Threads that serve clients and queues; 0: one for each core."),
    SettingRow{"server.buckets", "Parts into which all queues are divided; a power of two.",
               &read_buckets,
               [](const S& settings) { return fmt::format("{}", settings.server.buckets); }},
    duration<&S::server, &V::drain_time, 0, hour>(
        "server.drain_time",
        "How long a server that ends waits for its clients at most; a few are gone within 1 s."),
    size<&S::server, &V::admin_body_bytes_max, 4 * kib, 16 * mib>(
        "server.admin_body_bytes_max", "The longest body of a request to the admin API."),

    count<&S::gateway, &G::max_connections, 1, 10'000'000>(
        "gateway.max_connections",
        "Client connections at once, in all shards; more wait to be accepted."),
    duration<&S::gateway, &G::handshake_time, 100, 10 * minute>(
        "gateway.handshake_time", "How long the handshake of a new connection may take."),
    duration<&S::gateway, &G::hello_time, 100, 10 * minute>(
        "gateway.hello_time", "How long a client may then wait with its hello."),
    duration<&S::gateway, &G::ping_interval, 100, hour>(
        "gateway.ping_interval", "How often client and server ask whether the other is there."),
    duration<&S::gateway, &G::dead_after, 200, 3 * hour>(
        "gateway.dead_after", "A connection without a byte for so long is closed."),
    size<&S::gateway, &G::frame_bytes_max, 4 * kib, 16 * mib>(
        "gateway.frame_bytes_max", "The longest message of a client on the wire."),
    size<&S::gateway, &G::out_bytes_max, 16 * kib, 64 * mib>(
        "gateway.out_bytes_max", "Bytes that may wait for a client that reads slowly."),
    count<&S::gateway, &G::out_messages_max, 16, 1'000'000>("gateway.out_messages_max",
                                                            "Messages that may wait for it."),
    duration<&S::gateway, &G::out_time_max, 100, hour>(
        "gateway.out_time_max", "How long anything may wait for it; then it is closed."),
    count<&S::gateway, &G::queues_max, 1, 64>("gateway.queues_max",
                                              "Queues that one connection may join or listen to."),
    count<&S::gateway, &G::listed_members_max, 0, 100'000>(
        "gateway.listed_members_max", "Members named one by one; of more only the count is told."),
    rate<&S::gateway, &G::op_rate>("gateway.op_rate", "What one connection may ask for."),
    count<&S::gateway, &G::unknown_max, 1, 10'000'000>(
        "gateway.unknown_max", "Connections that have not signed in yet; more are answered 503."),
    count<&S::gateway, &G::unknown_of_address_max, 1, 10'000'000>(
        "gateway.unknown_of_address_max",
        "Of these: from one address, or one /64 of IPv6. Behind a proxy all have its address."),
    rate<&S::gateway, &G::login_rate>(
        "gateway.login_rate",
        "New sign-ins, divided among the shards; more are told when to come back."),
    rate<&S::gateway, &G::resume_rate>("gateway.resume_rate",
                                       "Clients that come back with a resume token."),
    SettingRow{"gateway.origins", "Web pages that may connect, such as \"https://example.com\".",
               &read_origins,
               [](const S& settings) { return quoted_texts(settings.gateway.origins); }},
    flag<&S::gateway, &G::allow_token_in_query>(
        "gateway.allow_token_in_query",
        "Whether ?token=… is accepted, for clients that cannot send a hello."),
    flag<&S::gateway, &G::deflate>(
        "gateway.deflate",
        "Whether longer WebSocket messages are compressed for clients that offer it."),

    count<&S::queue, &Q::members_max, 1, 1'000'000>("queue.members_max", "Members of one queue."),
    count<&S::queue, &Q::mounts_max, 1, 1'024>("queue.mounts_max", "Mounts of one queue."),
    size<&S::queue, &Q::state_bytes_max, 4 * kib, 64 * mib>(
        "queue.state_bytes_max",
        "Bytes in all state mounts of one queue; and in the meta and roles of its members."),
    size<&S::queue, &Q::history_bytes_max, 0, 64 * mib>(
        "queue.history_bytes_max", "Bytes in the history of one message mount."),
    size<&S::queue, &Q::key_bytes_max, 1, 256>("queue.key_bytes_max", "The longest key."),
    size<&S::queue, &Q::payload_bytes_max, 256, 8 * mib>("queue.payload_bytes_max",
                                                         "The longest message or value."),
    count<&S::queue, &Q::op_window, 1, 256>(
        "queue.op_window", "Ops of one client in one queue that may be under way."),
    count<&S::queue, &Q::left_clients_max, 0, 1'000'000>(
        "queue.left_clients_max", "Clients that left and whose ops are still remembered."),
    duration<&S::queue, &Q::left_client_ttl, 10 * minute, 365 * day>(
        "queue.left_client_ttl", "How long, since they were last heard of."),
    count<&S::queue, &Q::idempotency_keys_max, 0, 1'000'000>(
        "queue.idempotency_keys_max", "Idempotency-Keys that one queue remembers."),
    duration<&S::queue, &Q::idempotency_ttl, second, 7 * day>("queue.idempotency_ttl",
                                                              "How long it remembers them."),

    duration<&S::session, &N::resume_time, 0, day>(
        "session.resume_time", "How long a user whose connection broke stays on line."),
    SettingRow{"session.logins",
               "Which connection of a user stays: newest, oldest, or devices (several of them).",
               [](const TomlValue& value, S& settings) {
                   return take(as_word(value, login_policies), settings.session.logins);
               },
               [](const S& settings) {
                   return quoted_text(word_of(settings.session.logins, login_policies));
               }},
    count<&S::session, &N::devices_max, 2, 16>(
        "session.devices_max", "With logins = \"devices\": so many; one more closes the oldest."),

    SettingRow{"log.target", "\"stderr\", \"udp:host:514\", \"tcp:host:514\" or \"unix:/dev/log\".",
               &read_log_target,
               [](const S& settings) { return quoted_text(to_text(settings.log.target)); }},
    SettingRow{
        "log.level", "The least bad lines that are written: info, notice, warning, error.",
        [](const TomlValue& value, S& settings) {
            return take(as_word(value, severities), settings.log.level);
        },
        [](const S& settings) { return quoted_text(word_of(settings.log.level, severities)); }},

    SettingRow{"recording.mode",
               "What is written down for replays: off, crash (the recent past), all.",
               [](const TomlValue& value, S& settings) {
                   return take(as_word(value, record_modes), settings.recording.mode);
               },
               [](const S& settings) {
                   return quoted_text(word_of(settings.recording.mode, record_modes));
               }},
    SettingRow{"recording.folder", "Where to; a relative one lies in data.folder.",
               [](const TomlValue& value, S& settings) {
                   return take(as_text(value), settings.recording.folder);
               },
               [](const S& settings) { return quoted_text(settings.recording.folder); }},
    size<&S::recording, &RecordingSettings::bytes_max, 16 * mib, 2048 * mib - 1>(
        "recording.bytes_max", "The longest recording of one shard; then the oldest part goes."),
    SettingRow{"recording.folder_bytes_max",
               "What earlier lives of the server may keep there; the newest of them always stays.",
               [](const TomlValue& value, S& settings) {
                   return take(as_disk_size(value, 0, 16'384 * gib),
                               settings.recording.folder_bytes_max);
               },
               [](const S& settings) {
                   return quoted_text(size_text(settings.recording.folder_bytes_max));
               }},
};

}  // namespace

std::span<const SettingRow> setting_table() { return table; }

const SettingRow* find_setting(std::string_view section, std::string_view key) {
    for (const SettingRow& row : table) {
        if (row.section() == section && row.key() == key) {
            return &row;
        }
    }
    return nullptr;
}

std::vector<std::string_view> section_names() {
    std::vector<std::string_view> names;
    for (const SettingRow& row : table) {
        if (names.empty() || names.back() != row.section()) {
            names.push_back(row.section());
        }
    }
    return names;
}

std::vector<std::string_view> keys_of_section(std::string_view section) {
    std::vector<std::string_view> keys;
    for (const SettingRow& row : table) {
        if (row.section() == section) {
            keys.push_back(row.key());
        }
    }
    return keys;
}

}  // namespace muster::app
