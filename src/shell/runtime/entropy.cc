#include "shell/runtime/entropy.h"

#include <sys/random.h>

#include "base/check.h"

namespace muster::runtime {

std::uint64_t random_bits() {
    std::uint64_t bits = 0;
    const auto filled = getrandom(&bits, sizeof bits, 0);
    MUSTER_CHECK(filled == static_cast<ssize_t>(sizeof bits));
    return bits;
}

}  // namespace muster::runtime
