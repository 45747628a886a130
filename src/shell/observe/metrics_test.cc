#include "shell/observe/metrics.h"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <limits>
#include <string>

using namespace muster::observe;

TEST_CASE("a family begins with its help and type, and its samples follow") {
    MetricsText text;
    text.begin("muster_connections", MetricKind::gauge, "Open client connections.");
    text.add(7, {{"shard", "0"}, {"transport", "websocket"}});
    text.add(std::uint64_t{5}, {{"shard", "1"}, {"transport", "websocket"}});
    text.begin("muster_messages_total", MetricKind::counter, "Messages.");
    text.add(18'446'744'073'709'551'615U);
    CHECK(text.take() ==
          "# HELP muster_connections Open client connections.\n"
          "# TYPE muster_connections gauge\n"
          "muster_connections{shard=\"0\",transport=\"websocket\"} 7\n"
          "muster_connections{shard=\"1\",transport=\"websocket\"} 5\n"
          "# HELP muster_messages_total Messages.\n"
          "# TYPE muster_messages_total counter\n"
          "muster_messages_total 18446744073709551615\n");
    CHECK(text.take().empty());
}

TEST_CASE("numbers that are no integers are written in full, infinity and no number by name") {
    MetricsText text;
    text.begin("muster_load", MetricKind::gauge, "Load.");
    text.add(0.1);
    text.add(std::numeric_limits<double>::infinity());
    text.add(-std::numeric_limits<double>::infinity());
    text.add(std::numeric_limits<double>::quiet_NaN());
    CHECK(text.take().ends_with(
        "muster_load 0.1\nmuster_load +Inf\nmuster_load -Inf\nmuster_load NaN\n"));
}

TEST_CASE("quotes, backslashes and newlines in labels and help are escaped") {
    MetricsText text;
    text.begin("muster_queues", MetricKind::gauge, "a \\ b\nc \"d\"");
    text.add(1, {{"template", "a\"b\\c\nd"}});
    CHECK(text.take() ==
          "# HELP muster_queues a \\\\ b\\nc \"d\"\n"
          "# TYPE muster_queues gauge\n"
          "muster_queues{template=\"a\\\"b\\\\c\\nd\"} 1\n");
}

TEST_CASE("a histogram is shown as counts up to its bounds, in the base unit") {
    Histogram latency;
    latency.add(50);
    latency.add(700);
    latency.add(2'000'000);
    const std::array<std::uint64_t, 3> bounds{100, 1'000, 1'000'000};
    MetricsText text;
    text.begin("muster_delivery_seconds", MetricKind::histogram, "Delivery.");
    text.add(latency, {.bounds = bounds, .units_per_base_unit = 1e6}, {{"shard", "0"}});
    CHECK(text.take() ==
          "# HELP muster_delivery_seconds Delivery.\n"
          "# TYPE muster_delivery_seconds histogram\n"
          "muster_delivery_seconds_bucket{shard=\"0\",le=\"0.0001\"} 1\n"
          "muster_delivery_seconds_bucket{shard=\"0\",le=\"0.001\"} 2\n"
          "muster_delivery_seconds_bucket{shard=\"0\",le=\"1\"} 2\n"
          "muster_delivery_seconds_bucket{shard=\"0\",le=\"+Inf\"} 3\n"
          "muster_delivery_seconds_sum{shard=\"0\"} 2.00075\n"
          "muster_delivery_seconds_count{shard=\"0\"} 3\n");
}

TEST_CASE("our goal of 100 ms is a bound of the latency histograms") {
    MetricsText text;
    text.begin("muster_delivery_seconds", MetricKind::histogram, "Delivery.");
    text.add(Histogram{}, microseconds_as_seconds());
    CHECK(text.take().find("_bucket{le=\"0.1\"} 0\n") != std::string::npos);
}
