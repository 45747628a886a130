#include "bench/ledger.h"

#include <string>

#include <doctest/doctest.h>
#include <rapidcheck.h>

namespace muster::bench {
namespace {

TEST_CASE("a stamp is read as it was written, and the message has its size") {
    rc::check(
        [](std::int64_t due_us, std::uint32_t room, std::uint32_t sender, std::uint64_t number) {
            const Stamp stamp{due_us, room, sender, number};
            std::string text;
            append_stamp(text, stamp, 120);
            RC_ASSERT(text.size() == 120U);
            RC_ASSERT(read_stamp(text) == stamp);
            RC_ASSERT(read_stamp(text + "}tail") == stamp);
        });
}

TEST_CASE("what is no stamp is not read") {
    for (const char* text : {"", "{", R"({"t":})", R"({"t":1,"r":2,"s":3})", R"({"x":1})",
                             R"({"t":1,"r":99999999999,"s":3,"n":4})"}) {
        CAPTURE(text);
        CHECK_FALSE(read_stamp(text).has_value());
    }
}

TEST_CASE("doubled, late and strayed deliveries are counted apart") {
    Ledger ledger(2, 2);
    const auto take = [&](std::uint32_t receiver, std::uint32_t sender, std::uint64_t number) {
        return ledger.take(receiver, 5, Stamp{0, 5, sender, number}, 0);
    };
    CHECK(take(0, 0, 1));
    CHECK(take(0, 1, 1));
    CHECK(take(1, 0, 1));
    CHECK(take(0, 0, 3));  // 2 is missing: it may still come.
    CHECK(ledger.wrongs().out_of_order == 0);
    CHECK(take(0, 0, 2));
    CHECK(ledger.wrongs().out_of_order == 1);
    CHECK_FALSE(take(0, 0, 3));
    CHECK(ledger.wrongs().doubled == 1);
    CHECK_FALSE(ledger.take(0, 5, Stamp{0, 6, 0, 4}, 0));
    CHECK_FALSE(ledger.take(0, 5, std::nullopt, 0));
    CHECK_FALSE(take(0, 2, 1));
    CHECK(ledger.wrongs().strayed == 3);
    CHECK(ledger.last(0, 0) == 3);
    CHECK(ledger.last(1, 1) == 0);
}

TEST_CASE("the server's own numbers must rise, whoever sends") {
    Ledger ledger(1, 2);
    CHECK(ledger.take(0, 0, Stamp{0, 0, 0, 1}, 10));
    CHECK(ledger.take(0, 0, Stamp{0, 0, 1, 1}, 9));
    CHECK(ledger.wrongs().out_of_order == 1);
}

}  // namespace
}  // namespace muster::bench
