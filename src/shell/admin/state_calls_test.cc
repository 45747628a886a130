#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "shell/admin/fake_site.h"

// Messages and state.
namespace muster::admin {
namespace {

constexpr std::string_view messages = "/v1/queues/r/-/mounts/chat/messages";
constexpr std::string_view state = "/v1/queues/r/-/mounts/scores/state";
constexpr std::string_view alice = "/v1/queues/r/-/mounts/scores/state/alice";

std::shared_ptr<queue::Content> room() {
    auto content = std::make_shared<queue::Content>();
    content->at = Cursor{Inc{7}, 41};
    queue::Mount& chat = content->mounts[MountName{"chat"}];
    for (Seq seq = 17; seq < 20; ++seq) {
        auto event = std::make_shared<queue::Event>();
        event->seq = seq;
        event->time = WallTime{1'790'000'000'000};
        event->from = UserId{seq == 17 ? "" : "bob"};
        event->body =
            queue::MessagePosted{MountName{"chat"}, seq == 19 ? Payload{"\x01\x02", Format::bytes}
                                                              : Payload{"{\"n\": 1.0}"}};
        chat.history.push(queue::Remembered{event, Instant{}});
    }
    chat.forgotten_through = 12;
    queue::Mount& scores = content->mounts[MountName{"scores"}];
    scores.rules.kind = queue::MountKind::state;
    scores.keys[Key{"alice"}] = queue::Entry{Payload{"[1, 2.50]"}, 30};
    scores.keys[Key{"b\"b"}] = queue::Entry{Payload{"raw", Format::bytes}, 31};
    return content;
}

}  // namespace

TEST_CASE("a message is sent as the same bytes, in the name of a user if one is given") {
    ApiBench bench;
    const Response response =
        bench.call("POST", messages, "{\"data\": {\"text\" :\"h\\u0069\"} ,\"from\":\"bob\"}");
    CHECK(response.status == 201);
    CHECK(response.body == "{\"inc\":7,\"seq\":20}\n");
    CHECK(bench.site.asked.front().to == "/r");
    const auto& op = bench.site.only<queue::Op>();
    CHECK(op.sender.user == "bob");
    CHECK(op.sender.is_server);
    CHECK(op.idempotency_key.empty());
    const auto& send = std::get<queue::SendOp>(op.body);
    CHECK(send.mount == "chat");
    CHECK(send.data.bytes() == "{\"text\" :\"h\\u0069\"}");
    CHECK(send.data.format() == Format::json);
}

TEST_CASE("a message of bytes comes in base64") {
    ApiBench bench;
    CHECK(bench.call("POST", messages, R"({"b":"AQI="})").status == 201);
    const auto& send = bench.site.only_op<queue::SendOp>();
    CHECK(send.data.bytes() == "\x01\x02");
    CHECK(send.data.format() == Format::bytes);
}

TEST_CASE("a message that means nothing is refused") {
    ApiBench bench;
    for (const std::string_view body : {"{}", R"({"data":1,"b":"AQI="})", R"({"b":"A"})",
                                        R"({"data":1,"from":""})", R"({"data":1,"x":1})", "[1]"}) {
        CHECK(bench.call("POST", messages, body).status == 400);
    }
    CHECK(bench.call("POST", messages).status == 400);
    CHECK(bench.site.asked.empty());
}

TEST_CASE("the Idempotency-Key of a message goes to its queue, which says whether it knew it") {
    ApiBench bench;
    const Header key{"idempotency-key", "k-1"};
    const Response first = bench.call("POST", messages, R"({"data":1})", {key});
    CHECK(bench.site.only<queue::Op>().idempotency_key.view() == "k-1");
    CHECK(header_of(first, "Idempotent-Replay").empty());

    bench.site.reply_with(ok_verdict(20, false));
    const Response again = bench.call("POST", messages, R"({"data":1})", {key});
    CHECK(again.status == 201);
    CHECK(again.body == first.body);
    CHECK(header_of(again, "Idempotent-Replay") == "true");

    bench.site.reply_with(rejected_verdict(ErrorCode::key_reused));
    const Response reused = bench.call("POST", messages, R"({"data":2})", {key});
    CHECK(reused.status == 422);
    CHECK(contains(reused.body, "M2013"));
    CHECK(bench.site.asked.size() == 3);
}

TEST_CASE("the queue's refusals of a message come through") {
    ApiBench bench;
    for (const auto& [code, status] :
         {std::pair{ErrorCode::no_queue, 404}, std::pair{ErrorCode::no_mount, 404},
          std::pair{ErrorCode::wrong_kind, 409}, std::pair{ErrorCode::too_big, 413},
          std::pair{ErrorCode::not_member, 403}}) {
        bench.site.reply_with(rejected_verdict(code));
        CHECK(bench.call("POST", messages, R"({"data":1})").status == status);
    }
}

TEST_CASE("messages are shown oldest first, after a seq, up to a limit") {
    ApiBench bench;
    bench.site.reply_with(room());
    CHECK(bench.call("GET", messages).body ==
          "{\"inc\":7,\"seq\":41,\"items\":["
          "{\"seq\":17,\"time_ms\":1790000000000,\"data\":{\"n\": 1.0}},"
          "{\"seq\":18,\"time_ms\":1790000000000,\"from\":\"bob\",\"data\":{\"n\": 1.0}},"
          "{\"seq\":19,\"time_ms\":1790000000000,\"from\":\"bob\",\"b\":\"AQI=\"}],"
          "\"more\":false}\n");
    bench.site.reply_with(room());
    const Response some = bench.call("GET", std::string{messages} + "?after=17&limit=1");
    CHECK(contains(some.body, "\"items\":[{\"seq\":18,"));
    CHECK(contains(some.body, "}],\"more\":true}"));
    bench.site.reply_with(room());
    CHECK(contains(bench.call("GET", std::string{messages} + "?after=19").body, "\"items\":[]"));
}

TEST_CASE("a reader who comes too late for some messages is told which") {
    ApiBench bench;
    bench.site.reply_with(room());
    const Response response = bench.call("GET", std::string{messages} + "?after=5");
    CHECK(contains(response.body, "\"gap\":{\"from\":6,\"to\":12}"));
    bench.site.reply_with(room());
    CHECK_FALSE(contains(bench.call("GET", std::string{messages} + "?after=12").body, "gap"));
}

TEST_CASE("messages of what has none, or with a bad query, are refused") {
    ApiBench bench;
    bench.site.reply_with(room());
    CHECK(bench.call("GET", "/v1/queues/r/-/mounts/scores/messages").status == 409);
    bench.site.reply_with(room());
    CHECK(bench.call("GET", "/v1/queues/r/-/mounts/nothing/messages").status == 404);
    for (const std::string_view query :
         {"after=-1", "after=x", "after=99999999999999999999", "limit=0", "limit=1001"}) {
        CHECK(bench.call("GET", std::string{messages} + "?" + std::string{query}).status == 400);
    }
}

TEST_CASE("the state is one object whose values are the bytes that were set; its ETag is the seq") {
    ApiBench bench;
    bench.site.reply_with(room());
    const Response response = bench.call("GET", state);
    CHECK(response.status == 200);
    CHECK(response.body == "{\"alice\":[1, 2.50],\"b\\\"b\":{\"b\":\"cmF3\"}}\n");
    CHECK(header_of(response, "ETag") == "\"41\"");
    bench.site.reply_with(room());
    CHECK(bench.call("GET", "/v1/queues/r/-/mounts/chat/state").status == 409);
}

TEST_CASE("one key is shown as its bytes are; its ETag is the seq at which it changed") {
    ApiBench bench;
    bench.site.reply_with(room());
    const Response response = bench.call("GET", alice);
    CHECK(response.body == "[1, 2.50]");
    CHECK(response.content_type == "application/json");
    CHECK(header_of(response, "ETag") == "\"30\"");
    bench.site.reply_with(room());
    const Response bytes = bench.call("GET", std::string{state} + "/b%22b");
    CHECK(bytes.body == "raw");
    CHECK(bytes.content_type == "application/octet-stream");
    bench.site.reply_with(room());
    const Response missing = bench.call("GET", std::string{state} + "/carol");
    CHECK(missing.status == 404);
    CHECK(contains(missing.body, "\"current\":0"));
}

TEST_CASE("a merge patch sets and deletes several keys in one step") {
    ApiBench bench;
    bench.content_type = "application/merge-patch+json";
    const Response response =
        bench.call("PATCH", state, "{\"alice\": {\"x\" :1},\"bob\":null,\"c\\n\\u0064\":\"null\"}");
    CHECK(response.status == 400);  // A key has no control characters.
    CHECK(bench.call("PATCH", state, "{\"alice\": {\"x\" :1},\"bob\":null,\"c\\u0064\":\"null\"}")
              .status == 200);
    const auto& set = bench.site.only_op<queue::SetOp>();
    CHECK(set.mount == "scores");
    CHECK_FALSE(set.if_seq.has_value());
    REQUIRE(set.changes.size() == 3);
    CHECK(set.changes[0] == queue::KeyChange{Key{"alice"}, Payload{"{\"x\" :1}"}});
    CHECK(set.changes[1] == queue::KeyChange{Key{"bob"}, Payload{}});
    CHECK(set.changes[2] == queue::KeyChange{Key{"cd"}, Payload{"\"null\""}});
}

TEST_CASE("a merge patch that changes nothing, or has a precondition, is refused") {
    ApiBench bench;
    CHECK(bench.call("PATCH", state, "{}").status == 400);
    CHECK(bench.call("PATCH", state, "null").status == 400);
    CHECK(bench.call("PATCH", state).status == 400);
    CHECK(bench.call("PATCH", state, R"({"":1})").status == 400);
    CHECK(bench.call("PATCH", state, R"({"a":1})", {{"if-match", "\"3\""}}).status == 400);
    CHECK(bench.site.asked.empty());
}

TEST_CASE("a key is put with the bytes of the body, without the white space around them") {
    ApiBench bench;
    const Response response = bench.call("PUT", alice, " \n{\"hp\" : 7}\r\n");
    CHECK(response.status == 200);
    CHECK(header_of(response, "ETag") == "\"20\"");
    const auto& set = bench.site.only_op<queue::SetOp>();
    REQUIRE(set.changes.size() == 1);
    CHECK(set.changes[0] == queue::KeyChange{Key{"alice"}, Payload{"{\"hp\" : 7}"}});
    CHECK_FALSE(set.if_seq.has_value());
    CHECK(bench.call("PUT", alice).status == 400);
}

TEST_CASE("null that is put is a value, and DELETE takes the key away") {
    ApiBench bench;
    CHECK(bench.call("PUT", alice, "null").status == 200);
    CHECK(bench.site.only_op<queue::SetOp>().changes[0].value.bytes() == "null");
    bench.site.asked.clear();
    const Response deleted = bench.call("DELETE", alice);
    CHECK(deleted.status == 200);
    CHECK(header_of(deleted, "ETag").empty());
    CHECK(bench.site.only_op<queue::SetOp>().changes[0].value.empty());
}

TEST_CASE("preconditions of a key become the seq at which it must have changed last") {
    ApiBench bench;
    CHECK(bench.call("PUT", alice, "1", {{"if-match", "\"41\""}}).status == 200);
    CHECK(bench.site.only_op<queue::SetOp>().if_seq == Seq{41});
    bench.site.asked.clear();
    CHECK(bench.call("PUT", alice, "1", {{"if-none-match", "*"}}).status == 200);
    CHECK(bench.site.only_op<queue::SetOp>().if_seq == Seq{0});
    bench.site.asked.clear();
    CHECK(bench.call("DELETE", alice, "", {{"if-match", "\"41\""}}).status == 200);
    CHECK(bench.site.only_op<queue::SetOp>().if_seq == Seq{41});
}

TEST_CASE("a precondition that does not hold is 412 with the present seq") {
    ApiBench bench;
    queue::Verdict conflict = rejected_verdict(ErrorCode::conflict);
    conflict.current = 44;
    bench.site.reply_with(conflict);
    const Response response = bench.call("PUT", alice, "1", {{"if-match", "\"41\""}});
    CHECK(response.status == 412);
    CHECK(contains(response.body, "\"current\":44"));
}

TEST_CASE("preconditions that mean nothing are refused") {
    ApiBench bench;
    for (const std::string_view tag :
         {"41", "*", "W/\"41\"", "\"\"", "\"x\"", "\"0\"", "\"-1\"", "\"1\", \"2\"", "", "\""}) {
        CHECK(bench.call("PUT", alice, "1", {{"if-match", std::string{tag}}}).status == 400);
    }
    CHECK(bench.call("PUT", alice, "1", {{"if-none-match", "\"41\""}}).status == 400);
    CHECK(bench.call("PUT", alice, "1", {{"if-match", "\"1\""}, {"if-none-match", "*"}}).status ==
          400);
    CHECK(bench.site.asked.empty());
}

}  // namespace muster::admin
