#include "base/sip_hash.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include "base/name.h"

namespace muster {
namespace {

// The key of the paper's example: the bytes 00 01 .. 0f.
constexpr HashKey paper_key{.low = 0x0706050403020100U, .high = 0x0f0e0d0c0b0a0908U};

// SipHash-c-d as section 2 of the paper writes it, one step after the other: slow and plain.
struct Rounds {
    int compression;
    int finalization;
};

std::uint64_t paper_sip_hash(Rounds rounds, const HashKey& key, std::string_view text) {
    std::array<std::uint64_t, 4> v = {key.low ^ 0x736f6d6570736575U, key.high ^ 0x646f72616e646f6dU,
                                      key.low ^ 0x6c7967656e657261U,
                                      key.high ^ 0x7465646279746573U};
    const auto mix = [&v](int count) {
        for (int i = 0; i < count; ++i) {
            v[0] += v[1];
            v[2] += v[3];
            v[1] = std::rotl(v[1], 13) ^ v[0];
            v[3] = std::rotl(v[3], 16) ^ v[2];
            v[0] = std::rotl(v[0], 32);
            v[2] += v[1];
            v[0] += v[3];
            v[1] = std::rotl(v[1], 17) ^ v[2];
            v[3] = std::rotl(v[3], 21) ^ v[0];
            v[2] = std::rotl(v[2], 32);
        }
    };
    std::string padded{text};
    padded.append(7 - text.size() % 8, '\0');
    padded.push_back(static_cast<char>(text.size() % 256));
    for (std::size_t start = 0; start < padded.size(); start += 8) {
        std::uint64_t word = 0;
        for (std::size_t i = 8; i > 0; --i) {
            word = word << 8U | static_cast<std::uint8_t>(padded[start + i - 1]);
        }
        v[3] ^= word;
        mix(rounds.compression);
        v[0] ^= word;
    }
    v[2] ^= 0xff;
    mix(rounds.finalization);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

// The first size bytes of 00 01 02 ..
std::string counting(std::size_t size) {
    std::string text;
    for (std::size_t i = 0; i < size; ++i) {
        text.push_back(static_cast<char>(i));
    }
    return text;
}

TEST_CASE("SipHash-2-4 gives the value of the paper's appendix A") {
    CHECK(sip_hash_24(paper_key, counting(15)) == 0xa129ca6149be45e5U);
}

TEST_CASE("SipHash-2-4 gives the values of the authors' reference program") {
    // Of the messages of 0, 1, 2 .. bytes that count from 00.
    constexpr auto expected = std::to_array<std::uint64_t>(
        {0x726fdb47dd0e0e31U, 0x74f839c593dc67fdU, 0x0d6c8009d9a94f5aU, 0x85676696d7fb7e2dU,
         0xcf2794e0277187b7U, 0x18765564cd99a68dU, 0xcbc9466e58fee3ceU, 0xab0200f58b01d137U,
         0x93f5f5799a932462U, 0x9e0082df0ba9e4b0U, 0x7a5dbbc594ddb9f3U, 0xf4b32f46226bada7U,
         0x751e8fbc860ee5fbU, 0x14ea5627c0843d90U, 0xf723ca908e7af2eeU, 0xa129ca6149be45e5U});
    for (std::size_t size = 0; size < expected.size(); ++size) {
        CAPTURE(size);
        CHECK(sip_hash_24(paper_key, counting(size)) == expected[size]);
        CHECK(paper_sip_hash({.compression = 2, .finalization = 4}, paper_key, counting(size)) ==
              expected[size]);
    }
}

TEST_CASE("both hashes are those of the paper for every key and text") {
    CHECK(rc::check("as the paper writes it",
                    [](std::uint64_t low, std::uint64_t high, const std::string& text) {
                        const HashKey key{.low = low, .high = high};
                        RC_ASSERT(sip_hash_24(key, text) ==
                                  paper_sip_hash({.compression = 2, .finalization = 4}, key, text));
                        RC_ASSERT(sip_hash_13(key, text) ==
                                  paper_sip_hash({.compression = 1, .finalization = 3}, key, text));
                    }));
    const std::string longest = counting(256);  // A queue's name at its longest.
    CHECK(sip_hash_13(paper_key, longest) ==
          paper_sip_hash({.compression = 1, .finalization = 3}, paper_key, longest));
}

TEST_CASE("another key spreads the same names in another way") {
    const std::string name = "/room/123";
    CHECK(sip_hash_13({.low = 1, .high = 2}, name) != sip_hash_13({.low = 1, .high = 3}, name));
    CHECK(sip_hash_13({.low = 1, .high = 2}, name) != sip_hash_13({.low = 2, .high = 1}, name));
}

TEST_CASE("a table keyed from outside is searched by a name, a view and a string alike") {
    struct Equal {
        using is_transparent = void;
        bool operator()(const QueueName& a, const QueueName& b) const { return a == b; }
        bool operator()(const QueueName& a, std::string_view b) const { return a == b; }
        bool operator()(std::string_view a, const QueueName& b) const { return b == a; }
    };
    std::unordered_map<QueueName, int, KeyedHash, Equal> table(8, KeyedHash{paper_key});
    table.emplace(QueueName{"/room/1"}, 1);
    CHECK(table.contains(QueueName{"/room/1"}));
    CHECK(table.contains(std::string_view{"/room/1"}));
    CHECK(table.contains(std::string{"/room/1"}));
    CHECK_FALSE(table.contains(std::string_view{"/room/2"}));
}

TEST_CASE("an empty text has a hash, wherever it is") {
    CHECK(sip_hash_13(paper_key, std::string_view{}) == sip_hash_13(paper_key, ""));
    CHECK(sip_hash_24(paper_key, std::string_view{}) == sip_hash_24(paper_key, ""));
}

TEST_CASE("similar names get different hashes") {
    std::unordered_set<std::uint64_t> seen;
    for (int i = 0; i < 10000; ++i) {
        CHECK(seen.insert(sip_hash_24(paper_key, "/room/" + std::to_string(i))).second);
    }
}

TEST_CASE("row 52: 1,000 keys chosen to collide in an unkeyed hash do not collide in ours") {
    constexpr std::size_t places = 1'024;
    std::vector<std::string> chosen;
    for (int i = 0; chosen.size() < 1'000; ++i) {
        std::string key = "k" + std::to_string(i);
        if (std::hash<std::string_view>{}(key) % places == 0) {
            chosen.push_back(std::move(key));
        }
    }
    std::vector<int> in_place(places);
    for (const auto& key : chosen) {
        ++in_place[KeyedHash{paper_key}(key) % places];
    }
    CHECK(*std::ranges::max_element(in_place) <= 10);
}

}  // namespace
}  // namespace muster
