#include "app/settings.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "app/setting_keys.h"
#include "app/setting_lists.h"
#include "app/setting_problems.h"
#include "app/setting_table.h"
#include "app/setting_value.h"
#include "app/settings_file.h"
#include "base/check.h"
#include "base/units.h"

namespace muster::app {
namespace {

constexpr std::string_view environment_prefix = "MUSTER_";
constexpr std::string_view no_file = "settings";

/// What other commands than `serve` take from the environment, as `muster --help` says.
constexpr std::array other_variables = {"SERVER", "TOKEN", "ADMIN", "ADMIN_KEY_FILE", "CONFIG"};

std::string in_other_case(std::string_view text, char from, char to, char first) {
    std::string changed(text);
    for (char& c : changed) {
        c = c >= from && c <= to ? static_cast<char>(c - from + first) : c;
    }
    return changed;
}
std::string in_lower_case(std::string_view text) { return in_other_case(text, 'A', 'Z', 'a'); }
std::string in_upper_case(std::string_view text) { return in_other_case(text, 'a', 'z', 'A'); }

bool is_list_name(std::string_view name) {
    return std::find(list_names.begin(), list_names.end(), name) != list_names.end();
}

/// Builds the settings from the weakest source to the strongest, and collects what is wrong.
class Loader {
public:
    explicit Loader(const SettingsRequest& request)
        : request_(request), file_(request.file.value_or(std::string{no_file})) {
        settings_.is_dev = request.is_dev;
        settings_.server.shards = std::max<std::uint32_t>(request.core_count, 1);
    }

    void take_dev_defaults();
    void take_file(std::string_view text);
    void take_environment();
    void take_stray_variable(const std::string& name);
    void take_assignments();

    /// Reads the lists and looks at what goes together; the sections must have been taken.
    void finish();

    void read_keys() { read_key_files(settings_, problems_); }
    void problem(std::string_view place, std::string_view what) { problems_.add(place, what); }

    [[nodiscard]] Result<Settings> result() {
        if (!problems_.empty()) {
            return failure(ErrorCode::bad_settings, problems_.text());
        }
        return std::move(settings_);
    }

private:
    void take_section(const TomlEntry& section);
    void take_value(std::string_view section, std::string_view key, const TomlValue& value,
                    const Origin& origin);
    void take_lists();
    void take_list(std::string_view name, const TomlValue& value);
    void add_dev_template();
    void check_together();
    void check_loopback(std::string_view path, const ListenAddress& address);
    void check(bool is_good, std::string_view path, std::string_view other, std::string_view what);
    void set_shards();
    void move_paths();
    [[nodiscard]] std::string in_folder_of_file(const std::string& path) const;

    const SettingsRequest& request_;
    std::string file_;
    TomlTable root_;
    Settings settings_;
    Problems problems_;
    std::set<std::string, std::less<>> bad_;  ///< the paths of values that were refused
};

void Loader::take_dev_defaults() {
    if (!request_.is_dev) {
        return;
    }
    std::string state;
    std::string home;
    for (const std::string& variable : request_.environment) {
        if (variable.starts_with("XDG_STATE_HOME=/")) {
            state = variable.substr(variable.find('=') + 1);
        } else if (variable.starts_with("HOME=/")) {
            home = variable.substr(variable.find('=') + 1);
        }
    }
    if (state.empty() && !home.empty()) {
        state = home + "/.local/state";
    }
    if (!state.empty()) {
        settings_.data.folder = state + "/muster";
        settings_.origins["data.folder"] = {.kind = OriginKind::dev, .place = "--dev"};
    }
}

void Loader::take_file(std::string_view text) {
    auto root = parse_toml(text);
    if (!root) {
        problems_.add(fmt::format("{}:{}", file_, root.error().line), root.error().text);
        return;
    }
    root_ = std::move(*root);
    for (const TomlEntry& entry : root_) {
        if (!is_list_name(entry.key)) {
            take_section(entry);
        }
    }
}

void Loader::take_section(const TomlEntry& section) {
    const std::string place = fmt::format("{}:{}", file_, section.value.line);
    std::vector<std::string_view> known = section_names();
    if (std::find(known.begin(), known.end(), section.key) == known.end()) {
        known.insert(known.end(), list_names.begin(), list_names.end());
        const std::string_view meant = closest(section.key, known);
        problems_.add(place, meant.empty() ? fmt::format("{}: no such section", section.key)
                                           : fmt::format("{}: no such section; did you mean {}?",
                                                         section.key, meant));
        return;
    }
    const auto* table = std::get_if<TomlTable>(&section.value.content);
    if (table == nullptr) {
        problems_.add(place, fmt::format("{}: is a section: [{}]", section.key, section.key));
        return;
    }
    for (const TomlEntry& entry : *table) {
        take_value(
            section.key, entry.key, entry.value,
            {.kind = OriginKind::file, .place = fmt::format("{}:{}", file_, entry.value.line)});
    }
}

void Loader::take_value(std::string_view section, std::string_view key, const TomlValue& value,
                        const Origin& origin) {
    const std::string path = fmt::format("{}.{}", section, key);
    const SettingRow* row = find_setting(section, key);
    if (row == nullptr) {
        std::string meant;
        for (const SettingRow& other : setting_table()) {
            if (other.key() == key) {
                meant = other.path;  // In the wrong section.
            }
        }
        if (meant.empty()) {
            const std::string_view near = closest(key, keys_of_section(section));
            meant = near.empty() ? "" : fmt::format("{}.{}", section, near);
        }
        problems_.add(origin.place,
                      meant.empty()
                          ? fmt::format("{}: no such setting", path)
                          : fmt::format("{}: no such setting; did you mean {}?", path, meant));
        return;
    }
    if (const auto wrong = row->read(value, settings_)) {
        problems_.add(origin.place, fmt::format("{}: {}", path, *wrong));
        bad_.insert(path);
        return;
    }
    settings_.origins[path] = origin;
}

void Loader::take_environment() {
    for (const std::string& variable : request_.environment) {
        const std::string name = variable.substr(0, variable.find('='));
        if (!name.starts_with(environment_prefix) || name.size() == variable.size()) {
            continue;
        }
        const std::size_t parting = name.find("__");
        if (parting == std::string::npos) {
            take_stray_variable(name);
            continue;
        }
        const std::string lower = in_lower_case(name);
        const std::string section =
            lower.substr(environment_prefix.size(), parting - environment_prefix.size());
        if (is_list_name(section)) {
            problems_.add(name, fmt::format("[[{}]] can only stand in a file", section));
            continue;
        }
        TomlValue value;
        value.content = variable.substr(name.size() + 1);
        value.is_untyped = true;
        take_value(section, lower.substr(parting + 2), value,
                   {.kind = OriginKind::environment, .place = name});
    }
}

/// One without the two underscores. Where it only lacks them it is meant for us, and wrong. Others
/// are remarked alone, for they may be somebody else's: Kubernetes makes MUSTER_PORT for a service
/// that is called muster.
void Loader::take_stray_variable(const std::string& name) {
    const std::string_view rest = std::string_view(name).substr(environment_prefix.size());
    if (std::find(other_variables.begin(), other_variables.end(), rest) != other_variables.end()) {
        return;
    }
    std::map<std::string, std::string> ours;  // By the name with one underscore.
    for (const char* other : other_variables) {
        ours[other] = fmt::format("{}{}", environment_prefix, other);
    }
    for (const SettingRow& row : setting_table()) {
        const std::string section = in_upper_case(row.section());
        const std::string key = in_upper_case(row.key());
        ours[fmt::format("{}_{}", section, key)] =
            fmt::format("{}{}__{}", environment_prefix, section, key);
    }
    if (const auto meant = ours.find(std::string(rest)); meant != ours.end()) {
        problems_.add(name, fmt::format("no such setting; did you mean {}?", meant->second));
        return;
    }
    std::vector<std::string_view> known;
    for (const auto& [flat, full] : ours) {
        known.emplace_back(flat);
    }
    const std::string_view near = closest(rest, known);
    settings_.remarks.push_back(
        near.empty() ? fmt::format("{}: no such setting; it changes nothing", name)
                     : fmt::format("{}: no such setting, it changes nothing; did you mean {}?",
                                   name, ours.at(std::string(near))));
}

void Loader::take_assignments() {
    for (const std::string& assignment : request_.assignments) {
        const std::size_t equals = assignment.find('=');
        const std::size_t dot = assignment.find('.');
        if (equals == std::string::npos || dot == std::string::npos || dot > equals) {
            problems_.add("--set",
                          fmt::format("wants section.key=value, not {}", quoted_text(assignment)));
            continue;
        }
        const std::string section = assignment.substr(0, dot);
        if (is_list_name(section)) {
            problems_.add("--set", fmt::format("[[{}]] can only stand in a file", section));
            continue;
        }
        TomlValue value;
        value.content = assignment.substr(equals + 1);
        value.is_untyped = true;
        take_value(section, assignment.substr(dot + 1, equals - dot - 1), value,
                   {.kind = OriginKind::flag, .place = "--set"});
    }
}

void Loader::finish() {
    set_shards();
    take_lists();
    add_dev_template();
    move_paths();
    check_together();
}

void Loader::set_shards() {
    if (settings_.server.shards == 0) {
        settings_.server.shards = std::max<std::uint32_t>(request_.core_count, 1);
    }
}

void Loader::take_lists() {
    for (const TomlEntry& entry : root_) {
        if (is_list_name(entry.key)) {
            take_list(entry.key, entry.value);
        }
    }
}

void Loader::take_list(std::string_view name, const TomlValue& value) {
    const auto* list = std::get_if<TomlList>(&value.content);
    if (list == nullptr) {
        problems_.add(
            fmt::format("{}:{}", file_, value.line),
            fmt::format("{}: is a list; write [[{}]] in place of [{}]", name, name, name));
        return;
    }
    for (std::size_t i = 0; i < list->size(); ++i) {
        const TomlValue& element = (*list)[i];
        const std::string path = fmt::format("{}[{}]", name, i);
        const std::string place = fmt::format("{}:{}", file_, element.line);
        const auto* table = std::get_if<TomlTable>(&element.content);
        if (table == nullptr) {
            problems_.add(place, fmt::format("{}: wants a table: [[{}]]", path, name));
            continue;
        }
        settings_.origins[path] = {.kind = OriginKind::file, .place = place};
        TableReader reader{*table, element.line, file_, path, problems_};
        if (name == "token_key") {
            read_token_key(reader, settings_);
        } else if (name == "admin_key") {
            read_admin_key(reader, settings_);
        } else {
            MUSTER_CHECK(name == "template");
            read_template(reader, settings_);
        }
    }
}

/// A template of the file for the same pattern stands in place of the built-in one.
void Loader::add_dev_template() {
    queue::Template rules = dev_template();
    const bool is_replaced =
        std::any_of(settings_.templates.begin(), settings_.templates.end(),
                    [&rules](const queue::Template& other) { return other.match == rules.match; });
    if (!request_.is_dev || is_replaced) {
        return;
    }
    for (auto& [name, mount] : rules.mounts) {
        mount.payload_bytes_max = settings_.queue.payload_bytes_max;
    }
    settings_.origins[fmt::format("template[{}]", settings_.templates.size())] = {
        .kind = OriginKind::dev, .place = "--dev"};
    settings_.templates.push_back(std::move(rules));
}

/// Paths in a file are relative to the file, so that it means the same wherever we are started.
void Loader::move_paths() {
    if (settings_.origin_of("data.folder").kind == OriginKind::file) {
        settings_.data.folder = in_folder_of_file(settings_.data.folder);
    }
    for (TokenKey& key : settings_.token_keys) {
        key.file = in_folder_of_file(key.file);
    }
    for (AdminKey& key : settings_.admin_keys) {
        key.file = in_folder_of_file(key.file);
    }
}

std::string Loader::in_folder_of_file(const std::string& path) const {
    const std::filesystem::path folder = std::filesystem::path{file_}.parent_path();
    return path.empty() || folder.empty() ? path : (folder / path).string();
}

void Loader::check_together() {
    if (request_.is_dev) {
        check_loopback("listen.client", settings_.listen.client);
        check_loopback("listen.admin", settings_.listen.admin);
    }
    const ListenSettings& listen = settings_.listen;
    check(listen.client.port == 0 || listen.client != listen.admin, "listen.admin", "listen.client",
          "is the same address as listen.client");
    const GatewaySettings& gateway = settings_.gateway;
    check(
        gateway.dead_after > gateway.ping_interval, "gateway.dead_after", "gateway.ping_interval",
        fmt::format("{} must be longer than gateway.ping_interval, {}, or every idle client would "
                    "be closed",
                    duration_text(gateway.dead_after), duration_text(gateway.ping_interval)));
    const std::uint32_t payload_bytes_max = settings_.queue.payload_bytes_max;
    check(payload_bytes_max < gateway.frame_bytes_max, "queue.payload_bytes_max",
          "gateway.frame_bytes_max",
          fmt::format("{} does not fit into gateway.frame_bytes_max, {}",
                      size_text(payload_bytes_max), size_text(gateway.frame_bytes_max)));
    check(payload_bytes_max < gateway.out_bytes_max, "queue.payload_bytes_max",
          "gateway.out_bytes_max",
          fmt::format("{} does not fit into gateway.out_bytes_max, {}",
                      size_text(payload_bytes_max), size_text(gateway.out_bytes_max)));
    check(payload_bytes_max <= settings_.queue.state_bytes_max, "queue.payload_bytes_max",
          "queue.state_bytes_max",
          fmt::format("{} does not fit into queue.state_bytes_max, {}",
                      size_text(payload_bytes_max), size_text(settings_.queue.state_bytes_max)));
}

void Loader::check_loopback(std::string_view path, const ListenAddress& address) {
    check(address.is_loopback(), path, path,
          fmt::format("{}: with --dev anybody may sign in without a token, so only 127.0.0.1 and "
                      "[::1] can be listened on",
                      address.text()));
}

/// Tells what is wrong, unless one of the two values was refused already.
void Loader::check(bool is_good, std::string_view path, std::string_view other,
                   std::string_view what) {
    if (is_good || bad_.contains(path) || bad_.contains(other)) {
        return;
    }
    const Origin mine = settings_.origin_of(path);
    const Origin& shown = mine.kind == OriginKind::standard ? settings_.origin_of(other) : mine;
    problems_.add(shown.place, fmt::format("{}: {}", path, what));
}

}  // namespace

bool ListenAddress::is_loopback() const { return host.starts_with("127.") || host == "::1"; }

std::string ListenAddress::text() const {
    return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                               : fmt::format("[{}]:{}", host, port);
}

Origin Settings::origin_of(std::string_view path) const {
    const auto found = origins.find(path);
    return found == origins.end() ? Origin{} : found->second;
}

Result<Settings> parse_settings(std::string_view toml, const SettingsRequest& request) {
    Loader loader{request};
    loader.take_dev_defaults();
    loader.take_file(toml);
    loader.take_environment();
    loader.take_assignments();
    loader.finish();
    return loader.result();
}

Result<Settings> load_settings(const SettingsRequest& request) {
    Loader loader{request};
    loader.take_dev_defaults();
    if (request.file) {
        std::ifstream file{*request.file, std::ios::binary};
        std::string text(settings_file_bytes_max + 1, '\0');
        file.read(text.data(), static_cast<std::streamsize>(text.size()));
        text.resize(static_cast<std::size_t>(file.gcount()));
        if (file.bad() || !file.eof()) {
            loader.problem(*request.file, "cannot be read, or is longer than 256 KiB");
        } else {
            loader.take_file(text);
        }
    }
    loader.take_environment();
    loader.take_assignments();
    loader.finish();
    loader.read_keys();
    return loader.result();
}

}  // namespace muster::app
