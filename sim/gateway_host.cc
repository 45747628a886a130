#include "sim/gateway_host.h"

#include <algorithm>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "core/wire/proto_frames.h"

namespace muster::sim {

GatewayHost::GatewayHost(World& world, Network& network, ShardId shard,
                         std::shared_ptr<const gateway::Settings> settings, DriftingClock clock,
                         Send send)
    : world_(world),
      network_(network),
      shard_(shard),
      settings_(std::move(settings)),
      clock_(clock),
      send_(std::move(send)),
      name_(fmt::format("gateway{}", shard.value)) {}

// ---- Turns -----------------------------------------------------------------------------------

// All that happens to the machine happens in here.
void GatewayHost::turn(Work work) {
    if (!is_alive()) {
        return;
    }
    if (paused_until_) {
        kept_back_.push_back(std::move(work));
        return;
    }
    ++turn_;
    work(gateway::Gateway::Step{clock_.local(world_.schedule.now()), world_.wall(), turn_,
                                messages_, outputs_});
    flush();
    plan_wake();
}

void GatewayHost::flush() {
    for (auto& message : std::exchange(messages_, {})) {
        send_(std::move(message));
    }
    const gateway::Outputs written = std::exchange(outputs_, {});
    for (const auto& output : written) {
        put_out(output);
    }
    // All of a turn is one write, so only now it shows whether the kernel took it.
    for (const auto& output : written) {
        if (const auto line = lines_.find(output.connection); line != lines_.end()) {
            look_at_room(line->second);
        }
    }
}

void GatewayHost::put_out(const gateway::Output& output) {
    const auto found = lines_.find(output.connection);
    if (found == lines_.end()) {
        return;  // Its socket is closed already.
    }
    const Network::LineIndex line = found->second;
    Socket& socket = sockets_.at(line);
    if (socket.is_ended) {
        world_.history.breaches.push_back("I13 something was put out after the end");
    }
    if (socket.is_blocked && !output.then_close) {
        world_.history.breaches.push_back("I13 something was put out for a blocked connection");
    }
    if (!output.bytes.empty()) {
        network_.gateway_sends(line, output.bytes.view());
    }
    if (output.then_close) {
        socket.is_ended = true;
        network_.gateway_closes(line);
        forget(line);
        return;
    }
    note_welcome(output.connection);
}

// Tells the machine when the kernel is full, and when there is room again.
void GatewayHost::look_at_room(Network::LineIndex line) {
    Socket& socket = sockets_.at(line);
    const std::size_t waiting = network_.bytes_waiting(line);
    if (!socket.is_blocked && waiting > kernel_bytes_max) {
        socket.is_blocked = true;
        // Not a turn of its own: nothing may come between.
        gateway_->step(gateway::Blocked{socket.connection},
                       gateway::Gateway::Step{clock_.local(world_.schedule.now()), world_.wall(),
                                              turn_, messages_, outputs_});
    } else if (socket.is_blocked && waiting <= kernel_bytes_max / 2) {
        socket.is_blocked = false;
        turn([this, id = socket.connection](const auto& at) {
            gateway_->step(gateway::Drained{id}, at);
        });
    }
}

void GatewayHost::plan_wake() {
    const auto wake = gateway_->next_wake();
    if (!wake) {
        return;
    }
    const Instant now = world_.schedule.now();
    const Instant real = *wake <= clock_.local(now) ? now : clock_.real(*wake);
    if (wake_planned_ && *wake_planned_ <= real) {
        return;
    }
    wake_planned_ = real;
    world_.schedule.at(real, [this, real, life = life_] {
        if (life != life_ || wake_planned_ != real) {
            return;
        }
        wake_planned_.reset();
        turn([this](const auto& at) { gateway_->step(at); });
    });
}

// ---- What comes in ---------------------------------------------------------------------------

ConnectionId GatewayHost::new_connection() {
    std::uint64_t slot = slot_count_;
    if (free_slots_.empty()) {
        ++slot_count_;
    } else {
        slot = free_slots_.back();
        free_slots_.pop_back();
    }
    return ConnectionId{(++connection_count_ << gateway::slot_bits) | slot};
}

void GatewayHost::forget(Network::LineIndex line) {
    const ConnectionId id = sockets_.at(line).connection;
    free_slots_.push_back(gateway::slot_of(id));
    attached_.erase(id);
    lines_.erase(id);
    sockets_.erase(line);
}

void GatewayHost::opened(Network::LineIndex line) {
    turn([this, line](const auto& at) {
        const ConnectionId id = new_connection();
        sockets_[line] = Socket{.connection = id};
        lines_[id] = line;
        gateway_->step(gateway::Opened{id, "10.0.0.1"}, at);
    });
}

void GatewayHost::received(Network::LineIndex line, const std::string& bytes) {
    turn([this, line, came = bytes](const auto& at) mutable {
        const auto socket = sockets_.find(line);
        if (socket == sockets_.end()) {
            return;
        }
        came = refuse_some(line, socket->second, std::move(came));
        if (!came.empty()) {
            gateway_->step(gateway::Received{socket->second.connection, std::span<char>(came)}, at);
        }
    });
}

// Returns the bytes without the ops that are refused.
std::string GatewayHost::refuse_some(Network::LineIndex line, Socket& socket, std::string bytes) {
    constexpr std::uint32_t frame_bytes_max = 64 * 1024;
    if (refusals_ && socket.refusing == nullptr && !bytes.empty() && bytes.front() == '\0' &&
        !socket.is_known) {
        socket.refusing = std::make_shared<wire::LengthDecoder>(frame_bytes_max);
    }
    socket.is_known = true;
    if (socket.refusing == nullptr) {
        return bytes;
    }
    std::string taken;
    std::span<char> input(bytes);
    wire::ClientFrame frame;
    for (;;) {
        const auto step = socket.refusing->next(input);
        if (step.kind != wire::LengthDecoder::Step::Kind::message) {
            return taken;
        }
        const bool is_first = wire::proto::parse_client_frame(step.message, frame) &&
                              frame.number && frame.attempt == 1U &&
                              frame.op != wire::ClientOp::withdraw;
        if (!is_first || !refusals_ || !one_in(*refusals_, 16)) {
            wire::append_length_frame(taken, step.message);
            continue;
        }
        world_.trace.line(name_, "refuses n {} of {}", *frame.number, frame.queue);
        std::string message;
        wire::proto::append_server_frame(message, wire::RefusedFrame{.request = frame.request});
        std::string refusal;
        wire::append_length_frame(refusal, message);
        network_.gateway_sends(line, refusal);
    }
}

void GatewayHost::closed(Network::LineIndex line) {
    turn([this, line](const auto& at) {
        if (const auto socket = sockets_.find(line); socket != sockets_.end()) {
            const ConnectionId id = socket->second.connection;
            forget(line);
            gateway_->step(gateway::SocketClosed{id}, at);
        }
    });
}

void GatewayHost::drains(Network::LineIndex line) {
    if (is_alive() && sockets_.contains(line)) {
        look_at_room(line);
    }
}

void GatewayHost::take(actor::Message message) {
    turn([this, taken = std::move(message)](const auto& at) {
        note_attached(taken);
        gateway_->step(taken, at);
    });
}

// ---- Faults ----------------------------------------------------------------------------------

void GatewayHost::start(std::uint64_t seed) {
    world_.trace.line(name_, "starts");
    gateway_ = std::make_unique<gateway::Gateway>(shard_, settings_, seed);
    ++life_;
    wake_planned_.reset();
    plan_wake();
}

void GatewayHost::kill() {
    world_.trace.line(name_, "is killed");
    gateway_.reset();
    ++life_;
    paused_until_.reset();
    kept_back_.clear();
    sockets_.clear();
    lines_.clear();
    attached_.clear();
    messages_.clear();
    outputs_.clear();
    free_slots_.clear();
    slot_count_ = 0;
}

void GatewayHost::pause(Instant until) {
    if (!is_alive()) {
        return;
    }
    world_.trace.line(name_, "is paused");
    paused_until_ = std::max(until, paused_until_.value_or(until));
    world_.schedule.at(until, [this, life = life_] {
        if (life != life_ || !paused_until_ || *paused_until_ > world_.schedule.now()) {
            return;
        }
        world_.trace.line(name_, "goes on");
        paused_until_.reset();
        for (auto& work : std::exchange(kept_back_, {})) {
            turn(std::move(work));
        }
    });
}

void GatewayHost::drain() {
    world_.trace.line(name_, "is drained");
    turn([this](const auto& at) { gateway_->step(gateway::Stopping{}, at); });
}

// ---- For the checkers ------------------------------------------------------------------------

void GatewayHost::note_attached(const actor::Message& message) {
    const auto* attached = std::get_if<user::Attached>(&message.body);
    if (attached == nullptr || !lines_.contains(attached->connection.connection)) {
        return;
    }
    Welcomed welcomed;
    const auto& from = std::get<actor::ActorAddress>(message.from).name;
    welcomed.user = world_.history.user(from.text());
    welcomed.cep = attached->cep;
    for (const auto& joined : attached->joined) {
        welcomed.joined.push_back({world_.history.queue(joined.queue.text()), joined.inc});
    }
    attached_[attached->connection.connection] = std::move(welcomed);
}

// Until its WELCOME nothing is put out for a connection but its end.
void GatewayHost::note_welcome(ConnectionId connection) {
    const auto found = attached_.find(connection);
    if (found == attached_.end()) {
        return;
    }
    found->second.order = world_.history.next_order();
    world_.trace.line(name_, "welcomes a connection of {} with cep {}",
                      world_.history.user_names[found->second.user], found->second.cep.counter);
    world_.history.welcomed.push_back(std::move(found->second));
    attached_.erase(found);
}

}  // namespace muster::sim
