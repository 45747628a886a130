#include "app/explain.h"

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include <boost/json/parse.hpp>
#include <doctest/doctest.h>

#include "app/setting_table.h"
#include "app/settings.h"

namespace muster::app {
namespace {

std::vector<ErrorCode> codes_meant_by(std::string_view text) {
    std::vector<ErrorCode> codes;
    for (const ErrorInfo* info : errors_meant_by(text)) {
        codes.push_back(info->code);
    }
    return codes;
}
using Codes = std::vector<ErrorCode>;

// What stands between backticks.
std::vector<std::string> quoted_words(std::string_view text) {
    std::vector<std::string> words;
    for (std::size_t begin = text.find('`'); begin != text.npos; begin = text.find('`', begin)) {
        const std::size_t end = text.find('`', begin + 1);
        REQUIRE(end != text.npos);
        words.emplace_back(text.substr(begin + 1, end - begin - 1));
        begin = end + 1;
    }
    return words;
}

TEST_CASE("docs/reference/errors.md says what the registry says") {
    std::ifstream file{"docs/reference/errors.md"};
    REQUIRE_MESSAGE(file.good(), "run this test from the top of the tree");
    const std::string page{std::istreambuf_iterator<char>{file}, {}};
    // Compared as a bool: two whole pages on the screen would help nobody.
    const bool is_up_to_date = page == error_reference_markdown();
    CHECK_MESSAGE(is_up_to_date,
                  "rewrite it with: muster explain --markdown > docs/reference/errors.md");
}

TEST_CASE("the reference holds every code once, with all that is known of it") {
    const std::string page = error_reference_markdown();
    for (const ErrorInfo& info : error_registry()) {
        CAPTURE(info.name);
        const std::string title =
            "\n### " + std::string{label(info.code)} + " " + std::string{info.name} + "\n";
        const std::size_t place = page.find(title);
        REQUIRE(place != std::string::npos);
        CHECK(page.find(title, place + 1) == std::string::npos);
        for (const std::string_view text : {info.meaning, info.cause, info.fix}) {
            CHECK(page.find(text, place) != std::string::npos);
        }
    }
}

TEST_CASE("every setting that the registry names is there") {
    const std::string known = config_init_text();
    std::size_t named = 0;
    for (const ErrorInfo& info : error_registry()) {
        for (const std::string_view text : {info.cause, info.fix}) {
            for (const std::string& quoted : quoted_words(text)) {
                CAPTURE(quoted);
                CAPTURE(info.name);
                const std::size_t dot = quoted.find('.');
                const std::string section = quoted.substr(0, dot);
                const auto sections = section_names();
                if (dot != std::string::npos && std::ranges::count(sections, section) != 0) {
                    CHECK(find_setting(section, quoted.substr(dot + 1)) != nullptr);
                    ++named;
                }
                CHECK_FALSE(quoted.starts_with("MUSTER_"));  // `section.key` says the same.
            }
        }
    }
    CHECK(named >= 8);
    for (const char* rule : {"create", "join", "listen", "write", "slow", "rate", "keys_max"}) {
        CAPTURE(rule);
        CHECK(known.find(std::string{rule} + " = ") != std::string::npos);
    }
}

TEST_CASE("a code is explained by its label or its name") {
    CHECK(codes_meant_by("M2003") == Codes{ErrorCode::not_member});
    CHECK(codes_meant_by("m2003") == Codes{ErrorCode::not_member});
    CHECK(codes_meant_by("2003") == Codes{ErrorCode::not_member});
    CHECK(codes_meant_by("not_member") == Codes{ErrorCode::not_member});
}

TEST_CASE("what a browser shows as the close code is explained, too") {
    CHECK(codes_meant_by("4003") == Codes{ErrorCode::superseded});
    CHECK(codes_meant_by("4000") ==
          Codes{ErrorCode::protocol, ErrorCode::hello_timeout, ErrorCode::silent});
    CHECK(codes_meant_by("4001") == Codes{ErrorCode::no_user, ErrorCode::bad_token});
    CHECK(codes_meant_by("M4001") == Codes{ErrorCode::no_user});
    CHECK(codes_meant_by("1008") == Codes{ErrorCode::slow, ErrorCode::abuse});
    CHECK(codes_meant_by("1009") == Codes{ErrorCode::frame_too_big});
    CHECK(codes_meant_by("1001") == Codes{ErrorCode::bad_token, ErrorCode::drain});
}

TEST_CASE("what is nothing of ours is not explained") {
    for (const std::string_view text :
         {"", "0", "M", "M9999", "1000000", "-4003", "4003 ", "nothing"}) {
        CAPTURE(text);
        CHECK(errors_meant_by(text).empty());
    }
}

TEST_CASE("an explanation fits a terminal and leaves nothing out") {
    for (const ErrorInfo& info : error_registry()) {
        const std::string text = explain(info);
        CAPTURE(text);
        std::istringstream lines{text};
        std::string words;
        for (std::string line; std::getline(lines, line);) {
            CHECK(line.size() <= 100);
            CHECK_FALSE(line.ends_with(' '));
            words += line.substr(std::min(line.size(), line.find_first_not_of(' '))) + ' ';
        }
        CHECK(words.starts_with(std::string{label(info.code)} + " " + std::string{info.name}));
        for (const std::string_view part : {info.meaning, info.cause, info.fix}) {
            CHECK(words.find(part) != std::string::npos);
        }
    }
}

TEST_CASE("an explanation reads like this") {
    CHECK(explain(describe(ErrorCode::conflict)) == R"(M3009 conflict (HTTP 412)
         The key has changed since you read it, so it was not written.
  Cause: Two writers; the `if` or If-Match of this one names an older change.
  Fix:   Take the newer value (`current` is its seq), work out your change again, and write with the
         new seq.
  Again: No: the same request fails again until something changes.
)");
}

TEST_CASE("an explanation as JSON is valid and whole") {
    for (const ErrorInfo& info : error_registry()) {
        CAPTURE(info.name);
        const auto object = boost::json::parse(explain_as_json(info)).as_object();
        CHECK(object.size() == 8);
        CHECK(object.at("code").as_string() == std::string{label(info.code)});
        CHECK(object.at("name").as_string() == std::string{info.name});
        CHECK(object.at("retryable").as_bool() == info.retryable);
        CHECK(object.at("meaning").as_string() == std::string{info.meaning});
        CHECK(object.at("cause").as_string() == std::string{info.cause});
        CHECK(object.at("fix").as_string() == std::string{info.fix});
        CHECK(object.at("http_status").is_null() == (info.http_status == 0));
    }
    const auto slow = boost::json::parse(explain_as_json(describe(ErrorCode::slow))).as_object();
    CHECK(slow.at("close_code").as_int64() == 4008);
    const auto busy = boost::json::parse(explain_as_json(describe(ErrorCode::busy))).as_object();
    CHECK(busy.at("close_code").is_null());
    CHECK(busy.at("http_status").as_int64() == 429);
}

TEST_CASE("the list of codes has a line for each") {
    const std::string list = list_errors();
    CHECK(static_cast<std::size_t>(std::ranges::count(list, '\n')) == error_registry().size());
    CHECK(list.starts_with("M1000  protocol "));
}

}  // namespace
}  // namespace muster::app
