#include "shell/observe/log_line.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <string_view>
#include <vector>

using namespace muster::observe;

namespace {

const LogIdentity identity{.host = "host", .pid = 42};
constexpr std::int64_t new_year_us = 1'767'225'600'123'456;  // 2026-01-01T00:00:00.123456Z

std::string syslog(LogLine line, std::size_t bytes_max = line_bytes_max) {
    std::vector<char> memory(bytes_max);
    return {memory.data(), format_syslog(memory, identity, line)};
}

std::string human(LogLine line, std::size_t bytes_max = line_bytes_max) {
    std::vector<char> memory(bytes_max);
    return {memory.data(), format_human(memory, line)};
}

LogLine line_with(std::span<const LogField> fields, std::string_view text = "Text") {
    return {.event = LogEvent::up, .text = text, .fields = fields, .time_us = new_year_us};
}

}  // namespace

TEST_CASE("every kind of line has an id of its own, at its place in the registry") {
    std::set<std::string_view> ids;
    for (const LogEventInfo& info : log_event_registry()) {
        CAPTURE(info.id);
        CHECK(describe(info.event).id == info.id);
        CHECK(ids.insert(info.id).second);
        CHECK(info.id.size() >= 1);
        CHECK(info.id.size() <= 32);
        CHECK(std::all_of(info.id.begin(), info.id.end(),
                          [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; }));
        CHECK(info.meaning.ends_with('.'));
    }
    CHECK(describe(LogEvent::log_dropped).id == "log_dropped");
}

TEST_CASE("docs/reference/log.md lists every kind of line, with its severity and its fields") {
    std::ifstream file{"docs/reference/log.md"};
    REQUIRE_MESSAGE(file.good(), "run this test from the top of the tree");
    const std::string page{std::istreambuf_iterator<char>{file}, {}};
    for (const LogEventInfo& info : log_event_registry()) {
        std::string row =
            "| `" + std::string(info.id) + "` | " + std::string(to_text(info.severity)) + " | ";
        row += std::string(info.fields) + (info.fields.empty() ? "| " : " | ");
        row += std::string(info.meaning) + " |\n";
        CAPTURE(row);
        CHECK(page.find(row) != std::string::npos);
    }
}

TEST_CASE("a severity has a name, and the name means it") {
    for (const Severity severity : {Severity::critical, Severity::error, Severity::warning,
                                    Severity::notice, Severity::info, Severity::debug}) {
        CHECK(parse_severity(to_text(severity)) == severity);
    }
    CHECK_FALSE(parse_severity("verbose"));
    CHECK_FALSE(parse_severity(""));
}

TEST_CASE("a syslog line has the form of RFC 5424") {
    const std::array fields{LogField{"version", "0.1.0"}, LogField{"shards", 2}};
    CHECK(syslog(line_with(fields, "Muster is up")) ==
          "<29>1 2026-01-01T00:00:00.123456Z host muster 42 up "
          "[muster@32473 version=\"0.1.0\" shards=\"2\"] Muster is up");
}

TEST_CASE("a syslog line without fields has a dash in their place") {
    CHECK(syslog(line_with({})) == "<29>1 2026-01-01T00:00:00.123456Z host muster 42 up - Text");
}

TEST_CASE("times are right on leap days, in old centuries and before 1970") {
    const auto time_of = [](std::int64_t us) {
        return syslog({.event = LogEvent::up, .text = {}, .fields = {}, .time_us = us})
            .substr(6, 27);
    };
    CHECK(time_of(0) == "1970-01-01T00:00:00.000000Z");
    CHECK(time_of(-1) == "1969-12-31T23:59:59.999999Z");
    CHECK(time_of(951'782'400'000'000) == "2000-02-29T00:00:00.000000Z");
    CHECK(time_of(4'107'542'399'000'000) == "2100-02-28T23:59:59.000000Z");
    CHECK(time_of(4'107'542'400'000'000) == "2100-03-01T00:00:00.000000Z");
}

TEST_CASE("quote, backslash and bracket in a syslog value are escaped") {
    const std::array fields{LogField{"queue", R"(/a"b\c]d)"}};
    CHECK(syslog(line_with(fields)).find(R"( queue="/a\"b\\c\]d"])") != std::string::npos);
}

TEST_CASE("what is not UTF-8 or controls a terminal becomes a question mark") {
    const std::array fields{LogField{"a", "x\ny\x1b[2J\x7f"}, LogField{"b", "\xc3\xa9\xff\xc0\x80"},
                            LogField{"c", "\xed\xa0\x80\xf4\x90\x80\x80"},
                            LogField{"d", "\xc2\x9b\xe2\x82\xac\xf0\x9f\x8e\xb2\xf0\x9f"}};
    const std::string line = syslog(line_with(fields, "two\r\nlines"));
    CHECK(line.find("a=\"x?y?[2J?\"") != std::string::npos);
    CHECK(line.find("b=\"\xc3\xa9???\"") != std::string::npos);
    CHECK(line.find("c=\"???????\"") != std::string::npos);
    CHECK(line.find("d=\"??\xe2\x82\xac\xf0\x9f\x8e\xb2??\"") != std::string::npos);
    CHECK(line.ends_with("] two??lines"));
}

TEST_CASE("a line for people has one line, with quotes only where they help") {
    const std::array fields{LogField{"plain", "a"}, LogField{"spaced", "a b=\"c\""},
                            LogField{"empty", ""}, LogField{"number", -5}};
    CHECK(human(line_with(fields, "Muster is up")) ==
          "2026-01-01T00:00:00.123Z notice up: Muster is up plain=a spaced=\"a b=\\\"c\\\"\" "
          "empty=\"\" number=-5\n");
}

TEST_CASE("a line that would be too long is cut, and keeps its form and its text") {
    const std::string long_value(20'000, '"');
    const std::array fields{LogField{"first", long_value}, LogField{"second", "x"}};
    const std::string line = syslog(line_with(fields, "The text"));
    CHECK(line.size() <= line_bytes_max);
    CHECK(line.ends_with("\\\"\"] The text"));
    CHECK(human(line_with(fields, "The text")).ends_with("\"\n"));
}

TEST_CASE("whatever the values are, a line ends within its memory and holds no control character") {
    CHECK(rc::check([](const std::vector<std::string>& values, const std::string& text) {
        std::vector<LogField> fields;
        for (const std::string& value : values) {
            fields.emplace_back("value", value);
            fields.emplace_back("again", text);
        }
        const auto is_shown = [](char c) { return static_cast<unsigned char>(c) >= 0x20; };
        const std::string remote = syslog(line_with(fields, text), 512);
        RC_ASSERT(remote.size() <= 512U);
        RC_ASSERT(std::all_of(remote.begin(), remote.end(), is_shown));
        std::string local = human(line_with(fields, text), 512);
        RC_ASSERT(local.size() <= 512U);
        RC_ASSERT(local.back() == '\n');
        local.pop_back();
        RC_ASSERT(std::all_of(local.begin(), local.end(), is_shown));
    }));
}
