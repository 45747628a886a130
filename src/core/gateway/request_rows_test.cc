// GUARANTEES.md section 7, rows 40 to 51: requests, as far as the gateway decides them or shows
// what the queue has decided. The queue's part is in app/roles/op_rows_test.cc.
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "core/gateway/gateway_test_bench.h"
#include "core/wire/frames.h"
#include "core/wire/proto_frames.h"

namespace muster::gateway {
namespace {

using namespace std::chrono_literals;

// Requests of alice, beside bob.
struct Requests {
    explicit Requests(Encoding encoding = Encoding::json) : bench(encoding) {}

    GatewayBench bench;
    TestPeer& bob = bench.user("bob");
    TestPeer& alice = bench.user("alice");

    void check_closed(std::string_view json, int code, std::string_view label) {
        CAPTURE(json.substr(0, 100));
        TestPeer& peer = bench.user("carol");
        bench.peers.say(peer, json);
        bench.check_closed(peer, code, label, &bob);
        static_cast<void>(bench.take_sent<user::Detach>());
        CHECK(bench.sent.empty());
    }

    // The answer to one request of alice, which is not forwarded.
    std::string answer(std::string_view json) {
        CAPTURE(json.substr(0, 100));
        bench.peers.say(alice, json);
        CHECK(bench.sent.empty());
        CHECK(alice.texts.size() == 1);
        return alice.next();
    }

    // The Op that one request of alice becomes.
    queue::Op op(std::string_view json) {
        bench.peers.say(alice, json);
        CHECK(alice.texts.empty());
        return bench.take_one<queue::Op>();
    }

    // What alice gets when the queue says no.
    std::string shown(const queue::Op& op, ErrorCode code, std::optional<Seq> current = {}) {
        queue::OpReply reply;
        reply.reply_to = op.reply_to;
        reply.queue = QueueName("/room/1");
        reply.verdict.kind = queue::Verdict::Kind::rejected;
        reply.verdict.code = code;
        reply.verdict.current = current;
        bench.deliver(reply);
        return alice.next();
    }
};

TEST_CASE_TEMPLATE(
    "row 40: an op that nobody knows is answered with M1016, and the connection stays", Wire, Json,
    Proto, ProtoTcp) {
    Requests requests(Wire::value);
    CHECK(requests.answer(R"({"op":"juggle","i":5,"q":7})") ==
          R"({"op":"err","i":5,"code":"M1016","outcome":"rejected"})");
    CHECK(requests.answer(R"({"op":"ping"})") == R"({"op":"pong"})");
    SUBCASE("also one that does not read gets its answer in the end") {
        requests.bench.peers.block(requests.alice);
        requests.bench.peers.say(requests.alice, R"({"op":"juggle","i":6})");
        requests.bench.peers.say(requests.alice, R"({"op":"juggle","i":7})");
        requests.bench.peers.drain(requests.alice);
        CHECK(requests.alice.texts.size() == 2);
    }
    SUBCASE("but not without end") {
        for (int i = 0; i < 99; ++i) {
            requests.bench.peers.say(requests.alice, R"({"op":"juggle"})");
        }
        requests.bench.check_closed(requests.alice, 1008, "M1028", &requests.bob);
    }
}

TEST_CASE("row 41: the op number 0 closes with 4000") {
    Requests requests;
    requests.check_closed(R"({"op":"send","n":0,"inc":7,"q":"/room/1","m":"chat","d":1})", 4000,
                          "M1000");
}

TEST_CASE("row 42: an op number that is negative, a fraction or above 2^53 closes with 4000") {
    Requests requests;
    for (const std::string_view number :
         {"-1", "1.5", "1e0", "9007199254740993", "\"1\"", "null", "1e400"}) {
        requests.check_closed(
            fmt::format(R"({{"op":"send","n":{},"inc":7,"q":"/room/1","m":"chat","d":1}})", number),
            4000, "M1000");
    }
    const auto op =
        requests.op(R"({"op":"send","n":9007199254740992,"inc":7,"q":"/room/1","m":"chat","d":1})");
    CHECK(op.number == std::uint64_t{1} << 53U);
    CHECK(op.inc == Inc{7});
}

// Ops that alice sends without waiting for answers.
struct ManyOps : Requests {
    std::vector<queue::Op> forwarded;

    void send(std::string_view queue = "/room/1") {
        bench.pass(25ms);  // Not above the rate.
        bench.peers.say(alice,
                        fmt::format(R"({{"op":"send","i":1,"q":"{}","m":"chat","d":1}})", queue));
        for (auto& op : bench.take_sent<queue::Op>()) {
            forwarded.push_back(std::move(op));
        }
    }
    void answer_oldest(std::string_view queue = "/room/1") {
        queue::OpReply reply;
        reply.reply_to = forwarded.front().reply_to;
        reply.queue = QueueName(queue);
        forwarded.erase(forwarded.begin());
        bench.deliver(reply);
        CHECK(alice.next().starts_with(R"({"op":"ok")"));
    }
};

TEST_CASE("row 43: the 33rd op of a queue that is under way is answered BUSY and not forwarded") {
    ManyOps ops;
    const std::string queue = "/room/1";
    SUBCASE("in a queue that the client does not follow") {}
    SUBCASE("in one that it does") {
        FakeQueue room(ops.bench, queue);
        ops.bench.peers.say(ops.alice, R"({"op":"listen","q":"/room/1"})");
        room.answer();
        ops.alice.texts.clear();
    }
    for (int i = 0; i < 32; ++i) {
        ops.send();
    }
    CHECK(ops.forwarded.size() == 32);
    CHECK(ops.alice.texts.empty());
    ops.send();
    CHECK(ops.forwarded.size() == 32);
    CHECK(ops.alice.next() == R"({"op":"retry","i":1,"code":"M2022","after_ms":500})");
    ops.send("/room/2");  // Each queue has its own.
    CHECK(ops.forwarded.size() == 33);
    ops.forwarded.pop_back();
    ops.answer_oldest();
    ops.send();
    CHECK(ops.forwarded.size() == 32);
    CHECK(ops.alice.texts.empty());
    for (int i = 0; i < 32; ++i) {
        ops.answer_oldest();
    }
    ops.send();
    CHECK(ops.forwarded.size() == 1);
}

TEST_CASE("row 43: at four times as many the connection is closed with 1008") {
    ManyOps ops;
    for (int i = 0; i < 127; ++i) {
        ops.send();
        ops.alice.texts.clear();
    }
    CHECK_FALSE(ops.alice.is_ended);
    CHECK(ops.forwarded.size() == 32);
    ops.send();
    ops.bench.check_closed(ops.alice, 1008, "M1028", &ops.bob);
}

TEST_CASE("row 43: who repeats what is open, as a queue takes long, is told BUSY and not closed") {
    ManyOps ops;
    for (int i = 0; i < 32; ++i) {
        ops.send();
    }
    for (int attempt = 2; attempt < 12; ++attempt) {
        for (int i = 0; i < 32; ++i) {
            ops.bench.pass(25ms);
            ops.bench.peers.say(
                ops.alice,
                fmt::format(R"({{"op":"send","i":1,"q":"/room/1","m":"chat","d":1,"try":{}}})",
                            attempt));
            CHECK(ops.alice.next().starts_with(R"({"op":"retry")"));
        }
    }
    CHECK_FALSE(ops.alice.is_ended);
}

TEST_CASE("row 43: ops under way in more queues than one may follow are answered BUSY") {
    ManyOps ops;
    for (int i = 0; i < 64; ++i) {
        ops.send(fmt::format("/room/{}", i));
    }
    CHECK(ops.forwarded.size() == 64);
    ops.send("/room/64");
    CHECK(ops.forwarded.size() == 64);
    CHECK(ops.alice.next().starts_with(R"({"op":"retry","i":1,"code":"M2022")"));
    ops.answer_oldest("/room/0");
    ops.send("/room/64");
    CHECK(ops.forwarded.size() == 64);
}

TEST_CASE("row 43: who waits for answers in between may be told BUSY as often as it likes") {
    ManyOps ops;
    for (int i = 0; i < 32; ++i) {
        ops.send();
    }
    for (int i = 0; i < 500; ++i) {
        ops.send();
        ops.alice.texts.clear();
        ops.answer_oldest();
        ops.send();
    }
    CHECK_FALSE(ops.alice.is_ended);
}

TEST_CASE("row 44: a queue name that breaks a rule is answered with M2001") {
    Requests requests;
    const std::string long_name = "/" + std::string(256, 'a');
    const std::vector<std::string_view> names{
        "room",   "/",          "/room/",    "//room",    "/a//b",     "/a/../b", "/./a",
        "/a/-/b", "/a\\u0001b", "/a\\u007f", "/a\\u0085", "/e\\u0301", long_name};
    for (const std::string_view name : names) {
        for (const std::string_view op : {"join", "listen", "leave", "unlisten"}) {
            const auto answer =
                requests.answer(fmt::format(R"({{"op":"{}","i":1,"q":"{}"}})", op, name));
            CHECK(answer.starts_with(
                R"({"op":"err","i":1,"code":"M2001","outcome":"rejected","message":"a queue name )"));
        }
        requests.bench.pass(1s);
    }
    for (const std::string_view op :
         {R"("send","d":1)", R"("set","k":"a","d":1)", R"("history")"}) {
        CHECK(requests.answer(fmt::format(R"({{"op":{},"i":1,"q":"room","m":"chat"}})", op))
                  .find("M2001") != std::string::npos);
    }
    CHECK(requests.answer(R"({"op":"withdraw","i":1,"n":1,"inc":7,"q":"room"})").find("M2001") !=
          std::string::npos);
}

TEST_CASE("row 44: a queue name that is empty, or no UTF-8, closes the connection") {
    Requests requests;
    requests.check_closed(R"({"op":"join","i":1,"q":""})", 4000, "M1000");
    requests.check_closed(R"({"op":"join","i":1})", 4000, "M1000");
    requests.check_closed("{\"op\":\"join\",\"i\":1,\"q\":\"/a\xff\"}", 1007, "M1027");
}

TEST_CASE("row 45: what the queue rejects is shown with its code") {
    Requests requests;
    const auto op =
        requests.op(R"({"op":"send","i":2,"n":3,"inc":7,"q":"/room/1","m":"chat","d":{"a":1}})");
    CHECK(op.sender.user == "alice");
    CHECK_FALSE(op.sender.is_server);
    CHECK(op.sender.cep == requests.bench.last_cep());
    CHECK(op.sender.session == SessionId{82});
    CHECK(op.number == 3);
    CHECK(std::get<queue::SendOp>(op.body).mount == "chat");
    CHECK(std::get<queue::SendOp>(op.body).data == Payload(R"({"a":1})"));
    CHECK(requests.shown(op, ErrorCode::not_member) ==
          R"({"op":"err","i":2,"code":"M2003","outcome":"rejected"})");
    CHECK(requests.shown(op, ErrorCode::no_mount) ==
          R"({"op":"err","i":2,"code":"M3001","outcome":"rejected"})");
    CHECK(requests.shown(op, ErrorCode::wrong_kind) ==
          R"({"op":"err","i":2,"code":"M3002","outcome":"rejected"})");
}

TEST_CASE("row 46: whatever a client asks of a user queue is rejected as forbidden") {
    Requests requests;
    for (const std::string_view request :
         {R"("send","m":"mail","d":1)", R"("set","m":"mail","k":"a","d":1)", R"("join")",
          R"("listen")", R"("leave")", R"("history","m":"mail")", R"("withdraw","n":1,"inc":7)"}) {
        for (const std::string_view user : {"bob", "alice"}) {
            CHECK(requests.answer(fmt::format(R"({{"op":{},"i":1,"q":"/user/{}"}})", request, user))
                      .starts_with(R"({"op":"err","i":1,"code":"M2004","outcome":"rejected")"));
        }
    }
}

TEST_CASE("row 47: values and keys that are too big are shown as the queue rejects them") {
    Requests requests;
    const auto op = requests.op(fmt::format(R"({{"op":"set","i":2,"q":"/room/1","m":"scores",)"
                                            R"("k":"{}","d":1}})",
                                            std::string(257, 'k')));
    CHECK(op.reject_with == std::nullopt);  // That is for the queue to say, and it says too_big.
    CHECK(requests.shown(op, ErrorCode::too_big).find("M3003") != std::string::npos);
    CHECK(requests.shown(op, ErrorCode::full).find("M3004") != std::string::npos);
    // A key that is no key has used up its number all the same.
    const auto bad =
        requests.op(R"({"op":"set","i":3,"q":"/room/1","m":"scores","k":"a\u0000b","d":1})");
    CHECK(bad.reject_with == ErrorCode::bad_name);
}

TEST_CASE("row 47: a message above 64 KiB closes with 1009") {
    Requests requests;
    requests.check_closed(fmt::format(R"({{"op":"send","q":"/room/1","m":"chat","d":"{}"}})",
                                      std::string(64 * 1024, 'a')),
                          1009, "M1029");
}

TEST_CASE("row 48: a stale `if` is answered with M3009 and the seq of the last change") {
    Requests requests;
    const auto op =
        requests.op(R"({"op":"set","i":3,"q":"/room/1","m":"scores","k":"alice","d":9,"if":20})");
    CHECK(std::get<queue::SetOp>(op.body).if_seq == 20);
    CHECK(requests.shown(op, ErrorCode::conflict, 21) ==
          R"({"op":"err","i":3,"code":"M3009","outcome":"rejected","current":21})");
}

TEST_CASE("row 49: to listen twice, or unlisten what is not listened to, is OK") {
    Requests requests;
    GatewayBench& bench = requests.bench;
    FakeQueue room(bench, "/room/1");
    SUBCASE("listened to already") {
        bench.peers.say(requests.alice, R"({"op":"listen","i":1,"q":"/room/1"})");
        room.answer();
        const std::string first = requests.alice.next();
        CHECK(first.starts_with(R"({"op":"joined","i":1,"q":"/room/1","member":false,"at":[7,2])"));
        CHECK(requests.answer(R"({"op":"listen","i":2,"q":"/room/1"})")
                  .starts_with(R"({"op":"joined","i":2,"q":"/room/1","member":false,"at":[7,2])"));
        room.post("1");
        CHECK(requests.alice.texts.size() == 1);
    }
    SUBCASE("not yet answered") {
        bench.peers.say(requests.alice, R"({"op":"listen","i":1,"q":"/room/1"})");
        bench.peers.say(requests.alice, R"({"op":"listen","i":2,"q":"/room/1"})");
        room.answer();
        CHECK(requests.alice.next().starts_with(R"({"op":"joined","i":1)"));
        CHECK(requests.alice.next().starts_with(R"({"op":"joined","i":2)"));
        room.post("1");
        CHECK(requests.alice.texts.size() == 1);
    }
    SUBCASE("not listened to") {
        CHECK(requests.answer(R"({"op":"unlisten","i":3,"q":"/room/1"})") ==
              R"({"op":"ok","i":3})");
        CHECK(requests.answer(R"({"op":"unlisten","i":4,"q":"/room/1"})") ==
              R"({"op":"ok","i":4})");
    }
}

TEST_CASE("row 50: the 65th queue that is joined or listened to is rejected with M2005") {
    Requests requests;
    GatewayBench& bench = requests.bench;
    for (int i = 0; i < 64; ++i) {
        bench.peers.say(requests.alice, fmt::format(R"({{"op":"listen","q":"/room/{}"}})", i));
        bench.pass(100ms);
    }
    CHECK(bench.take_sent<queue::Subscribe>().size() == 64);
    CHECK(requests.answer(R"({"op":"listen","i":1,"q":"/room/64"})") ==
          R"({"op":"err","i":1,"code":"M2005","outcome":"rejected"})");
    // A join uses up its number, so the queue says it.
    bench.peers.say(requests.alice, R"({"op":"join","i":2,"n":1,"q":"/room/64"})");
    CHECK(bench.take_one<user::Pass>().op.reject_with == ErrorCode::limit);
    // One that is followed already is no 65th; and one less makes room.
    bench.peers.say(requests.alice, R"({"op":"join","i":3,"q":"/room/63"})");
    CHECK(bench.take_one<user::Pass>().op.reject_with == std::nullopt);
    bench.peers.say(requests.alice, R"({"op":"unlisten","q":"/room/0"})");
    bench.peers.say(requests.alice, R"({"op":"unlisten","q":"/room/1"})");
    bench.peers.say(requests.alice, R"({"op":"unlisten","q":"/room/2"})");
    bench.peers.say(requests.alice, R"({"op":"listen","q":"/room/64"})");
    CHECK(bench.take_sent<queue::Subscribe>().size() == 1);
}

TEST_CASE("row 50: a queue that is joined again while it is followed counts once") {
    Requests requests;
    GatewayBench& bench = requests.bench;
    for (int i = 0; i < 40; ++i) {
        bench.peers.say(requests.alice, fmt::format(R"({{"op":"listen","q":"/room/{}"}})", i));
        bench.peers.say(requests.alice, fmt::format(R"({{"op":"join","q":"/room/{}"}})", i));
        bench.pass(100ms);
    }
    static_cast<void>(bench.take_sent<user::Pass>());
    static_cast<void>(bench.take_sent<queue::Subscribe>());
    bench.peers.say(requests.alice, R"({"op":"join","q":"/room/0"})");
    CHECK(bench.take_one<user::Pass>().op.reject_with == std::nullopt);
    bench.peers.say(requests.alice, R"({"op":"listen","i":1,"q":"/hall"})");
    CHECK(bench.take_sent<queue::Subscribe>("/hall").size() == 1);
    // So does one that is being joined.
    for (int i = 0; i < 23; ++i) {
        bench.peers.say(requests.alice, R"({"op":"join","q":"/lobby"})");
        CHECK(bench.take_one<user::Pass>().op.reject_with == std::nullopt);
        bench.pass(100ms);
    }
    for (int i = 0; i < 22; ++i) {
        bench.peers.say(requests.alice, fmt::format(R"({{"op":"listen","q":"/more/{}"}})", i));
        bench.pass(100ms);
    }
    CHECK(bench.take_sent<queue::Subscribe>().size() == 22);
    bench.peers.say(requests.alice, R"({"op":"listen","q":"/lobby"})");
    CHECK(bench.take_sent<queue::Subscribe>("/lobby").size() == 1);
    // And the place of a join under way is not the backend's to give away.
    bench.deliver(user::MembershipChanged{ref_of(requests.alice), QueueName("/65"), true});
    CHECK(requests.alice.last() == R"({"op":"left","q":"/65","why":"limit"})");
}

TEST_CASE("row 51: what only servers, nodes and admins say closes with 1008") {
    Requests requests;
    for (const std::string_view op : {"ok", "joined", "msg", "state", "members", "reset", "bye",
                                      "attach", "fence", "repl", "kick", "sub", "evt"}) {
        requests.check_closed(fmt::format(R"({{"op":"{}","i":1}})", op), 1008, "M1028");
    }
}

// ---- Beside the table ------------------------------------------------------------------------

TEST_CASE("a request without a field that it needs closes with 4000") {
    Requests requests;
    for (const std::string_view json :
         {R"({"op":"send","q":"/room/1","d":1})", R"({"op":"send","q":"/room/1","m":"chat"})",
          R"({"op":"set","q":"/room/1","k":"a","d":1})", R"({"op":"history","q":"/room/1"})",
          R"({"op":"withdraw","q":"/room/1","n":1})",
          R"({"op":"withdraw","q":"/room/1","inc":7})"}) {
        requests.check_closed(json, 4000, "M1000");
    }
}

TEST_CASE("a numbered op that names no history closes with 4000, but for a join") {
    Requests requests;
    for (const std::string_view op : {R"("op":"send","m":"chat","d":1)",
                                      R"("op":"set","m":"scores","k":"a")", R"("op":"leave")"}) {
        for (const std::string_view inc : {"", R"(,"inc":0)"}) {
            requests.check_closed(fmt::format(R"({{{},"q":"/room/1","n":2{}}})", op, inc), 4000,
                                  "M1000");
        }
    }
    GatewayBench& bench = requests.bench;
    CHECK(bench.take_sent<queue::Op>().empty());
    CHECK(bench.take_sent<user::Pass>().empty());
    // A join may mean the present one, and so may its withdrawal; so does what has no number.
    for (const std::string_view inc : {"", R"(,"inc":0)"}) {
        bench.peers.say(requests.alice,
                        fmt::format(R"({{"op":"join","q":"/room/1","n":2{}}})", inc));
        CHECK(bench.take_one<user::Pass>().op.inc == Inc{});
        bench.peers.say(requests.alice,
                        fmt::format(R"({{"op":"send","q":"/room/1","m":"chat","d":1{}}})", inc));
        CHECK(bench.take_one<queue::Op>().number == 0);
    }
    bench.peers.say(requests.alice, R"({"op":"withdraw","q":"/room/1","n":2,"inc":0})");
    CHECK(bench.take_one<queue::Op>().number == 2);
}

TEST_CASE_TEMPLATE("protobuf: a numbered op that names no history closes with 4000", Wire, Proto,
                   ProtoTcp) {
    GatewayBench bench(Wire::value);
    TestPeer& peer = bench.user("alice");
    wire::ClientFrame send;
    send.op = wire::ClientOp::send;
    send.queue = "/room/1";
    send.mount = "chat";
    send.number = 2;
    send.data = wire::Data{"1", Format::json};
    std::string bytes;
    wire::proto::append_client_frame(bytes, send);
    bench.peers.send_message(peer, bytes);
    bench.check_closed(peer, 4000, "M1000");
    CHECK(bench.take_sent<queue::Op>().empty());
}

TEST_CASE("requests above the rate are answered with M2022 and not forwarded") {
    Requests requests;
    GatewayBench& bench = requests.bench;
    const auto send = [&](int i) {
        bench.peers.say(requests.alice,
                        fmt::format(R"({{"op":"send","i":{},"q":"/room/{}","m":"chat","d":1}})", i,
                                    i % 4));  // So that none has too many under way.
    };
    for (int i = 0; i < 80; ++i) {
        send(i);
    }
    CHECK(bench.take_sent<queue::Op>().size() == 80);
    send(80);
    CHECK(bench.sent.empty());
    CHECK(requests.alice.next() == R"({"op":"retry","i":80,"code":"M2022","after_ms":25})");
    bench.pass(25ms);
    send(81);
    CHECK(bench.take_sent<queue::Op>().size() == 1);
}

TEST_CASE("requests become ops with all that they say") {
    Requests requests;
    const auto set =
        requests.op(R"({"op":"set","i":3,"q":"/room/1","m":"scores","k":"a","d":[1, 2]})");
    const auto& change = std::get<queue::SetOp>(set.body).changes.at(0);
    CHECK(change.key == "a");
    CHECK(change.value == Payload("[1, 2]"));
    CHECK(set.number == 0);
    CHECK(set.inc == Inc{});
    const auto removal = requests.op(R"({"op":"set","q":"/room/1","m":"scores","k":"a"})");
    CHECK(std::get<queue::SetOp>(removal.body).changes.at(0).value.empty());
    const auto bytes = requests.op(R"({"op":"send","q":"/room/1","m":"chat","b":"AAE="})");
    CHECK(std::get<queue::SendOp>(bytes.body).data ==
          Payload(std::string_view("\0\1", 2), Format::bytes));
    const auto withdrawn = requests.op(R"({"op":"withdraw","q":"/room/1","n":4,"inc":7})");
    CHECK(std::holds_alternative<queue::WithdrawOp>(withdrawn.body));
    CHECK(withdrawn.number == 4);
    // Joins and leaves pass the user's own queue.
    requests.bench.peers.say(requests.alice, R"({"op":"join","i":1,"n":1,"q":"/room/1"})");
    const auto join = requests.bench.take_one<user::Pass>("/user/alice");
    CHECK(join.queue == "/room/1");
    CHECK(std::get<queue::JoinOp>(join.op.body).user == "alice");
    requests.bench.peers.say(requests.alice, R"({"op":"leave","i":2,"n":2,"inc":7,"q":"/room/1"})");
    const auto leave = requests.bench.take_one<user::Pass>("/user/alice");
    CHECK(std::get<queue::LeaveOp>(leave.op.body).reason == queue::LeaveReason::left);
}

TEST_CASE("each verdict has its frame") {
    Requests requests;
    const auto op = requests.op(R"({"op":"send","i":2,"q":"/room/1","m":"chat","d":1})");
    const auto shown = [&](queue::Verdict verdict) {
        queue::OpReply reply;
        reply.reply_to = op.reply_to;
        reply.queue = QueueName("/room/1");
        reply.verdict = std::move(verdict);
        requests.bench.deliver(reply);
        return requests.alice.next();
    };
    using Kind = queue::Verdict::Kind;
    const auto verdict = [](Kind kind, ErrorCode code) {
        queue::Verdict made;
        made.kind = kind;
        made.code = code;
        return made;
    };
    queue::Verdict ok;
    ok.at = {Inc{7}, 22};
    CHECK(shown(ok) == R"({"op":"ok","i":2,"seq":22})");
    queue::Verdict rejected = verdict(Kind::rejected, ErrorCode::forbidden);
    rejected.detail = "no";
    CHECK(shown(rejected) ==
          R"({"op":"err","i":2,"code":"M2004","outcome":"rejected","message":"no"})");
    CHECK(shown(verdict(Kind::gone, ErrorCode::gone)) ==
          R"({"op":"err","i":2,"code":"M2010","outcome":"unknown"})");
    CHECK(shown(verdict(Kind::expired, ErrorCode::expired)) ==
          R"({"op":"err","i":2,"code":"M2011","outcome":"unknown"})");
    CHECK(shown(verdict(Kind::hole, ErrorCode::hole)) ==
          R"({"op":"retry","i":2,"code":"M2020","after_ms":0})");
    queue::Verdict busy = verdict(Kind::busy, ErrorCode::busy);
    busy.retry_ms = 500;
    CHECK(shown(busy) == R"({"op":"retry","i":2,"code":"M2022","after_ms":500})");
    SUBCASE("fenced: a newer connection of the user is there") {
        CHECK(shown(verdict(Kind::fenced, ErrorCode::superseded)).empty());
        requests.bench.check_closed(requests.alice, 4003, "M1003", &requests.bob);
    }
    SUBCASE("fenced: its user queue had given it up, and nobody took its place") {
        CHECK(shown(verdict(Kind::fenced, ErrorCode::session_lost)).empty());
        requests.bench.check_closed(requests.alice, 4004, "M1004", &requests.bob);
    }
    SUBCASE("protocol error: the number was far behind") {
        CHECK(shown(verdict(Kind::protocol_error, ErrorCode::protocol)).empty());
        requests.bench.check_closed(requests.alice, 4000, "M1000", &requests.bob);
    }
}

}  // namespace
}  // namespace muster::gateway
