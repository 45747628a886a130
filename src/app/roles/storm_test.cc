// GUARANTEES.md section 7, row 57, at its full size: 50,000 clients come back within one second,
// over a network that takes its time, to the real machines of a shard.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <queue>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "app/roles/shard_bench.h"
#include "core/gateway/cid_text.h"
#include "core/gateway/resume_token.h"

namespace muster::roles {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t clients_count = 50'000;
constexpr Duration one_way = 20ms;

/// Returns the number behind `name` in what the server says; 0 if it says nothing of that.
std::uint64_t number_after(std::string_view bytes, std::string_view name) {
    const auto at = bytes.find(name);
    std::uint64_t number = 0;
    if (at != bytes.npos) {
        const auto digits = bytes.substr(at + name.size());
        std::from_chars(digits.data(), digits.data() + digits.size(), number);
    }
    return number;
}

/// The clients, each with the little that it must remember, and the network between.
class Storm {
public:
    Storm() : site_(ShardBench(site_of_storm()).site()), machine_(ShardId{0}, site_, 42) {}

    void run() {
        for (std::uint32_t i = 0; i < clients_count; ++i) {
            clients_.push_back({});
            plan(i, began_ + 20us * i);
        }
        while (!planned_.empty()) {
            const Planned next = planned_.top();
            planned_.pop();
            if (next.number != clients_[next.client].plan) {
                continue;  // It was turned away before it came to that.
            }
            // What comes within a millisecond is one turn, as it is under load.
            if (next.at > turn_at_ + 1ms) {
                begin_turn(next.at);
            }
            step(next.client);
            carry_out();
        }
    }

    [[nodiscard]] Duration took() const { return last_in_ - began_; }
    [[nodiscard]] std::uint64_t tries() const { return tries_; }
    [[nodiscard]] std::uint32_t in() const { return in_; }
    [[nodiscard]] std::uint32_t most_unknown() const { return most_unknown_; }
    [[nodiscard]] const gateway::Counters& counters() const { return machine_.counters(); }
    [[nodiscard]] std::uint32_t busiest_second() const {
        return *std::ranges::max_element(in_within_second_);
    }

private:
    enum class Next : std::uint8_t { connect, upgrade, hello, wait };
    struct Client {
        Next next = Next::connect;
        std::uint32_t attempts = 0;
        std::uint32_t plan = 0;  ///< the number of the newest
        ConnectionId connection;
    };
    struct Planned {
        Instant at;
        std::uint32_t client = 0;
        std::uint32_t number = 0;
        friend auto operator<=>(const Planned&, const Planned&) = default;
    };

    // The rates are the product's. Nobody is asked whether it is still there.
    static BenchSite site_of_storm() {
        BenchSite site;
        site.gateway.limits.ping_interval = 1h;
        site.gateway.limits.dead_after = 2h;
        return site;
    }

    void plan(std::uint32_t client, Instant at) {
        planned_.push({at, client, ++clients_[client].plan});
    }

    void begin_turn(Instant at) {
        turn_at_ = at;
        machine_.begin_turn(at, WallTime{1'790'000'000'000 + (at - began_) / 1ms});
        machine_.step();
        carry_out();
    }

    void step(std::uint32_t index) {
        Client& client = clients_[index];
        switch (client.next) {
            case Next::connect: {
                ++tries_;
                ++client.attempts;
                client.next = Next::upgrade;
                client.connection =
                    ConnectionId{(std::uint64_t{client.attempts} << gateway::slot_bits) | index};
                most_unknown_ = std::max(most_unknown_, ++unknown_);
                plan(index, turn_at_ + 2 * one_way);
                machine_.step(gateway::Opened{client.connection, "192.0.2.1", unknown_, 1});
                break;
            }
            case Next::upgrade:
                client.next = Next::hello;
                plan(index, turn_at_ + 2 * one_way);
                receive(client, gateway::upgrade_request());
                break;
            case Next::hello: {
                client.next = Next::wait;
                const UserId user(fmt::format("u{}", index));
                const Cid cid{1, index};
                const std::string resume =
                    gateway::ResumeTokens(site_->gateway->secret)
                        .issue({user, cid, SessionId{1}, WallTime{1'790'000'000'000}});
                receive(
                    client,
                    gateway::text_frame(fmt::format(
                        R"({{"op":"hello","v":[1],"user":"{}","resume":"{}","cid":"{}","cn":{}}})",
                        user.text(), resume, gateway::to_text(cid), client.attempts)));
                break;
            }
            case Next::wait: break;
        }
    }

    void receive(const Client& client, std::string bytes) {
        machine_.step(gateway::Received{client.connection, std::span<char>(bytes)});
    }

    // What the machine has put out reaches the clients.
    void carry_out() {
        for (const auto& output : machine_.outputs) {
            const auto index = static_cast<std::uint32_t>(gateway::slot_of(output.connection));
            Client& client = clients_[index];
            if (output.is_known) {
                --unknown_;
            } else if (output.then_close) {
                turned_away(index, client, output.bytes.view());
            } else if (output.bytes.view().find(R"("op":"hello")") != std::string_view::npos) {
                ++in_;
                last_in_ = turn_at_;
                ++in_within_second_.at(static_cast<std::size_t>((turn_at_ - began_) / 1s));
            }
        }
        machine_.outputs.clear();
    }

    // It comes back as the SDKs do: no sooner than it was told, and later each time.
    void turned_away(std::uint32_t index, Client& client, std::string_view words) {
        --unknown_;
        const Duration told = std::chrono::milliseconds{number_after(words, "retry_ms=")} +
                              std::chrono::seconds{number_after(words, "Retry-After: ")};
        REQUIRE(told > Duration::zero());
        const Duration longest =
            std::min<Duration>(60s, 1s * (1U << std::min(client.attempts, 6U)));
        const Duration drawn{static_cast<Duration::rep>(
            rng_.below(static_cast<std::uint64_t>(longest / Duration{1})))};
        client.next = Next::connect;
        plan(index, turn_at_ + std::max(told, drawn));
    }

    const Instant began_{1h};
    std::shared_ptr<const Site> site_;
    ShardMachine machine_;
    Rng rng_{7};
    Instant turn_at_{};
    Instant last_in_{};
    std::vector<Client> clients_;
    std::priority_queue<Planned, std::vector<Planned>, std::greater<>> planned_;
    std::vector<std::uint32_t> in_within_second_ = std::vector<std::uint32_t>(900);
    std::uint32_t unknown_ = 0;
    std::uint32_t most_unknown_ = 0;
    std::uint32_t in_ = 0;
    std::uint64_t tries_ = 0;
};

TEST_CASE("row 57: 50,000 clients that come back within a second are all in within five minutes") {
    Storm storm;
    storm.run();
    CHECK(storm.in() == clients_count);
    CHECK(storm.took() < 5min);
    CHECK(storm.most_unknown() <= 1'001);        // The last one is the one that is turned away.
    CHECK(storm.busiest_second() <= 2 * 2'000);  // A burst, and the rate.
    CHECK(storm.tries() < 4 * std::uint64_t{clients_count});
    CHECK(storm.counters().crowded_out > 0);
    CHECK(storm.counters().resumes_put_off > 0);
    CHECK(storm.counters().connections_open == clients_count);
}

}  // namespace
}  // namespace muster::roles
