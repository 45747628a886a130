#include "sim/workload.h"

#include <string>

#include <fmt/format.h>

namespace muster::sim {

using namespace std::chrono_literals;

Workload::Workload(World& world, Cluster& cluster)
    : world_(world),
      cluster_(cluster),
      rng_(world.chance(4)),
      pause_max_(one_in(rng_, 4) ? Duration{400ms} : Duration{3s}),
      padding_max_(one_in(rng_, 3) ? 2'000 : 20) {}

void Workload::begin(Instant end) {
    end_ = end;
    for (std::size_t i = 0; i < cluster_.player_count(); ++i) {
        world_.schedule.in(between(rng_, Duration{0}, 2s), [this, i] {
            Player& player = cluster_.player(i);
            player.start();
            begin_in_rooms(player);
            plan_player(i);
        });
    }
    plan_backend();
}

void Workload::begin_in_rooms(Player& player) {
    for (const std::string& room : cluster_.rooms()) {
        if (!one_in(rng_, 3)) {
            player.ask(room, client::Join{});
        }
    }
}

void Workload::plan_player(std::size_t index) {
    world_.schedule.in(between(rng_, 1ms, pause_max_), [this, index] {
        if (world_.schedule.now() < end_) {
            play(cluster_.player(index));
            plan_player(index);
        }
    });
}

void Workload::plan_backend() {
    world_.schedule.in(between(rng_, 100ms, 10s), [this] {
        if (world_.schedule.now() < end_) {
            play_backend();
            plan_backend();
        }
    });
}

void Workload::play(Player& player) {
    const std::string& room = cluster_.rooms()[rng_.below(cluster_.rooms().size())];
    const std::size_t padding = rng_.below(padding_max_);
    const std::string key = fmt::format("k{}", rng_.below(3));
    const auto say = [&](std::string_view mount) {
        player.ask(room, client::Send{MountName(mount), Payload("0")}, padding);
    };
    const std::uint64_t choice = rng_.below(100);
    if (!player.is_alive()) {
        if (choice < 20) {
            player.start();
            begin_in_rooms(player);
        }
    } else if (player.is_superseded()) {
        if (choice < 10) {
            player.come_back();
        }
    } else if (choice < 38) {
        say("chat");
    } else if (choice < 52) {
        say("shout");
    } else if (choice < 54) {
        for (int i = 0; i < 40; ++i) {
            say("shout");
        }
    } else if (choice < 68) {
        player.ask(room, client::Set{MountName("scores"), Key(key), Payload("0"), {}}, padding);
    } else if (choice < 74) {
        player.ask(room, client::Set{MountName("scores"), Key(key), Payload("0"),
                                     player.changed_at(room, "scores", key).value_or(0)});
    } else if (choice < 76) {
        player.ask(room, client::Set{MountName("scores"), Key(key), Payload(), {}});
    } else if (choice < 84) {
        player.ask(room, client::Join{});
    } else if (choice < 87) {
        player.ask(room, client::Leave{});
    } else if (choice < 91) {
        player.ask(room, client::Listen{});
    } else if (choice < 93) {
        player.ask(room, client::Unlisten{});
    } else if (choice < 96) {
        player.give_up(rng_.next());
    } else if (choice < 98) {
        player.ask(room, client::History{MountName("chat"), {}});
    } else if (choice < 99) {
        say("none");
    } else {
        player.kill();
    }
}

void Workload::play_backend() {
    const std::string& room = cluster_.rooms()[rng_.below(cluster_.rooms().size())];
    const std::string& user = cluster_.users()[rng_.below(cluster_.users().size())];
    const std::uint64_t choice = rng_.below(100);
    if (choice < 30) {
        cluster_.ask_op(room, queue::SendOp{MountName("chat"), Payload("0")});
    } else if (choice < 50) {
        cluster_.ask_membership(user, room, true);
    } else if (choice < 75) {
        cluster_.ask_membership(user, room, false);
    } else if (choice < 85) {
        world_.trace.line("backend", "deletes {}", room);
        cluster_.ask_op(room, queue::DeleteOp{});
    } else if (choice < 92) {
        world_.trace.line("backend", "disconnects {}", user);
        user::Disconnect disconnect;
        disconnect.reply_to.who = RequestId{1};
        cluster_.ask(fmt::format("/user/{}", user), disconnect);
    } else {
        cluster_.ask_op(room, queue::CreateOp{});
    }
}

void Workload::settle() {
    for (std::size_t u = 0; u < cluster_.users().size(); ++u) {
        Player* chosen = nullptr;
        bool has_current = false;
        for (std::size_t i = u; i < cluster_.player_count(); i += cluster_.users().size()) {
            Player& player = cluster_.player(i);
            if (player.is_alive()) {
                chosen = &player;
                has_current = has_current || !player.is_superseded();
            }
        }
        if (chosen != nullptr && !has_current) {
            chosen->come_back();
        }
    }
}

}  // namespace muster::sim
