#include "core/queue/template.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <string>
#include <utility>
#include <vector>

using namespace muster::queue;

namespace {

Template template_for(std::string match, WhoMay create = WhoMay::server) {
    Template rules;
    rules.match = std::move(match);
    rules.create = create;
    return rules;
}

std::string join(const std::vector<std::string>& segments) {
    std::string path;
    for (const std::string& segment : segments) {
        path += "/" + segment;
    }
    return path;
}

/// Path segments: few different ones, so that patterns and names often meet.
rc::Gen<std::vector<std::string>> segments() {
    return rc::gen::nonEmpty(rc::gen::container<std::vector<std::string>>(
        rc::gen::element<std::string>("a", "b", "ab")));
}

}  // namespace

TEST_CASE("a pattern without a star matches its own name only") {
    CHECK(matches("/room/123", "/room/123"));
    CHECK_FALSE(matches("/room/123", "/room/1234"));
    CHECK_FALSE(matches("/room/1234", "/room/123"));
    CHECK_FALSE(matches("/room/123", "/room"));
    CHECK_FALSE(matches("/room", "/room/123"));
}

TEST_CASE("one star matches exactly one segment") {
    CHECK(matches("/room/*", "/room/123"));
    CHECK(matches("/*/lobby", "/game/lobby"));
    CHECK(matches("/*", "/room"));
    CHECK_FALSE(matches("/room/*", "/room"));
    CHECK_FALSE(matches("/room/*", "/room/1/2"));
    CHECK_FALSE(matches("/room/*", "/rooms/1"));
    CHECK_FALSE(matches("/room/*/chat", "/room/1"));
}

TEST_CASE("two stars match the rest, which is at least one segment") {
    CHECK(matches("/room/**", "/room/1"));
    CHECK(matches("/room/**", "/room/1/2/3"));
    CHECK(matches("/**", "/anything/at/all"));
    CHECK_FALSE(matches("/room/**", "/room"));
    CHECK_FALSE(matches("/room/**", "/rooms/1"));
}

TEST_CASE("what is no pattern or no name matches nothing") {
    CHECK_FALSE(matches("", ""));
    CHECK_FALSE(matches("", "/room"));
    CHECK_FALSE(matches("/room", ""));
    CHECK_FALSE(matches("room/*", "room/1"));
    CHECK_FALSE(matches("/room/*", "/room/"));
    CHECK_FALSE(matches("/room/**", "/room/"));
    CHECK_FALSE(matches("/**/chat", "/room/chat"));
}

TEST_CASE("a star inside a segment is an ordinary character") {
    CHECK(matches("/room/a*", "/room/a*"));
    CHECK_FALSE(matches("/room/a*", "/room/ab"));
}

TEST_CASE("every name matches itself, itself with stars, and two stars in place of its end") {
    CHECK(rc::check([] {
        const std::vector<std::string> name = *segments();
        std::vector<std::string> starred = name;
        for (std::string& segment : starred) {
            if (*rc::gen::arbitrary<bool>()) {
                segment = "*";
            }
        }
        RC_ASSERT(matches(join(name), join(name)));
        RC_ASSERT(matches(join(starred), join(name)));
        std::vector<std::string> longer = starred;
        longer.emplace_back("*");
        RC_ASSERT(!matches(join(longer), join(name)));

        const auto kept = *rc::gen::inRange<std::size_t>(0, name.size());
        starred.resize(kept);
        starred.emplace_back("**");
        RC_ASSERT(matches(join(starred), join(name)));
    }));
}

TEST_CASE("of the templates that match, the one with the longest pattern rules") {
    const TemplateTable table{{
        template_for("/**"),
        template_for("/room/**"),
        template_for("/room/*"),
        template_for("/room/lobby"),
        template_for("/room/*/chat"),
    }};
    CHECK(table.find("/room/lobby")->match == "/room/lobby");
    CHECK(table.find("/room/7")->match == "/room/*");
    CHECK(table.find("/room/7/chat")->match == "/room/*/chat");
    CHECK(table.find("/room/7/dice")->match == "/room/**");
    CHECK(table.find("/guild/7")->match == "/**");
}

TEST_CASE("of equally long patterns that match, the one given first rules") {
    const TemplateTable table{{template_for("/*/lobby"), template_for("/room/*")}};
    CHECK(table.find("/room/lobby")->match == "/*/lobby");
    const TemplateTable twice{{template_for("/a", WhoMay::anyone), template_for("/a")}};
    CHECK(twice.find("/a")->create == WhoMay::anyone);
    CHECK(twice.by_pattern("/a")->create == WhoMay::anyone);
}

TEST_CASE("a queue that no template matches is closed to all but the server") {
    const TemplateTable table{{template_for("/room/*", WhoMay::anyone)}};
    const auto rules = table.find("/guild/7");
    REQUIRE(rules != nullptr);
    CHECK(rules->create == WhoMay::server);
    CHECK(rules->join == WhoMay::server);
    CHECK(rules->listen != WhoListens::anyone);
    CHECK(rules->mounts.empty());
    CHECK(TemplateTable{{}}.find("/room/1")->create == WhoMay::server);
}

TEST_CASE("a template is found by its exact pattern") {
    const TemplateTable table{{template_for("/room/*"), template_for("/room/**")}};
    REQUIRE(table.by_pattern("/room/**") != nullptr);
    CHECK(table.by_pattern("/room/**")->match == "/room/**");
    CHECK(table.by_pattern("/room/1") == nullptr);
}
