// What a client may do to a server: bytes, frames, requests, reading or not, coming and going,
// time. The input chooses what mallory does; beside her bob is well-behaved and must never notice
// anything but what she may rightly say in the room that both are in.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "app/roles/shard_bench.h"
#include "app/roles/test_reader.h"
#include "base/check.h"

namespace muster::roles {
namespace {

using namespace std::chrono_literals;
using gateway::TestPeer;

constexpr std::string_view room = "/room/1";
constexpr std::array<std::string_view, 6> queue_names{room,        "/room/2", "/closed/1",
                                                      "/user/bob", "/none",   "room"};
constexpr std::array<std::string_view, 6> mount_names{"chat",      "shout", "scores",
                                                      "positions", "news",  "none"};

class Input {
public:
    Input(const std::uint8_t* data, std::size_t size)
        : bytes_(reinterpret_cast<const char*>(data), size) {}

    [[nodiscard]] bool is_empty() const noexcept { return bytes_.empty(); }

    std::size_t below(std::size_t end) { return number() % end; }
    std::size_t number() {
        const std::string_view byte = take(1);
        return byte.empty() ? 0 : static_cast<unsigned char>(byte[0]);
    }
    std::string_view take(std::size_t count) {
        const std::string_view taken = bytes_.substr(0, count);
        bytes_.remove_prefix(taken.size());
        return taken;
    }
    template <std::size_t count>
    std::string_view one_of(const std::array<std::string_view, count>& all) {
        return all[below(count)];
    }

private:
    std::string_view bytes_;
};

gateway::TokenKeys token_keys() {
    gateway::TokenKeys keys;
    MUSTER_CHECK(keys.add_hs256("k1", "a secret of thirty-two bytes ...").has_value());
    return keys;
}

BenchSite site() {
    BenchSite with;
    with.is_dev = false;
    with.gateway.token_keys = token_keys();
    with.gateway.takes_deflate = true;
    return with;
}

class Attack {
public:
    explicit Attack(Input input)
        : input_(input), bench_(site()), bob_(peers().connect()), mallory_(&peers().open()) {
        peers().say(bob_, hello("bob", ""));
        peers().say(bob_, fmt::format(R"({{"op":"join","i":1,"q":"{}"}})", room));
        bench_.op("/closed/1", queue::CreateOp{});
        listen_to_bob();
    }

    void run() {
        while (!input_.is_empty()) {
            step(true);
            listen_to_bob();
        }
        // Who is left to itself is silent; then all is well for bob, and only he is left.
        peers().hang_up(*mallory_);
        passed_ = {};
        pass(45s);
        bob_posts();
        listen_to_bob();
        const auto content = bench_.content(room);
        MUSTER_CHECK(TestReader::shows(reader_.queues.at(std::string(room)), *content));
        MUSTER_CHECK(bench_.counters().connections_open == 1);
        MUSTER_CHECK(bench_.counters().users_online == 1);
    }

private:
    gateway::TestPeers& peers() { return bench_.peers(); }

    std::string hello(std::string_view user, std::string_view more) {
        const gateway::Claims claims{UserId(user), WallTime{bench_.wall.ms + 24 * 3'600'000},
                                     bench_.wall};
        return fmt::format(R"({{"op":"hello","v":[1],"token":"{}"{}}})",
                           token_keys().sign("k1", claims).value(), more);
    }

    void step(bool may_nest) {
        switch (input_.below(12)) {
            case 0: send(std::string(input_.take(input_.number()))); break;
            case 1: send(frame()); break;
            case 2: send(gateway::text_frame(request())); break;
            case 3: send(gateway::text_frame(input_.take(input_.number()))); break;
            case 4: block_or_drain(); break;
            case 5:
                if (may_nest) {
                    pass(time());
                }
                break;
            case 6: come_again(); break;
            case 7: upgrade(); break;
            case 8: say_hello(); break;
            case 9: backend(); break;
            case 10: bob_posts(); break;
            default: many_at_once(may_nest); break;
        }
    }

    void many_at_once(bool may_nest) {
        if (may_nest) {
            const auto count = input_.below(64);
            bench_.in_one_turn([&] {
                for (std::size_t i = 0; i < count && !input_.is_empty(); ++i) {
                    step(false);
                }
            });
        }
    }

    void send(std::string bytes) {
        if (!bytes.empty()) {
            peers().send(*mallory_, std::move(bytes));
        }
    }

    std::string frame() {
        const auto opcode = static_cast<wire::WebSocketOpcode>(input_.below(16));
        std::string bytes;
        wire::append_client_frame(bytes, opcode, input_.take(input_.number()), 7);
        if (input_.below(4) == 0) {
            bytes[0] = static_cast<char>(bytes[0] & 0x7f);  // A fragment.
        }
        return bytes;
    }

    std::string request() {
        const auto i = input_.number();
        const std::string_view queue = input_.one_of(queue_names);
        const std::string_view mount = input_.one_of(mount_names);
        const auto n = input_.number();
        const std::string numbered =
            n < 128 ? "" : fmt::format(R"(,"n":{},"inc":{})", n - 127, 4'294'967'297 + n % 3);
        switch (input_.below(16)) {
            case 0:
            case 1: return fmt::format(R"({{"op":"join","i":{},"q":"{}"{}}})", i, queue, numbered);
            case 2: return fmt::format(R"({{"op":"listen","i":{},"q":"{}"}})", i, queue);
            case 3:
                return fmt::format(R"({{"op":"listen","i":{},"q":"{}","since":[{},{}]}})", i, queue,
                                   4'294'967'296 + n % 4, i);
            case 4: return fmt::format(R"({{"op":"leave","i":{},"q":"{}"{}}})", i, queue, numbered);
            case 5: return fmt::format(R"({{"op":"unlisten","i":{},"q":"{}"}})", i, queue);
            case 6:
            case 7:
                return fmt::format(R"({{"op":"send","i":{},"q":"{}","m":"{}","d":"{}"{}}})", i,
                                   queue, mount, std::string(n * 64, 'x'), numbered);
            case 8:
            case 9:
                return fmt::format(R"({{"op":"set","i":{},"q":"{}","m":"{}","k":"{}","d":{}{}}})",
                                   i, queue, mount, n % 8 == 0 ? "mallory" : "key", n, numbered);
            case 10:
                return fmt::format(R"({{"op":"set","i":{},"q":"{}","m":"{}","k":"k{}"}})", i, queue,
                                   mount, n % 8);
            case 11:
                return fmt::format(R"({{"op":"withdraw","i":{},"q":"{}","n":{},"inc":4294967297}})",
                                   i, queue, n + 1);
            case 12:
                return fmt::format(R"({{"op":"history","i":{},"q":"{}","m":"{}","before":{}}})", i,
                                   queue, mount, n);
            case 13: return hello("mallory", "");
            case 14: return R"({"op":"ping"})";
            default: return fmt::format(R"({{"op":"juggle","i":{}}})", i);
        }
    }

    void block_or_drain() {
        if (mallory_->is_ended) {
            return;
        }
        if (mallory_->is_blocked) {
            peers().drain(*mallory_);
        } else {
            peers().block(*mallory_);
        }
    }

    Duration time() {
        constexpr std::array<Duration, 6> times{1ms, 100ms, 1s, 5s, 40s, 150s};
        return times[input_.below(times.size())];
    }

    // Bob is alive meanwhile.
    void pass(Duration time) {
        if (passed_ > 1h) {
            return;
        }
        passed_ += time;
        while (time > Duration::zero()) {
            const Duration part = std::min<Duration>(time, 10s);
            bench_.pass(part);
            time -= part;
            peers().say(bob_, R"({"op":"ping"})");
        }
    }

    void come_again() {
        note_hello();
        if (input_.below(2) == 0) {
            peers().hang_up(*mallory_);  // The other half is left to itself.
        }
        mallory_ = &peers().open();
    }

    void upgrade() {
        const std::string request = gateway::upgrade_request();
        const std::size_t cut = std::min(request.size(), input_.number());
        send(request.substr(0, cut));
        send(request.substr(cut));
    }

    void say_hello() {
        note_hello();
        const auto kind = input_.below(5);
        std::string more;
        if (kind == 1) {
            more = R"(,"nonce":"n")";
        } else if (kind == 2) {
            ++attempts_;
            more = fmt::format(R"(,"resume":"{}","cid":"{}","cn":{})", field("resume"),
                               field("cid"), attempts_);
        } else if (kind == 3) {
            more = R"(,"resolve":true)";
        } else if (kind == 4) {
            more = fmt::format(R"(,"since":{{"{}":[4294967297,{}],"/room/2":[1,1]}})", room,
                               input_.number());
        }
        send(gateway::text_frame(hello("mallory", more)));
    }

    void note_hello() {
        for (const auto& text : mallory_->texts) {
            if (text.starts_with(R"({"op":"hello")")) {
                last_hello_ = text;
            }
        }
        mallory_->texts.clear();
    }

    std::string field(std::string_view name) const {
        const auto at = last_hello_.find(fmt::format(R"("{}":")", name));
        if (at == std::string::npos) {
            return "";
        }
        const auto begin = at + name.size() + 4;
        return last_hello_.substr(begin, last_hello_.find('"', begin) - begin);
    }

    void backend() {
        const queue::ReplyTo reply_to{RequestId{1}, {}};
        const std::string_view queue = input_.below(2) == 0 ? "/room/2" : "/closed/1";
        switch (input_.below(7)) {
            case 0: bench_.membership("mallory", queue, true); break;
            case 1: bench_.membership("mallory", queue, false); break;
            case 2: bench_.op(queue, queue::DeleteOp{}); break;
            case 3: bench_.op(queue, queue::CreateOp{}); break;
            case 4: bench_.ask("/user/mallory", user::Disconnect{reply_to}); break;
            case 5:
                bench_.ask("/user/mallory", user::Tell{reply_to, UserId(), Payload("1")});
                break;
            default:
                bench_.op(queue, queue::SendOp{MountName("chat"), Payload("[\"news\"]")});
                break;
        }
    }

    void bob_posts() {
        if (posted_ == bob_posts_max) {
            return;
        }
        ++posted_;
        peers().say(bob_, fmt::format(R"({{"op":"send","i":{},"q":"{}","m":"chat","d":"{}"}})",
                                      posted_, room, posted_));
    }

    // What has come to bob is what a well-behaved client expects, once the turns are over that it
    // took.
    void listen_to_bob() {
        bench_.pass(0s);
        MUSTER_CHECK(!bob_.is_ended);
        while (!bob_.texts.empty()) {
            const std::string text = bob_.next();
            reader_.take(text);
            std::string scratch;
            const auto frame = wire::parse_server_frame(text, scratch);
            if (const auto* msg = std::get_if<wire::MsgFrame>(&*frame)) {
                MUSTER_CHECK(msg->from == "bob" || msg->from == "mallory");
                heard_ += msg->from == "bob" ? 1 : 0;
            } else if (std::holds_alternative<wire::OkFrame>(*frame)) {
                ++answered_;
            }
        }
        MUSTER_CHECK(heard_ == posted_);
        MUSTER_CHECK(answered_ == posted_);
        for (const auto& other : reader_.others) {
            MUSTER_CHECK(other.starts_with(R"({"op":"pong")") ||
                         other.starts_with(R"({"op":"ok")"));
        }
        reader_.others.clear();
        MUSTER_CHECK(reader_.queues.size() == 1);
        MUSTER_CHECK(reader_.queues.begin()->second.is_live);
    }

    static constexpr int bob_posts_max = 60;  // Fewer than his burst.

    Input input_;
    ShardBench bench_;
    TestPeer& bob_;
    TestPeer* mallory_;
    TestReader reader_;
    std::string last_hello_;
    Duration passed_{};
    int attempts_ = 1;
    int posted_ = 0;
    int heard_ = 0;
    int answered_ = 0;
};

}  // namespace
}  // namespace muster::roles

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    muster::roles::Attack(muster::roles::Input(data, size)).run();
    return 0;
}
