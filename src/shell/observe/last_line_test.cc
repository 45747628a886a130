#include "shell/observe/last_line.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <filesystem>
#include <string>

#include "base/check.h"
#include "shell/runtime/descriptor.h"

using namespace muster::observe;
using muster::runtime::Descriptor;

namespace {

struct Ending {
    std::string datagram;  ///< what came to the log's target
    std::string standard_error;
    int signal = 0;
};

std::string read_some(int descriptor) {
    pollfd wanted{.fd = descriptor, .events = POLLIN, .revents = 0};
    REQUIRE(::poll(&wanted, 1, 10'000) == 1);
    std::array<char, 65'536> memory;
    const ssize_t bytes = ::read(descriptor, memory.data(), memory.size());
    return {memory.data(), static_cast<std::size_t>(bytes > 0 ? bytes : 0)};
}

/// Runs `crash` in a process of its own that has a last line prepared.
template <typename Crash>
Ending end_of(Crash crash) {
    std::string folder = (std::filesystem::temp_directory_path() / "muster-XXXXXX").string();
    REQUIRE(::mkdtemp(folder.data()) != nullptr);
    const std::string path = folder + "/log";
    const Descriptor receiver{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, path.size());
    REQUIRE(::bind(receiver.fd(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);

    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        const rlimit no_core{0, 0};
        ::setrlimit(RLIMIT_CORE, &no_core);
        // The test's own handlers (doctest, sanitizers) would tell of this crash as a failure.
        for (const int number : {SIGSEGV, SIGABRT, SIGFPE, SIGILL, SIGBUS}) {
            ::signal(number, SIG_DFL);
        }
        ::dup2(ends[1], STDERR_FILENO);
        if (prepare_last_line({.target = parse_log_target("unix:" + path).value(),
                               .identity = {.host = "host", .pid = 42},
                               .recording = "/records/7"})) {
            crash();
        }
        ::_exit(3);
    }
    ::close(ends[1]);
    Ending ending;
    ending.datagram = read_some(receiver.fd());
    ending.standard_error = read_some(ends[0]);
    ::close(ends[0]);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    ending.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    std::filesystem::remove_all(folder);
    return ending;
}

}  // namespace

TEST_CASE("a failed check ends the process with a last line that names its place") {
    const Ending ending = end_of([] { MUSTER_CHECK(1 + 1 == 3); });
    CHECK(ending.signal == SIGABRT);
    CHECK(ending.datagram.starts_with("<26>1 20"));
    CHECK(
        ending.datagram.find(" host muster 42 about_to_crash [muster@32473 reason=\"check failed\" "
                             "condition=\"1 + 1 == 3\" file=\"") != std::string::npos);
    CHECK(ending.datagram.find("last_line_test.cc\" line=\"") != std::string::npos);
    CHECK(ending.datagram.find("recording=\"/records/7\"]") != std::string::npos);
    CHECK(ending.standard_error.find("critical about_to_crash: ") != std::string::npos);
    CHECK(ending.standard_error.ends_with("recording=/records/7\n"));
}

TEST_CASE("a fatal signal ends the process with a last line, and as that signal does") {
    const Ending ending = end_of([] { ::raise(SIGSEGV); });
    CHECK(ending.signal == SIGSEGV);
    CHECK(ending.datagram.find("reason=\"signal\" signal=\"SIGSEGV\"") != std::string::npos);
    const Ending aborted = end_of([] { ::abort(); });
    CHECK(aborted.signal == SIGABRT);
    CHECK(aborted.datagram.find("signal=\"SIGABRT\"") != std::string::npos);
}
