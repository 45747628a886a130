#include "core/gateway/messages.h"

namespace muster::gateway {

Counters& Counters::operator+=(const Counters& other) noexcept {
    connections_opened += other.connections_opened;
    connections_open += other.connections_open;
    users_online += other.users_online;
    frames_in += other.frames_in;
    bytes_in += other.bytes_in;
    ops_in += other.ops_in;
    deliveries += other.deliveries;
    events_in += other.events_in;
    encodes += other.encodes;
    bytes_out += other.bytes_out;
    conflated += other.conflated;
    dropped += other.dropped;
    replayed += other.replayed;
    resets += other.resets;
    logins_refused += other.logins_refused;
    crowded_out += other.crowded_out;
    logins_put_off += other.logins_put_off;
    resumes_put_off += other.resumes_put_off;
    closed_slow += other.closed_slow;
    closed_silent += other.closed_silent;
    closed_protocol += other.closed_protocol;
    closed_superseded += other.closed_superseded;
    http_requests += other.http_requests;
    replicas += other.replicas;
    http_refused += other.http_refused;
    return *this;
}

}  // namespace muster::gateway
