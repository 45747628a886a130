#include "shell/observe/metrics.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"

namespace muster::observe {
namespace {

constexpr std::array<std::uint64_t, 17> latency_bounds_us{
    100,    250,     500,     1'000,   2'500,     5'000,     10'000,     25'000,    50'000,
    75'000, 100'000, 150'000, 250'000, 1'000'000, 5'000'000, 10'000'000, 30'000'000};

bool is_name(std::string_view name) {
    return !name.empty() && !(name[0] >= '0' && name[0] <= '9') &&
           std::all_of(name.begin(), name.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
           });
}

std::string_view to_text(MetricKind kind) {
    switch (kind) {
        case MetricKind::counter: return "counter";
        case MetricKind::gauge: return "gauge";
        case MetricKind::histogram: return "histogram";
    }
    return "untyped";
}

std::string number_text(double number) {
    if (std::isnan(number)) {
        return "NaN";
    }
    if (std::isinf(number)) {
        return number > 0 ? "+Inf" : "-Inf";
    }
    return fmt::format("{}", number);  // The shortest text that means the same number.
}

void append_escaped(std::string& out, std::string_view text, bool in_quotes) {
    for (const char c : text) {
        if (c == '\\') {
            out += "\\\\";
        } else if (c == '\n') {
            out += "\\n";
        } else if (c == '"' && in_quotes) {
            out += "\\\"";
        } else {
            out += c;
        }
    }
}

void append_label(std::string& out, const MetricLabel& label) {
    MUSTER_CHECK(is_name(label.name));
    out += out.back() == '{' ? "" : ",";
    out += label.name;
    out += "=\"";
    append_escaped(out, label.value, true);
    out += '"';
}

}  // namespace

HistogramView microseconds_as_seconds() noexcept {
    return {.bounds = latency_bounds_us, .units_per_base_unit = 1e6};
}

void MetricsText::begin(std::string_view name, MetricKind kind, std::string_view help) {
    MUSTER_CHECK(is_name(name));
    MUSTER_CHECK((kind == MetricKind::counter) == name.ends_with("_total"));
    const bool is_new = families_.emplace(name).second;
    MUSTER_CHECK(is_new);
    family_ = name;
    kind_ = kind;
    text_ += fmt::format("# HELP {} ", name);
    append_escaped(text_, help, false);
    text_ += fmt::format("\n# TYPE {} {}\n", name, to_text(kind));
}

void MetricsText::add(double number, MetricLabels labels) {
    add_number(number_text(number), labels);
}

void MetricsText::add(const Histogram& histogram, const HistogramView& view, MetricLabels labels) {
    MUSTER_CHECK(kind_ == MetricKind::histogram);
    for (const std::uint64_t bound : view.bounds) {
        const std::string le = number_text(static_cast<double>(bound) / view.units_per_base_unit);
        const MetricLabel last{"le", le};
        sample("_bucket", labels, &last, fmt::format_int{histogram.count_at_most(bound)}.c_str());
    }
    const std::string count = fmt::format_int{histogram.count()}.str();
    const MetricLabel last{"le", "+Inf"};
    sample("_bucket", labels, &last, count);
    sample("_sum", labels, nullptr,
           number_text(static_cast<double>(histogram.sum()) / view.units_per_base_unit));
    sample("_count", labels, nullptr, count);
}

std::string MetricsText::take() {
    families_.clear();
    family_.clear();
    return std::exchange(text_, {});
}

void MetricsText::add_number(std::string_view number, MetricLabels labels) {
    MUSTER_CHECK(kind_ != MetricKind::histogram);
    sample("", labels, nullptr, number);
}

void MetricsText::sample(std::string_view suffix, MetricLabels labels, const MetricLabel* last,
                         std::string_view number) {
    MUSTER_CHECK(!family_.empty());
    text_ += family_;
    text_ += suffix;
    if (labels.size() > 0 || last != nullptr) {
        text_ += '{';
        for (const MetricLabel& label : labels) {
            append_label(text_, label);
        }
        if (last != nullptr) {
            append_label(text_, *last);
        }
        text_ += '}';
    }
    text_ += ' ';
    text_ += number;
    text_ += '\n';
}

}  // namespace muster::observe
