#include "base/error_code.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>
#include <string_view>
#include <unordered_set>

#include <doctest/doctest.h>

namespace muster {
namespace {

// The compiler names the enumerator that this switch forgets, and the test below the one that the
// registry forgets.
bool is_enumerator(ErrorCode code) {
    switch (code) {
        case ErrorCode::protocol:
        case ErrorCode::bad_token:
        case ErrorCode::token_expired:
        case ErrorCode::superseded:
        case ErrorCode::session_lost:
        case ErrorCode::hello_timeout:
        case ErrorCode::silent:
        case ErrorCode::drain:
        case ErrorCode::slow:
        case ErrorCode::resume_refused:
        case ErrorCode::upstream:
        case ErrorCode::unsupported:
        case ErrorCode::framing:
        case ErrorCode::bad_utf8:
        case ErrorCode::abuse:
        case ErrorCode::frame_too_big:
        case ErrorCode::bad_request:
        case ErrorCode::overload:
        case ErrorCode::not_connected:
        case ErrorCode::client_closed:
        case ErrorCode::bad_name:
        case ErrorCode::no_queue:
        case ErrorCode::not_member:
        case ErrorCode::forbidden:
        case ErrorCode::limit:
        case ErrorCode::withdrawn:
        case ErrorCode::gone:
        case ErrorCode::expired:
        case ErrorCode::differs:
        case ErrorCode::key_reused:
        case ErrorCode::hole:
        case ErrorCode::retry:
        case ErrorCode::busy:
        case ErrorCode::refused:
        case ErrorCode::stalled:
        case ErrorCode::no_mount:
        case ErrorCode::wrong_kind:
        case ErrorCode::too_big:
        case ErrorCode::full:
        case ErrorCode::conflict:
        case ErrorCode::no_user:
        case ErrorCode::user_offline:
        case ErrorCode::callout_denied:
        case ErrorCode::no_store:
        case ErrorCode::no_recording:
        case ErrorCode::not_a_recording:
        case ErrorCode::newer_recording:
        case ErrorCode::damaged_recording:
        case ErrorCode::segment_missing:
        case ErrorCode::bad_settings:
        case ErrorCode::cannot_listen:
        case ErrorCode::no_access: return true;
    }
    return false;
}

struct Promised {
    std::string_view label;
    std::string_view name;
    std::uint16_t http_status;
};

// GUARANTEES.md 5.11, line by line.
constexpr auto promised = std::to_array<Promised>({
    {"M1000", "protocol", 0},
    {"M1005", "hello_timeout", 0},
    {"M1006", "silent", 0},
    {"M1001", "bad_token", 401},
    {"M1002", "token_expired", 401},
    {"M1003", "superseded", 0},
    {"M1004", "session_lost", 0},
    {"M1008", "slow", 0},
    {"M1010", "resume_refused", 0},
    {"M1013", "upstream", 0},
    {"M1022", "framing", 0},
    {"M1027", "bad_utf8", 0},
    {"M1028", "abuse", 0},
    {"M1029", "frame_too_big", 413},
    {"M1033", "overload", 503},
    {"M1007", "drain", 0},
    {"M1016", "unsupported", 0},
    {"M2001", "bad_name", 400},
    {"M2002", "no_queue", 404},
    {"M2003", "not_member", 403},
    {"M2004", "forbidden", 403},
    {"M2005", "limit", 409},
    {"M2006", "withdrawn", 0},
    {"M3001", "no_mount", 404},
    {"M3002", "wrong_kind", 409},
    {"M3003", "too_big", 413},
    {"M3004", "full", 409},
    {"M3009", "conflict", 412},
    {"M5001", "callout_denied", 403},
    {"M2010", "gone", 410},
    {"M2011", "expired", 0},
    {"M2020", "hole", 0},
    {"M2021", "retry", 503},
    {"M2022", "busy", 429},
    {"M2023", "refused", 503},
    {"M2024", "stalled", 503},
    {"M1030", "bad_request", 400},
    {"M2012", "differs", 409},
    {"M2013", "key_reused", 422},
    {"M4004", "user_offline", 409},
});

bool is_plain(std::string_view text) {
    return std::ranges::all_of(
        text, [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\' && c != '|'; });
}

TEST_CASE("every promised code is registered under its name and with its HTTP status") {
    for (const Promised& line : promised) {
        CAPTURE(line.label);
        const ErrorInfo* found = find_error(line.label);
        REQUIRE(found != nullptr);
        CHECK(found->name == line.name);
        CHECK(found->http_status == line.http_status);
    }
}

TEST_CASE("the registry holds every enumerator and nothing else") {
    std::size_t enumerator_count = 0;
    for (unsigned number = 0; number <= 0xffffU; ++number) {
        const auto code = static_cast<ErrorCode>(number);
        const bool is_registered = std::ranges::any_of(
            error_registry(), [code](const ErrorInfo& info) { return info.code == code; });
        if (is_registered != is_enumerator(code)) {
            FAIL_CHECK("M" << number);
        }
        enumerator_count += is_enumerator(code) ? 1 : 0;
    }
    CHECK(enumerator_count == error_registry().size());
}

TEST_CASE("no two codes share a number or a name, and the smallest number is first") {
    std::unordered_set<std::string_view> names;
    unsigned last = 0;
    for (const ErrorInfo& info : error_registry()) {
        CAPTURE(info.name);
        const auto number = static_cast<unsigned>(info.code);
        CHECK(number > last);
        CHECK(names.insert(info.name).second);
        last = number;
    }
}

TEST_CASE("describe and label lead to the same entry for every code") {
    for (const ErrorInfo& info : error_registry()) {
        CAPTURE(info.name);
        CHECK(&describe(info.code) == &info);
        CHECK(find_error(label(info.code)) == &info);
        CHECK(label(info.code) == "M" + std::to_string(static_cast<unsigned>(info.code)));
    }
    CHECK(label(ErrorCode::not_member) == "M2003");
}

TEST_CASE("a code is found by its number, and by no other") {
    CHECK(error_code_of(2003) == ErrorCode::not_member);
    CHECK(error_code_of(0) == std::nullopt);
    CHECK(error_code_of(2099) == std::nullopt);
    CHECK(error_code_of(65'536 + 2003) == std::nullopt);
}

TEST_CASE("a label is found with a big M, a small one and none") {
    CHECK(find_error("M2003") == &describe(ErrorCode::not_member));
    CHECK(find_error("m2003") == &describe(ErrorCode::not_member));
    CHECK(find_error("2003") == &describe(ErrorCode::not_member));
}

TEST_CASE("what is no label is not found") {
    for (const std::string_view text :
         {"", "M", "MM2003", "M02003", "M200", "M20030", "M2003 ", " M2003", "+2003", "-2003",
          "M-203", "M2099", "2099", "67539", "not_member", "M2O03"}) {
        CAPTURE(text);
        CHECK(find_error(text) == nullptr);
    }
    CHECK(find_error(std::string_view{"M2003\0", 6}) == nullptr);
}

TEST_CASE(
    "every code tells what happened, why, and what to do, in sentences that need no escaping") {
    for (const ErrorInfo& info : error_registry()) {
        CAPTURE(info.name);
        for (const std::string_view text : {info.meaning, info.cause, info.fix}) {
            CAPTURE(text);
            CHECK(is_plain(text));
            CHECK(text.size() >= 20);
            CHECK(text.ends_with('.'));
            CHECK(text.find("  ") == std::string_view::npos);
            CHECK((std::isupper(static_cast<unsigned char>(text.front())) != 0 ||
                   text.front() == '`' ||
                   std::isdigit(static_cast<unsigned char>(text.front())) != 0));
        }
        CHECK(std::ranges::all_of(info.name, [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
        }));
    }
}

TEST_CASE("an HTTP status is one of the 4xx and 5xx, and those that ask to wait are retryable") {
    for (const ErrorInfo& info : error_registry()) {
        CAPTURE(info.name);
        CHECK((info.http_status == 0 || (info.http_status >= 400 && info.http_status <= 599)));
        if (info.http_status == 429 || info.http_status == 503) {
            CHECK(info.retryable);
        } else if (info.http_status != 0) {
            CHECK_FALSE(info.retryable);
        }
    }
}

}  // namespace
}  // namespace muster
