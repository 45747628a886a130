#include "bench/report.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <rapidcheck.h>

namespace muster::bench {
namespace {

TEST_CASE("a histogram's bars make the same histogram") {
    rc::check([](const std::vector<std::uint32_t>& values) {
        observe::Histogram histogram;
        for (const std::uint32_t value : values) {
            histogram.add(value);
        }
        observe::Histogram again;
        for (const Bar& bar : bars_of(histogram)) {
            again.add(bar.value, bar.count);
        }
        RC_ASSERT(again.count() == histogram.count());
        RC_ASSERT(again.max() == histogram.max());
        for (const double percent : {0.0, 50.0, 90.0, 99.0, 100.0}) {
            RC_ASSERT(again.percentile(percent) == histogram.percentile(percent));
        }
    });
}

Report sample() {
    Report report;
    report.counts.sent = 3;
    report.counts.expected = 30;
    report.counts.received = 29;
    report.counts.lost = 1;
    report.counts.counted = 20;
    report.counts.seconds = 2;
    report.counts.generator_cpu_seconds = 1;
    report.counts.server_cpu_seconds = 1.5;
    for (std::uint64_t value = 1; value <= 100; ++value) {
        report.latency_us.add(value * 10);
    }
    report.slices.resize(3);
    report.slices[1].add(7);
    return report;
}

TEST_CASE("what two processes have found adds up") {
    const auto sent = from_bytes(to_bytes(sample()));
    REQUIRE(sent.has_value());
    Report both;
    both.processes = 2;
    add(both, *sent);
    add(both, sample());
    CHECK(both.counts.expected == 60);
    CHECK(both.counts.lost == 2);
    CHECK(both.counts.counted == 40);
    CHECK(both.counts.seconds == 2);
    CHECK(both.counts.server_cpu_seconds == 1.5);  // Of one and the same server.
    CHECK(both.per_second() == 20);
    CHECK(both.generator_share() == doctest::Approx(0.5));
    CHECK(both.server_share() == doctest::Approx(0.75));
    CHECK(both.server_cpu_us_each() == doctest::Approx(37'500));
    CHECK(both.latency_us.count() == 200);
    CHECK(both.latency_us.percentile(50) == sample().latency_us.percentile(50));
    CHECK(both.latency_us.percentile(99) == sample().latency_us.percentile(99));
    CHECK(both.slices.size() == 3);
    CHECK(both.slices[1].count() == 2);
    CHECK_FALSE(both.is_clean());
}

TEST_CASE("a report that was cut is not believed") {
    const std::string bytes = to_bytes(sample());
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        CHECK_FALSE(from_bytes(std::string_view(bytes).substr(0, size)).has_value());
    }
    CHECK_FALSE(from_bytes(bytes + "x").has_value());
}

TEST_CASE("a generator that used a core up, and the server did not, was the limit") {
    Report report = sample();
    CHECK_FALSE(report.is_generator_the_limit());
    report.counts.generator_cpu_seconds = 1.95;
    CHECK(report.is_generator_the_limit());
    CHECK(as_text(report).find("IT WAS THE LIMIT") != std::string::npos);
    report.counts.server_cpu_seconds = 1.98;
    CHECK_FALSE(report.is_generator_the_limit());
}

TEST_CASE("recovery is the moment from which the latency stays low") {
    std::vector<observe::Histogram> slices(10);
    for (std::size_t i = 0; i < slices.size(); ++i) {
        slices[i].add(i < 6 || i == 7 ? 900'000 : 500);
    }
    CHECK(recovery_after(slices, 5, 100'000) == doctest::Approx(0.3));
    CHECK(recovery_after(slices, 8, 100'000) == 0);
    slices.back().add(900'000, 100);
    CHECK(recovery_after(slices, 5, 100'000) == -1);
    CHECK(recovery_after({}, 0, 100'000) == -1);
}

TEST_CASE("unknown figures stay out of the JSON") {
    Report report = sample();
    CHECK(as_json(report).find("\"server_cpu_us_each\":75000") != std::string::npos);
    CHECK(as_json(report).find("back_seconds") == std::string::npos);
    report.counts.server_cpu_seconds = -1;
    CHECK(as_json(report).find("server_cpu") == std::string::npos);
}

TEST_CASE("the page loads nothing and shows no markup of others") {
    Report report = sample();
    report.options.server = "<script>alert(1)</script>";
    const std::string page = as_page(report);
    CHECK(page.starts_with("<!doctype html>"));
    CHECK(page.find("<svg") != std::string::npos);
    CHECK(page.find("prefers-color-scheme: dark") != std::string::npos);
    for (const char* outside :
         {"<script", "http:", "https:", "src=", "url(", "@import", "nan", "inf"}) {
        CAPTURE(outside);
        CHECK(page.find(outside) == std::string::npos);
    }
}

}  // namespace
}  // namespace muster::bench
