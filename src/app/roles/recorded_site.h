#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "app/roles/entry_recorder.h"
#include "app/roles/recording.h"
#include "app/roles/shard_bench.h"
#include "app/roles/whole_replay.h"

// For tests of what is made of recordings: a site that is recorded.
namespace muster::roles {

using Entries = std::vector<std::string>;

/// A site whose shards are recorded from their first step on.
struct RecordedSite {
    explicit RecordedSite(std::uint16_t shards = 1, std::uint64_t entry_bytes_max = 1'000'000)
        : RecordedSite(BenchSite{.shard_count = shards}, entry_bytes_max) {}
    explicit RecordedSite(const BenchSite& site, std::uint64_t entry_bytes_max = 1'000'000)
        : bench(site), entries(site.shard_count) {
        for (std::uint16_t i = 0; i < site.shard_count; ++i) {
            bench.machine(i).record_to(std::make_unique<EntryRecorder>(
                EntrySink{[this, i](std::string_view entry) { append(entries[i], entry); },
                          [this] { return segment; }, entry_bytes_max}));
        }
    }

    void append(Entries& to, std::string_view entry) {
        to.emplace_back(entry);
        if (segment_entries != 0 && to.size() % segment_entries == 1) {
            ++segment;  // It has begun with this entry.
        }
    }

    ShardBench bench;
    std::vector<Entries> entries;  ///< by shard
    std::uint64_t segment = 0;
    std::size_t segment_entries = 0;  ///< a new segment after so many; 0: by hand

    void say(const gateway::TestPeer& peer, std::string_view json, std::size_t shard = 0) {
        bench.peers(shard).say(peer, json);
    }

    /// Something of everything: joins, messages, state, refusals, a backend, time, a slow client.
    void live(std::string_view room) {
        const std::size_t shard = bench.site()->placement.shard_count() - 1U;
        auto& alice = bench.sign_in("alice");
        auto& bob = bench.sign_in("bob", {}, shard);
        const auto in_room = [&](std::string_view more) {
            return fmt::format(R"({{"q":"{}",{}}})", room, more);
        };
        say(alice, in_room(R"("op":"join","i":1)"));
        say(bob, in_room(R"("op":"listen","i":1)"), shard);
        say(bob, in_room(R"("op":"join","i":2)"), shard);
        for (int i = 0; i < 5; ++i) {
            say(alice, in_room(fmt::format(R"("op":"send","i":3,"m":"chat","d":"hi {}")", i)));
            say(bob, in_room(fmt::format(R"("op":"set","m":"scores","k":"bob","d":{})", i)), shard);
            bench.pass(std::chrono::seconds{1});
        }
        say(alice, in_room(R"("op":"send","i":4,"m":"news","d":1)"));  // Forbidden.
        bench.op(room, queue::SendOp{MountName("news"), Payload("1")});
        bench.membership("carol", room, true);
        bench.peers().block(alice);
        for (int i = 0; i < 3; ++i) {
            say(bob, in_room(fmt::format(R"("op":"set","m":"scores","k":"x","d":{})", i)), shard);
        }
        bench.peers().drain(alice);
        bench.peers(shard).hang_up(bob);
        bench.pass(std::chrono::seconds{30});
        say(alice, in_room(R"("op":"history","i":5,"m":"chat")"));
        say(alice, in_room(R"("op":"nonsense","i":6)"));
        bench.peers().send(alice, "\x81\x01x");  // Not masked: it is closed.
        bench.pass(std::chrono::seconds{200});
    }

    std::function<Result<std::optional<std::string_view>>()> source(std::size_t shard,
                                                                    std::size_t from = 0) {
        return [this, shard, at = from]() mutable -> Result<std::optional<std::string_view>> {
            if (at == entries[shard].size()) {
                return std::nullopt;
            }
            return entries[shard][at++];
        };
    }

    Result<ReplayReport> replay(std::uint16_t shard = 0, const ReplayLimits& limits = {}) {
        WholeReplay replay(ShardId{shard}, bench.site(), ShardBench::seed_of(ShardId{shard}));
        return replay.run(source(shard), limits);
    }
};

inline std::size_t count_of_kind(const Entries& entries, std::size_t index) {
    std::size_t count = 0;
    for (const auto& entry : entries) {
        count += parse_entry(entry).value().index() == index ? 1U : 0U;
    }
    return count;
}
inline constexpr std::size_t sent_index = 3;
inline constexpr std::size_t snapshot_index = 5;

}  // namespace muster::roles
