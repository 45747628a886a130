#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "shell/observe/histogram.h"

namespace muster::observe {

/// What Prometheus is told that a number is. A counter only grows; its name ends in `_total`.
enum class MetricKind : std::uint8_t { counter, gauge, histogram };

/// One named property of a sample. Refers to texts that live as long as the call.
struct MetricLabel {
    std::string_view name;
    std::string_view value;
};
using MetricLabels = std::initializer_list<MetricLabel>;

/// How a Histogram is shown: as counts up to these bounds.
struct HistogramView {
    std::span<const std::uint64_t> bounds;  ///< ascending, in the histogram's own unit
    double units_per_base_unit = 1;         ///< Prometheus wants seconds and bytes
};

/// A histogram of microseconds as seconds, from 100 us to 30 s; 100 ms, our goal, is a bound.
[[nodiscard]] HistogramView microseconds_as_seconds() noexcept;

/// Writes numbers in the text format of Prometheus, version 0.0.4.
///
/// Invariants: the samples of a family stand together below its help and type; each name comes
/// once.
class MetricsText {
public:
    /// The Content-Type of what take() returns.
    static constexpr std::string_view content_type = "text/plain; version=0.0.4; charset=utf-8";

    /// Begins a family; what is added from now on belongs to it. `name` is of a-z, 0-9 and _.
    void begin(std::string_view name, MetricKind kind, std::string_view help);

    /// Adds a sample to the family, which is a counter or a gauge.
    void add(std::integral auto number, MetricLabels labels = {}) {
        add_number(std::to_string(number), labels);
    }
    void add(double number, MetricLabels labels = {});

    /// Adds a histogram to the family, which is of that kind.
    void add(const Histogram& histogram, const HistogramView& view, MetricLabels labels = {});

    /// Returns the whole text; this one is then empty.
    [[nodiscard]] std::string take();

private:
    void add_number(std::string_view number, MetricLabels labels);
    void sample(std::string_view suffix, MetricLabels labels, const MetricLabel* last,
                std::string_view number);

    std::string text_;
    std::string family_;
    MetricKind kind_ = MetricKind::gauge;
    std::set<std::string, std::less<>> families_;
};

}  // namespace muster::observe
