#include <iterator>
#include <string>

#include <fmt/format.h>

#include "bench/bench.h"

namespace muster::bench {
namespace {

std::string_view name_of(Work work) {
    switch (work) {
        case Work::fanout: return "fanout";
        case Work::rooms: return "rooms";
        case Work::idle: return "idle";
    }
    return "?";
}

double rate_of(const Report& report) {
    return report.seconds > 0 ? static_cast<double>(report.counted) / report.seconds : 0;
}

}  // namespace

std::string as_text(const Report& report) {
    std::string text;
    const auto out = std::back_inserter(text);
    const Options& options = report.options;
    fmt::format_to(out, "{}: {} clients, all joined after {:.2f} s\n", name_of(options.work),
                   options.clients, report.connect_seconds);
    if (options.work != Work::idle) {
        const auto& latency = report.latency_us;
        fmt::format_to(out, "  deliveries/s  {:.0f}  (over {:.1f} s)\n", rate_of(report),
                       report.seconds);
        fmt::format_to(out, "  sent {}  expected {}  received {}\n", report.sent, report.expected,
                       report.received);
        fmt::format_to(out, "  lost {}  doubled {}  out of order {}  refused {}  disconnected {}\n",
                       report.lost, report.doubled, report.out_of_order, report.refused,
                       report.disconnected);
        fmt::format_to(out, "  latency us    p50 {}  p90 {}  p99 {}  p99.9 {}  max {}\n",
                       latency.percentile(50), latency.percentile(90), latency.percentile(99),
                       latency.percentile(99.9), latency.max());
    }
    if (report.server_cpu_us_per_delivery) {
        fmt::format_to(out, "  server CPU    {:.2f} us a delivery\n",
                       *report.server_cpu_us_per_delivery);
    }
    if (options.work == Work::idle && report.server_cpu_seconds) {
        fmt::format_to(out, "  server CPU    {:.2f} s in {:.1f} s\n", *report.server_cpu_seconds,
                       report.seconds);
    }
    if (report.server_rss_bytes_per_client) {
        fmt::format_to(out, "  server memory {:.0f} B a client (resident)\n",
                       *report.server_rss_bytes_per_client);
    }
    return text;
}

std::string as_json(const Report& report) {
    const auto& latency = report.latency_us;
    std::string text = fmt::format(
        R"({{"work":"{}","clients":{},"members":{},"payload_bytes":{},"connect_seconds":{:.3f},)"
        R"("seconds":{:.3f},"sent":{},"expected":{},"received":{},"lost":{},"doubled":{},)"
        R"("out_of_order":{},"refused":{},"disconnected":{},"deliveries_per_second":{:.0f},)"
        R"("latency_us":{{"p50":{},"p90":{},"p99":{},"p99_9":{},"max":{}}})",
        name_of(report.options.work), report.options.clients, report.options.members,
        report.options.payload_bytes, report.connect_seconds, report.seconds, report.sent,
        report.expected, report.received, report.lost, report.doubled, report.out_of_order,
        report.refused, report.disconnected, rate_of(report), latency.percentile(50),
        latency.percentile(90), latency.percentile(99), latency.percentile(99.9), latency.max());
    const auto add = [&](std::string_view name, const std::optional<double>& value) {
        if (value) {
            text += fmt::format(R"(,"{}":{:.3f})", name, *value);
        }
    };
    add("server_cpu_us_per_delivery", report.server_cpu_us_per_delivery);
    add("server_cpu_seconds", report.server_cpu_seconds);
    add("server_rss_bytes_per_client", report.server_rss_bytes_per_client);
    return text + "}";
}

}  // namespace muster::bench
