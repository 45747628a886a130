#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <unordered_map>

#include "base/sip_hash.h"

namespace muster::runtime {

/// Whose sockets count together: an IPv4 address, or the /64 of an IPv6 one, which is what one
/// customer of a provider gets.
struct CrowdAddress {
    std::array<std::uint8_t, 16> bytes{};

    friend bool operator==(const CrowdAddress&, const CrowdAddress&) = default;
};

/// Returns what `address` counts as. An IPv4 address in IPv6 form counts as the IPv4 address.
[[nodiscard]] CrowdAddress crowd_address_of(const sockaddr_storage& address) noexcept;

/// How many client sockets of the process have not signed in yet, in all and from each address.
///
/// Thread:     all shards share it, as a limit on an address must hold for the process. Its lock is
///             taken when a socket is accepted and when its client is known, for 0.1 us.
/// Invariants: an address is in the table only while it has such a socket.
class Crowd {
public:
    struct Count {
        std::uint32_t all = 0;
        std::uint32_t of_address = 0;
    };

    explicit Crowd(HashKey key) : of_addresses_(0, Hash{key}) {}

    /// Adds a socket and returns how many there are with it.
    [[nodiscard]] Count add(const CrowdAddress& address);

    /// Its client is known, or it is gone.
    void remove(const CrowdAddress& address);

    [[nodiscard]] Count count(const CrowdAddress& address) const;

private:
    struct Hash {
        HashKey key;
        std::size_t operator()(const CrowdAddress& address) const noexcept;
    };

    mutable std::mutex mutex_;
    std::uint32_t all_ = 0;
    std::unordered_map<CrowdAddress, std::uint32_t, Hash> of_addresses_;
};

}  // namespace muster::runtime
