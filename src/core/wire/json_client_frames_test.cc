#include "core/wire/json_frames.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include "core/wire/arbitrary_frames.h"

using namespace muster;
using namespace muster::wire;

namespace {

/// A parsed frame with all that it points into.
struct Parsed {
    explicit Parsed(std::string json) : text(std::move(json)) {
        result = parse_client_frame(text, scratch, frame);
    }

    std::string text;
    std::string scratch;
    ClientFrame frame;
    Result<void> result;
};

ClientFrame accepted(const Parsed& parsed) {
    CAPTURE(parsed.text);
    REQUIRE(parsed.result.has_value());
    return parsed.frame;
}

Error refused(std::string_view text) {
    const Parsed parsed{std::string{text}};
    CAPTURE(text);
    REQUIRE_FALSE(parsed.result.has_value());
    return parsed.result.error();
}

std::string written(const ClientFrame& frame) {
    std::string out;
    append_client_frame(out, frame);
    return out;
}

}  // namespace

TEST_CASE("a first hello is read") {
    const Parsed parsed{R"({"op":"hello","v":[1],"token":"abc","nonce":"xyz","cn":1})"};
    const ClientFrame frame = accepted(parsed);
    CHECK(frame.op == ClientOp::hello);
    CHECK(frame.versions == std::vector<std::uint32_t>{1});
    CHECK(frame.token == "abc");
    CHECK(frame.nonce == "xyz");
    CHECK(frame.attempt_number == 1);
    CHECK_FALSE(frame.request.has_value());
    CHECK_FALSE(frame.resolve);
    CHECK(frame.since.empty());
    CHECK(written(frame) == parsed.text);
}

TEST_CASE("a hello that resumes is read") {
    const Parsed parsed{
        R"({"op":"hello","v":[1],"token":"abc","resume":"r","cid":"c","cn":2,"resolve":true,)"
        R"("since":{"/room/123":[7,17],"/room/5":[8,0]}})"};
    const ClientFrame frame = accepted(parsed);
    CHECK(frame.resume == "r");
    CHECK(frame.cid == "c");
    CHECK(frame.attempt_number == 2);
    CHECK(frame.resolve);
    REQUIRE(frame.since.size() == 2);
    CHECK(frame.since[0] == Since{"/room/123", {Inc{7}, 17}});
    CHECK(frame.since[1] == Since{"/room/5", {Inc{8}, 0}});
    CHECK(written(frame) == parsed.text);
}

TEST_CASE("a hello in dev mode names its user") {
    CHECK(accepted(Parsed{R"({"op":"hello","v":[1,2],"user":"alice"})"}).user == "alice");
}

TEST_CASE("auth carries the new token") {
    const Parsed parsed{R"({"op":"auth","token":"abc"})"};
    CHECK(accepted(parsed).op == ClientOp::auth);
    CHECK(parsed.frame.token == "abc");
    CHECK(written(parsed.frame) == parsed.text);
}

TEST_CASE("join and listen carry a cursor") {
    for (const auto& [name, op] :
         {std::pair{"join", ClientOp::join}, {"listen", ClientOp::listen}}) {
        const Parsed parsed{R"({"op":")" + std::string{name} +
                            R"(","i":1,"q":"/room/123","since":[7,17]})"};
        const ClientFrame frame = accepted(parsed);
        CHECK(frame.op == op);
        CHECK(frame.request == 1);
        CHECK(frame.queue == "/room/123");
        CHECK(frame.cursor == Cursor{Inc{7}, 17});
        CHECK(frame.since.empty());
        CHECK(written(frame) == parsed.text);
    }
}

TEST_CASE("leave and unlisten name a queue") {
    for (const auto& [name, op] :
         {std::pair{"leave", ClientOp::leave}, {"unlisten", ClientOp::unlisten}}) {
        const Parsed parsed{R"({"op":")" + std::string{name} + R"(","i":4,"q":"/room/123"})"};
        CHECK(accepted(parsed).op == op);
        CHECK(parsed.frame.queue == "/room/123");
        CHECK_FALSE(parsed.frame.cursor.has_value());
        CHECK(written(parsed.frame) == parsed.text);
    }
}

TEST_CASE("a send is read without a copy of its payload") {
    const Parsed parsed{
        R"({"op":"send","i":2,"n":1,"inc":7,"try":1,"q":"/room/123","m":"chat","d":{"text":"hi"}})"};
    const ClientFrame frame = accepted(parsed);
    CHECK(frame.op == ClientOp::send);
    CHECK(frame.request == 2);
    CHECK(frame.number == 1);
    CHECK(frame.inc == Inc{7});
    CHECK(frame.attempt == 1);
    CHECK(frame.queue == "/room/123");
    CHECK(frame.mount == "chat");
    REQUIRE(frame.data.has_value());
    CHECK(*frame.data == Data{R"({"text":"hi"})", Format::json});
    CHECK(frame.data->bytes.data() == parsed.text.data() + parsed.text.find(R"({"text")"));
    CHECK_FALSE(frame.acked_mail.has_value());
    CHECK(written(frame) == parsed.text);
}

TEST_CASE("a set names key and expected seq") {
    const Parsed parsed{
        R"({"op":"set","i":3,"q":"/room/123","m":"scores","k":"alice","d":9,"if":20})"};
    const ClientFrame frame = accepted(parsed);
    CHECK(frame.op == ClientOp::set);
    CHECK(frame.key == "alice");
    CHECK(*frame.data == Data{"9", Format::json});
    CHECK(frame.if_seq == 20);
    CHECK(written(frame) == parsed.text);
}

TEST_CASE("a set without d deletes, one with d null does not") {
    CHECK_FALSE(accepted(Parsed{R"({"op":"set","q":"/r","m":"s","k":"a"})"}).data.has_value());
    CHECK(accepted(Parsed{R"({"op":"set","q":"/r","m":"s","k":"a","d":null,"if":0})"}).data ==
          Data{"null", Format::json});
}

TEST_CASE("withdraw, history, ack, ping and pong are read") {
    const Parsed withdraw{R"({"op":"withdraw","i":3,"n":4,"inc":7,"try":2,"q":"/room/123"})"};
    CHECK(accepted(withdraw).op == ClientOp::withdraw);
    CHECK(withdraw.frame.number == 4);
    CHECK(withdraw.frame.attempt == 2);
    CHECK(written(withdraw.frame) == withdraw.text);

    const Parsed history{R"({"op":"history","i":5,"q":"/room/123","m":"chat","before":17})"};
    CHECK(accepted(history).op == ClientOp::history);
    CHECK(history.frame.before == 17);
    CHECK(written(history.frame) == history.text);

    const Parsed ack{R"({"op":"ack","n":5})"};
    CHECK(accepted(ack).op == ClientOp::ack);
    CHECK(ack.frame.acked_mail == 5);
    CHECK_FALSE(ack.frame.number.has_value());
    CHECK(written(ack.frame) == ack.text);

    CHECK(accepted(Parsed{R"({"op":"ping"})"}).op == ClientOp::ping);
    CHECK(accepted(Parsed{R"({"op":"pong"})"}).op == ClientOp::pong);
}

TEST_CASE("the order of the fields does not matter") {
    const Parsed mixed{R"( { "since" : [ 7 , 17 ] , "q":"/room/123", "i":1, "op":"join" } )"};
    CHECK(accepted(mixed) ==
          accepted(Parsed{R"({"op":"join","i":1,"q":"/room/123","since":[7,17]})"}));
    CHECK(accepted(Parsed{R"({"n":5,"op":"ack"})"}).acked_mail == 5);
}

TEST_CASE("names and text may be escaped") {
    const Parsed parsed{
        R"({"\u006fp":"s\u0065nd","q":"\/room\/\u00e9","m":"\ud83d\ude00","b":"\/\/\/\/"})"};
    const ClientFrame frame = accepted(parsed);
    CHECK(frame.op == ClientOp::send);
    CHECK(frame.queue == "/room/é");
    CHECK(frame.mount == "😀");
    CHECK(*frame.data == Data{"\xff\xff\xff", Format::bytes});
}

TEST_CASE("a payload keeps its bytes") {
    for (const std::string_view json :
         {"null", "true", "-0.0", "1.50e+3", R"("\u00e9\/")", "[ 1 ,\t2\n]", R"({"a":1,"a":2})",
          "12345678901234567890123456789"}) {
        const Parsed parsed{R"({"op":"send","d": )" + std::string{json} + " }"};
        CHECK(accepted(parsed).data == Data{json, Format::json});
    }
}

TEST_CASE("bytes come in base64") {
    CHECK(accepted(Parsed{R"({"op":"send","b":"+/8/Pg=="})"}).data ==
          Data{"\xfb\xff?>", Format::bytes});
    CHECK(accepted(Parsed{R"({"op":"send","b":""})"}).data == Data{"", Format::bytes});
}

TEST_CASE("unknown fields are ignored") {
    const Parsed parsed{R"({"op":"ping","colour":[{"i":"x"}],"":0,"seq":"x","i":7})"};
    CHECK(accepted(parsed).op == ClientOp::ping);
    CHECK(parsed.frame.request == 7);
}

TEST_CASE("an op that nobody knows is not an error, whatever its fields mean") {
    const Parsed parsed{R"({"op":"teleport","i":9,"q":["/a","/b"],"n":0,"d":1,"b":2})"};
    const ClientFrame frame = accepted(parsed);
    CHECK(frame.op == ClientOp::unknown);
    CHECK(frame.request == 9);
    CHECK(frame.queue.empty());
    CHECK(accepted(Parsed{R"({"op":"Send"})"}).op == ClientOp::unknown);
}

TEST_CASE("what only servers, nodes and admins send is recognised as such") {
    for (const std::string_view op :
         {"ok",      "err",  "joined", "reset", "msg",     "state",  "members",  "mount", "gap",
          "stalled", "left", "bye",    "retry", "refused", "attach", "attached", "fence", "fenced",
          "sub",     "snap", "evt",    "repl",  "kick",    "check",  "detach"}) {
        CAPTURE(op);
        const Parsed parsed{R"({"op":")" + std::string{op} + R"(","resume":{},"m":1})"};
        CHECK(accepted(parsed).op == ClientOp::server_only);
    }
}

TEST_CASE("numbers reach to 2^53") {
    const Parsed parsed{
        R"({"op":"send","i":9007199254740992,"n":9007199254740992,"inc":0,"try":4294967295})"};
    CHECK(accepted(parsed).number == json_integer_max);
    CHECK(parsed.frame.request == json_integer_max);
    CHECK(parsed.frame.inc == Inc{0});
    CHECK(parsed.frame.attempt == 4294967295);
}

TEST_CASE("a client frame that breaks the protocol is refused, and the detail names the field") {
    struct Case {
        std::string_view text;
        std::string_view detail;
    };
    const std::string_view n = "n: must be an integer from 1 to 2^53";
    const std::string_view i = "i: must be an integer from 0 to 2^53";
    const std::string_view attempt = "try: must be an integer from 1 to 4294967295";
    for (const auto& [text, detail] : std::initializer_list<Case>{
             {"", "JSON: the text ends too early at byte 0"},
             {"[]", "must be a JSON object"},
             {"1", "must be a JSON object"},
             {R"({"op":"ping")", "JSON: the text ends too early at byte 12"},
             {R"({"op":"ping"}x)", "JSON: bytes after the value at byte 13"},
             {R"({"op":"ping","d":1e400})", "JSON: a number too big for a double at byte 17"},
             {R"({"op":"ping","d":NaN})", "JSON: no value at byte 17"},
             {R"({"op":"ping","d":["\ud800"]})", "JSON: a lone surrogate at byte 19"},
             {R"({})", "op: must name a frame"},
             {R"({"op":""})", "op: must name a frame"},
             {R"({"op":1})", "op: must be a string"},
             {R"({"op":null})", "op: must be a string"},
             {R"({"op":"ping","op":"ping"})", "op: stands twice"},
             {R"({"op":"ping","\u006fp":"ping"})", "op: stands twice"},
             {R"({"op":"ping","seq":1,"seq":1})", "seq: stands twice"},
             {R"({"op":"ping","x":1,"\u0078":1})", "an unknown field stands twice"},
             {R"({"op":"ping","i":"1"})", i},
             {R"({"op":"ping","i":-1})", i},
             {R"({"op":"teleport","i":1.5})", i},
             {R"({"op":"send","n":0})", n},
             {R"({"op":"send","n":-1})", n},
             {R"({"op":"send","n":1.5})", n},
             {R"({"op":"send","n":1.0})", n},
             {R"({"op":"send","n":1e2})", n},
             {R"({"op":"send","n":9007199254740993})", n},
             {R"({"op":"send","n":18446744073709551617})", n},
             {R"({"op":"send","n":"1"})", n},
             {R"({"op":"send","n":null})", n},
             {R"({"op":"ack","n":0})", n},
             {R"({"op":"send","inc":-7})", "inc: must be an integer from 0 to 2^53"},
             {R"({"op":"send","try":0})", attempt},
             {R"({"op":"send","try":4294967296})", attempt},
             {R"({"op":"send","q":7})", "q: must be a string"},
             {R"({"op":"send","m":{}})", "m: must be a string"},
             {R"({"op":"set","k":true})", "k: must be a string"},
             {R"({"op":"set","if":"20"})", "if: must be an integer from 0 to 2^53"},
             {R"({"op":"history","before":[]})", "before: must be an integer from 0 to 2^53"},
             {R"({"op":"send","d":1,"b":""})", "b: must not stand beside d"},
             {R"({"op":"send","b":1})", "b: must be a string"},
             {R"({"op":"send","b":"a"})", "b: must be base64 with padding"},
             {R"({"op":"send","b":"_-8="})", "b: must be base64 with padding"},
             {R"({"op":"hello","v":1})", "v: must be an array"},
             {R"({"op":"hello","v":["1"]})", "v: must be a list of version numbers"},
             {R"({"op":"hello","v":[4294967296]})", "v: must be a list of version numbers"},
             {R"({"op":"hello","token":1})", "token: must be a string"},
             {R"({"op":"hello","user":1})", "user: must be a string"},
             {R"({"op":"hello","nonce":1})", "nonce: must be a string"},
             {R"({"op":"hello","resume":{}})", "resume: must be a string"},
             {R"({"op":"hello","cid":1})", "cid: must be a string"},
             {R"({"op":"hello","cn":"1"})", "cn: must be an integer from 0 to 2^53"},
             {R"({"op":"hello","resolve":1})", "resolve: must be true or false"},
             {R"({"op":"hello","since":[7,17]})", "since: must be an object"},
             {R"({"op":"hello","since":{"/a":[7]}})", "since: must be [inc, seq] for each queue"},
             {R"({"op":"hello","since":{"/a":[7,8,9]}})",
              "since: must be [inc, seq] for each queue"},
             {R"({"op":"hello","since":{"/a":7}})", "since: must be [inc, seq] for each queue"},
             {R"({"op":"hello","since":{"/a":[7,1],"/a":[7,1]}})", "since: a queue stands twice"},
             {R"({"op":"join","since":{"/a":[7,17]}})", "since: must be [inc, seq]"},
             {R"({"op":"join","since":[7]})", "since: must be [inc, seq]"},
             {R"({"op":"join","since":[7,-1]})", "since: must be [inc, seq]"},
             {R"({"op":"listen","since":[7,"1"]})", "since: must be [inc, seq]"},
             {R"({"op":"listen","since":[7,1,2]})", "since: must be [inc, seq]"},
             {R"({"op":"listen","since":null})", "since: must be [inc, seq]"},
         }) {
        const Error error = refused(text);
        CAPTURE(text);
        CHECK(error.code == ErrorCode::protocol);
        CHECK(error.detail == detail);
    }
}

TEST_CASE("a client frame with bad UTF-8 is refused as such, where it is ignored too") {
    CHECK(refused("{\"op\":\"send\",\"q\":\"/\xff\"}").code == ErrorCode::bad_utf8);
    CHECK(refused("{\"op\":\"send\",\"d\":[\"\xed\xa0\x80\"]}").code == ErrorCode::bad_utf8);
    CHECK(refused("{\"op\":\"teleport\",\"\xc0\x80\":1}").code == ErrorCode::bad_utf8);
}

TEST_CASE("a client frame may nest 16 levels deep") {
    const auto frame = [](std::size_t depth) {
        return R"({"op":"send","d":)" + std::string(depth - 1, '[') + std::string(depth - 1, ']') +
               "}";
    };
    CHECK(accepted(Parsed{frame(16)}).op == ClientOp::send);
    CHECK(refused(frame(17)).detail == "JSON: nesting too deep at byte 32");
}

TEST_CASE("a hello may resume 64 queues and offer 16 versions") {
    const auto since = [](std::size_t count) {
        std::string text = R"({"op":"hello","since":{)";
        for (std::size_t i = 0; i < count; ++i) {
            text += (i == 0 ? "\"/q" : ",\"/q") + std::to_string(i) + "\":[1,2]";
        }
        return text + "}}";
    };
    CHECK(accepted(Parsed{since(64)}).since.size() == 64);
    CHECK(refused(since(65)).detail == "since: more than 64 queues");
    CHECK(refused(since(10'000)).detail == "since: more than 64 queues");
    const auto versions = [](std::size_t count) {
        std::string text = R"({"op":"hello","v":[1)";
        for (std::size_t i = 1; i < count; ++i) {
            text += ",1";
        }
        return text + "]}";
    };
    CHECK(accepted(Parsed{versions(16)}).versions.size() == 16);
    CHECK(refused(versions(17)).detail == "v: more than 16 versions");
}

TEST_CASE("a frame may have 32 unknown fields") {
    const auto frame = [](std::size_t count) {
        std::string text = R"({"op":"ping")";
        for (std::size_t i = 0; i < count; ++i) {
            text += ",\"x" + std::to_string(i) + "\":0";
        }
        return text + "}";
    };
    CHECK(accepted(Parsed{frame(32)}).op == ClientOp::ping);
    CHECK(refused(frame(33)).detail == "too many unknown fields");
}

TEST_CASE("a frame that is used again keeps nothing of the one before") {
    std::string scratch;
    ClientFrame frame;
    const std::string_view all =
        R"({"op":"hello","i":1,"v":[1],"q":"q","m":"m","k":"k","d":1,"n":1,"inc":1,"try":1,"if":1,)"
        R"("before":1,"token":"t","user":"u","nonce":"n","resume":"r","cid":"c","cn":1,)"
        R"("resolve":true,"since":{"/a":[1,2]}})";
    REQUIRE(parse_client_frame(all, scratch, frame).has_value());
    REQUIRE(parse_client_frame(R"({"op":"unlisten"})", scratch, frame).has_value());
    ClientFrame expected;
    expected.op = ClientOp::unlisten;
    CHECK(frame == expected);
    CHECK(frame.since.capacity() > 0);
    frame.clear();
    CHECK(frame == ClientFrame{});
}

TEST_CASE("every client frame is read back as it was written") {
    CHECK(rc::check("client frames", [] {
        ArbitraryFrames arbitrary;
        const ClientFrame frame = arbitrary.client_frame();
        const Parsed parsed{written(frame)};
        RC_LOG() << parsed.text;
        RC_ASSERT(parsed.result.has_value());
        RC_ASSERT(parsed.frame == frame);
    }));
}
