#include "bench/peers/muster.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "core/wire/websocket.h"

namespace muster::bench {
namespace {

/// One client, driven by hand, and what it says.
struct Bench {
    explicit Bench(bool numbers_ops = false) : client({"alice", "/room/1", false, numbers_ops}) {}

    MusterConversation client;
    std::string out;

    // The server sends `bytes`, in two pieces.
    std::vector<Heard::Kind> raw(std::string bytes) {
        std::vector<Heard::Kind> kinds;
        std::string rest = bytes.substr(bytes.size() / 2);
        bytes.resize(bytes.size() / 2);
        for (std::string* part : {&bytes, &rest}) {
            std::span<char> input(*part);
            for (auto heard = client.next(input, out);
                 heard.has_value() && heard->kind != Heard::Kind::nothing;
                 heard = client.next(input, out)) {
                kinds.push_back(heard->kind);
                text = heard->text;
            }
        }
        return kinds;
    }
    std::vector<Heard::Kind> frame(std::string_view json) {
        std::string bytes;
        wire::append_server_frame(bytes, wire::WebSocketOpcode::text, json);
        return raw(bytes);
    }
    // What the client has said since, unmasked.
    std::string said() {
        std::string all;
        wire::WebSocketDecoder decoder(wire::WebSocketDecoder::Side::server, 64 * 1024);
        std::span<char> input(out);
        for (auto step = decoder.next(input);
             step.has_value() && step->kind == wire::WebSocketDecoder::Step::Kind::text;
             step = decoder.next(input)) {
            all += step->payload;
        }
        out.clear();
        return all;
    }
    void sign_in() {
        client.begin(out);
        out.clear();
        raw("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n");
    }

    std::string text;
};

TEST_CASE("a client comes back from where it was, as the one that it was") {
    Bench bench;
    bench.sign_in();
    CHECK(bench.said() == R"({"op":"hello","v":[1],"user":"alice"})"
                          R"({"op":"join","i":1,"q":"/room/1"})");
    bench.frame(R"({"op":"hello","v":1,"user":"alice","resume":"R","cid":"C","ping":15})");
    CHECK(bench.frame(R"({"op":"joined","i":1,"q":"/room/1","at":[7,19]})") ==
          std::vector{Heard::Kind::joined});
    CHECK(bench.frame(R"({"op":"msg","q":"/room/1","m":"chat","seq":20,"from":"b","d":{"t":1}})") ==
          std::vector{Heard::Kind::message});
    CHECK(bench.text.starts_with(R"({"t":1})"));
    CHECK(bench.frame(R"({"op":"members","q":"/room/1","seq":21,"set":{}})").empty());
    bench.sign_in();
    CHECK(bench.said() == R"({"op":"hello","v":[1],"user":"alice","resume":"R","cid":"C","cn":2,)"
                          R"("since":{"/room/1":[7,21]}})");
}

TEST_CASE("refusals are told, and a ping is answered") {
    Bench bench;
    bench.sign_in();
    bench.frame(R"({"op":"joined","i":1,"q":"/room/1","at":[7,19]})");
    bench.said();
    CHECK(bench.frame(R"({"op":"retry","i":2,"code":"M2022","after_ms":500})") ==
          std::vector{Heard::Kind::refused});
    CHECK(bench.frame(R"({"op":"ok","i":2,"seq":20})").empty());
    CHECK(bench.frame(R"({"op":"ok","i":3,"seq":21})") == std::vector{Heard::Kind::left});
    CHECK(bench.frame(R"({"op":"ping"})").empty());
    CHECK(bench.said() == R"({"op":"pong"})");
}

TEST_CASE("an upgrade that is refused ends the conversation with the server's words") {
    MusterConversation client({"alice", "/room/1", false});
    std::string out;
    client.begin(out);
    std::string answer = "HTTP/1.1 503 Service Unavailable\r\n\r\n";
    std::span<char> input(answer);
    const auto heard = client.next(input, out);
    REQUIRE_FALSE(heard.has_value());
    CHECK(heard.error().detail == "HTTP/1.1 503 Service Unavailable");
}

TEST_CASE("a message is read alike, whether it begins as the last one did or not") {
    Bench bench;
    bench.sign_in();
    const std::string data = R"("d":{"t":1,"r":0,"s":0,"n":1}})";
    for (const std::string_view head :
         {R"({"op":"msg","q":"/room/1","m":"chat","seq":20,"from":"bob","t":1790000000123,)",
          R"({"op":"msg","q":"/room/1","m":"chat","seq":21,"from":"carol","t":1790000000124,)",
          R"({"op":"msg","q":"/room/2","m":"chat","seq":5,"from":"carol","t":1790000000125,)",
          R"({"op":"msg","q":"/room/2","m":"chat","seq":6,"t":1790000000126,"from":"carol",)",
          R"({"op":"msg","q":"/room/2","m":"chat","seq":7,"prev":5,"from":"c","t":1,)"}) {
        CAPTURE(head);
        CHECK(bench.frame(std::string(head) + data) == std::vector{Heard::Kind::message});
        CHECK(bench.text == data.substr(4));
    }
}

TEST_CASE("a client that numbers its ops counts them in the history that it has joined") {
    Bench bench(true);
    bench.sign_in();
    bench.frame(R"({"op":"joined","i":1,"q":"/room/1","at":[7,3],"state":{}})");
    bench.out.clear();
    bench.client.send(bench.out, "/room/1", "1");
    bench.client.send(bench.out, "/room/1", "2");
    CHECK(bench.said() == R"({"op":"send","i":2,"q":"/room/1","m":"chat","n":1,"inc":7,"d":1})"
                          R"({"op":"send","i":2,"q":"/room/1","m":"chat","n":2,"inc":7,"d":2})");
}

}  // namespace
}  // namespace muster::bench
