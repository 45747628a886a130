#include "app/setting_problems.h"

#include <algorithm>

namespace muster::app {

const TomlValue* TableReader::find(std::string_view key) {
    known_.push_back(key);
    for (const TomlEntry& entry : table_) {
        if (entry.key == key) {
            return &entry.value;
        }
    }
    return nullptr;
}

void TableReader::require(std::string_view key, std::string_view why) {
    if (find(key) == nullptr) {
        problems_.add(place_of(line_), fmt::format("{}.{}: is missing: {}", name_, key, why));
    }
}

void TableReader::problem(std::string_view key, std::string_view what) {
    std::uint32_t line = line_;
    for (const TomlEntry& entry : table_) {
        line = entry.key == key ? entry.value.line : line;
    }
    problems_.add(place_of(line), key.empty() ? fmt::format("{}: {}", name_, what)
                                              : fmt::format("{}.{}: {}", name_, key, what));
}

void TableReader::finish() {
    for (const TomlEntry& entry : table_) {
        if (std::find(known_.begin(), known_.end(), entry.key) == known_.end()) {
            const std::string_view meant = closest(entry.key, known_);
            problem(entry.key, meant.empty()
                                   ? "no such setting"
                                   : fmt::format("no such setting; did you mean {}?", meant));
        }
    }
}

}  // namespace muster::app
