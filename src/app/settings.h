#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "core/queue/template.h"
#include "core/user/messages.h"
#include "shell/observe/log_line.h"
#include "shell/observe/log_target.h"

/// What an operator can choose. Every value has a default, so an empty file is a whole
/// configuration; the defaults are those of GUARANTEES.md section 4.
namespace muster::app {

/// An IP address and a port to listen on; port 0 is any free one.
struct ListenAddress {
    std::string host;  ///< an IPv4 or IPv6 address without brackets
    std::uint16_t port = 0;

    [[nodiscard]] bool is_loopback() const;
    [[nodiscard]] std::string text() const;  ///< "127.0.0.1:7400", "[::1]:7400"
    friend bool operator==(const ListenAddress&, const ListenAddress&) = default;
};

struct ListenSettings {
    ListenAddress client{.host = "127.0.0.1", .port = 7400};
    ListenAddress admin{.host = "127.0.0.1", .port = 7401};
    friend bool operator==(const ListenSettings&, const ListenSettings&) = default;
};

struct DataSettings {
    std::string folder = "./muster-data";
    friend bool operator==(const DataSettings&, const DataSettings&) = default;
};

struct ServerSettings {
    std::uint32_t shards = 0;  ///< after loading never 0
    std::uint32_t buckets = 4096;
    Duration drain_time = std::chrono::seconds{10};
    std::uint32_t admin_body_bytes_max = 256 * 1024;
    friend bool operator==(const ServerSettings&, const ServerSettings&) = default;
};

struct GatewaySettings {
    std::uint32_t max_connections = 100'000;
    Duration handshake_time = std::chrono::seconds{5};
    Duration hello_time = std::chrono::seconds{5};
    Duration ping_interval = std::chrono::seconds{15};
    Duration dead_after = std::chrono::seconds{35};
    std::uint32_t frame_bytes_max = 64 * 1024;
    std::uint32_t out_bytes_max = 64 * 1024;
    std::uint32_t out_messages_max = 256;
    Duration out_time_max = std::chrono::seconds{10};
    std::uint32_t queues_max = 64;
    std::uint32_t listed_members_max = 1'024;
    queue::RateLimit op_rate{.per_second = 40, .burst = 80};            ///< of one connection
    queue::RateLimit login_rate{.per_second = 200, .burst = 200};       ///< of all shards
    queue::RateLimit resume_rate{.per_second = 2'000, .burst = 2'000};  ///< of all shards
    std::uint32_t unknown_max = 1'000;          ///< connections that have not signed in
    std::uint32_t unknown_of_address_max = 20;  ///< of these: from one address
    std::vector<std::string> origins;  ///< of web pages that may connect: "https://example.com"
    bool allow_token_in_query = false;
    bool deflate = false;
    friend bool operator==(const GatewaySettings&, const GatewaySettings&) = default;
};

struct SessionSettings {
    Duration resume_time = std::chrono::seconds{120};
    user::Logins logins = user::Logins::newest;
    std::uint32_t devices_max = 3;  ///< for Logins::devices
    friend bool operator==(const SessionSettings&, const SessionSettings&) = default;
};

struct LogSettings {
    observe::LogTarget target;
    observe::Severity level = observe::Severity::info;
    friend bool operator==(const LogSettings&, const LogSettings&) = default;
};

/// What a server writes down of all that its machines take, for replays.
enum class RecordMode : std::uint8_t {
    off,
    crash,  ///< the recent past, which survives any death of the process
    all,    ///< everything, as far as bytes_max goes
};

struct RecordingSettings {
    RecordMode mode = RecordMode::off;
    std::string folder = "recordings";            ///< a relative one lies in data.folder
    std::uint32_t bytes_max = 256 * 1024 * 1024;  ///< of one shard, on disk
    std::uint64_t folder_bytes_max = std::uint64_t{4} << 30U;  ///< of all earlier lives
    friend bool operator==(const RecordingSettings&, const RecordingSettings&) = default;
};

enum class TokenAlgorithm : std::uint8_t { hs256, es256 };

/// A key whose tokens let users in.
struct TokenKey {
    std::string kid;
    TokenAlgorithm algorithm = TokenAlgorithm::hs256;
    std::string file;      ///< `secret_file` of hs256, `public_key_file` of es256
    std::string audience;  ///< empty: not looked at
    std::string issuer;    ///< empty: not looked at
    std::string key;       ///< the file's contents: a secret of 32 bytes or more, or PEM
    friend bool operator==(const TokenKey&, const TokenKey&) = default;
};

enum class AdminRole : std::uint8_t { read, game_server, operator_ };

/// A key that opens the admin API.
struct AdminKey {
    std::string name;
    AdminRole role = AdminRole::read;
    std::string file;
    std::string key;  ///< the file's contents: 32 or more printable characters
    friend bool operator==(const AdminKey&, const AdminKey&) = default;
};

/// Where a value comes from; the later beats the earlier.
enum class OriginKind : std::uint8_t { standard, dev, file, environment, flag };

struct Origin {
    OriginKind kind = OriginKind::standard;
    std::string place = "default";  ///< "muster.toml:12", "MUSTER_LISTEN__CLIENT", "--set", "--dev"
    friend bool operator==(const Origin&, const Origin&) = default;
};

/// All of it. A plain value: loaded once, then only read.
struct Settings {
    bool is_dev = false;  ///< users need no token; only loopback is listened on
    ListenSettings listen;
    DataSettings data;
    ServerSettings server;
    GatewaySettings gateway;
    queue::Limits queue;
    SessionSettings session;
    LogSettings log;
    RecordingSettings recording;
    std::vector<TokenKey> token_keys;
    std::vector<AdminKey> admin_keys;
    std::vector<queue::Template> templates;

    /// By "section.key", or "template[0]" for an element of a list; what is not here is default.
    std::map<std::string, Origin, std::less<>> origins;

    /// What was left aside and may have been meant for us, one line each.
    std::vector<std::string> remarks;

    [[nodiscard]] Origin origin_of(std::string_view path) const;
    friend bool operator==(const Settings&, const Settings&) = default;
};

/// From where settings are to be taken.
struct SettingsRequest {
    std::optional<std::string> file;       ///< a TOML file that must be there
    std::vector<std::string> environment;  ///< "NAME=value"; MUSTER_SECTION__KEY is ours
    std::vector<std::string> assignments;  ///< "section.key=value" of each --set, in order
    bool is_dev = false;
    std::uint32_t core_count = 1;  ///< what `server.shards` is by default
};

/// Returns the settings, with the contents of the key files.
/// Errors: bad_settings, with all that is wrong, one line each: "muster.toml:12: gateway.pings: no
/// such setting; did you mean gateway.ping_interval?"
[[nodiscard]] Result<Settings> load_settings(const SettingsRequest& request);

/// The same from a file's text, without any look at the disk: keys stay empty.
[[nodiscard]] Result<Settings> parse_settings(std::string_view toml,
                                              const SettingsRequest& request);

/// Returns a commented file with every setting and its default, for `muster config init`.
[[nodiscard]] std::string config_init_text();

struct ShowOptions {
    bool with_origin = false;  ///< where each value comes from
    bool as_json = false;      ///< an object on one line; else TOML that means the same settings
    bool is_brief = false;     ///< the TOML without what it would mean anyway
};

/// Returns the settings in force, for `muster config show`. Names key files, never keys.
[[nodiscard]] std::string show(const Settings& settings, ShowOptions options);

/// Returns what differs from the defaults, on one line: `listen.client="0.0.0.0:7400" …`.
[[nodiscard]] std::string changed_values(const Settings& settings);

}  // namespace muster::app
