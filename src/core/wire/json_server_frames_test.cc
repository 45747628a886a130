#include "core/wire/json_frames.h"

#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include "core/wire/arbitrary_frames.h"

using namespace muster;
using namespace muster::wire;

namespace {

/// A parsed frame with all that it points into.
struct Parsed {
    explicit Parsed(std::string json)
        : text(std::move(json)), result(parse_server_frame(text, scratch)) {}

    std::string text;
    std::string scratch;
    Result<ServerFrame> result;
};

template <typename Frame>
const Frame& accepted(const Parsed& parsed) {
    CAPTURE(parsed.text);
    REQUIRE(parsed.result.has_value());
    REQUIRE(std::holds_alternative<Frame>(*parsed.result));
    return std::get<Frame>(*parsed.result);
}

Error refused(std::string_view text) {
    const Parsed parsed{std::string{text}};
    CAPTURE(text);
    REQUIRE_FALSE(parsed.result.has_value());
    return parsed.result.error();
}

std::string written(const ServerFrame& frame) {
    std::string out;
    append_server_frame(out, frame);
    return out;
}

/// Checks that `frame` is written as `text` and that `text` is read as `frame`.
template <typename Frame>
void check_same(const Frame& frame, std::string_view text) {
    CHECK(written(frame) == text);
    const Parsed parsed{std::string{text}};
    CHECK(accepted<Frame>(parsed) == frame);
}

Data json(std::string_view text) { return {text, Format::json}; }
Data bytes(std::string_view text) { return {text, Format::bytes}; }

}  // namespace

TEST_CASE("hello looks as documented") {
    check_same(
        HelloFrame{.version = 1,
                   .user = "alice",
                   .session = SessionId{82},
                   .resume = "r",
                   .cid = "c",
                   .ping_s = 15},
        R"({"op":"hello","v":1,"user":"alice","session":82,"resume":"r","cid":"c","ping":15})");
    check_same(HelloFrame{.version = 1, .user = "bob", .session = SessionId{5}, .ping_s = 15},
               R"({"op":"hello","v":1,"user":"bob","session":5,"ping":15})");
}

TEST_CASE("joined looks as documented") {
    const JoinedFrame frame{
        .request = 1,
        .queue = "/room/123",
        .member = true,
        .at = {Inc{7}, 19},
        .mounts = {{.name = "chat", .resume = Resume{.kind = Resume::Kind::replayed, .count = 2}},
                   {.name = "scores",
                    .is_state = true,
                    .values = {{"alice", json("7")}},
                    .resume = Resume{.kind = Resume::Kind::snapshot}}},
        .member_count = 2,
        .who = {{"alice", "{}"}, {"bob", "{}"}}};
    check_same(
        frame,
        R"({"op":"joined","i":1,"q":"/room/123","member":true,"at":[7,19],)"
        R"("resume":{"chat":"replayed 2","scores":"snapshot"},"mounts":{"chat":{"type":"message"},)"
        R"("scores":{"type":"state","value":{"alice":7}}},"members":2,"who":{"alice":{},"bob":{}}})");
}

TEST_CASE("joined has all its objects also where they are empty") {
    check_same(JoinedFrame{.queue = "/a", .at = {Inc{1}, 0}},
               R"({"op":"joined","q":"/a","member":false,"at":[1,0],"resume":{},"mounts":{},)"
               R"("members":0,"who":{}})");
    check_same(JoinedFrame{.queue = "/a",
                           .mounts = {{.name = "s", .is_state = true}},
                           .who = {{"alice", R"({"online":false})"}}},
               R"({"op":"joined","q":"/a","member":false,"at":[0,0],"resume":{},)"
               R"("mounts":{"s":{"type":"state","value":{}}},"members":0,)"
               R"("who":{"alice":{"online":false}}})");
}

TEST_CASE("resume says per mount what was missed") {
    const auto mount = [](std::string_view name, Resume resume) {
        return MountFrame{.name = name, .is_state = false, .values = {}, .resume = resume};
    };
    check_same(
        JoinedFrame{.queue = "/a",
                    .mounts = {mount("a", {.kind = Resume::Kind::fresh}),
                               mount("b", {.kind = Resume::Kind::replayed, .count = 0}),
                               mount("c", {.kind = Resume::Kind::gap, .from = 23, .to = 31})}},
        R"({"op":"joined","q":"/a","member":false,"at":[0,0],)"
        R"("resume":{"a":"fresh","b":"replayed 0","c":"gap 23..31"},)"
        R"("mounts":{"a":{"type":"message"},"b":{"type":"message"},"c":{"type":"message"}},)"
        R"("members":0,"who":{}})");
}

TEST_CASE("state values that are bytes stand in a map of their own") {
    check_same(
        JoinedFrame{.queue = "/a",
                    .mounts = {{.name = "s",
                                .is_state = true,
                                .values = {{"j", json("[1]")}, {"b", bytes("\xff\xff\xff")}}},
                               {.name = "t",
                                .is_state = true,
                                .values = {{"b", bytes("")}, {"c", bytes("x")}}}}},
        R"({"op":"joined","q":"/a","member":false,"at":[0,0],"resume":{},"mounts":{)"
        R"("s":{"type":"state","value":{"j":[1]},"valueb":{"b":"////"}},)"
        R"("t":{"type":"state","value":{},"valueb":{"b":"","c":"eA=="}}},)"
        R"("members":0,"who":{}})");
    check_same(StateFrame{.queue = "/a",
                          .mount = "s",
                          .seq = 3,
                          .changes = {{"b", bytes("x")}, {"d", std::nullopt}}},
               R"({"op":"state","q":"/a","m":"s","seq":3,"setb":{"b":"eA=="},"del":["d"]})");
}

TEST_CASE("msg looks as documented") {
    MsgFrame frame{.queue = "/room/123",
                   .mount = "chat",
                   .seq = 20,
                   .from = "bob",
                   .time_ms = 1790000000123,
                   .data = json(R"({"text":"hello"})")};
    check_same(frame,
               R"({"op":"msg","q":"/room/123","m":"chat","seq":20,"from":"bob","t":1790000000123,)"
               R"("d":{"text":"hello"}})");
    frame.prev = 17;
    frame.from = "";
    frame.data = bytes("\xff");
    check_same(frame,
               R"({"op":"msg","q":"/room/123","m":"chat","seq":20,"prev":17,"t":1790000000123,)"
               R"("b":"/w=="})");
}

TEST_CASE("a reliable msg carries the number that its ack names") {
    check_same(MsgFrame{.queue = "/user/alice",
                        .mount = "mail",
                        .seq = 9,
                        .time_ms = -1,
                        .mail = 5,
                        .data = json("null")},
               R"({"op":"msg","q":"/user/alice","m":"mail","n":5,"seq":9,"t":-1,"d":null})");
}

TEST_CASE("state looks as documented") {
    check_same(StateFrame{.queue = "/room/123",
                          .mount = "scores",
                          .seq = 21,
                          .changes = {{"alice", json("8")}, {"carol", std::nullopt}}},
               R"({"op":"state","q":"/room/123","m":"scores","seq":21,"set":{"alice":8},)"
               R"("del":["carol"]})");
    check_same(StateFrame{.queue = "/a", .mount = "s", .seq = 9, .prev = 5, .changes = {}},
               R"({"op":"state","q":"/a","m":"s","seq":9,"prev":5})");
    check_same(StateFrame{.queue = "/a",
                          .mount = "s",
                          .seq = 9,
                          .changes = {{"a", std::nullopt}, {"b", std::nullopt}}},
               R"({"op":"state","q":"/a","m":"s","seq":9,"del":["a","b"]})");
}

TEST_CASE("ok, err, retry and refused look as documented") {
    check_same(OkFrame{.request = 2, .seq = 22}, R"({"op":"ok","i":2,"seq":22})");
    check_same(OkFrame{.request = 2, .seq = 22, .inc = Inc{7}},
               R"({"op":"ok","i":2,"seq":22,"inc":7})");
    check_same(OkFrame{}, R"({"op":"ok"})");
    check_same(ErrFrame{.request = 3, .code = ErrorCode::conflict, .current = 21},
               R"({"op":"err","i":3,"code":"M3009","outcome":"rejected","current":21})");
    check_same(ErrFrame{.request = 3, .code = ErrorCode::bad_name, .detail = "a \"name\""},
               R"({"op":"err","i":3,"code":"M2001","outcome":"rejected","message":"a \"name\""})");
    check_same(RetryFrame{.request = 3, .code = ErrorCode::busy, .after_ms = 500},
               R"({"op":"retry","i":3,"code":"M2022","after_ms":500})");
    check_same(RefusedFrame{.request = 3, .attempt = 1, .code = ErrorCode::refused},
               R"({"op":"refused","i":3,"try":1,"code":"M2023"})");
}

TEST_CASE("the outcome of gone and expired is unknown, of all others rejected") {
    for (const ErrorInfo& info : error_registry()) {
        const bool is_unknown = info.code == ErrorCode::gone || info.code == ErrorCode::expired;
        const std::string text = written(ErrFrame{.code = info.code});
        CAPTURE(text);
        CHECK((text.find(R"("outcome":"unknown")") != std::string::npos) == is_unknown);
        CHECK((text.find(R"("outcome":"rejected")") != std::string::npos) == !is_unknown);
    }
}

TEST_CASE("an err without outcome is read by its code") {
    const Parsed parsed{R"({"op":"err","i":3,"code":"M3009","current":21})"};
    CHECK(accepted<ErrFrame>(parsed) ==
          ErrFrame{.request = 3, .code = ErrorCode::conflict, .current = 21});
}

TEST_CASE("a code of a later version is read as the frame's default") {
    const Parsed rejected{R"({"op":"err","code":"M2999","outcome":"rejected"})"};
    CHECK(accepted<ErrFrame>(rejected).code == ErrFrame{}.code);
    const Parsed unknown{R"({"op":"err","code":"M2999","outcome":"unknown"})"};
    CHECK(accepted<ErrFrame>(unknown).code == ErrorCode::expired);
    const Parsed retry{R"({"op":"retry","code":"nonsense"})"};
    CHECK(accepted<RetryFrame>(retry).code == ErrorCode::retry);
    const Parsed refusal{R"({"op":"refused"})"};
    CHECK(accepted<RefusedFrame>(refusal) == RefusedFrame{});
    const Parsed bye{R"({"op":"bye","code":"M1999"})"};
    CHECK(accepted<ByeFrame>(bye).code == ByeFrame{}.code);
}

TEST_CASE("members looks as documented") {
    check_same(
        MembersFrame{.queue = "/room/123",
                     .seq = 23,
                     .set = {{"eve", "{}"}},
                     .gone = {{"bob", "timeout"}},
                     .count = 2},
        R"({"op":"members","q":"/room/123","seq":23,"set":{"eve":{}},"del":{"bob":"timeout"},)"
        R"("count":2})");
    check_same(MembersFrame{.queue = "/a", .seq = 23, .prev = 3, .count = 1},
               R"({"op":"members","q":"/a","seq":23,"prev":3,"count":1})");
}

TEST_CASE("a mount that comes or goes is told") {
    check_same(MountChangeFrame{.queue = "/a", .mount = "s", .seq = 4, .type = "state"},
               R"({"op":"mount","q":"/a","m":"s","seq":4,"type":"state"})");
    check_same(MountChangeFrame{.queue = "/a", .mount = "s", .seq = 5, .prev = 2},
               R"({"op":"mount","q":"/a","m":"s","seq":5,"prev":2,"type":null})");
}

TEST_CASE("gap, stalled, left, bye, ping and pong look as documented") {
    check_same(GapFrame{.queue = "/room/123", .mount = "chat", .from = 23, .to = 31},
               R"({"op":"gap","q":"/room/123","m":"chat","from":23,"to":31})");
    check_same(StalledFrame{.queue = "/room/123", .on = true},
               R"({"op":"stalled","q":"/room/123","on":true})");
    check_same(StalledFrame{.queue = "/room/123", .on = false},
               R"({"op":"stalled","q":"/room/123","on":false})");
    check_same(LeftFrame{.queue = "/room/123", .why = "kicked"},
               R"({"op":"left","q":"/room/123","why":"kicked"})");
    check_same(ByeFrame{.code = ErrorCode::drain, .spread_ms = 60000},
               R"({"op":"bye","code":"M1007","spread_ms":60000})");
    check_same(ByeFrame{.code = ErrorCode::overload, .retry_ms = 700, .detail = "too many"},
               R"({"op":"bye","code":"M1033","retry_ms":700,"message":"too many"})");
    check_same(PingFrame{}, R"({"op":"ping"})");
    check_same(PongFrame{}, R"({"op":"pong"})");
}

TEST_CASE("reset looks as documented") {
    check_same(ResetFrame{.queue = "/room/123",
                          .at = {Inc{8}, 0},
                          .why = "gone",
                          .mounts = {{.name = "chat"}},
                          .member_count = 1,
                          .who = {{"alice", "{}"}}},
               R"({"op":"reset","q":"/room/123","at":[8,0],"why":"gone",)"
               R"("mounts":{"chat":{"type":"message"}},"members":1,"who":{"alice":{}}})");
    const Parsed sample{R"({"op":"reset","q":"/room/123","at":[8,0],"why":"gone","mounts":{}})"};
    CHECK(accepted<ResetFrame>(sample) ==
          ResetFrame{.queue = "/room/123", .at = {Inc{8}, 0}, .why = "gone"});
}

TEST_CASE("history looks as documented") {
    check_same(
        HistoryFrame{
            .request = 5,
            .queue = "/a",
            .mount = "chat",
            .items = {{.seq = 15, .from = "bob", .time_ms = 1, .data = json(R"({"text":"x"})")},
                      {.seq = 16, .time_ms = 2, .data = bytes("x")}},
            .more = true},
        R"({"op":"history","i":5,"q":"/a","m":"chat","items":[)"
        R"({"seq":15,"from":"bob","t":1,"d":{"text":"x"}},{"seq":16,"t":2,"b":"eA=="}],"more":true})");
    check_same(HistoryFrame{.request = 5, .queue = "/a", .mount = "chat"},
               R"({"op":"history","i":5,"q":"/a","m":"chat","items":[]})");
    const Parsed sample{R"({"op":"history","i":5,"items":[]})"};
    CHECK(accepted<HistoryFrame>(sample) == HistoryFrame{.request = 5});
}

TEST_CASE("a payload of 16 levels fits into every server frame") {
    const std::string deep = std::string(16, '[') + std::string(16, ']');
    check_same(MsgFrame{.queue = "/a", .mount = "m", .data = json(deep)},
               R"({"op":"msg","q":"/a","m":"m","seq":0,"t":0,"d":)" + deep + "}");
    const JoinedFrame frame{
        .queue = "/a", .mounts = {{.name = "s", .is_state = true, .values = {{"k", json(deep)}}}}};
    const Parsed parsed{written(frame)};
    CHECK(accepted<JoinedFrame>(parsed) == frame);
}

TEST_CASE("an empty member info is written as an object") {
    CHECK(written(MembersFrame{.queue = "/a", .set = {{"alice", ""}}}) ==
          R"({"op":"members","q":"/a","seq":0,"set":{"alice":{}},"count":0})");
}

TEST_CASE("fields of a later version are ignored") {
    const Parsed parsed{R"({"op":"ok","i":2,"seq":22,"trace":"x","d":{}})"};
    CHECK(accepted<OkFrame>(parsed) == OkFrame{.request = 2, .seq = 22});
    const Parsed joined{R"({"op":"joined","q":"/a","at":[1,2],"resume":{"gone":"fresh"},)"
                        R"("mounts":{"chat":{"type":"message","history":100}}})"};
    CHECK(accepted<JoinedFrame>(joined).mounts.size() == 1);
}

TEST_CASE("an op of a later version is unsupported") {
    const Error error = refused(R"({"op":"teleport","q":1})");
    CHECK(error.code == ErrorCode::unsupported);
    CHECK(refused(R"({"op":"join","q":"/a"})").code == ErrorCode::unsupported);
}

TEST_CASE("a server frame that breaks the protocol is refused, and the detail names the field") {
    struct Case {
        std::string_view text;
        std::string_view detail;
    };
    const std::string_view mounts =
        "mounts: must be a mount of type message or state for each name";
    const std::string_view resume =
        "resume: must be fresh, replayed, snapshot or gap for each mount";
    for (const auto& [text, detail] : std::initializer_list<Case>{
             {"", "JSON: the text ends too early at byte 0"},
             {"null", "must be a JSON object"},
             {R"({"op":"ping"} x)", "JSON: bytes after the value at byte 14"},
             {R"({})", "op: must name a frame"},
             {R"({"op":[]})", "op: must be a string"},
             {R"({"op":"ok","i":-1})", "i: must be an integer from 0 to 2^53"},
             {R"({"op":"ok","seq":"1"})", "seq: must be an integer from 0 to 2^53"},
             {R"({"op":"ok","seq":1,"seq":1})", "seq: stands twice"},
             {R"({"op":"hello","v":4294967296})", "v: must be an integer from 0 to 4294967295"},
             {R"({"op":"hello","user":1})", "user: must be a string"},
             {R"({"op":"msg","t":1.5})", "t: must be an integer from -2^53 to 2^53"},
             {R"({"op":"msg","n":0})", "n: must be an integer from 1 to 2^53"},
             {R"({"op":"msg","d":1,"b":""})", "b: must not stand beside d"},
             {R"({"op":"msg","b":"?"})", "b: must be base64 with padding"},
             {R"({"op":"err","code":3009})", "code: must be a string"},
             {R"({"op":"refused","try":0})", "try: must be an integer from 1 to 4294967295"},
             {R"({"op":"stalled","on":1})", "on: must be true or false"},
             {R"({"op":"state","set":[]})", "set: must be an object"},
             {R"({"op":"state","setb":{"a":1}})", "setb: must be base64 with padding for each key"},
             {R"({"op":"state","setb":{"a":"?"}})",
              "setb: must be base64 with padding for each key"},
             {R"({"op":"state","del":{}})", "del: must be an array"},
             {R"({"op":"state","del":["a",1]})", "del: must be a list of keys"},
             {R"({"op":"members","set":{"a":1}})", "set: must be an object for each user"},
             {R"({"op":"members","del":["a"]})", "del: must be an object"},
             {R"({"op":"members","del":{"a":1}})", "del: must be a reason for each user"},
             {R"({"op":"mount","type":1})", "type: must be a string"},
             {R"({"op":"joined","at":[1]})", "at: must be [inc, seq]"},
             {R"({"op":"joined","at":[1,2,3]})", "at: must be [inc, seq]"},
             {R"({"op":"joined","member":"yes"})", "member: must be true or false"},
             {R"({"op":"joined","who":{"a":[]}})", "who: must be an object for each user"},
             {R"({"op":"joined","mounts":[]})", "mounts: must be an object"},
             {R"({"op":"joined","mounts":{"a":1}})", mounts},
             {R"({"op":"joined","mounts":{"a":{}}})", mounts},
             {R"({"op":"joined","mounts":{"a":{"type":"map"}}})", mounts},
             {R"({"op":"joined","mounts":{"a":{"type":"state","value":1}}})", mounts},
             {R"({"op":"joined","mounts":{"a":{"type":"state","type":"state"}}})", mounts},
             {R"({"op":"joined","resume":"x"})", "resume: must be an object"},
             {R"({"op":"joined","resume":{"a":1}})", resume},
             {R"({"op":"joined","resume":{"a":"stale"}})", resume},
             {R"({"op":"joined","resume":{"a":"replayed"}})", resume},
             {R"({"op":"joined","resume":{"a":"replayed -1"}})", resume},
             {R"({"op":"joined","resume":{"a":"replayed 9007199254740993"}})", resume},
             {R"({"op":"joined","resume":{"a":"replayed 2 "}})", resume},
             {R"({"op":"joined","resume":{"a":"gap 1.2"}})", resume},
             {R"({"op":"joined","resume":{"a":"gap 1.."}})", resume},
             {R"({"op":"history","items":{}})", "items: must be an array"},
             {R"({"op":"history","items":[1]})", "items: must be a JSON object"},
             {R"({"op":"history","items":[{"seq":-1}]})",
              "items: seq: must be an integer from 0 to 2^53"},
             {R"({"op":"history","more":1})", "more: must be true or false"},
         }) {
        const Error error = refused(text);
        CAPTURE(text);
        CHECK(error.code == ErrorCode::protocol);
        CHECK(error.detail == detail);
    }
    CHECK(refused("{\"op\":\"left\",\"q\":\"\x80\"}").code == ErrorCode::bad_utf8);
}

TEST_CASE("every server frame is read back as it was written") {
    CHECK(rc::check("server frames", [] {
        ArbitraryFrames arbitrary;
        const ServerFrame frame = arbitrary.server_frame();
        const Parsed parsed{written(frame)};
        RC_LOG() << parsed.text;
        RC_ASSERT(parsed.result.has_value());
        RC_ASSERT(*parsed.result == frame);
    }));
}
