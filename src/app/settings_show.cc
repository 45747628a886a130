#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "app/setting_lists.h"
#include "app/setting_table.h"
#include "app/setting_value.h"
#include "app/settings.h"
#include "base/check.h"
#include "base/units.h"

namespace muster::app {
namespace {

/// Keys and their values, which are TOML and JSON at once.
using Fields = std::vector<std::pair<std::string, std::string>>;

/// One element of a list.
struct Element {
    std::string_view list;
    std::string path;  ///< "template[0]"
    Fields fields;
    std::vector<std::pair<std::string, Fields>> mounts;
};

Fields fields_of(const TokenKey& key) {
    const bool is_secret = key.algorithm == TokenAlgorithm::hs256;
    Fields fields{{"kid", quoted_text(key.kid)},
                  {"alg", quoted_text(word_of(key.algorithm, token_algorithms))},
                  {is_secret ? "secret_file" : "public_key_file", quoted_text(key.file)}};
    if (!key.audience.empty()) {
        fields.emplace_back("audience", quoted_text(key.audience));
    }
    if (!key.issuer.empty()) {
        fields.emplace_back("issuer", quoted_text(key.issuer));
    }
    return fields;
}

Fields fields_of(const AdminKey& key) {
    return {{"name", quoted_text(key.name)},
            {"role", quoted_text(word_of(key.role, admin_roles))},
            {"key_file", quoted_text(key.file)}};
}

Fields fields_of(const queue::Template& rules) {
    return {{"match", quoted_text(rules.match)},
            {"create", quoted_text(word_of(rules.create, who_may_words))},
            {"join", quoted_text(word_of(rules.join, who_may_words))},
            {"listen", quoted_text(word_of(rules.listen, who_listens_words))},
            {"idle_ttl", quoted_text(duration_text(rules.idle_ttl))}};
}

Fields fields_of(const queue::MountRules& rules) {
    Fields fields{{"type", quoted_text(word_of(rules.kind, mount_kinds))},
                  {"write", quoted_text(word_of(rules.write, who_writes_words))},
                  {"max_bytes", quoted_text(size_text(rules.payload_bytes_max))}};
    switch (rules.kind) {
        case queue::MountKind::message:
            fields.emplace_back("history", fmt::format("{}", rules.history_count_max));
            fields.emplace_back("history_ttl", quoted_text(duration_text(rules.history_ttl)));
            if (rules.rate.per_second > 0) {
                fields.emplace_back("rate", quoted_text(rate_text(rules.rate)));
            }
            fields.emplace_back("slow", quoted_text(word_of(rules.slow, slow_policies)));
            if (rules.rolls_dice) {
                fields.emplace_back("rolls_dice", "true");
            }
            break;
        case queue::MountKind::state:
            fields.emplace_back("keys_max", fmt::format("{}", rules.keys_max));
            break;
    }
    return fields;
}

template <typename Item>
void append_elements(std::vector<Element>& elements, std::string_view list,
                     const std::vector<Item>& items) {
    for (std::size_t i = 0; i < items.size(); ++i) {
        elements.push_back({list, fmt::format("{}[{}]", list, i), fields_of(items[i]), {}});
    }
}

std::vector<Element> elements_of(const Settings& settings) {
    std::vector<Element> elements;
    append_elements(elements, "token_key", settings.token_keys);
    append_elements(elements, "admin_key", settings.admin_keys);
    append_elements(elements, "template", settings.templates);
    const std::size_t first = elements.size() - settings.templates.size();
    for (std::size_t i = 0; i < settings.templates.size(); ++i) {
        for (const auto& [name, rules] : settings.templates[i].mounts) {
            elements[first + i].mounts.emplace_back(name.text(), fields_of(rules));
        }
    }
    return elements;
}

/// Takes out of `fields`, but for the first, which must be there, what stands in `standard` as
/// well.
void take_out(Fields& fields, const Fields& standard) {
    const auto is_standard = [&](const auto& field) {
        return std::ranges::find(standard, field) != standard.end();
    };
    fields.erase(std::remove_if(fields.begin() + 1, fields.end(), is_standard), fields.end());
}

/// Takes out of templates what they would mean without it. (All that keys have must be there.)
void take_out_standard(std::vector<Element>& elements, const Settings& settings) {
    const std::size_t first = elements.size() - settings.templates.size();
    for (std::size_t i = 0; i < settings.templates.size(); ++i) {
        take_out(elements[first + i].fields, fields_of(queue::Template{}));
        auto mount = elements[first + i].mounts.begin();
        for (const auto& [name, rules] : settings.templates[i].mounts) {
            queue::MountRules standard;
            standard.kind = rules.kind;
            standard.payload_bytes_max = settings.queue.payload_bytes_max;
            take_out((mount++)->second, fields_of(standard));
        }
    }
}

/// Returns `{ a = 1, b = 2 }`, or `{"a":1,"b":2}`.
std::string object(const Fields& fields, bool as_json) {
    std::string text;
    for (const auto& [key, value] : fields) {
        text += text.empty() ? "" : as_json ? "," : ", ";
        text += as_json ? fmt::format("{}:{}", quoted_text(key), value)
                        : fmt::format("{} = {}", key, value);
    }
    return as_json ? "{" + text + "}" : "{ " + text + " }";
}

/// A mount's name may have a dot, which would part a bare key.
std::string toml_key(std::string_view name) {
    return name.find('.') == std::string_view::npos ? std::string{name} : quoted_text(name);
}

std::string remark(const Settings& settings, std::string_view path, bool with_origin) {
    return with_origin ? fmt::format("  # {}", settings.origin_of(path).place) : std::string{};
}

/// What an empty file means, with or without --dev.
Settings standard_settings(bool is_dev) {
    SettingsRequest request;
    request.is_dev = is_dev;
    auto settings = parse_settings("", request);
    MUSTER_CHECK(settings.has_value());
    return *std::move(settings);
}

std::string show_toml(const Settings& settings, const ShowOptions& options) {
    const bool with_origin = options.with_origin;
    const auto standard =
        options.is_brief ? std::optional(standard_settings(settings.is_dev)) : std::nullopt;
    std::vector<Element> elements = elements_of(settings);
    if (standard) {
        take_out_standard(elements, settings);
    }
    std::string out;
    std::string_view section;
    for (const SettingRow& row : setting_table()) {
        if (standard && row.print(settings) == row.print(*standard)) {
            continue;
        }
        if (row.section() != section) {
            section = row.section();
            out += fmt::format("{}[{}]\n", out.empty() ? "" : "\n", section);
        }
        out += fmt::format("{} = {}{}\n", row.key(), row.print(settings),
                           remark(settings, row.path, with_origin));
    }
    for (const Element& element : elements) {
        out +=
            fmt::format("\n[[{}]]{}\n", element.list, remark(settings, element.path, with_origin));
        for (const auto& [key, value] : element.fields) {
            out += fmt::format("{} = {}\n", key, value);
        }
        out += element.mounts.empty() ? "" : "[template.mounts]\n";
        for (const auto& [name, fields] : element.mounts) {
            out += fmt::format("{} = {}\n", toml_key(name), object(fields, false));
        }
    }
    return out;
}

std::string json_leaf(const Settings& settings, std::string_view path, const std::string& value,
                      bool with_origin) {
    return with_origin ? fmt::format(R"({{"value":{},"origin":{}}})", value,
                                     quoted_text(settings.origin_of(path).place))
                       : value;
}

std::string show_json(const Settings& settings, bool with_origin) {
    std::string out = fmt::format("{{\"dev\":{}", settings.is_dev);
    std::string_view section;
    for (const SettingRow& row : setting_table()) {
        const bool is_first = row.section() != section;
        if (is_first) {
            out += section.empty() ? "" : "}";
            section = row.section();
            out += fmt::format(",{}:{{", quoted_text(section));
        }
        out += fmt::format("{}{}:{}", is_first ? "" : ",", quoted_text(row.key()),
                           json_leaf(settings, row.path, row.print(settings), with_origin));
    }
    out += '}';
    const std::vector<Element> elements = elements_of(settings);
    for (const std::string_view list : list_names) {
        out += fmt::format(",{}:[", quoted_text(list));
        for (const Element& element : elements) {
            if (element.list != list) {
                continue;
            }
            Fields fields = element.fields;
            if (list == "template") {
                Fields mounts;
                for (const auto& [name, rules] : element.mounts) {
                    mounts.emplace_back(name, object(rules, true));
                }
                fields.emplace_back("mounts", object(mounts, true));
            }
            out += out.ends_with('[') ? "" : ",";
            out += json_leaf(settings, element.path, object(fields, true), with_origin);
        }
        out += ']';
    }
    return out + "}";
}

constexpr std::string_view init_head =
    R"(# Muster's settings. Each line that begins with # and a key shows a default: remove the # to
# change it. `muster config check` finds mistakes, `muster config show --origin` tells where each
# value in force comes from. A flag (--set log.level=debug) beats the environment
# (MUSTER_LOG__LEVEL=debug), which beats this file. Relative paths are relative to this file.
)";

constexpr std::string_view init_lists = R"(
# Whose tokens (JWT) let users in. The algorithm is fixed here; what a token says of it is ignored.
# Besides these, tokens by `muster token` are accepted, whose key is in the data folder.
#[[token_key]]
#kid = "backend-1"
#alg = "HS256"
#secret_file = "backend-1.secret"
#audience = "my-game"
#issuer = "my-backend"
#[[token_key]]
#kid = "backend-2"
#alg = "ES256"
#public_key_file = "backend-2.pem"

# Who may use the admin API; roles: read, game-server, operator. Besides these there is the operator
# key in the data folder.
#[[admin_key]]
#name = "game-server"
#role = "game-server"
#key_file = "game-server.key"

# Rules for all queues whose name matches. * = one segment, ** = the rest; the longest match wins.
# A queue without a match can be created and joined by the backend alone.
#[[template]]
#match = "/room/*"
#create = "server"   # server | anyone
#join = "anyone"   # server | anyone
#listen = "members"   # server | members | anyone
#idle_ttl = "10m"   # an empty queue goes away after this; "0s": never
#[template.mounts]
#chat = { type = "message", write = "members", history = 100, history_ttl = "2m", rate = "5/s burst 20", max_bytes = "4KiB", slow = "close" }
#dice = { type = "message", rolls_dice = true, slow = "drop" }
#scores = { type = "state", write = "server", keys_max = 1024 }
#position = { type = "state", write = "owner" }   # a member may set only the key that is its user id
)";

}  // namespace

std::string config_init_text() {
    const Settings defaults;
    std::string out{init_head};
    std::string_view section;
    for (const SettingRow& row : setting_table()) {
        if (row.section() != section) {
            section = row.section();
            out += fmt::format("\n[{}]\n", section);
        }
        out += fmt::format("# {}\n#{} = {}\n", row.help, row.key(), row.print(defaults));
    }
    out += init_lists;
    return out;
}

std::string show(const Settings& settings, ShowOptions options) {
    return options.as_json ? show_json(settings, options.with_origin)
                           : show_toml(settings, options);
}

std::string changed_values(const Settings& settings) {
    std::string out;
    for (const SettingRow& row : setting_table()) {
        if (settings.origin_of(row.path).kind != OriginKind::standard) {
            out += fmt::format("{}{}={}", out.empty() ? "" : " ", row.path, row.print(settings));
        }
    }
    for (const queue::Template& rules : settings.templates) {
        out += fmt::format("{}template={}", out.empty() ? "" : " ", quoted_text(rules.match));
    }
    return out;
}

}  // namespace muster::app
