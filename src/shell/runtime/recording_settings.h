#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/ids.h"

namespace muster::runtime {

/// What one shard records, and where.
struct RecordingSettings {
    enum class Mode : std::uint8_t {
        off,    ///< nothing
        crash,  ///< what came last, for the case of a crash: outlives the process to the last entry
        all,    ///< everything, for a while: the last moments may be lost with the process
    };
    Mode mode = Mode::off;

    /// Is made where it is missing. One folder may hold many shards and lives. A folder in memory
    /// (/dev/shm) serves the crash mode best, unless the machine itself is to be outlived.
    std::filesystem::path folder;
    ShardId shard;
    Boot boot;  ///< this life of the process: never that of an earlier one in this folder

    /// How much of this shard and life stays on disk: the oldest segments go first.
    std::uint64_t bytes_max = std::uint64_t{1} << 30U;
    /// One file. The bound of an entry, too: it must fit into one segment.
    std::uint64_t segment_bytes = std::uint64_t{32} << 20U;
    /// Mode all: how much may wait for the disk. Taken from memory only as it is needed.
    std::uint64_t buffer_bytes_max = std::uint64_t{32} << 20U;
    /// How much the earlier lives together may keep when this one starts: the oldest life goes
    /// first. The newest of them always stays: it may be the one that crashed.
    std::uint64_t folder_bytes_max = std::uint64_t{4} << 30U;

    /// Opaque: what a reader must know. Stands at the start of every segment.
    std::string head;
};

}  // namespace muster::runtime
