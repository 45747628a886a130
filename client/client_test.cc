#include "muster/client.h"

#include <chrono>
#include <functional>
#include <string>
#include <type_traits>
#include <vector>

#include <doctest/doctest.h>

#include "client/loopback_server.h"

// The whole client over real sockets, against a server that is played by hand. What it decides is
// tested in core/client.
namespace muster {
namespace {

using namespace std::chrono_literals;
using detail::LoopbackServer;

using Json = std::integral_constant<Encoding, Encoding::json>;
using Proto = std::integral_constant<Encoding, Encoding::proto>;

struct Bench {
    LoopbackServer server;
    Client client;

    explicit Bench(Encoding encoding, ClientOptions options = {})
        : client(with(encoding, std::move(options), server)) {}

    static ClientOptions with(Encoding encoding, ClientOptions options,
                              const LoopbackServer& server) {
        options.encoding = encoding;
        options.servers = {server.url()};
        if (options.token.empty() && !options.fetch_token) {
            options.user = "alice";
        }
        return options;
    }

    /// Lets both sides work until `done`. False: it did not happen.
    bool run(const std::function<bool()>& done) {
        for (int i = 0; i < 5000; ++i) {
            if (done()) {
                return true;
            }
            server.pump();
            client.poll(1ms);
        }
        return done();
    }

    /// Waits for the client's next frame.
    std::string next() {
        REQUIRE(run([this] { return !server.received.empty(); }));
        return server.next();
    }

    bool run_until(Status::State state) {
        return run([this, state] { return client.status().state == state; });
    }

    void sign_in() {
        const std::string hello = next();
        CHECK(hello.starts_with(R"({"op":"hello")"));
        server.say_text(
            R"({"op":"hello","v":1,"user":"alice","session":1,"resume":"r","cid":"c","ping":15})");
        REQUIRE(run_until(Status::State::online));
    }
};

TEST_CASE_TEMPLATE("a client connects, joins, sends and hears its own message", Wire, Json, Proto) {
    Bench bench(Wire::value);
    std::vector<std::string> heard;
    auto room = bench.client.queue("/room/lobby");
    room.on_message([&](const Message& m) {
        heard.push_back(std::string{m.from} + " " + std::string{m.data} + " " +
                        std::to_string(m.seq));
    });
    Joined joined;
    room.on_joined([&](const Joined& j) { joined = j; });
    Outcome join;
    Outcome send;
    room.join([&](const Outcome& o) { join = o; });
    room.send("chat", R"({"text":"hi"})", [&](const Outcome& o) { send = o; });
    CHECK(bench.client.open_request_count() == 2);
    bench.sign_in();
    CHECK(bench.next() == R"({"op":"join","i":1,"n":1,"inc":0,"try":1,"q":"/room/lobby"})");
    bench.server.say_text(
        R"({"op":"joined","i":1,"q":"/room/lobby","member":true,"at":[7,3],"resume":{"chat":"fresh"},)"
        R"("mounts":{"chat":{"type":"message"},"scores":{"type":"state","value":{"bob":7}}},)"
        R"("members":1,"who":{"alice":{}}})");
    CHECK(
        bench.next() ==
        R"({"op":"send","i":2,"n":2,"inc":7,"try":1,"q":"/room/lobby","m":"chat","d":{"text":"hi"}})");
    CHECK(join.is_ok());
    CHECK(joined.is_member);
    CHECK(joined.at == Position{7, 3});
    CHECK(room.get("scores", "bob")->data == "7");
    CHECK(room.keys("scores") == std::vector<std::string>{"bob"});
    CHECK(room.members() == std::vector<std::string>{"alice"});
    CHECK(room.member_count() == 1);
    CHECK(room.is_member());
    bench.server.say_text(
        R"({"op":"msg","q":"/room/lobby","m":"chat","seq":4,"from":"alice","t":5,"d":{"text":"hi"}})");
    bench.server.say_text(R"({"op":"ok","i":2,"seq":4})");
    REQUIRE(bench.run([&] { return bench.client.open_request_count() == 0 && !heard.empty(); }));
    CHECK(send.is_ok());
    CHECK(send.seq == 4);
    CHECK(heard == std::vector<std::string>{R"(alice {"text":"hi"} 4)"});
    CHECK(room.position() == Position{7, 4});
}

TEST_CASE_TEMPLATE("after a cut the client resumes, and shows what it missed once", Wire, Json,
                   Proto) {
    Bench bench(Wire::value);
    int count = 0;
    auto room = bench.client.queue("/room/lobby");
    room.on_message([&](const Message&) { ++count; });
    room.join();
    bench.sign_in();
    bench.next();
    const std::string joined =
        R"("q":"/room/lobby","member":true,"resume":{},"mounts":{},"members":0,"who":{}})";
    bench.server.say_text(R"({"op":"joined","i":1,"at":[7,3],)" + joined);
    REQUIRE(bench.run([&] { return room.is_member(); }));
    bench.server.cut();
    REQUIRE(bench.run_until(Status::State::offline));
    bench.client.reconnect();
    const std::string hello = bench.next();
    CHECK(hello.find(R"("resume":"r","cid":"c","cn":2,"since":{"/room/lobby":[7,3]})") !=
          std::string::npos);
    bench.server.say_text(
        R"({"op":"hello","v":1,"user":"alice","session":1,"resume":"r","cid":"c","ping":15})");
    bench.server.say_text(R"({"op":"msg","q":"/room/lobby","m":"chat","seq":4,"t":5,"d":1})");
    bench.server.say_text(R"({"op":"joined","at":[7,4],)" + joined);
    REQUIRE(bench.run([&] { return room.position() == Position{7, 4}; }));
    CHECK(count == 1);
}

TEST_CASE_TEMPLATE("a rejected request carries code, name and what would help", Wire, Json, Proto) {
    Bench bench(Wire::value);
    auto room = bench.client.queue("/room/lobby");
    Outcome outcome;
    room.join([&](const Outcome& o) { outcome = o; });
    bench.sign_in();
    bench.next();
    bench.server.say_text(R"({"op":"err","i":1,"code":"M2004","message":"closed today"})");
    REQUIRE(bench.run([&] { return !outcome.code.empty(); }));
    CHECK(outcome.kind == Outcome::Kind::rejected);
    CHECK(outcome.code == "M2004");
    CHECK(outcome.name == "forbidden");
    CHECK(outcome.detail == "closed today");
    CHECK_FALSE(outcome.is_retryable);
}

TEST_CASE_TEMPLATE(
    "nothing is called outside poll, and a callback may make requests and replace itself", Wire,
    Json, Proto) {
    Bench bench(Wire::value);
    auto room = bench.client.queue("/room/lobby");
    int first = 0;
    int second = 0;
    int not_sent = 0;
    const std::function<void(const Outcome&)> done = [&](const Outcome& o) {
        CHECK(o.kind == Outcome::Kind::not_sent);
        ++not_sent;
    };
    room.send("chat", "1", done);  // Nobody has joined.
    CHECK(not_sent == 0);
    room.on_message([&](const Message& m) {
        ++first;
        room.on_message([&](const Message&) { ++second; });
        bench.client.queue("/room/other").send("chat", "1", done);
        CHECK(not_sent == 1);
        CHECK(m.data == "1");
    });
    room.listen();
    bench.sign_in();
    CHECK(not_sent == 1);
    bench.next();
    bench.server.say_text(
        R"({"op":"joined","i":1,"q":"/room/lobby","member":false,"at":[7,3],"resume":{},"mounts":{},"members":0,"who":{}})");
    bench.server.say_text(R"({"op":"msg","q":"/room/lobby","m":"chat","seq":4,"t":5,"d":1})");
    bench.server.say_text(R"({"op":"msg","q":"/room/lobby","m":"chat","seq":5,"t":5,"d":1})");
    REQUIRE(bench.run([&] { return second == 1; }));
    CHECK(first == 1);
    CHECK(not_sent == 2);
}

TEST_CASE_TEMPLATE("a callback may close the client and still look at its message", Wire, Json,
                   Proto) {
    Bench bench(Wire::value);
    auto room = bench.client.queue("/room/lobby");
    std::string seen;
    room.on_message([&](const Message& m) {
        bench.client.close();
        bench.client.reconnect();
        seen = m.data;
    });
    room.listen();
    bench.sign_in();
    bench.next();
    bench.server.say_text(
        R"({"op":"joined","i":1,"q":"/room/lobby","member":false,"at":[7,3],"resume":{},"mounts":{},"members":0,"who":{}})");
    // In two fragments, so that the decoder keeps the message in its own memory.
    const std::string text = bench.server.encoded(
        R"({"op":"msg","q":"/room/lobby","m":"chat","seq":4,"t":5,"d":"a long text of its own"})");
    std::string bytes;
    wire::append_server_frame(bytes, wire::WebSocketOpcode::text, text.substr(0, 20));
    bytes[0] = Wire::value == Encoding::json ? 0x01 : 0x02;
    std::string rest;
    wire::append_server_frame(rest, wire::WebSocketOpcode::continuation, text.substr(20));
    bench.server.say_bytes(bytes + rest);
    REQUIRE(bench.run([&] { return !seen.empty(); }));
    CHECK(seen == R"("a long text of its own")");
    bench.sign_in();
}

TEST_CASE_TEMPLATE("close gives every open request its outcome in the next poll", Wire, Json,
                   Proto) {
    Bench bench(Wire::value);
    auto room = bench.client.queue("/room/lobby");
    std::vector<Outcome::Kind> outcomes;
    room.join([&](const Outcome& o) { outcomes.push_back(o.kind); });
    room.send("chat", "1", [&](const Outcome& o) { outcomes.push_back(o.kind); });
    bench.sign_in();
    bench.next();
    bench.client.close();
    CHECK(outcomes.empty());
    bench.client.poll(0ms);
    CHECK(outcomes == std::vector{Outcome::Kind::not_sent, Outcome::Kind::unknown});
    CHECK(bench.client.status().state == Status::State::closed);
}

TEST_CASE_TEMPLATE("a request that was given up says so", Wire, Json, Proto) {
    Bench bench(Wire::value);
    auto room = bench.client.queue("/room/lobby");
    Outcome outcome;
    const RequestNumber id = room.join([&](const Outcome& o) { outcome = o; });
    bench.client.give_up(id);
    bench.client.poll(0ms);
    CHECK(outcome.kind == Outcome::Kind::not_sent);
    CHECK(outcome.name == "withdrawn");
}

TEST_CASE_TEMPLATE("a superseded client is closed and says why", Wire, Json, Proto) {
    Bench bench(Wire::value);
    bench.sign_in();
    bench.server.close_with(4003);
    REQUIRE(bench.run_until(Status::State::closed));
    CHECK(bench.client.status().code == "M1003");
    CHECK(bench.client.status().name == "superseded");
}

TEST_CASE_TEMPLATE("an upgrade that is refused is tried again when the server wants it", Wire, Json,
                   Proto) {
    Bench bench(Wire::value);
    bench.server.refusal =
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 30\r\nContent-Length: 0\r\n\r\n";
    REQUIRE(bench.run_until(Status::State::offline));
    CHECK(bench.client.status().code == "M1033");
    CHECK(bench.client.status().retry_in == 30s);
}

TEST_CASE("a client that would rather speak protobuf speaks JSON with a server that has none") {
    Bench bench(Encoding::proto);
    bench.server.has_proto = false;
    bench.sign_in();
    CHECK_FALSE(bench.server.speaks_proto());
}

TEST_CASE_TEMPLATE("bytes arrive as they were sent", Wire, Json, Proto) {
    Bench bench(Wire::value);
    auto room = bench.client.queue("/room/lobby");
    std::string seen;
    room.on_message([&](const Message& m) { seen = m.data; });
    room.listen();
    bench.sign_in();
    CHECK(bench.server.speaks_proto() == (Wire::value == Encoding::proto));
    bench.next();
    bench.server.say_text(
        R"({"op":"joined","i":1,"q":"/room/lobby","member":false,"at":[7,3],"resume":{},"mounts":{},"members":0,"who":{}})");
    bench.server.say_text(R"({"op":"msg","q":"/room/lobby","m":"chat","seq":4,"t":5,"b":"/wE="})");
    REQUIRE(bench.run([&] { return !seen.empty(); }));
    CHECK(seen == "\xff\x01");
}

TEST_CASE("a server that nobody listens at is told with its address") {
    std::string url;
    {
        const LoopbackServer gone;
        url = gone.url();
    }
    Client client({.servers = {url}, .user = "alice"});
    for (int i = 0; i < 1000 && client.status().state != Status::State::offline; ++i) {
        client.poll(10ms);
    }
    CHECK(client.status().state == Status::State::offline);
    CHECK(client.status().detail.find(url.substr(5)) != std::string::npos);
}

TEST_CASE("a name is looked up without waiting") {
    const LoopbackServer server;
    Client client(
        {.servers = {"ws://localhost:" + std::to_string(server.port())}, .user = "alice"});
    client.poll(0ms);
    CHECK(client.status().state == Status::State::connecting);
}

TEST_CASE("a server's address that is none closes the client with the reason") {
    Client client({.servers = {"ftp://x"}, .user = "alice"});
    client.poll(0ms);
    CHECK(client.status().state == Status::State::closed);
    CHECK(client.status().name == "bad_settings");
    CHECK(client.status().detail.find("ftp://x") != std::string::npos);
}

TEST_CASE_TEMPLATE("a token is fetched by the application, within poll", Wire, Json, Proto) {
    int fetched = 0;
    Bench bench(Wire::value, {.fetch_token = [&]() -> std::optional<std::string> {
                    ++fetched;
                    return fetched == 1 ? std::nullopt : std::optional<std::string>{"secret"};
                }});
    CHECK(fetched == 0);
    REQUIRE(bench.run_until(Status::State::offline));
    bench.client.reconnect();
    CHECK(bench.next().find(R"("token":"secret")") != std::string::npos);
    CHECK(fetched == 2);
}

TEST_CASE_TEMPLATE("a fixed token that is refused ends the client", Wire, Json, Proto) {
    Bench bench(Wire::value, {.token = "fixed"});
    bench.next();
    bench.server.close_with(4001);
    REQUIRE(bench.run_until(Status::State::offline));
    bench.client.reconnect();
    REQUIRE(bench.run_until(Status::State::closed));
    CHECK(bench.client.status().name == "bad_token");
}

TEST_CASE_TEMPLATE("garbage, frames of the other kind and unknown ones do no harm", Wire, Json,
                   Proto) {
    {
        Bench bench(Wire::value);
        bench.sign_in();
        bench.server.say_text(R"({"op":"from_the_future","x":1})");
        bench.server.say_text(R"({"op":"ping"})");
        CHECK(bench.next() == R"({"op":"pong"})");
        bench.server.say_text("{");
        REQUIRE(bench.run_until(Status::State::offline));
    }
    Bench bench(Wire::value);
    bench.sign_in();
    std::string bytes;
    wire::append_server_frame(
        bytes,
        Wire::value == Encoding::json ? wire::WebSocketOpcode::binary : wire::WebSocketOpcode::text,
        Wire::value == Encoding::json ? "\x01" : "{}");
    bench.server.say_bytes(bytes);
    REQUIRE(bench.run_until(Status::State::offline));
}

TEST_CASE_TEMPLATE("history comes as a page, oldest first, or as a reason", Wire, Json, Proto) {
    Bench bench(Wire::value);
    auto room = bench.client.queue("/room/lobby");
    std::vector<std::uint64_t> seqs;
    std::string code;
    bool has_more = false;
    const auto done = [&](const HistoryPage& page) {
        has_more = page.has_more;
        code = page.outcome.code;
        for (const Message& m : page.messages) {
            seqs.push_back(m.seq);
        }
    };
    room.history("chat", done, 17);
    bench.sign_in();
    CHECK(bench.next() == R"({"op":"history","i":1,"q":"/room/lobby","m":"chat","before":17})");
    bench.server.say_text(
        R"({"op":"history","i":1,"q":"/room/lobby","m":"chat","items":[{"seq":3,"t":1,"d":1},{"seq":5,"t":1,"d":2}],"more":true})");
    REQUIRE(bench.run([&] { return !seqs.empty(); }));
    CHECK(seqs == std::vector<std::uint64_t>{3, 5});
    CHECK(has_more);
    room.history("nowhere", done);
    bench.next();
    bench.server.say_text(R"({"op":"err","i":2,"code":"M3001"})");
    REQUIRE(bench.run([&] { return code == "M3001"; }));
}

TEST_CASE_TEMPLATE(
    "a message to the user itself goes to on_mail, and a reliable one is acknowledged", Wire, Json,
    Proto) {
    Bench bench(Wire::value);
    std::string mail;
    bench.client.on_mail([&](const Message& m) { mail = m.data; });
    bench.sign_in();
    bench.server.say_text(
        R"({"op":"msg","q":"/user/alice","m":"mail","n":5,"seq":9,"t":1,"d":"hello"})");
    CHECK(bench.next() == R"({"op":"ack","n":5})");
    CHECK(mail == R"("hello")");
}

}  // namespace
}  // namespace muster
