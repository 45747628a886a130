#include "sim/player.h"

#include <algorithm>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "core/wire/json_frames.h"
#include "sim/state_hash.h"

namespace muster::sim {
namespace {

constexpr std::uint16_t breach_code = 1002;
constexpr std::size_t shown_bytes_max = 300;

Asked::Kind kind_of(const client::Request& request) {
    if (std::holds_alternative<client::Send>(request)) {
        return Asked::Kind::send;
    }
    const auto* set = std::get_if<client::Set>(&request);
    return set != nullptr && !set->value.empty() ? Asked::Kind::set : Asked::Kind::other;
}

// Whether what stands beside a member is that of one on line.
bool says_online(std::string_view info) {
    return info.find("\"online\":false") == std::string_view::npos;
}

// A frame in one line of a trace.
std::string shown(const wire::ServerFrame& frame) {
    std::string json;
    wire::append_server_frame(json, frame);
    return json.substr(0, shown_bytes_max);
}
std::string shown(const wire::ClientFrame& frame) {
    std::string json;
    wire::append_client_frame(json, frame);
    return json.substr(0, shown_bytes_max);
}

}  // namespace

Player::Player(World& world, Network& network, Place place, DriftingClock clock)
    : world_(world),
      network_(network),
      place_(std::move(place)),
      clock_(clock),
      rng_(world.chance(1000 + place_.index)),
      name_(fmt::format("client{}", place_.index)),
      wire_rng_(world.chance(3000 + place_.index)),
      token_rng_(world.chance(4000 + place_.index)) {}

// ---- What the user does ----------------------------------------------------------------------

void Player::start() {
    if (is_alive()) {
        return;
    }
    History& history = world_.history;
    life_ = static_cast<LifeIndex>(history.is_life_over.size());
    history.is_life_over.push_back(false);
    history.life_names.push_back(fmt::format("{} (life {})", name_, life_));
    world_.trace.line(name_, "begins life {} as {}", life_, place_.user);
    client_ = std::make_unique<client::Client>(
        client::Settings{.server_count = place_.gateway_count,
                         .user = place_.keys == nullptr ? place_.user : std::string()});
    come_back();
}

void Player::come_back() { step(client::Start{HashKey{rng_.next(), rng_.next()}}); }

void Player::kill() {
    if (!is_alive()) {
        return;
    }
    world_.trace.line(name_, "is killed");
    if (line_) {
        network_.client_closes(*line_);
        line_.reset();
    }
    client_.reset();
    wake_planned_.reset();
    open_.clear();
    partings_.clear();
    world_.history.is_life_over[life_] = true;
}

void Player::ask(std::string_view queue, client::Request request, std::size_t padding_bytes) {
    if (!is_alive()) {
        return;
    }
    History& history = world_.history;
    Asked asked;
    asked.ref = history.asked.size() + 1;
    asked.life = life_;
    asked.queue = history.queue(queue);
    asked.kind = kind_of(request);
    asked.at = world_.schedule.now();
    if (auto* send = std::get_if<client::Send>(&request)) {
        send->data = Payload(payload_of(asked.ref, padding_bytes));
    } else if (auto* set = std::get_if<client::Set>(&request);
               set != nullptr && !set->value.empty()) {
        set->value = Payload(payload_of(asked.ref, padding_bytes));
    }
    history.asked.push_back(asked);
    open_.push_back(asked.ref);
    world_.trace.line(name_, "asks {} of {} (request kind {})", asked.ref, queue, request.index());
    if (std::holds_alternative<client::Leave>(request) ||
        std::holds_alternative<client::Unlisten>(request)) {
        partings_.emplace(asked.ref, std::string(queue));
    }
    step(client::Submit{client::OpId{asked.ref}, QueueName(queue), std::move(request), {}});
}

void Player::give_up(std::uint64_t choice) {
    if (is_alive() && !open_.empty()) {
        const RequestRef ref = open_[choice % open_.size()];
        world_.trace.line(name_, "gives {} up", ref);
        // Nobody follows what a join or listen would have brought.
        step(client::GiveUp{client::OpId{ref}});
    }
}

std::optional<Seq> Player::changed_at(std::string_view queue, std::string_view mount,
                                      std::string_view key) const {
    const client::Mirror* mirror = is_alive() ? client_->find(queue) : nullptr;
    const auto* entry = mirror == nullptr ? nullptr : mirror->find(mount, key);
    return entry == nullptr ? std::nullopt : entry->changed_at;
}

// ---- The machine -----------------------------------------------------------------------------

void Player::step(const client::Event& event) {
    client::Context ctx{clock_.local(world_.schedule.now()), world_.wall(), rng_, outbox_};
    client_->step(event, ctx);
    // What frames point into lives until here: nothing below steps the machine.
    for (const auto& action : outbox_) {
        act(action);
    }
    outbox_.clear();
    plan_wake();
}

void Player::act(const client::Action& action) {
    if (const auto* open = std::get_if<client::OpenSocket>(&action)) {
        socket_ = open->socket;
        last_wire_ = std::move(wire_);  // A frame of its may still be in hand.
        wire_ = std::make_unique<ClientSocket>(place_.speech, wire_rng_);
        line_ = network_.open(place_.index, open->socket, open->server_index);
        world_.trace.line(name_, "connects to gateway {}", open->server_index);
    } else if (const auto* close = std::get_if<client::CloseSocket>(&action)) {
        world_.trace.line(name_, "closes its socket ({})", close->close_code);
        if (close->close_code == breach_code) {
            world_.history.breaches.push_back(
                fmt::format("I2 {} was told what cannot be", world_.history.life_name(life_)));
        }
        close_line(wire_->close(close->close_code));
    } else if (const auto* sent = std::get_if<client::SendFrame>(&action)) {
        if (world_.trace.is_on()) {
            world_.trace.line(name_, "says {}", shown(sent->frame));
        }
        if (line_) {
            network_.client_sends(*line_, wire_->encode(sent->frame));
        }
    } else if (std::holds_alternative<client::FetchToken>(action)) {
        fetch_token();
    } else if (const auto* verdict = std::get_if<client::Verdict>(&action)) {
        take_verdict(*verdict);
    } else if (const auto* deliver = std::get_if<client::Deliver>(&action)) {
        note(*deliver->frame);
    } else if (const auto* status = std::get_if<client::StatusChanged>(&action)) {
        world_.trace.line(name_, "status {} {} {}", static_cast<int>(status->status),
                          status->reason ? label(*status->reason) : "", status->detail);
        if (status->status == client::Status::closed) {
            for (QueueIndex queue = 0; queue < world_.history.queue_names.size(); ++queue) {
                part_from(std::string(world_.history.queue_names[queue]));
            }
        }
    } else if (const auto* dropped = std::get_if<client::Dropped>(&action)) {
        world_.trace.line(name_, "is dropped from {}: {}", dropped->queue.text(),
                          label(dropped->code));
        part_from(dropped->queue.text());
    }
}

void Player::plan_wake() {
    const auto wake = client_->wake_at();
    if (!wake) {
        return;
    }
    const Instant real = clock_.real(*wake);
    if (wake_planned_ && *wake_planned_ <= real) {
        return;
    }
    wake_planned_ = real;
    world_.schedule.at(real, [this, real, life = life_] {
        if (!is_alive() || life != life_ || wake_planned_ != real) {
            return;
        }
        wake_planned_.reset();
        step(client::TimePassed{});
    });
}

void Player::opened(client::SocketId socket) {
    if (!is_alive() || !line_ || socket != socket_) {
        return;
    }
    const std::string request = wire_->begin();
    if (request.empty()) {
        step(client::SocketOpened{socket});
    } else {
        network_.client_sends(*line_, request);
    }
}

void Player::received(client::SocketId socket, const std::string& bytes) {
    std::string came = bytes;
    std::span<char> input(came);
    bool has_frame = false;
    while (is_alive() && line_ && socket == socket_) {
        using Kind = ClientSocket::Step::Kind;
        auto next = wire_->next(input);
        if (next.kind == Kind::need_more) {
            break;
        }
        if (next.kind == Kind::opened) {
            step(client::SocketOpened{socket});
            continue;
        }
        if (next.kind == Kind::garbage) {
            step(client::GarbageReceived{socket, std::move(next.detail)});
            return;
        }
        if (next.kind == Kind::closed) {
            world_.trace.line(name_, "is closed: {} {}", next.close_code, next.detail);
            close_line({});
            step(client::SocketClosed{socket, next.close_code, next.reason, next.retry_after,
                                      std::move(next.detail)});
            return;
        }
        has_frame = true;
        const wire::ServerFrame& frame = wire_->frame();
        if (world_.trace.is_on()) {
            world_.trace.line(name_, "gets {}", shown(frame));
        }
        step(client::FrameReceived{socket, &frame});
    }
    if (!has_frame && is_alive() && line_ && socket == socket_) {
        step(client::Heard{socket});
    }
}

void Player::closed(client::SocketId socket) {
    if (is_alive() && line_ && socket == socket_) {
        line_.reset();
        step(client::SocketClosed{.socket = socket});
    }
}

void Player::close_line(std::string_view last_words) {
    if (!line_) {
        return;
    }
    if (!last_words.empty()) {
        network_.client_sends(*line_, last_words);
    }
    network_.client_closes(*line_);
    line_.reset();
}

// Tokens last for seconds. Some come late, some have ended already, and some do not come.
void Player::fetch_token() {
    using namespace std::chrono_literals;
    const std::uint64_t choice = is_prompt_ ? 8 : token_rng_.below(16);
    const Duration delay =
        choice < 4 ? between(token_rng_, 1s, 40s) : between(token_rng_, 1ms, 50ms);
    const Duration lasts = is_prompt_ ? Duration{1h} : between(token_rng_, 2s, 60s);
    world_.schedule.in(delay, [this, choice, lasts, life = life_] {
        if (!is_alive() || life != life_) {
            return;
        }
        if (choice == 4) {
            step(client::TokenFailed{});
            return;
        }
        constexpr std::int64_t second_ms = 1000;
        const std::int64_t now_s = world_.wall().ms / second_ms - (choice == 5 ? 100 : 0);
        const WallTime begins{now_s * second_ms};
        const auto token = place_.keys->sign(
            "sim", {UserId(place_.user), WallTime{begins.ms + lasts / 1s * second_ms}, begins});
        world_.trace.line(name_, "has a token for {} s{}", lasts / 1s,
                          choice == 5 ? ", of 100 s ago" : "");
        step(client::TokenFetched{token.value()});
    });
}

// ---- For the checkers ------------------------------------------------------------------------

void Player::take_verdict(const client::Verdict& verdict) {
    Asked& asked = world_.history.asked.at(verdict.id.value - 1);
    ++asked.verdict_count;
    asked.outcome = verdict.outcome;
    asked.code = verdict.code;
    asked.told = verdict.at;
    asked.told_at = world_.schedule.now();
    std::erase(open_, asked.ref);
    if (const auto parting = partings_.find(asked.ref); parting != partings_.end()) {
        if (verdict.outcome == client::Outcome::ok) {
            part_from(parting->second);
        }
        partings_.erase(parting);
    }
    world_.trace.line(
        name_, "verdict of {}: {} {} at {}", asked.ref, static_cast<int>(verdict.outcome),
        verdict.outcome == client::Outcome::ok ? "" : label(verdict.code), verdict.at.seq);
}

void Player::note(const wire::ServerFrame& frame) {
    History& history = world_.history;
    if (const auto* joined = std::get_if<wire::JoinedFrame>(&frame)) {
        for (const auto& mount : joined->mounts) {
            if (mount.resume && mount.resume->kind == wire::Resume::Kind::gap) {
                note_gap(joined->queue, mount.name, mount.resume->from, mount.resume->to);
            }
        }
        note_place(joined->queue, Read::Kind::joined, joined->at, false);
        if (client_->follow(joined->queue) == client::Client::Follow::none) {
            part_from(joined->queue);  // Nobody wants it any more.
        }
    } else if (const auto* reset = std::get_if<wire::ResetFrame>(&frame)) {
        if (reset->why == "deleted") {
            note_place(reset->queue, Read::Kind::reset, Cursor{}, false);  // Its end, no state.
        } else {
            note_place(reset->queue, Read::Kind::reset, reset->at, reset->why == "unknown");
        }
    } else if (const auto* msg = std::get_if<wire::MsgFrame>(&frame)) {
        note_event(msg->queue, msg->seq, msg->prev);
        history.shown.push_back({history.queue(msg->queue),
                                 {client_->find(msg->queue)->at().inc, msg->seq},
                                 message_hash(msg->mount, msg->from, msg->data.bytes),
                                 Shown::By::reader});
    } else if (const auto* state = std::get_if<wire::StateFrame>(&frame)) {
        note_event(state->queue, state->seq, state->prev);
    } else if (const auto* members = std::get_if<wire::MembersFrame>(&frame)) {
        note_event(members->queue, members->seq, members->prev);
        const Cursor at{client_->find(members->queue)->at().inc, members->seq};
        const auto note_member = [&](std::string_view user, bool is_member, bool is_online) {
            history.members_shown.push_back({history.queue(members->queue), at,
                                             history.user(fmt::format("/user/{}", user)), is_member,
                                             is_online});
        };
        for (const auto& member : members->set) {
            note_member(member.user, true, says_online(member.info));
        }
        for (const auto& gone : members->gone) {
            note_member(gone.user, false, false);
        }
    } else if (const auto* mount = std::get_if<wire::MountChangeFrame>(&frame)) {
        note_event(mount->queue, mount->seq, mount->prev);
    } else if (const auto* gap = std::get_if<wire::GapFrame>(&frame)) {
        note_gap(gap->queue, gap->mount, gap->from, gap->to);
    } else if (const auto* left = std::get_if<wire::LeftFrame>(&frame)) {
        part_from(left->queue);
    }
}

void Player::note_place(std::string_view queue, Read::Kind kind, Cursor at, bool is_unknown) {
    Read read;
    read.life = life_;
    read.queue = world_.history.queue(queue);
    read.kind = kind;
    read.at = at;
    read.is_unknown = is_unknown;
    world_.history.reads.push_back(read);
    world_.trace.line(name_, "{} {} at ({},{})",
                      kind == Read::Kind::joined ? "joined" : "is reset in", queue, at.inc.value,
                      at.seq);
    if (at.inc.value != 0) {
        world_.history.snapshots.push_back(
            {read.queue, at, StateHash(*client_->find(queue)).value(), Snapshot::By::reader});
    }
}

void Player::note_event(std::string_view queue, Seq seq, std::optional<Seq> prev) {
    Read read;
    read.life = life_;
    read.queue = world_.history.queue(queue);
    read.kind = Read::Kind::event;
    read.at = Cursor{client_->find(queue)->at().inc, seq};
    read.prev = prev.value_or(seq - 1);
    read.is_replay = client_->follow(queue) != client::Client::Follow::live;
    world_.history.reads.push_back(read);
    world_.trace.line(name_, "reads {} {} after {}", queue, seq, read.prev);
}

void Player::note_gap(std::string_view queue, std::string_view mount, Seq from, Seq to) {
    Read read;
    read.life = life_;
    read.queue = world_.history.queue(queue);
    read.kind = Read::Kind::gap;
    read.at = client_->find(queue)->at();
    read.mount = world_.history.mount(mount);
    read.from = from;
    read.to = to;
    world_.history.reads.push_back(read);
    world_.trace.line(name_, "has lost {} {} from {} to {}", queue, mount, from, to);
}

void Player::part_from(std::string_view queue) {
    Read read;
    read.life = life_;
    read.queue = world_.history.queue(queue);
    read.kind = Read::Kind::parted;
    world_.history.reads.push_back(read);
}

void Player::note_ending(const std::vector<std::string>& queues, Ending& ending) const {
    if (!is_alive()) {
        return;
    }
    Ending::Client client;
    client.life = life_;
    client.user = world_.history.user(fmt::format("/user/{}", place_.user));
    client.is_online = client_->state() == client::Client::State::up;
    client.is_superseded = is_superseded();
    client.waiting_count = client_->waiting_count();
    for (const std::string& queue : queues) {
        if (client_->is_member(queue)) {
            client.member_of.push_back(world_.history.queue(queue));
        }
    }
    ending.clients.push_back(client);
    for (const std::string& queue : queues) {
        if (client_->follow(queue) != client::Client::Follow::live || client.is_superseded) {
            continue;
        }
        const client::Mirror& mirror = *client_->find(queue);
        Ending::Reader reader{life_, world_.history.queue(queue), mirror.at()};
        for (const auto& [user, info] : mirror.members()) {
            reader.members.push_back({world_.history.user(fmt::format("/user/{}", user.text())),
                                      says_online(info.bytes())});
        }
        ending.readers.push_back(std::move(reader));
        world_.history.snapshots.push_back({world_.history.queue(queue), mirror.at(),
                                            StateHash(mirror).value(), Snapshot::By::reader});
    }
}

}  // namespace muster::sim
