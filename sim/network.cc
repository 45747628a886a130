#include "sim/network.h"

#include <algorithm>
#include <utility>

namespace muster::sim {

Network::LineIndex Network::open(std::size_t player, client::SocketId socket, std::size_t gateway) {
    const LineIndex line = lines_.size();
    Line& opened = lines_.emplace_back();
    opened.player = player;
    opened.socket = socket;
    opened.gateway = gateway;
    const auto delay = [this] { return between(rng_, Duration{50}, delay_max_); };
    world_.schedule.in(delay(), [this, line, answer = delay()] {
        Line& asked = lines_[line];
        if (!asked.is_client_there) {
            return;
        }
        const bool is_accepted = ends.accepts(asked.gateway);
        world_.schedule.in(answer, [this, line, is_accepted] {
            Line& answered = lines_[line];
            if (!answered.is_client_there) {
                return;
            }
            if (is_accepted) {
                ends.client_opened(answered.player, answered.socket);
            } else {
                answered.is_client_there = false;
                ends.client_closed(answered.player, answered.socket);
            }
        });
        if (is_accepted) {
            asked.is_gateway_there = true;
            ends.gateway_opened(asked.gateway, line);
        }
    });
    return line;
}

void Network::client_sends(LineIndex line, std::string_view bytes) {
    put(line, Way::up, bytes, false);
}

void Network::client_closes(LineIndex line) {
    lines_[line].is_client_there = false;
    put(line, Way::up, {}, true);
}

void Network::gateway_sends(LineIndex line, std::string_view bytes) {
    put(line, Way::down, bytes, false);
}

void Network::gateway_closes(LineIndex line) {
    lines_[line].is_gateway_there = false;
    put(line, Way::down, {}, true);
}

// Bytes may leave in one write and come in several pieces.
void Network::put(LineIndex line, Way way, std::string_view bytes, bool is_end) {
    if (pipe(line, way).is_closed) {
        return;
    }
    if (bytes.size() > 1 && one_in(rng_, 4)) {
        const std::size_t half = 1 + rng_.below(bytes.size() - 1);
        put_chunk(line, way, bytes.substr(0, half), false);
        bytes = bytes.substr(half);
    }
    put_chunk(line, way, bytes, is_end);
}

void Network::put_chunk(LineIndex line, Way way, std::string_view bytes, bool is_end) {
    Pipe& into = pipe(line, way);
    into.bytes += bytes.size();
    into.is_closed = is_end;
    if (lines_[line].is_swallowed) {
        return;
    }
    Instant arrival = world_.schedule.now() + between(rng_, Duration{50}, delay_max_);
    arrival = std::max(arrival, into.last_arrival);
    if (into.bytes_per_second != 0) {
        arrival +=
            Duration{static_cast<Duration::rep>(bytes.size() * 1'000'000 / into.bytes_per_second)};
    }
    into.last_arrival = arrival;
    into.chunks.push_back(Chunk{arrival, std::string(bytes), is_end});
    world_.schedule.at(arrival, [this, line, way] { arrive(line, way); });
}

void Network::arrive(LineIndex line, Way way) {
    Pipe& from = pipe(line, way);
    if (from.chunks.empty() || from.chunks.front().arrival > world_.schedule.now()) {
        return;  // It was lost on its way.
    }
    Chunk chunk = std::move(from.chunks.front());
    from.chunks.pop_front();
    from.bytes -= chunk.bytes.size();
    Line& at = lines_[line];
    if (at.is_swallowed) {
        from.bytes += chunk.bytes.size();
        return;
    }
    if (way == Way::up && at.is_gateway_there) {
        if (!chunk.bytes.empty()) {
            ends.gateway_bytes(at.gateway, line, chunk.bytes);
        }
        if (chunk.is_end && at.is_gateway_there) {
            at.is_gateway_there = false;
            at.down.is_closed = true;
            ends.gateway_closed(at.gateway, line);
        }
    } else if (way == Way::down) {
        if (at.is_gateway_there) {
            ends.gateway_drains(at.gateway, line);
        }
        if (at.is_client_there && !chunk.bytes.empty()) {
            ends.client_bytes(at.player, at.socket, chunk.bytes);
        }
        if (chunk.is_end && at.is_client_there) {
            at.is_client_there = false;
            at.up.is_closed = true;
            ends.client_closed(at.player, at.socket);
        }
    }
}

// ---- Faults ----------------------------------------------------------------------------------

// Loses the last part of what is on its way.
void Network::truncate(Pipe& pipe) {
    const std::size_t kept = rng_.below(pipe.chunks.size() + 1);
    pipe.chunks.resize(kept);
    pipe.last_arrival =
        std::min(pipe.last_arrival, kept == 0 ? Instant{} : pipe.chunks.back().arrival);
}

void Network::cut(LineIndex line) {
    for (const Way way : {Way::up, Way::down}) {
        truncate(pipe(line, way));
        put_chunk(line, way, {}, true);
    }
}

void Network::cut_all_of(std::size_t gateway) {
    for (const LineIndex line : open_lines()) {
        if (lines_[line].gateway == gateway) {
            cut(line);
        }
    }
}

void Network::stall(LineIndex line, Instant until) {
    for (const Way way : {Way::up, Way::down}) {
        pipe(line, way).last_arrival = std::max(pipe(line, way).last_arrival, until);
    }
}

void Network::kill_gateway(std::size_t gateway, bool is_silent) {
    for (LineIndex line = 0; line < lines_.size(); ++line) {
        Line& of = lines_[line];
        if (of.gateway != gateway || !of.is_gateway_there) {
            continue;
        }
        of.is_gateway_there = false;
        if (is_silent) {
            of.is_swallowed = true;
        } else {
            truncate(of.down);
            put_chunk(line, Way::down, {}, true);
        }
    }
}

void Network::heal() {
    for (LineIndex index = 0; index < lines_.size(); ++index) {
        Pipe& slow = lines_[index].down;
        if (slow.bytes_per_second == 0) {
            continue;
        }
        slow.bytes_per_second = 0;
        // What has piled up before the reader is read now.
        const Instant now = world_.schedule.now();
        slow.last_arrival = std::min(slow.last_arrival, now);
        for (Chunk& chunk : slow.chunks) {
            chunk.arrival = std::min(chunk.arrival, now);
            world_.schedule.at(now, [this, index] { arrive(index, Way::down); });
        }
    }
}

std::vector<Network::LineIndex> Network::open_lines() const {
    std::vector<LineIndex> open;
    for (LineIndex line = 0; line < lines_.size(); ++line) {
        if (lines_[line].is_client_there && lines_[line].is_gateway_there) {
            open.push_back(line);
        }
    }
    return open;
}

}  // namespace muster::sim
