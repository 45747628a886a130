#include "bench/report.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <type_traits>

#include <fmt/format.h>

namespace muster::bench {
namespace {

constexpr double busy_share = 0.9;

void append_raw(std::string& out, const void* from, std::size_t size) {
    out.append(static_cast<const char*>(from), size);
}

template <typename T>
void append_plain(std::string& out, const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    append_raw(out, &value, sizeof value);
}

template <typename T>
bool take_plain(std::string_view& bytes, T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    if (bytes.size() < sizeof value) {
        return false;
    }
    std::memcpy(&value, bytes.data(), sizeof value);
    bytes.remove_prefix(sizeof value);
    return true;
}

void append_histogram(std::string& out, const observe::Histogram& histogram) {
    const auto bars = bars_of(histogram);
    append_plain(out, bars.size());
    for (const Bar& bar : bars) {
        append_plain(out, bar);
    }
}

bool take_histogram(std::string_view& bytes, observe::Histogram& histogram) {
    std::size_t count = 0;
    if (!take_plain(bytes, count)) {
        return false;
    }
    for (std::size_t i = 0; i < count; ++i) {
        Bar bar;
        if (!take_plain(bytes, bar)) {
            return false;
        }
        histogram.add(bar.value, bar.count);
    }
    return true;
}

double least_known(double a, double b) { return a < 0 ? b : (b < 0 ? a : std::max(a, b)); }

std::string_view unit_of(Work work) {
    switch (work) {
        case Work::logins: return "logins";
        case Work::creates: return "cycles";
        case Work::storm: return "returns";
        case Work::fanout:
        case Work::rooms:
        case Work::state:
        case Work::idle: break;
    }
    return "deliveries";
}

}  // namespace

std::string_view name_of(Work work) noexcept {
    switch (work) {
        case Work::fanout: return "fanout";
        case Work::rooms: return "rooms";
        case Work::state: return "state";
        case Work::storm: return "storm";
        case Work::idle: return "idle";
        case Work::logins: return "logins";
        case Work::creates: return "creates";
    }
    return "?";
}

bool Report::is_clean() const noexcept {
    return counts.lost == 0 && counts.wrongs.doubled == 0 && counts.wrongs.out_of_order == 0 &&
           counts.wrongs.strayed == 0 && (counts.refused == 0 || options.overloads) &&
           counts.disconnected == 0;
}

double Report::per_second() const noexcept {
    return counts.seconds > 0 ? static_cast<double>(counts.counted) / counts.seconds : 0;
}

double Report::server_cpu_us_each() const noexcept {
    return counts.server_cpu_seconds >= 0 && counts.counted > 0
               ? counts.server_cpu_seconds * 1e6 / static_cast<double>(counts.counted)
               : -1;
}

double Report::generator_share() const noexcept {
    return counts.seconds > 0 ? counts.generator_cpu_seconds / counts.seconds / processes : 0;
}

double Report::server_share() const noexcept {
    return counts.seconds > 0 && counts.server_cpu_seconds >= 0
               ? counts.server_cpu_seconds / counts.seconds
               : -1;
}

bool Report::is_generator_the_limit() const noexcept {
    return generator_share() >= busy_share && generator_share() > server_share();
}

void add(Report& report, const Report& part) {
    Counts& to = report.counts;
    const Counts& from = part.counts;
    to.sent += from.sent;
    to.expected += from.expected;
    to.received += from.received;
    to.lost += from.lost;
    to.wrongs.doubled += from.wrongs.doubled;
    to.wrongs.out_of_order += from.wrongs.out_of_order;
    to.wrongs.strayed += from.wrongs.strayed;
    to.refused += from.refused;
    to.disconnected += from.disconnected;
    to.conflated += from.conflated;
    to.counted += from.counted;
    to.generator_cpu_seconds += from.generator_cpu_seconds;
    to.seconds = std::max(to.seconds, from.seconds);
    to.connect_seconds = std::max(to.connect_seconds, from.connect_seconds);
    to.back_seconds = least_known(to.back_seconds, from.back_seconds);
    to.server_cpu_seconds = least_known(to.server_cpu_seconds, from.server_cpu_seconds);
    to.server_bytes_per_client =
        least_known(to.server_bytes_per_client, from.server_bytes_per_client);
    report.latency_us.merge(part.latency_us);
    report.whole_us.merge(part.whole_us);
    report.slices.resize(std::max(report.slices.size(), part.slices.size()));
    for (std::size_t i = 0; i < part.slices.size(); ++i) {
        report.slices[i].merge(part.slices[i]);
    }
}

std::string to_bytes(const Report& report) {
    std::string bytes;
    append_plain(bytes, report.counts);
    append_histogram(bytes, report.latency_us);
    append_histogram(bytes, report.whole_us);
    append_plain(bytes, report.slices.size());
    for (const auto& slice : report.slices) {
        append_histogram(bytes, slice);
    }
    return bytes;
}

Result<Report> from_bytes(std::string_view bytes) {
    Report report;
    std::size_t slices = 0;
    bool is_good = take_plain(bytes, report.counts) && take_histogram(bytes, report.latency_us) &&
                   take_histogram(bytes, report.whole_us) && take_plain(bytes, slices);
    for (std::size_t i = 0; is_good && i < slices; ++i) {
        report.slices.emplace_back();
        is_good = take_histogram(bytes, report.slices.back());
    }
    if (!is_good || !bytes.empty()) {
        return failure(ErrorCode::framing, "a process has not told what it found");
    }
    return report;
}

std::vector<Bar> bars_of(const observe::Histogram& histogram) {
    // The histogram tells values apart in steps of 1/64 of a power of two.
    std::vector<Bar> bars;
    constexpr std::uint64_t steps = std::uint64_t{1} << observe::Histogram::precision_bits;
    std::uint64_t seen = 0;
    std::uint64_t width = 1;
    for (std::uint64_t last = 0; seen < histogram.count(); last += width) {
        const std::uint64_t upto = histogram.count_at_most(last);
        if (upto > seen) {
            bars.push_back({std::min(last, histogram.max()), upto - seen});
            seen = upto;
        }
        // Of values below 2 x steps each has its own bar; then each power of two has `steps`.
        if (last + 1 >= 2 * steps * width) {
            width *= 2;
        }
    }
    return bars;
}

double recovery_after(const std::vector<observe::Histogram>& slices, std::size_t from,
                      std::uint64_t p99_us_max) {
    std::size_t recovered = slices.size();
    while (recovered > from && slices[recovered - 1].percentile(99) < p99_us_max) {
        --recovered;
    }
    if (recovered >= slices.size()) {
        return -1;
    }
    return static_cast<double>(recovered - from) * static_cast<double>(Report::slice_us) / 1e6;
}

std::string as_text(const Report& report) {
    std::string text;
    const auto out = std::back_inserter(text);
    const Options& options = report.options;
    const Counts& counts = report.counts;
    fmt::format_to(out, "{}: {} clients of {}, all joined after {:.2f} s\n", name_of(options.work),
                   options.clients, options.server, counts.connect_seconds);
    if (options.work != Work::idle) {
        fmt::format_to(out, "  {}/s  {:.0f}  (over {:.1f} s)\n", unit_of(options.work),
                       report.per_second(), counts.seconds);
        fmt::format_to(out, "  sent {}  expected {}  received {}  conflated {}\n", counts.sent,
                       counts.expected, counts.received, counts.conflated);
        fmt::format_to(out,
                       "  lost {}  doubled {}  out of order {}  strayed {}  refused {}  "
                       "disconnected {}\n",
                       counts.lost, counts.wrongs.doubled, counts.wrongs.out_of_order,
                       counts.wrongs.strayed, counts.refused, counts.disconnected);
    }
    const auto add_latency = [&](std::string_view name, const observe::Histogram& latency) {
        if (latency.count() > 0) {
            fmt::format_to(out, "  {:13} p50 {}  p90 {}  p99 {}  p99.9 {}  max {}\n", name,
                           latency.percentile(50), latency.percentile(90), latency.percentile(99),
                           latency.percentile(99.9), latency.max());
        }
    };
    add_latency("latency us", report.latency_us);
    add_latency(options.work == Work::fanout ? "last has it us" : "each takes us", report.whole_us);
    for (const Step& step : report.steps) {
        fmt::format_to(out, "  {:8.0f} msg/s  {:9.0f} deliveries/s  p50 {}  p99 {}  {}\n",
                       step.rate, step.deliveries_per_second, step.p50_us, step.p99_us,
                       step.is_good ? "good" : "too much");
    }
    if (report.capacity >= 0) {
        fmt::format_to(out, "  possible      {:.0f} deliveries/s; then 120 % of it\n",
                       report.capacity);
        fmt::format_to(out, "  normal again  after {:.1f} s\n", report.recovery_seconds);
    }
    if (counts.back_seconds >= 0) {
        fmt::format_to(out, "  all back      after {:.3f} s\n", counts.back_seconds);
    }
    if (report.server_cpu_us_each() >= 0) {
        fmt::format_to(out, "  server CPU    {:.2f} us each, {:.0f} % of a core\n",
                       report.server_cpu_us_each(), report.server_share() * 100);
    } else if (counts.server_cpu_seconds >= 0) {
        fmt::format_to(out, "  server CPU    {:.2f} s in {:.1f} s\n", counts.server_cpu_seconds,
                       counts.seconds);
    }
    if (counts.server_bytes_per_client >= 0) {
        fmt::format_to(out, "  server memory {:.0f} B a client (resident)\n",
                       counts.server_bytes_per_client);
    }
    fmt::format_to(out, "  generator     {:.0f} % of a core{}\n", report.generator_share() * 100,
                   report.is_generator_the_limit() ? ": IT WAS THE LIMIT, not the server" : "");
    return text;
}

std::string as_json(const Report& report) {
    const Options& options = report.options;
    const Counts& counts = report.counts;
    std::string text = fmt::format(
        R"({{"work":"{}","peer":"{}","clients":{},"members":{},"rate":{:.0f},"payload_bytes":{},)"
        R"("processes":{},"connect_seconds":{:.3f},"seconds":{:.3f},"sent":{},"expected":{},)"
        R"("received":{},"conflated":{},"lost":{},"doubled":{},"out_of_order":{},"strayed":{},)"
        R"("refused":{},"disconnected":{},"unit":"{}","counted":{},"per_second":{:.1f},)"
        R"("generator_share":{:.3f},"is_generator_the_limit":{},"is_clean":{})",
        name_of(options.work), name_of(options.peer), options.clients, options.members,
        options.rate, options.payload_bytes, report.processes, counts.connect_seconds,
        counts.seconds, counts.sent, counts.expected, counts.received, counts.conflated,
        counts.lost, counts.wrongs.doubled, counts.wrongs.out_of_order, counts.wrongs.strayed,
        counts.refused, counts.disconnected, unit_of(options.work), counts.counted,
        report.per_second(), report.generator_share(), report.is_generator_the_limit(),
        report.is_clean());
    const auto add_latency = [&](std::string_view name, const observe::Histogram& latency) {
        if (latency.count() > 0) {
            text += fmt::format(R"(,"{}":{{"p50":{},"p90":{},"p99":{},"p99_9":{},"max":{}}})", name,
                                latency.percentile(50), latency.percentile(90),
                                latency.percentile(99), latency.percentile(99.9), latency.max());
        }
    };
    add_latency("latency_us", report.latency_us);
    add_latency("whole_us", report.whole_us);
    const auto add_known = [&](std::string_view name, double value) {
        if (value >= 0) {
            text += fmt::format(R"(,"{}":{:.4f})", name, value);
        }
    };
    add_known("server_cpu_us_each", report.server_cpu_us_each());
    add_known("server_cpu_seconds", counts.server_cpu_seconds);
    add_known("server_share", report.server_share());
    add_known("server_bytes_per_client", counts.server_bytes_per_client);
    add_known("back_seconds", counts.back_seconds);
    add_known("capacity", report.capacity);
    if (report.capacity >= 0) {
        text += fmt::format(R"(,"recovery_seconds":{:.1f})", report.recovery_seconds);
    }
    if (!report.steps.empty()) {
        text += R"(,"steps":[)";
        for (const Step& step : report.steps) {
            text += fmt::format(
                R"({}{{"rate":{:.0f},"per_second":{:.0f},"p50":{},"p99":{},"is_good":{}}})",
                &step == report.steps.data() ? "" : ",", step.rate, step.deliveries_per_second,
                step.p50_us, step.p99_us, step.is_good);
        }
        text += ']';
    }
    return text + "}";
}

}  // namespace muster::bench
