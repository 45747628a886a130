#include "app/setting_lists.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "core/wire/names.h"
#include "shell/coord/data_folder.h"

namespace muster::app {
namespace {

using namespace std::chrono_literals;
using queue::MountKind;
using queue::MountRules;
using queue::Template;

constexpr std::size_t key_id_bytes_max = 128;
constexpr std::uint32_t history_count_max = 10'000;
constexpr std::uint32_t keys_max = 1'024;
constexpr Duration time_max = std::chrono::hours{24 * 365};

/// A name that stands in tokens and log lines.
Parsed<std::string> as_key_name(const TomlValue& value) {
    auto text = as_text(value);
    const auto is_plain = [](char c) { return c > ' ' && c < 0x7f && c != '"' && c != '\\'; };
    if (text &&
        (text->size() > key_id_bytes_max || !std::all_of(text->begin(), text->end(), is_plain))) {
        return tl::unexpected{
            fmt::format("wants at most {} printable characters without spaces, "
                        "not {}",
                        key_id_bytes_max, quoted_text(*text))};
    }
    return text;
}

Parsed<Duration> as_time(const TomlValue& value) { return as_duration(value, 0s, time_max); }

/// Returns why this is no pattern; empty: it is one.
std::string pattern_problem(std::string_view pattern) {
    std::string name;
    for (std::string_view rest = pattern; !rest.empty();) {
        const std::size_t end = std::min(rest.find('/', 1), rest.size());
        const std::string_view segment = rest.substr(1, end - 1);
        rest.remove_prefix(end);
        if (segment == "**" && !rest.empty()) {
            return "** stands for the rest, so nothing may follow it";
        }
        const bool is_star = segment == "*" || segment == "**";
        if (!is_star && segment.find('*') != std::string_view::npos) {
            return "* stands for a whole segment, as in /room/*";
        }
        name += is_star ? "/x" : fmt::format("/{}", segment);
    }
    if (!pattern.starts_with('/')) {
        return "begins with a slash, as in /room/*";
    }
    const auto good = wire::check_queue_name(name);
    return good ? std::string{} : good.error().detail;
}

template <typename T, std::size_t count>
auto as_one_of(const std::array<Word<T>, count>& words) {
    return [&words](const TomlValue& value) -> Parsed<T> {
        const auto* text = std::get_if<std::string>(&value.content);
        if (text != nullptr && *text == "callout") {
            return tl::unexpected{std::string{
                "\"callout\" (asking the game server) comes with a later version of Muster"}};
        }
        return as_word(value, words);
    };
}

void read_message_rules(TableReader& reader, MountRules& rules) {
    reader.read("history", rules.history_count_max,
                [](const TomlValue& value) { return as_count(value, 0, history_count_max); });
    reader.read("history_ttl", rules.history_ttl, as_time);
    reader.read("rate", rules.rate, as_rate);
    reader.read("slow", rules.slow, as_one_of(slow_policies));
    reader.read("rolls_dice", rules.rolls_dice, as_bool);
    for (const std::string_view key : {"keys_max"}) {
        if (reader.find(key) != nullptr) {
            reader.problem(key, "is for mounts of the type \"state\"");
        }
    }
    if (rules.write == queue::WhoWrites::owner) {
        reader.problem("write",
                       "\"owner\" is for mounts of the type \"state\", whose keys may be "
                       "user ids");
    }
}

void read_state_rules(TableReader& reader, MountRules& rules) {
    reader.read("keys_max", rules.keys_max,
                [](const TomlValue& value) { return as_count(value, 1, keys_max); });
    for (const std::string_view key : {"history", "history_ttl", "rate", "slow", "rolls_dice"}) {
        if (reader.find(key) != nullptr) {
            reader.problem(key, "is for mounts of the type \"message\"");
        }
    }
}

MountRules read_mount(TableReader& reader, std::uint32_t payload_bytes_max) {
    MountRules rules;
    rules.payload_bytes_max = payload_bytes_max;
    reader.require("type", "\"message\" or \"state\"");
    const bool has_kind = reader.read("type", rules.kind, as_one_of(mount_kinds));
    reader.read("write", rules.write, as_one_of(who_writes_words));
    reader.read("max_bytes", rules.payload_bytes_max,
                [&](const TomlValue& value) { return as_size(value, 1, payload_bytes_max); });
    if (reader.find("durable") != nullptr) {
        reader.problem("durable", "durable mounts come with a later version of Muster");
    }
    if (has_kind) {
        switch (rules.kind) {
            case MountKind::message: read_message_rules(reader, rules); break;
            case MountKind::state: read_state_rules(reader, rules); break;
        }
        reader.finish();
    }
    return rules;
}

void read_mounts(TableReader& reader, const Settings& settings, Template& rules) {
    const TomlValue* mounts = reader.find("mounts");
    if (mounts == nullptr) {
        return;
    }
    const auto* table = std::get_if<TomlTable>(&mounts->content);
    if (table == nullptr) {
        reader.problem("mounts", "wants a table: [template.mounts]");
        return;
    }
    if (table->size() > settings.queue.mounts_max) {
        reader.problem("mounts", fmt::format("a queue has at most {} mounts (queue.mounts_max)",
                                             settings.queue.mounts_max));
    }
    for (const TomlEntry& entry : *table) {
        const std::string name = fmt::format("{}.mounts.{}", reader.name(), entry.key);
        const auto* fields = std::get_if<TomlTable>(&entry.value.content);
        if (const auto good = wire::check_mount_name(entry.key); !good) {
            reader.problems().add(reader.place_of(entry.value.line),
                                  fmt::format("{}.mounts: {}", reader.name(), good.error().detail));
        } else if (fields == nullptr) {
            reader.problems().add(
                reader.place_of(entry.value.line),
                fmt::format("{}: wants a table: {} = {{ type = \"message\" }}", name, entry.key));
        } else {
            TableReader mount{*fields, entry.value.line, reader.file(), name, reader.problems()};
            rules.mounts[MountName{entry.key}] =
                read_mount(mount, settings.queue.payload_bytes_max);
        }
    }
}

MountRules message_mount(bool rolls_dice) {
    MountRules rules;
    rules.kind = MountKind::message;
    rules.history_count_max = 100;
    rules.history_ttl = 0s;  // A newcomer to a quiet room sees what was said.
    rules.rolls_dice = rolls_dice;
    return rules;
}

MountRules state_mount() {
    MountRules rules;
    rules.kind = MountKind::state;
    return rules;
}

}  // namespace

void read_token_key(TableReader& reader, Settings& settings) {
    TokenKey key;
    reader.require("kid", "the key's name, which tokens carry in their header");
    if (reader.read("kid", key.kid, as_key_name)) {
        if (key.kid == coord::DataFolder::own_token_key_id) {
            reader.problem("kid", fmt::format("{} is the key in the data folder; choose another",
                                              quoted_text(key.kid)));
        }
        for (const TokenKey& other : settings.token_keys) {
            if (other.kid == key.kid) {
                reader.problem("kid", fmt::format("there is another {}", quoted_text(key.kid)));
            }
        }
    }
    reader.require("alg", "\"HS256\" or \"ES256\"");
    const bool has_algorithm = reader.read("alg", key.algorithm, as_one_of(token_algorithms));
    reader.read("audience", key.audience, as_text);
    reader.read("issuer", key.issuer, as_text);
    for (const std::string_view name : {"secret", "key", "public_key"}) {
        if (reader.find(name) != nullptr) {
            reader.problem(name,
                           "secrets do not belong in this file; put it into a file of its own "
                           "and name that with secret_file or public_key_file");
        }
    }
    if (has_algorithm) {
        const bool is_secret = key.algorithm == TokenAlgorithm::hs256;
        const char* wanted = is_secret ? "secret_file" : "public_key_file";
        const char* other = is_secret ? "public_key_file" : "secret_file";
        reader.require(wanted, is_secret ? "a file with 32 or more secret bytes"
                                         : "a file with a PEM public key of the curve P-256");
        reader.read(wanted, key.file, as_text);
        if (reader.find(other) != nullptr) {
            reader.problem(other, fmt::format("{} wants {}",
                                              word_of(key.algorithm, token_algorithms), wanted));
        }
        reader.finish();
    }
    settings.token_keys.push_back(std::move(key));
}

void read_admin_key(TableReader& reader, Settings& settings) {
    AdminKey key;
    reader.require("name", "what logs and the console call its holder");
    if (reader.read("name", key.name, as_key_name)) {
        for (const AdminKey& other : settings.admin_keys) {
            if (other.name == key.name) {
                reader.problem("name", fmt::format("there is another {}", quoted_text(key.name)));
            }
        }
    }
    reader.require("role", "\"read\", \"game-server\" or \"operator\"");
    reader.read("role", key.role, as_one_of(admin_roles));
    reader.require("key_file", "a file with 32 or more secret characters");
    reader.read("key_file", key.file, as_text);
    if (reader.find("key") != nullptr) {
        reader.problem("key", "secrets do not belong in this file; name a file with key_file");
    }
    reader.finish();
    settings.admin_keys.push_back(std::move(key));
}

void read_template(TableReader& reader, Settings& settings) {
    Template rules;
    reader.require("match", "a pattern such as \"/room/*\"");
    if (reader.read("match", rules.match, as_text)) {
        if (const std::string wrong = pattern_problem(rules.match); !wrong.empty()) {
            reader.problem("match", fmt::format("{}: {}", quoted_text(rules.match), wrong));
        }
        for (const Template& other : settings.templates) {
            if (other.match == rules.match) {
                reader.problem("match", fmt::format("there is another template for {}",
                                                    quoted_text(rules.match)));
            }
        }
    }
    reader.read("create", rules.create, as_one_of(who_may_words));
    reader.read("join", rules.join, as_one_of(who_may_words));
    reader.read("listen", rules.listen, as_one_of(who_listens_words));
    reader.read("idle_ttl", rules.idle_ttl, as_time);
    read_mounts(reader, settings, rules);
    reader.finish();
    settings.templates.push_back(std::move(rules));
}

Template dev_template() {
    Template rules;
    rules.match = "/room/*";
    rules.create = queue::WhoMay::anyone;
    rules.join = queue::WhoMay::anyone;
    rules.listen = queue::WhoListens::anyone;
    rules.mounts[MountName{"chat"}] = message_mount(false);
    rules.mounts[MountName{"dice"}] = message_mount(true);
    rules.mounts[MountName{"scores"}] = state_mount();
    rules.mounts[MountName{"positions"}] = state_mount();
    return rules;
}

}  // namespace muster::app
