#include "base/check.h"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include <doctest/doctest.h>

namespace muster {
namespace {

struct Ending {
    int wait_status = 0;
    std::string last_words;  // What the process wrote to its standard error.
};

// Runs `body` in a process of its own, for a check that fails ends its process.
template <typename Body>
Ending run_apart(Body body) {
    std::array<int, 2> ends{};
    REQUIRE(pipe(ends.data()) == 0);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        // doctest reports an abort itself; here it is expected, so the system's own end is taken.
        std::signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        body();
        _exit(0);
    }
    close(ends[1]);
    Ending ending;
    std::array<char, 256> chunk{};
    for (;;) {
        const ssize_t size = read(ends[0], chunk.data(), chunk.size());
        if (size <= 0) {
            break;
        }
        ending.last_words.append(chunk.data(), static_cast<std::size_t>(size));
    }
    close(ends[0]);
    REQUIRE(waitpid(child, &ending.wait_status, 0) == child);
    return ending;
}

bool ended_by_abort(const Ending& ending) {
    return WIFSIGNALED(ending.wait_status) && WTERMSIG(ending.wait_status) == SIGABRT;
}

TEST_CASE("a check that holds does nothing, and looks at its condition once") {
    int look_count = 0;
    MUSTER_CHECK(++look_count == 1);
    CHECK(look_count == 1);
}

TEST_CASE("a check that fails names its condition and place, and ends the process") {
    const Ending ending = run_apart([] {
        const int two = 2;
        MUSTER_CHECK(two + two == 5);
    });
    CHECK(ended_by_abort(ending));
    CHECK(ending.last_words.find("two + two == 5") != std::string::npos);
    CHECK(ending.last_words.find("check_test.cc:") != std::string::npos);
}

TEST_CASE("a check that fails calls the handler, which then has the last word") {
    const Ending ending = run_apart([] {
        set_check_handler([](const char* condition, const char* file, int line) noexcept {
            std::fprintf(stderr, "handler: %s, %s, %s", condition,
                         std::strstr(file, "check_test.cc") != nullptr ? "here" : "elsewhere",
                         line > 0 ? "line" : "no line");
        });
        const bool is_sound = false;
        MUSTER_CHECK(is_sound);
    });
    CHECK(ended_by_abort(ending));
    CHECK(ending.last_words == "handler: is_sound, here, line");
}

TEST_CASE("a handler may end the process itself") {
    const Ending ending = run_apart([] {
        set_check_handler([](const char*, const char*, int) noexcept { _exit(42); });
        check_failed("told", "by hand", 1);
    });
    CHECK(WIFEXITED(ending.wait_status));
    CHECK(WEXITSTATUS(ending.wait_status) == 42);
}

TEST_CASE("without a handler, the process speaks for itself again") {
    const Ending ending = run_apart([] {
        set_check_handler([](const char*, const char*, int) noexcept { _exit(42); });
        set_check_handler(nullptr);
        check_failed("told", "by_hand.cc", 7);
    });
    CHECK(ended_by_abort(ending));
    CHECK(ending.last_words == "by_hand.cc:7: check failed: told\n");
}

}  // namespace
}  // namespace muster
