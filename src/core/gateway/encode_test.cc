#include "core/gateway/encode.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "core/gateway/gateway_test_bench.h"

namespace muster::gateway {
namespace {

const QueueName room("/room/1");

template <typename Body>
queue::Event event_of(Body body, Seq seq = 20) {
    queue::Event event;
    event.seq = seq;
    event.time = WallTime{1'790'000'000'123};
    event.from = UserId("bob");
    event.body = std::move(body);
    return event;
}

std::string encoded(const queue::Event& event, std::optional<Seq> prev = {},
                    std::span<const std::uint32_t> changes = {}) {
    EncodeSpace space;
    space.plain = "what was there before";
    return text_in(
        encode_event(room, event, {.prev = prev, .changes = changes}, Encoding::json, space));
}

queue::Member member(std::string_view info, std::string_view role = {}, bool is_online = true) {
    queue::Member made;
    made.info = Payload(info);
    made.role = SharedText(role);
    made.is_online = is_online;
    return made;
}

TEST_CASE("each kind of event has its frame") {
    CHECK(encoded(event_of(queue::MessagePosted{MountName("chat"), Payload(R"({"text":"hi"})")})) ==
          R"({"op":"msg","q":"/room/1","m":"chat","seq":20,"from":"bob","t":1790000000123,)"
          R"("d":{"text":"hi"}})");
    CHECK(encoded(
              event_of(queue::MessagePosted{MountName("chat"), Payload("\1\2", Format::bytes)})) ==
          R"({"op":"msg","q":"/room/1","m":"chat","seq":20,"from":"bob","t":1790000000123,)"
          R"("b":"AQI="})");
    const queue::StateChanged changed{
        MountName("scores"),
        {{Key("alice"), Payload("8")}, {Key("carol"), Payload()}, {Key("dave"), Payload("[]")}}};
    CHECK(encoded(event_of(changed, 21)) ==
          R"({"op":"state","q":"/room/1","m":"scores","seq":21,"set":{"alice":8,"dave":[]},)"
          R"("del":["carol"]})");
    CHECK(encoded(
              event_of(queue::MemberChanged{UserId("eve"), member(R"({"name":"Eve"})"), {}, 2})) ==
          R"({"op":"members","q":"/room/1","seq":20,"set":{"eve":{"name":"Eve"}},"count":2})");
    CHECK(encoded(
              event_of(queue::MemberChanged{UserId("eve"), {}, queue::LeaveReason::timeout, 1})) ==
          R"({"op":"members","q":"/room/1","seq":20,"del":{"eve":"timeout"},"count":1})");
    CHECK(encoded(event_of(queue::MountChanged{MountName("x"), queue::MountRules{}})) ==
          R"({"op":"mount","q":"/room/1","m":"x","seq":20,"type":"message"})");
    CHECK(encoded(event_of(queue::MountChanged{MountName("x"), state_rules()})) ==
          R"({"op":"mount","q":"/room/1","m":"x","seq":20,"type":"state"})");
    CHECK(encoded(event_of(queue::MountChanged{MountName("x"), {}})) ==
          R"({"op":"mount","q":"/room/1","m":"x","seq":20,"type":null})");
}

TEST_CASE("a frame names prev where it is told to, and some of the keys") {
    const queue::StateChanged changed{
        MountName("scores"), {{Key("a"), Payload("1")}, {Key("b"), Payload("2")}, {Key("c"), {}}}};
    const std::vector<std::uint32_t> some{1, 2};
    CHECK(
        encoded(event_of(changed), 17, some) ==
        R"({"op":"state","q":"/room/1","m":"scores","seq":20,"prev":17,"set":{"b":2},"del":["c"]})");
    CHECK(
        encoded(event_of(queue::MemberChanged{UserId("eve"), {}, {}, 1}), 3).find(R"("prev":3)") !=
        std::string::npos);
    CHECK(encoded(event_of(queue::MountChanged{MountName("x"), {}}), 3).find(R"("prev":3)") !=
          std::string::npos);
    CHECK(encoded(event_of(queue::MessagePosted{MountName("chat"), Payload("1")}), 3)
              .find(R"("prev":3)") != std::string::npos);
}

TEST_CASE("frames have the shortest header for their length") {
    for (const std::size_t size : {1U, 200U, 70'000U}) {
        const auto text = encoded(
            event_of(queue::MessagePosted{MountName("chat"), Payload(std::string(size, '1'))}));
        CHECK(text.starts_with(R"({"op":"msg")"));
        CHECK(text.ends_with("1}"));
    }
}

TEST_CASE("others see of a member its info, its role, and that it is away") {
    CHECK(member_info(member("")) == "{}");
    CHECK(member_info(member("{}", "judge")) == R"({"role":"judge"})");
    CHECK(member_info(member("", "", false)) == R"({"online":false})");
    CHECK(member_info(member(R"({"a":{}})", R"(a"b)", false)) ==
          R"({"a":{},"role":"a\"b","online":false})");
    CHECK(member_info(member("{ }\n", "judge")) == R"({ "role":"judge"})");
    CHECK(member_info(member("{\"a\":1} \t", "", false)) == R"({"a":1,"online":false})");
}

TEST_CASE("mounts show the present state, and members as many as are listed") {
    queue::Content content;
    const auto apply = [&](auto body) {
        content.apply(std::make_shared<queue::Event>(event_of(std::move(body), content.at.seq + 1)),
                      Instant{}, queue::Limits{});
    };
    apply(queue::MountChanged{MountName("chat"), queue::MountRules{}});
    apply(queue::MountChanged{MountName("scores"), state_rules()});
    apply(queue::StateChanged{MountName("scores"), {{Key("a"), Payload("1")}}});
    for (const std::string_view user : {"carol", "alice", "bob"}) {
        apply(queue::MemberChanged{UserId(user), member(""), {}, 0});
    }
    const auto mounts = mount_frames(content);
    REQUIRE(mounts.size() == 2);
    CHECK(mounts[0].name == "chat");
    CHECK_FALSE(mounts[0].is_state);
    CHECK(mounts[1].is_state);
    REQUIRE(mounts[1].values.size() == 1);
    CHECK(mounts[1].values[0].key == "a");
    CHECK(mounts[1].values[0].value->bytes == "1");
    std::vector<std::string> infos;
    const auto members = member_frames(content, 2, infos);
    REQUIRE(members.size() == 2);
    CHECK(members[0].user == "alice");
    CHECK(members[1].user == "bob");
    CHECK(members[1].info == "{}");
    CHECK(member_frames(content, 1024, infos).size() == 3);
}

TEST_CASE("the reasons for leaving have their words") {
    CHECK(text_of(queue::LeaveReason::left) == "left");
    CHECK(text_of(queue::LeaveReason::timeout) == "timeout");
    CHECK(text_of(queue::LeaveReason::kicked) == "kicked");
}

}  // namespace
}  // namespace muster::gateway
