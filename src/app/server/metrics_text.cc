#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "app/server/service_site.h"
#include "shell/observe/metrics.h"

namespace muster::server {
namespace {

using observe::MetricKind;

struct GatewayMetric {
    std::string_view name;
    MetricKind kind;
    std::string_view help;
    std::uint64_t gateway::Counters::* value;
};

constexpr GatewayMetric gateway_metrics[] = {
    {"muster_connections_opened_total", MetricKind::counter, "Client sockets accepted.",
     &gateway::Counters::connections_opened},
    {"muster_connections", MetricKind::gauge, "Client connections open now.",
     &gateway::Counters::connections_open},
    {"muster_users_online", MetricKind::gauge, "Connections that are signed in now.",
     &gateway::Counters::users_online},
    {"muster_frames_received_total", MetricKind::counter, "Messages from clients.",
     &gateway::Counters::frames_in},
    {"muster_received_bytes_total", MetricKind::counter, "Bytes from clients.",
     &gateway::Counters::bytes_in},
    {"muster_requests_total", MetricKind::counter, "Joins, sends, sets and other requests.",
     &gateway::Counters::ops_in},
    {"muster_deliveries_total", MetricKind::counter, "Events put out, counted per receiver.",
     &gateway::Counters::deliveries},
    {"muster_replica_events_total", MetricKind::counter, "Events of queues that replicas took.",
     &gateway::Counters::events_in},
    {"muster_encoded_frames_total", MetricKind::counter, "Frames built for events.",
     &gateway::Counters::encodes},
    {"muster_conflated_total", MetricKind::counter,
     "Changes that a newer one replaced before they left to a slow client.",
     &gateway::Counters::conflated},
    {"muster_dropped_messages_total", MetricKind::counter,
     "Messages dropped for slow clients; each is covered by a gap.", &gateway::Counters::dropped},
    {"muster_replayed_messages_total", MetricKind::counter, "Messages replayed to who missed them.",
     &gateway::Counters::replayed},
    {"muster_resets_total", MetricKind::counter, "Streams that began anew.",
     &gateway::Counters::resets},
    {"muster_logins_refused_total", MetricKind::counter, "Hellos without a good token.",
     &gateway::Counters::logins_refused},
    {"muster_logins_put_off_total", MetricKind::counter, "Sign-ins told to come back later.",
     &gateway::Counters::logins_put_off},
    {"muster_resumes_put_off_total", MetricKind::counter,
     "Resumes, and upgrades while nobody is let in, told to come back later.", &gateway::Counters::resumes_put_off},
    {"muster_connections_crowded_out_total", MetricKind::counter,
     "Client sockets refused, as too many had not signed in.", &gateway::Counters::crowded_out},
    {"muster_replicas", MetricKind::gauge, "Queues with a replica on a gateway shard.",
     &gateway::Counters::replicas},
    {"muster_http_requests_total", MetricKind::counter, "HTTP requests on the client port.",
     &gateway::Counters::http_requests},
    {"muster_http_refused_total", MetricKind::counter, "Of these, refused.",
     &gateway::Counters::http_refused},
};

struct Reason {
    std::string_view name;
    std::uint64_t gateway::Counters::* value;
};
constexpr Reason reasons[] = {
    {"slow", &gateway::Counters::closed_slow},
    {"silent", &gateway::Counters::closed_silent},
    {"protocol", &gateway::Counters::closed_protocol},
    {"superseded", &gateway::Counters::closed_superseded},
};

/// Of the slow readers, so many are shown.
constexpr std::size_t slow_readers_shown = 32;

struct SlowReaderMetric {
    std::string_view name;
    std::string_view help;
    std::uint64_t gateway::SlowReader::* value;
};

// Gauges: a reader may make room for a heavier one, and begin again at 0.
constexpr SlowReaderMetric slow_reader_metrics[] = {
    {"muster_slow_reader_conflated", "Changes that a newer one replaced, of the slowest readers.",
     &gateway::SlowReader::conflated},
    {"muster_slow_reader_dropped", "Messages dropped, of the slowest readers.",
     &gateway::SlowReader::dropped},
    {"muster_slow_reader_closed", "Connections closed, of the slowest readers.",
     &gateway::SlowReader::closed},
};

// The heaviest of all shards: a player who moves from one to another counts as one.
std::vector<gateway::SlowReader> heaviest(const std::vector<ShardReport>& reports) {
    std::vector<gateway::SlowReader> all;
    for (const auto& report : reports) {
        for (const auto& reader : report.slow_readers) {
            const auto known = std::ranges::find_if(all, [&](const gateway::SlowReader& r) {
                return r.user == reader.user && r.queue == reader.queue && r.mount == reader.mount;
            });
            if (known == all.end()) {
                all.push_back(reader);
            } else {
                known->conflated += reader.conflated;
                known->dropped += reader.dropped;
                known->closed += reader.closed;
            }
        }
    }
    std::ranges::sort(all, std::ranges::greater{}, &gateway::SlowReader::total);
    all.resize(std::min(all.size(), slow_readers_shown));
    return all;
}

}  // namespace

std::string metrics_text(const std::vector<ShardReport>& reports) {
    gateway::Counters sum;
    std::uint64_t actors = 0;
    std::uint64_t pauses = 0;
    std::uint64_t ops_refused = 0;
    std::uint64_t events_conflated = 0;
    for (const auto& report : reports) {
        sum += report.gateway;
        actors += report.actors;
        pauses += report.accept_pauses;
        ops_refused += report.ops_refused;
        events_conflated += report.events_conflated;
    }
    observe::MetricsText text;
    for (const auto& metric : gateway_metrics) {
        text.begin(metric.name, metric.kind, metric.help);
        text.add(sum.*metric.value);
    }
    text.begin("muster_disconnects_total", MetricKind::counter, "Connections that we closed.");
    for (const auto& reason : reasons) {
        text.add(sum.*reason.value, {{"reason", reason.name}});
    }
    text.begin("muster_actors", MetricKind::gauge, "Queues and user queues in memory.");
    text.add(actors);
    text.begin("muster_accept_pauses_total", MetricKind::counter,
               "Times that accepting waited for free descriptors.");
    text.add(pauses);
    text.begin("muster_ops_refused_busy_total", MetricKind::counter,
               "Operations answered BUSY because too much waited for another shard.");
    text.add(ops_refused);
    text.begin("muster_events_conflated_between_shards_total", MetricKind::counter,
               "Events that a newer one of their queue replaced on the way to another shard.");
    text.add(events_conflated);
    const auto readers = heaviest(reports);
    for (const auto& metric : slow_reader_metrics) {
        text.begin(metric.name, MetricKind::gauge, metric.help);
        for (const auto& reader : readers) {
            text.add(reader.*metric.value, {{"user", reader.user.text()},
                                            {"queue", reader.queue.text()},
                                            {"mount", reader.mount.text()}});
        }
    }
    text.begin("muster_shard_turns_total", MetricKind::counter, "Turns of a shard's loop.");
    for (const auto& report : reports) {
        text.add(report.turns, {{"shard", std::to_string(report.shard.value)}});
    }
    return text.take();
}

}  // namespace muster::server
