#include "core/wire/names.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <string>

namespace muster::wire {
namespace {

// Returns the rule that a queue name breaks, or "".
std::string broken_rule(std::string_view name) {
    const auto checked = check_queue_name(name);
    if (checked) {
        return "";
    }
    CHECK(checked.error().code == ErrorCode::bad_name);
    return checked.error().detail;
}

TEST_CASE("row 44: good queue names pass") {
    for (const char* good :
         {"/a", "/room/123", "/user/alice@example.com", "/a/b/c/d", "/...", "/.a/..b", "/--", "/-a",
          "/room/Zürich", "/部屋/一", "/🎲", "/a b", "/한국"}) {
        CAPTURE(std::string{good});
        CHECK(broken_rule(good) == "");
    }
    CHECK(broken_rule("/" + std::string(255, 'a')) == "");
}

TEST_CASE("row 44: an empty or too long queue name is refused") {
    CHECK(broken_rule("") == "a queue name is not empty");
    CHECK(broken_rule("/" + std::string(256, 'a')) == "a queue name has at most 256 bytes");
}

TEST_CASE(
    "row 44: a queue name begins with a slash, does not end with one and has no two in a row") {
    CHECK(broken_rule("room/1") == "a queue name begins with `/`");
    CHECK(broken_rule("/room/") == "a queue name does not end with `/`");
    CHECK(broken_rule("/") == "a queue name does not end with `/`");
    CHECK(broken_rule("//room") == "a queue name has no `//`");
    CHECK(broken_rule("/room//1") == "a queue name has no `//`");
    CHECK(broken_rule("//") == "a queue name has no `//`");
}

TEST_CASE("row 44: a queue name has no segment of dots or of one dash") {
    for (const char* bad : {"/.", "/..", "/room/../x", "/room/./x", "/room/..", "/../room"}) {
        CHECK(broken_rule(bad) == "a queue name has no segment `.` or `..`");
    }
    for (const char* bad : {"/-", "/room/-/x", "/room/-", "/-/room"}) {
        CHECK(broken_rule(bad) == "a queue name has no segment `-`");
    }
}

TEST_CASE("row 44: a queue name has no control characters") {
    for (const char* bad : {"/a\n", "/\x01", "/a\tb", "/a\x7f", "/a\xc2\x80", "/a\xc2\x9f"}) {
        CHECK(broken_rule(bad) == "a queue name has no control characters");
    }
    CHECK(broken_rule({"/a\0b", 4}) == "a queue name has no control characters");
    CHECK(broken_rule("/a\xc2\xa0") == "");  // The first one after C1.
}

TEST_CASE("row 44: a queue name is UTF-8 in normal form C") {
    for (const char* bad : {"/\xff", "/\xc3", "/\xed\xa0\x80", "/\xc0\xaf"}) {
        CHECK(broken_rule(bad) == "a queue name is UTF-8");
    }
    CHECK(broken_rule("/Zu\xcc\x88rich") == "a queue name is in Unicode normal form C");
    CHECK(broken_rule("/Z\xc3\xbcrich") == "");
    // Two marks in the wrong order; a singleton (ohm sign); Hangul in parts.
    CHECK(broken_rule("/q\xcc\x87\xcc\xa3") == "a queue name is in Unicode normal form C");
    CHECK(broken_rule("/q\xcc\xa3\xcc\x87") == "");
    CHECK(broken_rule("/\xe2\x84\xa6") == "a queue name is in Unicode normal form C");
    CHECK(broken_rule("/\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab") ==
          "a queue name is in Unicode normal form C");
    // As long as names get, of what decomposes furthest (U+1F82) and of combining marks.
    std::string long_name = "/";
    while (long_name.size() + 3 <= queue_name_bytes_max) {
        long_name += "\xe1\xbe\x82";
    }
    CHECK(broken_rule(long_name) == "");
    std::string marks = "/q";
    while (marks.size() + 2 <= queue_name_bytes_max) {
        marks += "\xcc\xa3";
    }
    CHECK(broken_rule(marks) == "");
}

TEST_CASE("a user id has 1 to 64 of its characters and can be a segment") {
    for (const char* good : {"a", "alice", "Alice_1.x:y@z-", "42", "...", "--", "@"}) {
        CHECK(check_user_id(good));
    }
    CHECK(check_user_id(std::string(64, 'a')));
    CHECK(check_user_id("").error().detail == "a user id has 1 to 64 bytes");
    CHECK(check_user_id(std::string(65, 'a')).error().detail == "a user id has 1 to 64 bytes");
    for (const char* bad : {"a/b", "a b", "ä", "a\n", "a+b", "a%", "\x80"}) {
        CHECK(check_user_id(bad).error().detail == "a user id consists of A-Za-z0-9_.:@-");
    }
    CHECK_FALSE(check_user_id({"a\0", 2}));
    for (const char* bad : {".", "..", "-"}) {
        CHECK(check_user_id(bad).error().detail == "a user id is not `.`, `..` or `-`");
    }
}

TEST_CASE("a mount name has 1 to 64 of its characters and begins with a letter, digit or _") {
    for (const char* good : {"chat", "_", "a.b-c", "9"}) {
        CHECK(check_mount_name(good));
    }
    CHECK(check_mount_name(std::string(64, 'a')));
    CHECK_FALSE(check_mount_name(""));
    CHECK_FALSE(check_mount_name(std::string(65, 'a')));
    for (const char* bad : {".a", "-a", "-", "a/b", "a:b", "a@b", "a b", "ä"}) {
        CHECK(check_mount_name(bad).error().code == ErrorCode::bad_name);
    }
}

TEST_CASE("a key has 1 to 256 bytes of UTF-8 without control characters") {
    for (const char* good : {"a", "a/b", "ä", "Zu\xcc\x88rich", " ", "..", "{\"x\":1}"}) {
        CHECK(check_key(good));
    }
    CHECK(check_key(std::string(256, 'k')));
    CHECK(check_key("").error().detail == "a key has 1 to 256 bytes");
    CHECK(check_key(std::string(257, 'k')).error().detail == "a key has 1 to 256 bytes");
    CHECK(check_key("\xff").error().detail == "a key is UTF-8");
    CHECK(check_key("a\n").error().detail == "a key has no control characters");
}

TEST_CASE("a user queue's name and its user lead to each other") {
    CHECK(user_queue_name(UserId{"alice"}).text() == "/user/alice");
    CHECK(user_of_queue_name("/user/alice") == "alice");
    for (const char* other : {"/user", "/user/", "/user/a/b", "/users/a", "/room/user/a", "user/a",
                              "", "/user/..", "/user/a b", "/User/a"}) {
        CAPTURE(std::string{other});
        CHECK_FALSE(user_of_queue_name(other));
    }
}

TEST_CASE("property: the queue of every good user has a good name and leads back to the user") {
    CHECK(rc::check([] {
        const auto user = *rc::gen::nonEmpty(rc::gen::container<std::string>(
            rc::gen::elementOf(std::string{"ABCXYZabcxyz019_.:@-"})));
        RC_PRE(check_user_id(user).has_value());
        const QueueName name = user_queue_name(UserId{user});
        RC_ASSERT(check_queue_name(name.text()).has_value());
        RC_ASSERT(user_of_queue_name(name.text()) == user);
    }));
}

}  // namespace
}  // namespace muster::wire
