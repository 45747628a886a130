#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "app/setting_value.h"

namespace muster::app {

/// Collects all that is wrong with a configuration, so that it is told at once.
class Problems {
public:
    /// `place`: "muster.toml:12", "MUSTER_LISTEN__CLIENT", "--set"; `what`: "log.level: wants …".
    void add(std::string_view place, std::string_view what) {
        lines_.push_back(fmt::format("{}: {}", place, what));
    }

    [[nodiscard]] bool empty() const noexcept { return lines_.empty(); }

    /// Returns all of them, one a line.
    [[nodiscard]] std::string text() const { return fmt::format("{}", fmt::join(lines_, "\n")); }

private:
    std::vector<std::string> lines_;
};

/// Reads one table whose keys are known, such as an element of [[template]].
class TableReader {
public:
    /// `file` and `name` stand in messages: "muster.toml:12: template[0].join: …".
    TableReader(const TomlTable& table, std::uint32_t line, std::string_view file, std::string name,
                Problems& problems)
        : table_(table), line_(line), file_(file), name_(std::move(name)), problems_(problems) {}

    /// Returns the value of `key`, or nullptr; from now on the key is a known one.
    const TomlValue* find(std::string_view key);

    /// Reads `key` with `parse`, if it is there. Returns whether it was, and good.
    template <typename T, typename Parse>
    bool read(std::string_view key, T& place, Parse parse) {
        const TomlValue* value = find(key);
        if (value == nullptr) {
            return false;
        }
        Parsed<T> parsed = parse(*value);
        if (!parsed) {
            problem(key, parsed.error());
            return false;
        }
        place = std::move(*parsed);
        return true;
    }

    /// Tells that `key` is missing if it is.
    void require(std::string_view key, std::string_view why);

    /// Tells what is wrong with `key`, at its line if it is there; an empty key is the whole table.
    void problem(std::string_view key, std::string_view what);

    /// Tells of all keys that nobody asked for.
    void finish();

    [[nodiscard]] std::string place_of(std::uint32_t line) const {
        return fmt::format("{}:{}", file_, line);
    }
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] std::string_view file() const noexcept { return file_; }
    [[nodiscard]] Problems& problems() noexcept { return problems_; }

private:
    const TomlTable& table_;
    std::uint32_t line_;
    std::string_view file_;
    std::string name_;
    Problems& problems_;
    std::vector<std::string_view> known_;
};

}  // namespace muster::app
