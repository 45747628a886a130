#include "shell/admin/reply_table.h"

#include <chrono>
#include <string>

#include <doctest/doctest.h>

namespace muster::admin {
namespace {

using namespace std::chrono_literals;

Response reply(std::string body) { return Response{.status = 201, .body = std::move(body)}; }

}  // namespace

TEST_CASE("a repeated key gives the same reply, until its time is over") {
    ReplyTable table;
    const Instant start{};
    const auto first = table.begin("game", "k", digest_of("a"), start);
    table.finish(std::get<ReplyTable::Ticket>(first), reply("one"));

    const auto again = table.begin("game", "k", digest_of("a"), start + 599s);
    CHECK(std::get<Response>(again).body == "one");
    CHECK(std::get<Response>(again).status == 201);
    const auto late = table.begin("game", "k", digest_of("a"), start + 600s);
    CHECK(std::holds_alternative<ReplyTable::Ticket>(late));
}

TEST_CASE("a repeated key with another body is refused, and one of another caller is not") {
    ReplyTable table;
    const auto first = table.begin("game", "k", digest_of("a"), Instant{});
    table.finish(std::get<ReplyTable::Ticket>(first), reply("one"));
    CHECK(std::holds_alternative<ReplyTable::OtherBody>(
        table.begin("game", "k", digest_of("b"), Instant{})));
    CHECK(std::holds_alternative<ReplyTable::Ticket>(
        table.begin("shop", "k", digest_of("b"), Instant{})));
}

TEST_CASE("a request under way is not begun again, and one that was given up is") {
    ReplyTable table;
    const auto first = table.begin("game", "k", digest_of("a"), Instant{});
    CHECK(std::holds_alternative<ReplyTable::Running>(
        table.begin("game", "k", digest_of("a"), Instant{})));
    table.give_up(std::get<ReplyTable::Ticket>(first));
    const auto second = table.begin("game", "k", digest_of("b"), Instant{});
    REQUIRE(std::holds_alternative<ReplyTable::Ticket>(second));
    table.finish(std::get<ReplyTable::Ticket>(second), reply("two"));
    CHECK(std::get<Response>(table.begin("game", "k", digest_of("b"), Instant{} + 1s)).body ==
          "two");
}

TEST_CASE("the table is bounded in entries and in bytes; the oldest go") {
    ReplyTable table;
    ReplyTable::Ticket oldest = 0;
    for (std::size_t i = 0; i <= ReplyTable::entries_max; ++i) {
        const auto begun = table.begin("game", std::to_string(i), digest_of("a"), Instant{});
        oldest = i == 0 ? std::get<ReplyTable::Ticket>(begun) : oldest;
    }
    table.finish(oldest, reply("nobody remembers"));
    CHECK(std::holds_alternative<ReplyTable::Ticket>(
        table.begin("game", "0", digest_of("a"), Instant{})));

    ReplyTable big;
    const std::string body(3 * 1024 * 1024, 'x');
    for (const std::string key : {"a", "b", "c"}) {
        const auto begun = big.begin("game", key, digest_of(key), Instant{});
        big.finish(std::get<ReplyTable::Ticket>(begun), reply(body));
    }
    CHECK(std::holds_alternative<Response>(big.begin("game", "b", digest_of("b"), Instant{})));
    CHECK(std::holds_alternative<Response>(big.begin("game", "c", digest_of("c"), Instant{})));
    CHECK(std::holds_alternative<ReplyTable::Ticket>(
        big.begin("game", "a", digest_of("a"), Instant{})));
}

}  // namespace muster::admin
