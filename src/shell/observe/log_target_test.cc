#include "shell/observe/log_target.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

using namespace muster::observe;

TEST_CASE("every form of a log target is understood, and written back as it was") {
    for (const std::string_view text : {"stderr", "udp:127.0.0.1:514", "tcp:logs.example.com:6514",
                                        "udp:[::1]:514", "unix:/dev/log"}) {
        CAPTURE(text);
        const auto target = parse_log_target(text);
        REQUIRE(target);
        CHECK(to_text(*target) == text);
    }
    CHECK(parse_log_target("udp:[::1]:514")->host == "::1");
    CHECK(parse_log_target("unix:/dev/log")->path == "/dev/log");
}

TEST_CASE("what is no log target is refused") {
    for (const std::string_view text :
         {"", "stdout", "udp", "udp:", "udp:514", "udp::514", "udp:host:", "udp:host:0",
          "udp:host:65536", "udp:host:+5", "udp:::1:514", "tcp:a b:514", "unix:", "unix:log",
          "syslog:host:514", "udp:[]:514", "udp:host:514 "}) {
        CAPTURE(text);
        CHECK_FALSE(parse_log_target(text));
    }
    CHECK_FALSE(parse_log_target("unix:/" + std::string(120, 'x')));
}
