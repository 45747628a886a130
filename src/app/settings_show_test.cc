#include <doctest/doctest.h>

#include <sstream>
#include <string>
#include <string_view>
#include <utility>

#include "app/setting_table.h"
#include "app/settings.h"

using namespace muster;
using namespace muster::app;

namespace {

constexpr std::string_view sample = R"([listen]
client = "[::1]:80"
[gateway]
origins = ["https://example.com"]
op_rate = "10/s burst 30"
[[token_key]]
kid = "a"
alg = "HS256"
secret_file = "/keys/a"
issuer = "me"
[[admin_key]]
name = "game"
role = "game-server"
key_file = "/keys/game"
[[template]]
match = "/room/*"
idle_ttl = "0s"
[template.mounts]
chat = { type = "message", rate = "5/s burst 20", slow = "drop", rolls_dice = true }
"a.b" = { type = "state", write = "owner", keys_max = 5 }
)";

Settings parsed(std::string_view toml, bool is_dev = false) {
    SettingsRequest request;
    request.file = "muster.toml";
    request.core_count = 3;
    request.is_dev = is_dev;
    auto settings = parse_settings(toml, request);
    REQUIRE_MESSAGE(settings, (settings ? std::string{} : settings.error().detail));
    return std::move(*settings);
}

/// The same, but for where it comes from.
Settings without_origins(Settings settings) {
    settings.origins.clear();
    return settings;
}

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

}  // namespace

TEST_CASE("what is shown is a file that means the same settings") {
    for (const bool with_origin : {false, true}) {
        const Settings settings = parsed(sample);
        const std::string shown = show(settings, {.with_origin = with_origin});
        CAPTURE(shown);
        CHECK(without_origins(parsed(shown)) == without_origins(settings));
    }
    const Settings dev = parsed("", true);
    CHECK(without_origins(parsed(show(dev, {}), true)) == without_origins(dev));
}

TEST_CASE("what is shown in brief is a file that means the same settings, without the defaults") {
    SettingsRequest plain;  // As a recording's head is read, wherever that is.
    for (const bool is_dev : {false, true}) {
        plain.is_dev = is_dev;
        for (const std::string_view text : {std::string_view{}, sample}) {
            if (is_dev && !text.empty()) {
                continue;  // It listens on port 80 of ::1 with keys, which is not for --dev.
            }
            const Settings settings = parsed(text, is_dev);
            const std::string shown = show(settings, {.is_brief = true});
            CAPTURE(shown);
            const auto read = parse_settings(shown, plain);
            REQUIRE(read);
            CHECK(without_origins(*read) == without_origins(settings));
            CHECK_FALSE(contains(shown, "hello_time"));
            CHECK_FALSE(contains(shown, "deflate"));
        }
    }
    CHECK(show(parsed(""), {.is_brief = true}) == "[server]\nshards = 3\n");
    const std::string shown = show(parsed(sample), {.is_brief = true});
    CHECK(contains(shown, "[[template]]\nmatch = \"/room/*\"\nidle_ttl = \"0s\"\n"));
    CHECK(contains(shown, "\"a.b\" = { type = \"state\", write = \"owner\", keys_max = 5 }\n"));
}

TEST_CASE("every value can be shown with where it comes from") {
    const std::string shown = show(parsed(sample, false), {.with_origin = true});
    CHECK(contains(shown, "client = \"[::1]:80\"  # muster.toml:2\n"));
    CHECK(contains(shown, "admin = \"127.0.0.1:7401\"  # default\n"));
    CHECK(contains(shown, "op_rate = \"10/s burst 30\"  # muster.toml:5\n"));
    CHECK(contains(shown, "[[token_key]]  # muster.toml:6\n"));
}

TEST_CASE("settings are shown as JSON") {
    const std::string shown = show(parsed(sample), {.as_json = true});
    CHECK(shown.starts_with(R"({"dev":false,"listen":{"client":"[::1]:80","admin":)"));
    CHECK(contains(shown, R"("shards":3,)"));
    CHECK(contains(
        shown,
        R"("origins":["https://example.com"],"allow_token_in_query":false,"deflate":false})"));
    CHECK(contains(shown, R"("token_key":[{"kid":"a","alg":"HS256","secret_file":"/keys/a",)"));
    CHECK(contains(shown, R"("mounts":{"a.b":{"type":"state","write":"owner",)"));
    CHECK(shown.ends_with("}}}]}"));
    CHECK(shown.find('\n') == std::string::npos);
    const std::string with_origin = show(parsed(sample), {.with_origin = true, .as_json = true});
    CHECK(contains(with_origin, R"("client":{"value":"[::1]:80","origin":"muster.toml:2"})"));
    CHECK(contains(with_origin, R"(,"origin":"muster.toml:15"}])"));
}

TEST_CASE(
    "the example file changes nothing, and nothing still when all its values are uncommented") {
    const std::string example = config_init_text();
    const Settings defaults = parsed("");
    CHECK(without_origins(parsed(example)) == defaults);

    std::istringstream lines{example};
    std::string uncommented;
    bool is_in_lists = false;
    for (std::string line; std::getline(lines, line);) {
        is_in_lists = is_in_lists || line.starts_with("#[[");
        const bool is_value = line.starts_with('#') && line.size() > 1 && line[1] != ' ';
        uncommented += (is_value && !is_in_lists ? line.substr(1) : line) + "\n";
    }
    CHECK(without_origins(parsed(uncommented)) == defaults);
}

TEST_CASE("the lists of the example file are good when they are uncommented") {
    std::istringstream lines{config_init_text()};
    std::string uncommented;
    for (std::string line; std::getline(lines, line);) {
        const bool is_value = line.starts_with('#') && line.size() > 1 && line[1] != ' ';
        uncommented += (is_value ? line.substr(1) : line) + "\n";
    }
    const Settings settings = parsed(uncommented);
    CHECK(settings.token_keys.size() == 2);
    CHECK(settings.admin_keys.size() == 1);
    REQUIRE(settings.templates.size() == 1);
    CHECK(settings.templates[0].mounts.size() == 4);
}

TEST_CASE("every setting has a line of help and a name that is its own") {
    for (const SettingRow& row : setting_table()) {
        CAPTURE(row.path);
        CHECK(row.help.ends_with('.'));
        CHECK(find_setting(row.section(), row.key()) == &row);
    }
}

TEST_CASE("what differs from the defaults fits into one log line") {
    CHECK(changed_values(parsed("")).empty());
    CHECK(changed_values(parsed(sample)) ==
          "listen.client=\"[::1]:80\" gateway.op_rate=\"10/s burst 30\" "
          "gateway.origins=[\"https://example.com\"] template=\"/room/*\"");
}
