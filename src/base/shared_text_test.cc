#include "base/shared_text.h"

#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <rapidcheck.h>

namespace muster {
namespace {

TEST_CASE("a shared text holds the bytes it was given, whatever they are") {
    CHECK(rc::check("view() gives back the bytes", [](const std::string& bytes) {
        const SharedText text{bytes};
        RC_ASSERT(text.view() == bytes);
        RC_ASSERT(text.size() == bytes.size());
        RC_ASSERT(text.empty() == bytes.empty());
    }));
    const std::string with_nul{"a\0b", 3};
    CHECK(SharedText{with_nul}.view() == with_nul);
}

TEST_CASE("a shared text is a copy: the source may change") {
    std::string source = "before";
    const SharedText text{source};
    source = "after!";
    CHECK(text.view() == "before");
}

TEST_CASE("copies share their bytes") {
    const SharedText first{"shared"};
    const SharedText second = first;  // NOLINT(performance-unnecessary-copy-initialization)
    CHECK(second.view().data() == first.view().data());
}

TEST_CASE("the bytes live as long as the last handle") {
    SharedText last;
    {
        const SharedText first{"still here"};
        last = first;
    }
    CHECK(last.view() == "still here");
}

TEST_CASE("a handle is one pointer, and moving one cannot fail") {
    CHECK(sizeof(SharedText) == sizeof(void*));
    CHECK(std::is_nothrow_move_constructible_v<SharedText>);
    CHECK(std::is_nothrow_move_assignable_v<SharedText>);
}

TEST_CASE("the empty text has no bytes and equals every other empty one") {
    const SharedText none;
    CHECK(none.empty());
    CHECK(none.view().empty());
    CHECK(none == SharedText{""});
}

TEST_CASE("a text that was moved from is empty") {
    SharedText from{"moved"};
    const SharedText to{std::move(from)};
    CHECK(to.view() == "moved");
    // NOLINTNEXTLINE(bugprone-use-after-move,clang-analyzer-cplusplus.Move): this is the promise.
    CHECK(from.view().empty());
    SharedText other{"other"};
    SharedText target{"target"};
    target = std::move(other);
    CHECK(target.view() == "other");
    // NOLINTNEXTLINE(bugprone-use-after-move,clang-analyzer-cplusplus.Move): this is the promise.
    CHECK(other.view().empty());
}

TEST_CASE("a text may be assigned to itself") {
    SharedText text{"self"};
    SharedText& same = text;
    text = same;
    CHECK(text.view() == "self");
    text = std::move(same);
    CHECK(text.view() == "self");
}

TEST_CASE("texts are ordered by their bytes, as unsigned numbers") {
    CHECK(rc::check("as std::string_view", [](const std::string& a, const std::string& b) {
        RC_ASSERT((SharedText{a} <=> SharedText{b}) == (std::string_view{a} <=> b));
        RC_ASSERT((SharedText{a} == SharedText{b}) == (a == b));
    }));
    CHECK(SharedText{"z"} < SharedText{"\xc3\xa4"});
}

TEST_CASE("handles may be copied and dropped on several threads") {
    const SharedText text{"everywhere"};
    std::vector<std::thread> threads;
    std::vector<std::size_t> sums(4, 0);
    threads.reserve(sums.size());
    for (std::size_t i = 0; i < sums.size(); ++i) {
        threads.emplace_back([&text, &sum = sums[i]] {
            for (int round = 0; round < 1000; ++round) {
                const std::vector<SharedText> copies(2, text);
                sum += copies.back().size();
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    for (const std::size_t sum : sums) {
        CHECK(sum == 1000 * text.size());
    }
}

}  // namespace
}  // namespace muster
