#include "core/queue/idempotency_table.h"

#include <chrono>
#include <string>

#include <doctest/doctest.h>

namespace muster::queue {
namespace {

using namespace std::chrono_literals;

constexpr Instant start{100s};

IdempotencyKey key(const std::string& text, const char* user = "") {
    return {UserId(user), SharedText(text)};
}

KeptVerdict ok_at(Seq seq) { return {seq, ErrorCode::protocol, KeptVerdict::Kind::ok}; }

TEST_CASE("what was kept is found by its caller and key") {
    IdempotencyTable table(10, 600s);
    table.keep(key("k"), 77, ok_at(5), start);
    REQUIRE(table.find(key("k")) != nullptr);
    CHECK(table.find(key("k"))->body_hash == 77);
    CHECK(table.find(key("k"))->verdict == ok_at(5));
    CHECK(table.find(key("K")) == nullptr);
    CHECK(table.find(key("k", "alice")) == nullptr);
}

TEST_CASE("a verdict is forgotten after its time, not before") {
    IdempotencyTable table(10, 600s);
    table.keep(key("a"), 1, ok_at(1), start);
    table.keep(key("b"), 1, ok_at(2), start + 1s);
    CHECK(table.forget_old(start + 600s - 1us));
    CHECK(table.size() == 2);
    CHECK(table.forget_old(start + 600s));
    CHECK(table.find(key("a")) == nullptr);
    CHECK_FALSE(table.forget_old(start + 601s));
    CHECK(table.size() == 0);
}

TEST_CASE("past its bound the table forgets the oldest first") {
    IdempotencyTable table(3, 600s);
    for (int i = 0; i < 100; ++i) {
        table.keep(key(std::to_string(i)), 1, ok_at(1), start);
    }
    CHECK(table.size() == 3);
    CHECK(table.keys().front() == key("97"));
    CHECK(table.find(key("96")) == nullptr);
    CHECK(table.find(key("99")) != nullptr);
}

TEST_CASE("a key is put back once") {
    IdempotencyTable table(3, 600s);
    CHECK(table.restore(key("a"), {1, start, ok_at(1)}));
    CHECK_FALSE(table.restore(key("a"), {2, start, ok_at(2)}));
    CHECK(table.find(key("a"))->body_hash == 1);
    CHECK(table.keys().size() == 1);
}

}  // namespace
}  // namespace muster::queue
