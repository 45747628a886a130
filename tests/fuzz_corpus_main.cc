// Runs every file of a corpus through a fuzz target, once. It stands in for libFuzzer where there
// is none, so that every build knows that yesterday's findings are still mended.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

bool run(const std::filesystem::path& path) {
    std::ifstream file{path, std::ios::binary};
    const std::vector<char> bytes{std::istreambuf_iterator<char>{file}, {}};
    if (!file.good() && !file.eof()) {
        std::fprintf(stderr, "cannot read %s\n", path.c_str());
        return false;
    }
    // Printed and flushed first: where the target aborts, the last line names the culprit.
    std::printf("%s\n", path.filename().c_str());
    std::fflush(stdout);
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    return true;
}

}  // namespace

int main(int argument_count, char** arguments) {
    bool all_ran = true;
    std::size_t file_count = 0;
    for (int i = 1; i < argument_count; ++i) {
        const std::filesystem::path folder{arguments[i]};
        if (!std::filesystem::is_directory(folder)) {
            std::fprintf(stderr, "%s: a fuzz target needs a corpus folder\n", folder.c_str());
            return 1;
        }
        for (const auto& entry : std::filesystem::recursive_directory_iterator{folder}) {
            if (entry.is_regular_file()) {
                all_ran = run(entry.path()) && all_ran;
                ++file_count;
            }
        }
    }
    LLVMFuzzerTestOneInput(nullptr, 0);
    if (file_count == 0) {
        std::fprintf(stderr, "the corpus is empty\n");
        return 1;
    }
    std::printf("%zu files\n", file_count);
    return all_ran ? 0 : 1;
}
