// Any bytes as the files of a recording, up to four of them, cut at the word "|CUT|": refused or
// read to an end, the same twice, and no entry longer than its file.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "shell/runtime/descriptor.h"
#include "shell/runtime/recording_reader.h"

namespace {

using namespace muster::runtime;

struct Outcome {
    std::vector<std::string> entries;
    std::string error;
    RecordingReader::End end = RecordingReader::End::unread;

    friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome read_all(const std::vector<std::filesystem::path>& files, std::size_t bytes_max) {
    Outcome outcome;
    auto reader = RecordingReader::open(files);
    if (!reader) {
        MUSTER_CHECK(!reader.error().detail.empty());
        outcome.error = reader.error().detail;
        return outcome;
    }
    const std::uint64_t first = reader->next_entry();
    for (;;) {
        const auto entry = reader->next();
        if (!entry) {
            MUSTER_CHECK(!entry.error().detail.empty());
            MUSTER_CHECK(reader->end() == RecordingReader::End::unread);
            outcome.error = entry.error().detail;
            break;
        }
        if (!entry->has_value()) {
            MUSTER_CHECK(reader->end() != RecordingReader::End::unread);
            break;
        }
        MUSTER_CHECK((*entry)->size() <= bytes_max);
        outcome.entries.emplace_back(**entry);
    }
    MUSTER_CHECK(reader->next_entry() - first == outcome.entries.size());
    outcome.end = reader->end();
    return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::string_view cut = "|CUT|";
    constexpr std::size_t file_count_max = 4;
    std::string_view rest{reinterpret_cast<const char*>(data), size};
    std::vector<Descriptor> files;
    std::vector<std::filesystem::path> names;
    for (bool is_last = false; !is_last;) {
        const std::size_t end = rest.find(cut);
        is_last = end == std::string_view::npos || files.size() + 1 == file_count_max;
        const std::string_view bytes = is_last ? rest : rest.substr(0, end);
        files.emplace_back(::memfd_create("segment", MFD_CLOEXEC));
        MUSTER_CHECK(files.back().is_open());
        MUSTER_CHECK(::write(files.back().fd(), bytes.data(), bytes.size()) ==
                     static_cast<ssize_t>(bytes.size()));
        names.emplace_back("/proc/self/fd/" + std::to_string(files.back().fd()));
        rest.remove_prefix(is_last ? rest.size() : end + cut.size());
    }
    const Outcome outcome = read_all(names, size);
    MUSTER_CHECK(read_all(names, size) == outcome);
    if (outcome.error.empty()) {
        std::ranges::reverse(names);  // Their order says nothing.
        MUSTER_CHECK(read_all(names, size) == outcome);
    }
    return 0;
}
