#include "app/settings.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

using namespace muster;
using namespace muster::app;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

SettingsRequest request() {
    SettingsRequest request;
    request.file = "muster.toml";
    request.core_count = 4;
    return request;
}

Settings parsed(std::string_view toml, const SettingsRequest& wanted = request()) {
    auto settings = parse_settings(toml, wanted);
    REQUIRE_MESSAGE(settings, (settings ? std::string{} : settings.error().detail));
    return std::move(*settings);
}

std::string refusal(std::string_view toml, const SettingsRequest& wanted = request()) {
    const auto settings = parse_settings(toml, wanted);
    REQUIRE_FALSE(settings);
    CHECK(settings.error().code == ErrorCode::bad_settings);
    return settings.error().detail;
}

bool contains(std::string_view text, std::string_view part) {
    const bool is_there = text.find(part) != std::string_view::npos;
    if (!is_there) {
        MESSAGE(text);
    }
    return is_there;
}

std::size_t line_count(std::string_view text) {
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
}

/// A folder of key files that goes away.
struct KeyFolder {
    KeyFolder() {
        std::string name = (fs::temp_directory_path() / "muster-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path = name;
    }
    KeyFolder(const KeyFolder&) = delete;
    KeyFolder& operator=(const KeyFolder&) = delete;
    ~KeyFolder() { fs::remove_all(path); }

    void write(const std::string& name, std::string_view text, mode_t rights = 0600) const {
        std::ofstream{path / name, std::ios::trunc} << text;
        ::chmod((path / name).c_str(), rights);
    }

    [[nodiscard]] Result<Settings> load(std::string_view toml) const {
        write("muster.toml", toml, 0644);
        SettingsRequest wanted = request();
        wanted.file = (path / "muster.toml").string();
        return load_settings(wanted);
    }

    fs::path path;
};

constexpr std::string_view secret = "0123456789abcdef0123456789abcdef";

}  // namespace

TEST_CASE("an empty file means the defaults that GUARANTEES.md promises") {
    const Settings settings = parsed("");
    CHECK(settings.listen.client.text() == "127.0.0.1:7400");
    CHECK(settings.listen.admin.text() == "127.0.0.1:7401");
    CHECK(settings.data.folder == "./muster-data");
    CHECK(settings.server.shards == 4);
    CHECK(settings.server.buckets == 4096);
    CHECK(settings.gateway.ping_interval == Duration{15s});
    CHECK(settings.gateway.dead_after == Duration{35s});
    CHECK(settings.gateway.op_rate == queue::RateLimit{.per_second = 40, .burst = 80});
    CHECK_FALSE(settings.gateway.deflate);
    CHECK(settings.queue == queue::Limits{});
    CHECK(settings.session.resume_time == Duration{120s});
    CHECK(settings.session.logins == user::Logins::newest);
    CHECK(settings.log.target == observe::LogTarget{});
    CHECK(settings.templates.empty());
    CHECK(settings.origins.empty());
    CHECK_FALSE(settings.is_dev);
}

TEST_CASE("values of every kind are taken from the file") {
    const Settings settings = parsed(R"(
[listen]
client = "0.0.0.0:80"
[server]
shards = 2
buckets = 256
[gateway]
ping_interval = "5s"
frame_bytes_max = "128KiB"
op_rate = "10/s burst 30"
origins = ["https://example.com", "http://localhost:5173"]
allow_token_in_query = true
deflate = true
[log]
target = "udp:logs.example.com:514"
level = "warning"
[recording]
mode = "all"
folder_bytes_max = "100GiB"
)");
    CHECK(settings.listen.client.text() == "0.0.0.0:80");
    CHECK(settings.server.shards == 2);
    CHECK(settings.server.buckets == 256);
    CHECK(settings.gateway.ping_interval == Duration{5s});
    CHECK(settings.gateway.frame_bytes_max == 128 * 1024);
    CHECK(settings.gateway.op_rate == queue::RateLimit{.per_second = 10, .burst = 30});
    CHECK(settings.gateway.origins.size() == 2);
    CHECK(settings.gateway.allow_token_in_query);
    CHECK(settings.gateway.deflate);
    CHECK(settings.log.target.kind == observe::LogTargetKind::udp);
    CHECK(settings.log.level == observe::Severity::warning);
    CHECK(settings.recording.mode == RecordMode::all);
    CHECK(settings.recording.folder_bytes_max == std::uint64_t{100} << 30U);
}

TEST_CASE("which logins of a user stay is a word, and how many devices a count") {
    const Settings settings = parsed("[session]\nlogins = \"devices\"\ndevices_max = 2");
    CHECK(settings.session.logins == user::Logins::devices);
    CHECK(settings.session.devices_max == 2);
    CHECK(parsed("[session]\nlogins = \"oldest\"").session.logins == user::Logins::oldest);
    CHECK(
        contains(refusal("[session]\nlogins = \"both\""), "muster.toml:2: session.logins: wants"));
    CHECK(contains(refusal("[session]\nlogins = 3"), "muster.toml:2: session.logins: wants"));
    for (const std::string_view count : {"1", "17", "\"2\""}) {
        CHECK(contains(refusal("[session]\ndevices_max = " + std::string(count)),
                       "muster.toml:2: session.devices_max: wants"));
    }
}

TEST_CASE("what earlier recordings may keep on the disk has bounds, and may be nothing") {
    CHECK(parsed("").recording.folder_bytes_max == std::uint64_t{4} << 30U);
    CHECK(parsed("[recording]\nfolder_bytes_max = \"0B\"").recording.folder_bytes_max == 0);
    CHECK(contains(refusal("[recording]\nfolder_bytes_max = \"16385GiB\""),
                   "muster.toml:2: recording.folder_bytes_max: wants from 0B to 16384GiB"));
    CHECK(contains(refusal("[recording]\nfolder_bytes_max = 4"), "wants a size with its unit"));
}

TEST_CASE("a flag beats the environment, that beats the file, that beats the default") {
    SettingsRequest wanted = request();
    const std::string_view file =
        "[gateway]\nqueues_max = 1\nmax_connections = 1\nhello_time = \"1s\"";
    wanted.environment = {"PATH=/bin",
                          "MUSTER_GATEWAY__MAX_CONNECTIONS=2",
                          "MUSTER_GATEWAY__HELLO_TIME=2s",
                          "MUSTER_LISTEN__CLIENT=127.0.0.1:1",
                          "MUSTER_CONFIG=other.toml",
                          "MUSTER_EMPTY"};
    wanted.assignments = {"gateway.hello_time=4s", "gateway.hello_time=3s"};
    const Settings settings = parsed(file, wanted);
    CHECK(settings.gateway.queues_max == 1);
    CHECK(settings.gateway.max_connections == 2);
    CHECK(settings.gateway.hello_time == Duration{3s});
    CHECK(settings.listen.client.port == 1);

    CHECK(settings.origin_of("gateway.queues_max") ==
          Origin{.kind = OriginKind::file, .place = "muster.toml:2"});
    CHECK(settings.origin_of("gateway.max_connections") ==
          Origin{.kind = OriginKind::environment, .place = "MUSTER_GATEWAY__MAX_CONNECTIONS"});
    CHECK(settings.origin_of("gateway.hello_time") ==
          Origin{.kind = OriginKind::flag, .place = "--set"});
    CHECK(settings.origin_of("gateway.ping_interval").kind == OriginKind::standard);
}

TEST_CASE("an unknown key is an error with its line and what was meant") {
    CHECK(refusal("[gateway]\n\nping_intervall = \"5s\"") ==
          "muster.toml:3: gateway.ping_intervall: no such setting; did you mean "
          "gateway.ping_interval?");
    CHECK(refusal("[gatway]\n") == "muster.toml:1: gatway: no such section; did you mean gateway?");
    CHECK(refusal("[server]\nping_interval = \"5s\"") ==
          "muster.toml:2: server.ping_interval: no such setting; did you mean "
          "gateway.ping_interval?");
    CHECK(refusal("[log]\nxyz = 1") == "muster.toml:2: log.xyz: no such setting");
    CHECK(refusal("shards = 1") == "muster.toml:1: shards: no such section");

    SettingsRequest wanted = request();
    wanted.environment = {"MUSTER_GATEWAY__PING_INTERVALL=5s"};
    CHECK(refusal("", wanted) ==
          "MUSTER_GATEWAY__PING_INTERVALL: gateway.ping_intervall: no such setting; did you mean "
          "gateway.ping_interval?");
    wanted = request();
    wanted.assignments = {"gateway.pings=5s", "gateway", "=", "a=b.c"};
    CHECK(contains(refusal("", wanted), "--set: gateway.pings: no such setting; did you mean"));
    CHECK(line_count(refusal("", wanted)) == 4);
}

TEST_CASE("a variable of the environment that lacks an underscore is an error") {
    SettingsRequest wanted = request();
    wanted.environment = {"MUSTER_LOG_LEVEL=debug", "MUSTER_GATEWAY_MAX_CONNECTIONS=5"};
    const std::string told = refusal("", wanted);
    CHECK(line_count(told) == 2);
    CHECK(contains(told, "MUSTER_LOG_LEVEL: no such setting; did you mean MUSTER_LOG__LEVEL?"));
    CHECK(contains(told, "did you mean MUSTER_GATEWAY__MAX_CONNECTIONS?"));
}

TEST_CASE("a variable of ours that names no setting is remarked, with what was meant") {
    SettingsRequest wanted = request();
    wanted.environment = {"MUSTER_LOG_LEVL=debug", "MUSTER_CONFIGG=a.toml",
                          "MUSTER_XYZ=tcp://10.0.0.1:7400", "MUSTERED=1", "LOG_LEVEL=debug"};
    const Settings settings = parsed("", wanted);
    REQUIRE(settings.remarks.size() == 3);
    CHECK(settings.remarks[0] ==
          "MUSTER_LOG_LEVL: no such setting, it changes nothing; did you mean MUSTER_LOG__LEVEL?");
    CHECK(contains(settings.remarks[1], "did you mean MUSTER_CONFIG?"));
    CHECK(settings.remarks[2] == "MUSTER_XYZ: no such setting; it changes nothing");

    wanted.environment = {"MUSTER_SERVER=a:1",       "MUSTER_TOKEN=t",  "MUSTER_ADMIN=b:2",
                          "MUSTER_ADMIN_KEY_FILE=k", "MUSTER_CONFIG=c", "MUSTER_LOG__LEVEL=info"};
    CHECK(parsed("", wanted).remarks.empty());
}

TEST_CASE("all that is wrong is told at once") {
    SettingsRequest wanted = request();
    wanted.environment = {"MUSTER_QUEUE__OP_WINDOW=none"};
    wanted.assignments = {"log.level=loud"};
    const std::string told = refusal(R"([gateway]
ping_interval = 15
frame_bytes_max = 65536
[server]
shards = -1
buckets = 1000
[[template]]
match = "room"
create = "callout"
[template.mounts]
chat = { type = "massage" }
)",
                                     wanted);
    CHECK(line_count(told) == 9);
    CHECK(contains(told, "muster.toml:2: gateway.ping_interval: wants a duration with its unit"));
    CHECK(contains(told, "muster.toml:3: gateway.frame_bytes_max: wants a size with its unit"));
    CHECK(contains(told, "muster.toml:5: server.shards: wants a number from 0 to 1024, not -1"));
    CHECK(contains(told, "muster.toml:6: server.buckets: wants a power of two"));
    CHECK(contains(told, "muster.toml:8: template[0].match: \"room\": begins with a slash"));
    CHECK(contains(told, "muster.toml:9: template[0].create: \"callout\""));
    CHECK(contains(told, "later version"));
    CHECK(contains(told, "muster.toml:11: template[0].mounts.chat.type: wants \"message\" or "));
    CHECK(contains(told,
                   "MUSTER_QUEUE__OP_WINDOW: queue.op_window: wants a number from 1 to 256, "
                   "not \"none\""));
    CHECK(contains(told, "--set: log.level: wants \"critical\", "));
}

TEST_CASE("what is no TOML is refused with its line") {
    CHECK(refusal("[gateway]\nping_interval = = 5").starts_with("muster.toml:2: "));
    CHECK(refusal("[gateway]\nqueues_max = 1\nqueues_max = 2").starts_with("muster.toml:"));
    CHECK(line_count(refusal("[gateway\n")) == 1);
    CHECK(contains(refusal("[gateway]\nping_interval = 15s\n"),
                   "; a value with a unit stands in quotes: \"15s\""));
    CHECK(contains(refusal("[log]\nlevel = 'a\xff'"), "muster.toml:2: holds what is no UTF-8"));
    CHECK(contains(refusal("[log]\n# \x1b"), "muster.toml:2: holds what is no UTF-8"));
    CHECK(refusal("a = " + std::string(100'000, '[')) == "muster.toml:1: nested too deep");
    CHECK(contains(refusal("\n" + std::string(50'000, 'a') + std::string(50'000, '.')),
                   "nested too deep"));
    CHECK(contains(refusal(std::string(300'000, '\n')), "longer than 256 KiB"));
    CHECK(contains(refusal("[server]\nshards = 99999999999999999999"), "muster.toml:"));
    // Brackets and dots in strings and comments are no depth.
    const std::string art(100, '[');
    (void)parsed("# " + art + "\n[gateway] # " + std::string(100, '.') + "\norigins = []\n");
}

TEST_CASE("a section in the place of a list, and a value in the place of a section, are refused") {
    CHECK(contains(refusal("[template]\nmatch = \"/a\""), "write [[template]] in place of"));
    CHECK(contains(refusal("gateway = 5"), "gateway: is a section: [gateway]"));
    CHECK(contains(refusal("template = [1]"), "template[0]: wants a table: [[template]]"));
    SettingsRequest wanted = request();
    wanted.assignments = {"template.match=/a"};
    wanted.environment = {"MUSTER_TOKEN_KEY__KID=a"};
    CHECK(contains(refusal("", wanted), "--set: [[template]] can only stand in a file"));
    CHECK(contains(refusal("", wanted), "[[token_key]] can only stand in a file"));
}

TEST_CASE("values that do not go together are refused at the one that was changed") {
    CHECK(contains(refusal("[gateway]\nping_interval = \"40s\""),
                   "muster.toml:2: gateway.dead_after: 35s must be longer than"));
    CHECK(contains(refusal("[queue]\npayload_bytes_max = \"64KiB\""),
                   "muster.toml:2: queue.payload_bytes_max: 64KiB does not fit into "
                   "gateway.frame_bytes_max, 64KiB"));
    CHECK(contains(refusal("[listen]\nadmin = \"127.0.0.1:7400\""), "same address"));
    (void)parsed("[listen]\nadmin = \"127.0.0.1:0\"\nclient = \"127.0.0.1:0\"");
}

TEST_CASE("origins are as browsers send them") {
    for (const char* bad : {"example.com", "https://example.com/", "https://Example.com", "*",
                            "https://", "://x", "https://*.example.com", "https://a b"}) {
        CAPTURE(bad);
        SettingsRequest wanted = request();
        wanted.assignments = {std::string{"gateway.origins="} + bad};
        CHECK(contains(refusal("", wanted), "--set: gateway.origins: wants origins as browsers"));
    }
}

TEST_CASE(
    "in --dev there is a room for all, on loopback only, with data in the user's own folder") {
    SettingsRequest wanted;
    wanted.is_dev = true;
    wanted.environment = {"HOME=/home/alice"};
    const Settings settings = parsed("", wanted);
    CHECK(settings.is_dev);
    CHECK(settings.data.folder == "/home/alice/.local/state/muster");
    CHECK(settings.origin_of("data.folder").kind == OriginKind::dev);
    REQUIRE(settings.templates.size() == 1);
    const queue::Template& room = settings.templates[0];
    CHECK(room.match == "/room/*");
    CHECK(room.create == queue::WhoMay::anyone);
    CHECK(room.join == queue::WhoMay::anyone);
    CHECK(room.listen == queue::WhoListens::anyone);
    REQUIRE(room.mounts.size() == 4);
    CHECK(room.mounts.at(MountName{"chat"}).history_count_max == 100);
    CHECK(room.mounts.at(MountName{"dice"}).rolls_dice);
    CHECK(room.mounts.at(MountName{"dice"}).history_count_max == 100);
    CHECK(room.mounts.at(MountName{"scores"}).kind == queue::MountKind::state);
    CHECK(room.mounts.at(MountName{"positions"}).kind == queue::MountKind::state);
    for (const auto& [name, rules] : room.mounts) {
        CHECK(rules.write == queue::WhoWrites::members);
    }

    wanted.environment = {"HOME=/home/alice", "XDG_STATE_HOME=/state"};
    CHECK(parsed("", wanted).data.folder == "/state/muster");
    wanted.environment = {"MUSTER_DATA__FOLDER=/elsewhere", "HOME=/home/alice"};
    CHECK(parsed("", wanted).data.folder == "/elsewhere");
    wanted.environment = {};
    CHECK(parsed("", wanted).data.folder == "./muster-data");
}

TEST_CASE("--dev on an address that others can reach is refused") {
    SettingsRequest wanted = request();
    wanted.is_dev = true;
    wanted.environment = {"MUSTER_LISTEN__ADMIN=[::]:7401"};
    const std::string told = refusal("[listen]\nclient = \"0.0.0.0:7400\"", wanted);
    CHECK(contains(told, "muster.toml:2: listen.client: 0.0.0.0:7400: with --dev"));
    CHECK(contains(told, "MUSTER_LISTEN__ADMIN: listen.admin: [::]:7401: with --dev"));
    wanted.environment = {"MUSTER_LISTEN__ADMIN=[::1]:7401"};
    (void)parsed("", wanted);
}

TEST_CASE("a template of the file for the same pattern stands in place of the built-in one") {
    SettingsRequest wanted = request();
    wanted.is_dev = true;
    const Settings settings = parsed("[[template]]\nmatch = \"/room/*\"\n", wanted);
    REQUIRE(settings.templates.size() == 1);
    CHECK(settings.templates[0].mounts.empty());
    CHECK(parsed("[[template]]\nmatch = \"/guild/*\"\n", wanted).templates.size() == 2);
}

TEST_CASE("a template says all that SURFACES.md section 7 shows") {
    const Settings settings = parsed(R"(
[[template]]
match      = "/room/*"   # * = one segment
create     = "server"
join       = "anyone"
listen     = "anyone"
idle_ttl   = "5m"
[template.mounts]
chat   = { type = "message", write = "members", history = 50, history_ttl = "1m", rate = "5/s burst 20", max_bytes = "4KiB", slow = "drop" }
scores = { type = "state", write = "server", keys_max = 512 }
position = { type = "state", write = "owner" }
dice = { type = "message", rolls_dice = true }
)");
    REQUIRE(settings.templates.size() == 1);
    const queue::Template& rules = settings.templates[0];
    CHECK(rules.match == "/room/*");
    CHECK(rules.create == queue::WhoMay::server);
    CHECK(rules.join == queue::WhoMay::anyone);
    CHECK(rules.listen == queue::WhoListens::anyone);
    CHECK(rules.idle_ttl == Duration{5min});
    const queue::MountRules& chat = rules.mounts.at(MountName{"chat"});
    CHECK(chat.history_count_max == 50);
    CHECK(chat.history_ttl == Duration{1min});
    CHECK(chat.rate == queue::RateLimit{.per_second = 5, .burst = 20});
    CHECK(chat.payload_bytes_max == 4096);
    CHECK(chat.slow == queue::SlowPolicy::drop);
    CHECK_FALSE(chat.rolls_dice);
    CHECK(rules.mounts.at(MountName{"scores"}).write == queue::WhoWrites::server);
    CHECK(rules.mounts.at(MountName{"scores"}).keys_max == 512);
    CHECK(rules.mounts.at(MountName{"position"}).write == queue::WhoWrites::owner);
    CHECK(rules.mounts.at(MountName{"dice"}).rolls_dice);
}

TEST_CASE("a template that cannot be meant is refused") {
    const auto told = [](std::string_view fields) {
        return refusal("[[template]]\n" + std::string{fields});
    };
    CHECK(contains(told("create = \"anyone\""), "muster.toml:1: template[0].match: is missing"));
    for (const char* bad :
         {"room", "/room/", "//", "/", "/room/a*", "/**/chat", "/room/../x", "/room/-/x", "/***"}) {
        CAPTURE(bad);
        CHECK(contains(told("match = \"" + std::string{bad} + "\""), "template[0].match: "));
    }
    (void)parsed("[[template]]\nmatch = \"/**\"");
    CHECK(contains(told("match = \"/a\"\njoin = \"callout\""), "later version"));
    CHECK(contains(told("match = \"/a\"\ncreate = \"members\""), "wants \"server\" or \"anyone\""));
    CHECK(contains(told("match = \"/a\"\n[[template]]\nmatch = \"/a\""),
                   "muster.toml:4: template[1].match: there is another template for \"/a\""));
    CHECK(contains(told("match = \"/a\"\nidle_tll = \"5s\""), "did you mean idle_ttl?"));
    const auto mount = [&told](std::string_view fields) {
        return told("match = \"/a\"\n[template.mounts]\nm = {" + std::string{fields} + "}");
    };
    CHECK(contains(mount("write = \"members\""), "template[0].mounts.m.type: is missing"));
    CHECK(contains(mount("type = \"message\", write = \"callout\""), "later version"));
    CHECK(contains(mount("type = \"message\", durable = true"), "later version"));
    CHECK(
        contains(mount("type = \"message\", keys_max = 5"), "is for mounts of the type \"state\""));
    CHECK(contains(mount("type = \"message\", write = \"owner\""), "mounts.m.write: \"owner\" is"));
    CHECK(contains(mount("type = \"state\", history = 5"), "of the type \"message\""));
    CHECK(contains(mount("type = \"state\", max_bytes = \"1MiB\""), "wants from 1B to 16KiB"));
    CHECK(contains(mount("type = \"state\", kyes_max = 5"), "did you mean keys_max?"));
    CHECK(contains(told("match = \"/a\"\n[template.mounts]\n\"a b\" = { type = \"state\" }"),
                   "template[0].mounts: "));
    CHECK(contains(told("match = \"/a\"\n[template.mounts]\nm = 5"), "m: wants a table"));
    CHECK(contains(told("match = \"/a\"\nmounts = 5"), "template[0].mounts: wants a table"));
    std::string many = "match = \"/a\"\n[template.mounts]\n";
    for (int i = 0; i < 33; ++i) {
        many += "m" + std::to_string(i) + " = { type = \"state\" }\n";
    }
    CHECK(contains(told(many), "at most 32 mounts"));
}

TEST_CASE("keys are read from their files, which stand beside the configuration") {
    const KeyFolder folder;
    folder.write("a.secret", std::string{secret} + "\n");
    folder.write("b.pem", "-----BEGIN PUBLIC KEY-----\nMFk=\n-----END PUBLIC KEY-----\n", 0644);
    folder.write("game.key", std::string{secret} + "\r\n", 0640);
    const auto settings = folder.load(R"(
[data]
folder = "data"
[[token_key]]
kid = "a"
alg = "HS256"
secret_file = "a.secret"
audience = "my-game"
[[token_key]]
kid = "b"
alg = "ES256"
public_key_file = "b.pem"
[[admin_key]]
name = "game"
role = "game-server"
key_file = "game.key"
)");
    REQUIRE_MESSAGE(settings, (settings ? std::string{} : settings.error().detail));
    REQUIRE(settings->token_keys.size() == 2);
    CHECK(settings->token_keys[0].key == secret);
    CHECK(settings->token_keys[0].algorithm == TokenAlgorithm::hs256);
    CHECK(settings->token_keys[0].audience == "my-game");
    CHECK(settings->token_keys[1].key.starts_with("-----BEGIN PUBLIC KEY-----"));
    CHECK(settings->token_keys[1].algorithm == TokenAlgorithm::es256);
    REQUIRE(settings->admin_keys.size() == 1);
    CHECK(settings->admin_keys[0].key == secret);
    CHECK(settings->admin_keys[0].role == AdminRole::game_server);
    CHECK(settings->data.folder == (folder.path / "data").string());
    CHECK(show(*settings, {}).find(secret) == std::string::npos);
    CHECK(show(*settings, {.as_json = true}).find(secret) == std::string::npos);
}

TEST_CASE("key files that are open to everybody, missing, short or of another kind are refused") {
    const KeyFolder folder;
    folder.write("open", secret, 0644);
    folder.write("short", "short");
    folder.write("pem", "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQ\n");
    folder.write("loose.pem", "-----BEGIN PUBLIC KEY-----\n", 0666);
    folder.write("spaces", "a text with spaces is not for an HTTP header");
    folder.write("long", std::string(20'000, 'x'));
    const auto told = [&folder](std::string_view algorithm, std::string_view field) {
        const auto settings = folder.load("[[token_key]]\nkid = \"a\"\nalg = \"" +
                                          std::string{algorithm} + "\"\n" + std::string{field});
        REQUIRE_FALSE(settings);
        CHECK(settings.error().detail.find(secret) == std::string::npos);
        return settings.error().detail;
    };
    CHECK(
        contains(told("HS256", "secret_file = \"open\""),
                 "open is secret, but open to everybody; run: chmod 600 " + folder.path.string()));
    CHECK(contains(told("HS256", "secret_file = \"missing\""), "No such file"));
    CHECK(contains(told("HS256", "secret_file = \"/dev/zero\""), "is not a file"));
    CHECK(contains(told("HS256", "secret_file = \".\""), "is not a file"));
    CHECK(contains(told("HS256", "secret_file = \"short\""), "holds 5 bytes"));
    CHECK(contains(told("HS256", "secret_file = \"pem\""), "holds a PEM key"));
    CHECK(contains(told("HS256", "secret_file = \"long\""), "longer than 16 KiB"));
    CHECK(contains(told("ES256", "public_key_file = \"spaces\""), "holds no \"-----BEGIN PUBLIC"));
    CHECK(contains(told("ES256", "public_key_file = \"loose.pem\""), "run: chmod go-w "));
    CHECK(contains(told("HS256", ""), "token_key[0].secret_file: is missing"));
    CHECK(contains(told("ES256", "secret_file = \"open\""), "ES256 wants public_key_file"));
    CHECK(contains(told("HS256", "secret = \"" + std::string{secret} + "\""),
                   "secrets do not belong in this file"));
    CHECK(contains(told("none", "secret_file = \"open\""), "wants \"HS256\" or \"ES256\""));
    CHECK(contains(told("HS256", "secret_file = \"short\"\n[gateway]\nqueues_max = 0"),
                   "gateway.queues_max"));

    const auto admin = folder.load(
        "[[admin_key]]\nname = \"a\"\nrole = \"root\"\n"
        "key_file = \"spaces\"\n[[admin_key]]\nname = \"a\"\n"
        "role = \"read\"\nkey = \"x\"");
    REQUIRE_FALSE(admin);
    CHECK(contains(admin.error().detail, "more than printable characters"));
    CHECK(contains(admin.error().detail, "wants \"read\", \"game-server\" or \"operator\""));
    CHECK(contains(admin.error().detail, "there is another \"a\""));
    CHECK(contains(admin.error().detail, "secrets do not belong in this file"));
}

TEST_CASE("the names of token keys are unique, and not that of our own key") {
    const std::string_view rest = "alg = \"HS256\"\nsecret_file = \"x\"\n";
    CHECK(contains(refusal("[[token_key]]\nkid = \"own\"\n" + std::string{rest}),
                   "\"own\" is the key in the data folder"));
    CHECK(contains(refusal("[[token_key]]\nkid = \"a\"\n" + std::string{rest} +
                           "[[token_key]]\nkid = \"a\"\n" + std::string{rest}),
                   "there is another \"a\""));
    CHECK(contains(refusal("[[token_key]]\nkid = \"a b\"\n" + std::string{rest}),
                   "printable characters without spaces"));
}

TEST_CASE("a configuration file that is not there is an error") {
    SettingsRequest wanted = request();
    wanted.file = "no-such-folder/muster.toml";
    const auto settings = load_settings(wanted);
    REQUIRE_FALSE(settings);
    CHECK(contains(settings.error().detail, "no-such-folder/muster.toml: cannot be read"));
    wanted.file = ".";
    CHECK_FALSE(load_settings(wanted));
    wanted.file.reset();
    CHECK(load_settings(wanted));
}
