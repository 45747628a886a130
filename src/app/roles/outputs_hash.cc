#include "app/roles/outputs_hash.h"

#include <string_view>

#include <xxhash.h>

namespace muster::roles {
namespace {

// Order counts: each value is stirred into all that came before (the steps of splitmix64).
std::uint64_t stirred(std::uint64_t hash, std::uint64_t value) noexcept {
    hash = (hash ^ value) * 0xbf58476d1ce4e5b9ULL;
    return hash ^ (hash >> 29U);
}

}  // namespace

void OutputsHash::add(const gateway::Outputs& outputs, std::size_t from) noexcept {
    std::string_view last;  // The frame before: a shared one comes again and again.
    std::uint64_t last_hash = 0;
    for (std::size_t i = from; i < outputs.size(); ++i) {
        const gateway::Output& output = outputs[i];
        const std::string_view bytes = output.bytes.view();
        if (i == from || bytes.data() != last.data() || bytes.size() != last.size()) {
            last = bytes;
            last_hash = XXH3_64bits(bytes.data(), bytes.size());
        }
        hash_ = stirred(hash_, output.connection.value);
        hash_ =
            stirred(hash_, last_hash ^ (output.then_close ? 1U : 0U) ^ (output.is_known ? 2U : 0U));
    }
}

}  // namespace muster::roles
