#include "shell/runtime/crowd.h"

#include <netinet/in.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string_view>

#include "base/check.h"

namespace muster::runtime {
namespace {

constexpr std::array<std::uint8_t, 12> mapped_v4{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr std::size_t v6_network_bytes = 8;

}  // namespace

CrowdAddress crowd_address_of(const sockaddr_storage& address) noexcept {
    CrowdAddress counted;
    if (address.ss_family == AF_INET) {
        const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
        std::ranges::copy(mapped_v4, counted.bytes.begin());
        std::memcpy(counted.bytes.data() + mapped_v4.size(), &v4.sin_addr, sizeof v4.sin_addr);
    } else if (address.ss_family == AF_INET6) {
        const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
        const bool is_v4 = std::equal(mapped_v4.begin(), mapped_v4.end(), v6.s6_addr);
        std::memcpy(counted.bytes.data(), v6.s6_addr,
                    is_v4 ? counted.bytes.size() : v6_network_bytes);
    }
    return counted;
}

std::size_t Crowd::Hash::operator()(const CrowdAddress& address) const noexcept {
    return static_cast<std::size_t>(
        sip_hash_13(key, std::string_view(reinterpret_cast<const char*>(address.bytes.data()),
                                          address.bytes.size())));
}

Crowd::Count Crowd::add(const CrowdAddress& address) {
    const std::lock_guard lock(mutex_);
    return {++all_, ++of_addresses_[address]};
}

void Crowd::remove(const CrowdAddress& address) {
    const std::lock_guard lock(mutex_);
    const auto found = of_addresses_.find(address);
    MUSTER_CHECK(found != of_addresses_.end());
    --all_;
    if (--found->second == 0) {
        of_addresses_.erase(found);
    }
}

Crowd::Count Crowd::count(const CrowdAddress& address) const {
    const std::lock_guard lock(mutex_);
    const auto found = of_addresses_.find(address);
    return {all_, found == of_addresses_.end() ? 0 : found->second};
}

}  // namespace muster::runtime
