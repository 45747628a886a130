#include "shell/runtime/descriptor.h"

#include <fcntl.h>
#include <sys/eventfd.h>

#include <utility>

#include <doctest/doctest.h>

namespace muster::runtime {
namespace {

bool is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }

TEST_CASE("a descriptor closes what it owns, once") {
    int fd = -1;
    {
        Descriptor first(eventfd(0, EFD_CLOEXEC));
        fd = first.fd();
        Descriptor second(std::move(first));
        CHECK_FALSE(first.is_open());  // NOLINT(bugprone-use-after-move): that is the question.
        CHECK(second.fd() == fd);
        CHECK(is_open(fd));
    }
    CHECK_FALSE(is_open(fd));
}

TEST_CASE("an assigned descriptor closes what it owned before") {
    Descriptor kept(eventfd(0, EFD_CLOEXEC));
    const int old = kept.fd();
    kept = Descriptor(eventfd(0, EFD_CLOEXEC));
    CHECK(kept.is_open());
    CHECK((kept.fd() == old || !is_open(old)));
}

}  // namespace
}  // namespace muster::runtime
