#include "core/queue/template.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace muster::queue {
namespace {

/// Cuts the first segment off `path`, which begins with its slash, and returns it without the
/// slash.
std::string_view take_segment(std::string_view& path) noexcept {
    path.remove_prefix(1);
    const std::string_view segment = path.substr(0, path.find('/'));
    path.remove_prefix(segment.size());
    return segment;
}

/// How closely a pattern describes the names it matches; the bigger one wins.
struct Length {
    std::size_t segment_count = 0;  ///< without a closing `**`
    std::size_t literal_count = 0;  ///< those that are no `*`
    friend auto operator<=>(const Length&, const Length&) = default;
};

Length length_of(std::string_view pattern) noexcept {
    Length length;
    while (pattern.starts_with('/')) {
        const std::string_view segment = take_segment(pattern);
        if (segment != "**") {
            ++length.segment_count;
            length.literal_count += segment == "*" ? 0U : 1U;
        }
    }
    return length;
}

}  // namespace

bool matches(std::string_view pattern, std::string_view queue_name) noexcept {
    while (pattern.starts_with('/') && queue_name.starts_with('/')) {
        const std::string_view wanted = take_segment(pattern);
        if (wanted == "**") {
            return pattern.empty() && queue_name.size() > 1;
        }
        const std::string_view found = take_segment(queue_name);
        if (found.empty() || (wanted != "*" && wanted != found)) {
            return false;
        }
        if (pattern.empty() && queue_name.empty()) {
            return true;
        }
    }
    return false;
}

TemplateTable::TemplateTable(std::vector<Template> templates)
    : closed_(std::make_shared<const Template>()) {
    longest_first_.reserve(templates.size());
    for (Template& rules : templates) {
        const auto place =
            std::upper_bound(longest_first_.begin(), longest_first_.end(), length_of(rules.match),
                             [](const Length& length, const auto& other) {
                                 return length > length_of(other->match);
                             });
        longest_first_.insert(place, std::make_shared<const Template>(std::move(rules)));
    }
}

std::shared_ptr<const Template> TemplateTable::find(std::string_view queue_name) const {
    for (const auto& rules : longest_first_) {
        if (matches(rules->match, queue_name)) {
            return rules;
        }
    }
    return closed_;
}

std::shared_ptr<const Template> TemplateTable::by_pattern(std::string_view pattern) const {
    for (const auto& rules : longest_first_) {
        if (rules->match == pattern) {
            return rules;
        }
    }
    return nullptr;
}

}  // namespace muster::queue
