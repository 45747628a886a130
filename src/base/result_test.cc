#include "base/result.h"

#include <string>
#include <utility>

#include <doctest/doctest.h>

namespace muster {
namespace {

Result<int> half_of(int number) {
    if (number % 2 != 0) {
        return failure(ErrorCode::bad_request, "odd");
    }
    return number / 2;
}

Result<void> accept(bool is_good) {
    if (!is_good) {
        return failure(ErrorCode::forbidden);
    }
    return {};
}

TEST_CASE("a result holds a value, or why there is none") {
    REQUIRE(half_of(4).has_value());
    CHECK(*half_of(4) == 2);
    const Result<int> odd = half_of(3);
    REQUIRE_FALSE(odd.has_value());
    CHECK(odd.error() == Error{ErrorCode::bad_request, "odd"});
}

TEST_CASE("a result without a value says yes or no") {
    CHECK(accept(true).has_value());
    REQUIRE_FALSE(accept(false).has_value());
    CHECK(accept(false).error().code == ErrorCode::forbidden);
    CHECK(accept(false).error().detail.empty());
}

TEST_CASE("steps in a row stop at the first failure") {
    CHECK(*half_of(12).and_then(half_of) == 3);
    CHECK(half_of(6).and_then(half_of).error().detail == "odd");
    CHECK(half_of(7).and_then(half_of).and_then(half_of).error().detail == "odd");
}

TEST_CASE("errors are equal when code and detail are") {
    CHECK(Error{ErrorCode::limit, "a"} == Error{ErrorCode::limit, "a"});
    CHECK(Error{ErrorCode::limit, "a"} != Error{ErrorCode::limit, "b"});
    CHECK(Error{ErrorCode::limit, "a"} != Error{ErrorCode::full, "a"});
}

}  // namespace
}  // namespace muster
