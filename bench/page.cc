// The HTML page: plots in SVG, drawn here, so that the page needs no script and no other file.
#include <algorithm>
#include <cmath>
#include <iterator>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "bench/report.h"

namespace muster::bench {
namespace {

struct Point {
    double x = 0;
    double y = 0;
};

struct Line {
    std::string name;
    std::vector<Point> points;
};

struct Plot {
    std::string title;
    std::string x_label;
    std::string y_label;
    bool has_log_y = false;
    std::vector<Line> lines;
};

// Of the drawing, in its own units.
constexpr double width = 640;
constexpr double height = 280;
constexpr double left = 70;
constexpr double bottom = 40;
constexpr double top = 12;
constexpr double right = 12;

constexpr std::string_view head = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<style>
:root { --fg: #1b1f24; --bg: #fff; --grid: #d8dde3; --l0: #0b62c4; --l1: #b3480b; --l2: #187a3c; }
@media (prefers-color-scheme: dark) {
  :root { --fg: #e6e8eb; --bg: #14171b; --grid: #343b44; --l0: #6cb2ff; --l1: #ffa365; --l2: #6fd590; }
}
body { font: 15px/1.5 system-ui, sans-serif; color: var(--fg); background: var(--bg);
  max-width: 720px; margin: 2rem auto; padding: 0 1rem; }
pre { overflow-x: auto; border: 1px solid var(--grid); padding: .7rem; }
svg { width: 100%; height: auto; } svg text { fill: var(--fg); font-size: 12px; }
.grid { stroke: var(--grid); } .line { fill: none; stroke-width: 2; }
.l0 { stroke: var(--l0); } .l1 { stroke: var(--l1); } .l2 { stroke: var(--l2); }
text.l0 { fill: var(--l0); stroke: none; } text.l1 { fill: var(--l1); stroke: none; }
text.l2 { fill: var(--l2); stroke: none; }
</style>
)";

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
            case '<': out += "&lt;"; break;
            case '>': out += "&gt;"; break;
            case '&': out += "&amp;"; break;
            case '"': out += "&quot;"; break;
            default: out += c;
        }
    }
    return out;
}

std::string label(double value) {
    if (value >= 1e6) {
        return fmt::format("{:.3g}M", value / 1e6);
    }
    return value >= 1e4 ? fmt::format("{:.3g}k", value / 1e3) : fmt::format("{:.3g}", value);
}

/// One axis: from values to places in the drawing.
struct Axis {
    double least = 0;
    double most = 1;
    double from = 0;
    double to = 1;
    bool is_log = false;

    [[nodiscard]] double operator()(double value) const {
        const auto scaled = [this](double v) { return is_log ? std::log10(std::max(v, 1.0)) : v; };
        const double span = scaled(most) - scaled(least);
        return from + (to - from) * (span > 0 ? (scaled(value) - scaled(least)) / span : 0);
    }

    [[nodiscard]] std::vector<double> ticks() const {
        std::vector<double> values;
        if (is_log) {
            for (double v = 1; v <= most * 1.001; v *= 10) {
                if (v >= least) {
                    values.push_back(v);
                }
            }
            return values;
        }
        const double raw = (most - least) / 5;
        const double magnitude = std::pow(10, std::floor(std::log10(std::max(raw, 1e-9))));
        const double step = magnitude * (raw / magnitude > 5 ? 10 : (raw / magnitude > 2 ? 5 : 2));
        for (double v = least; v <= most * 1.001; v += step) {
            values.push_back(v);
        }
        return values;
    }
};

std::string draw(const Plot& plot) {
    double x_most = 0;
    double y_most = 1;
    for (const Line& line : plot.lines) {
        for (const Point& point : line.points) {
            x_most = std::max(x_most, point.x);
            y_most = std::max(y_most, point.y);
        }
    }
    if (plot.has_log_y) {
        y_most = std::pow(10, std::ceil(std::log10(y_most)));
    }
    const Axis x{0, x_most > 0 ? x_most : 1, left, width - right, false};
    const Axis y{plot.has_log_y ? 1.0 : 0.0, y_most, height - bottom, top, plot.has_log_y};
    std::string svg =
        fmt::format(R"(<h2>{}</h2><svg viewBox="0 0 {} {}" role="img" aria-label="{}">)",
                    escaped(plot.title), width, height, escaped(plot.title));
    const auto out = std::back_inserter(svg);
    for (const double tick : y.ticks()) {
        fmt::format_to(out, R"(<path class="grid" d="M{:.1f} {:.1f}H{:.1f}"/>)", left, y(tick),
                       width - right);
        fmt::format_to(out, R"(<text x="{:.1f}" y="{:.1f}" text-anchor="end">{}</text>)", left - 6,
                       y(tick) + 4, label(tick));
    }
    for (const double tick : x.ticks()) {
        fmt::format_to(out, R"(<text x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text>)",
                       x(tick), height - bottom + 16, label(tick));
    }
    fmt::format_to(out, R"(<text x="{:.1f}" y="{:.1f}" text-anchor="end">{}</text>)", width - right,
                   height - 6, escaped(plot.x_label));
    fmt::format_to(out, R"(<text x="{:.1f}" y="{:.1f}">{}</text>)", left, height - 6,
                   escaped("up: " + plot.y_label));
    for (std::size_t i = 0; i < plot.lines.size(); ++i) {
        const Line& line = plot.lines[i];
        fmt::format_to(out, R"(<polyline class="line l{}" points=")", i % 3);
        for (const Point& point : line.points) {
            fmt::format_to(out, "{:.1f},{:.1f} ", x(point.x), y(point.y));
        }
        fmt::format_to(out, R"("/><text class="l{}" x="{:.1f}" y="{:.1f}">{}</text>)", i % 3,
                       left + 10 + static_cast<double>(i) * 90, top + 12, escaped(line.name));
    }
    return svg + "</svg>\n";
}

Plot distribution(std::string title, const observe::Histogram& latency) {
    Plot plot{std::move(title), "percent of all", "microseconds", true, {{"at most", {}}}};
    for (int tenth = 0; tenth <= 999; tenth += tenth < 900 ? 20 : (tenth < 990 ? 5 : 1)) {
        const double percent = tenth / 10.0;
        plot.lines[0].points.push_back({percent, static_cast<double>(latency.percentile(percent))});
    }
    plot.lines[0].points.push_back({100, static_cast<double>(latency.max())});
    return plot;
}

std::vector<Plot> plots_of(const Report& report) {
    std::vector<Plot> plots;
    if (report.latency_us.count() > 0) {
        plots.push_back(distribution("Latency of a delivery", report.latency_us));
    }
    if (report.whole_us.count() > 0) {
        plots.push_back(distribution(report.options.work == Work::fanout
                                         ? "Until the last receiver had a message"
                                         : "Time for each",
                                     report.whole_us));
    }
    if (!report.slices.empty()) {
        Plot rate{
            "Deliveries over time", "seconds", "deliveries a second", false, {{"deliveries", {}}}};
        Plot latency{
            "Latency over time", "seconds", "microseconds", true, {{"p50", {}}, {"p99", {}}}};
        for (std::size_t i = 0; i < report.slices.size(); ++i) {
            const double at = static_cast<double>(i) * Report::slice_us / 1e6;
            const auto& slice = report.slices[i];
            rate.lines[0].points.push_back(
                {at, static_cast<double>(slice.count()) * 1e6 / Report::slice_us});
            if (slice.count() > 0) {
                latency.lines[0].points.push_back({at, static_cast<double>(slice.percentile(50))});
                latency.lines[1].points.push_back({at, static_cast<double>(slice.percentile(99))});
            }
        }
        plots.push_back(std::move(rate));
        plots.push_back(std::move(latency));
    }
    if (!report.steps.empty()) {
        auto steps = report.steps;
        std::sort(steps.begin(), steps.end(),
                  [](const Step& a, const Step& b) { return a.rate < b.rate; });
        Plot plot{"Latency by offered rate",
                  "messages a second",
                  "microseconds",
                  true,
                  {{"p50", {}}, {"p99", {}}}};
        for (const Step& step : steps) {
            plot.lines[0].points.push_back({step.rate, static_cast<double>(step.p50_us)});
            plot.lines[1].points.push_back({step.rate, static_cast<double>(step.p99_us)});
        }
        plots.push_back(std::move(plot));
    }
    return plots;
}

}  // namespace

std::string as_page(const Report& report) {
    const std::string title = fmt::format("muster bench {}: {}", name_of(report.options.work),
                                          name_of(report.options.peer));
    std::string page(head);
    page += fmt::format("<title>{}</title></head><body>\n<h1>{}</h1>\n<pre>{}</pre>\n",
                        escaped(title), escaped(title), escaped(as_text(report)));
    for (const Plot& plot : plots_of(report)) {
        page += draw(plot);
    }
    return page + "</body></html>\n";
}

}  // namespace muster::bench
