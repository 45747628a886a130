#include "core/queue/verdict.h"

#include <chrono>

#include <doctest/doctest.h>

namespace muster::queue {
namespace {

using namespace std::chrono_literals;

constexpr Inc inc{7};

TEST_CASE("an OK that was kept comes back with its place, as a repetition") {
    const Verdict again = recall(keep(accepted({inc, 20})), inc);
    CHECK(again.kind == Verdict::Kind::ok);
    CHECK(again.at == Cursor{inc, 20});
    CHECK_FALSE(again.is_new);
}

TEST_CASE("a rejection that was kept comes back with its code, without the words") {
    const Verdict again = recall(keep(rejected(ErrorCode::too_big, "by 3 bytes")), inc);
    CHECK(again.kind == Verdict::Kind::rejected);
    CHECK(again.code == ErrorCode::too_big);
    CHECK(again.detail.empty());
    CHECK_FALSE(again.current.has_value());
    CHECK_FALSE(again.is_new);
}

TEST_CASE("a conflict comes back with the seq of the key, also where that is 0") {
    for (const Seq current : {Seq{0}, Seq{17}}) {
        Verdict verdict = rejected(ErrorCode::conflict);
        verdict.current = current;
        CHECK(recall(keep(verdict), inc).current == current);
    }
}

TEST_CASE("a wait is rounded up to whole milliseconds") {
    CHECK(busy(ErrorCode::busy, 1us).retry_ms == 1);
    CHECK(busy(ErrorCode::busy, 1s).retry_ms == 1000);
    CHECK(busy(ErrorCode::retry, 1s).code == ErrorCode::retry);
    CHECK(busy(ErrorCode::retry, 1s).kind == Verdict::Kind::busy);
}

TEST_CASE("a kept verdict is small: every client of every queue has up to 32 of them") {
    CHECK(sizeof(KeptVerdict) == 16);
}

}  // namespace
}  // namespace muster::queue
