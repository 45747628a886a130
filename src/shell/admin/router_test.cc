#include "shell/admin/router.h"

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "core/wire/json_reader.h"
#include "shell/admin/json_body.h"
#include "shell/admin/openapi.h"

namespace muster::admin {
namespace {

std::uint16_t status_of(std::string_view method, std::string_view path) {
    const auto matched = match(method, path);
    REQUIRE_FALSE(matched.has_value());
    return to_response(matched.error()).status;
}

/// Returns the name and the raw value of each field.
std::vector<Fields::Field> fields_of(std::string_view object) {
    const Fields fields = Fields::of(object);
    return fields.all();
}

std::string_view raw_field(std::string_view object, std::string_view name) {
    for (const Fields::Field& field : fields_of(object)) {
        if (field.name == name) {
            return field.value.raw();
        }
    }
    FAIL("openapi.json lacks " << std::string{name});
    return {};
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
    const std::size_t at = text.find(from);
    return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

/// Returns a path that fits the pattern.
std::string sample_of(std::string pattern) {
    pattern = replaced(std::move(pattern), "{queue}", "room/123");
    pattern = replaced(std::move(pattern), "{mount}", "chat");
    pattern = replaced(std::move(pattern), "{user}", "alice");
    return replaced(std::move(pattern), "{key}", "key");
}

struct Described {
    std::string method;
    std::string path;
    std::string_view operation;
};

std::vector<Described> described() {
    std::vector<Described> found;
    for (const Fields::Field& path : fields_of(raw_field(openapi_json(), "paths"))) {
        for (const Fields::Field& verb : fields_of(path.value.raw())) {
            if (verb.name == "parameters") {
                continue;
            }
            std::string method;
            for (const char c : verb.name) {
                method.push_back(static_cast<char>(c - 'a' + 'A'));
            }
            found.push_back({std::move(method), path.name, verb.value.raw()});
        }
    }
    return found;
}

}  // namespace

TEST_CASE("a path is parted at the dash into a queue's name and what belongs to it") {
    const auto found = match("PUT", "/v1/queues/room/123/-/mounts/scores/state/alice");
    REQUIRE(found.has_value());
    CHECK((found->route->handler == put_key));
    CHECK(found->queue == "/room/123");
    CHECK(found->mount == "scores");
    CHECK(found->key == "alice");
    CHECK(match("GET", "/v1/queues/a")->queue == "/a");
    CHECK(match("GET", "/v1/queues/a/members")->queue == "/a/members");
    CHECK(match("PUT", "/v1/queues/a/-/members/bob@example.com")->user == "bob@example.com");
    CHECK(match("POST", "/v1/users/alice/-/disconnect")->user == "alice");
}

TEST_CASE("a key is all that is left of the path, with slashes and dashes") {
    CHECK(match("GET", "/v1/queues/a/-/mounts/m/state/x/y/-/z")->key == "x/y/-/z");
    CHECK(match("GET", "/v1/queues/a/-/mounts/m/state/-")->key == "-");
    CHECK(match("GET", "/v1/queues/a/-/mounts/m/state//")->key == "/");
    CHECK(status_of("GET", "/v1/queues/a/-/mounts/m/state/") == 400);
}

TEST_CASE("HEAD is answered where GET is") {
    CHECK(match("HEAD", "/v1/queues/a")->route->method == "GET");
}

TEST_CASE("paths that are not there get 404, and those of later versions too") {
    for (const std::string_view path :
         {"/", "/v1", "/v1/", "/v2/queues", "/v1/queuesx", "/v1/nodes", "/v1/gateways",
          "/v1/buckets", "/v1/events", "/v1/gateways/gw-2/drain", "/v1/boss/rebalance",
          "/v1/queues/a/-/mounts", "/v1/queues/a/-/mounts/m/x", "/v1/queues/a/-/members/bob/x",
          "/v1/users", "/v1/users/alice/x", "/healthz/x", "", "v1/queues"}) {
        CHECK(status_of("GET", path) == 404);
    }
}

TEST_CASE("another method on a path that is there gets 405 with those that are allowed") {
    const auto refused = match("POST", "/v1/queues/a");
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().status == 405);
    CHECK(refused.error().headers.front() == Header{"Allow", "GET, HEAD, PUT, DELETE"});
    CHECK(status_of("OPTIONS", "/v1/batch") == 405);
    CHECK(status_of("GET", "/v1/batch") == 405);
    CHECK(status_of("TRACE", "/metrics") == 405);
}

TEST_CASE("names that are no names get 400 and never reach the site") {
    for (const std::string_view path :
         {"/v1/queues/", "/v1/queues//a", "/v1/queues/a/", "/v1/queues/a//b", "/v1/queues/a/-",
          "/v1/queues/-/members", "/v1/queues/a/-/mounts/b c", "/v1/queues/a/-/mounts/.x",
          "/v1/users/b'c", "/v1/users/a b", "/v1/queues/a\xcc\x88"}) {
        CHECK(status_of("GET", path) == 400);
    }
    CHECK(status_of("GET", "/v1/queues/" + std::string(256, 'n')) == 400);
    CHECK(status_of("PUT", "/v1/queues/a/-/members/" + std::string(65, 'n')) == 400);
}

TEST_CASE("metacharacters of SQL and JSON in a name are data") {
    const std::string name = R"(/x'; DROP TABLE mail; --"{}[]\)";
    const auto found = match("GET", "/v1/queues" + name);
    REQUIRE(found.has_value());
    CHECK(found->queue == name);
}

TEST_CASE("user queues are out of reach of the calls for queues") {
    CHECK(status_of("GET", "/v1/queues/user/alice") == 403);
    CHECK(status_of("DELETE", "/v1/queues/user/alice") == 403);
    CHECK(status_of("POST", "/v1/queues/user/alice/-/mounts/mail/messages") == 403);
}

TEST_CASE("openapi.json is JSON, and describes every route and nothing else") {
    const auto checked = check_json(openapi_json(), 32);
    CHECK(checked.has_value());
    const auto paths = described();
    CHECK(paths.size() == routes().size());
    for (const Described& each : paths) {
        INFO(each.method, " ", each.path);
        const auto found = match(each.method, sample_of(each.path));
        REQUIRE(found.has_value());
        CHECK(found->route->pattern == each.path);
        CHECK(found->route->method == each.method);
    }
}

TEST_CASE("openapi.json names the role of every operation that needs a key") {
    for (const Described& each : described()) {
        INFO(each.method, " ", each.path);
        const auto found = match(each.method, sample_of(each.path));
        bool is_public = false;
        std::string role;
        for (const Fields::Field& field : fields_of(each.operation)) {
            is_public = is_public || (field.name == "security" && field.value.raw() == "[]");
            role = field.name == "x-role" ? decode(field.value) : role;
        }
        CHECK(is_public == role.empty());
        if (!is_public) {
            CHECK(role == role_name(found->route->role));
        }
    }
}

TEST_CASE("every reference within openapi.json leads somewhere") {
    const std::string_view text = openapi_json();
    constexpr std::string_view start = "\"#/components/";
    std::size_t count = 0;
    for (std::size_t at = text.find(start); at != std::string_view::npos;
         at = text.find(start, at + 1)) {
        const std::string_view rest = text.substr(at + start.size());
        const std::string_view kind = rest.substr(0, rest.find('/'));
        const std::string_view name =
            rest.substr(kind.size() + 1, rest.find('"') - kind.size() - 1);
        const auto components = raw_field(openapi_json(), "components");
        CHECK_FALSE(raw_field(raw_field(components, kind), name).empty());
        ++count;
    }
    CHECK(count > 50);
}

}  // namespace muster::admin
