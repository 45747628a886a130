#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <doctest/doctest.h>

#include "shell/admin/fake_site.h"
#include "shell/admin/json_body.h"

// PUT, GET, DELETE and the list of queues; mounts.
namespace muster::admin {
namespace {

using namespace std::chrono_literals;

std::shared_ptr<queue::Content> room() {
    auto content = std::make_shared<queue::Content>();
    content->at = Cursor{Inc{7}, 19};
    auto rules = std::make_shared<queue::Template>();
    rules->match = "/room/*";
    content->rules = rules;
    content->mounts[MountName{"chat"}].rules.kind = queue::MountKind::message;
    queue::Mount& scores = content->mounts[MountName{"scores"}];
    scores.rules.kind = queue::MountKind::state;
    scores.keys[Key{"alice"}] = queue::Entry{Payload{"7"}, 3};
    scores.key_bytes = 6;
    content->members[UserId{"alice"}].is_online = true;
    content->members[UserId{"bob"}] = {};
    return content;
}

}  // namespace

TEST_CASE("PUT of a queue creates it: 201 for a new one, 200 for the same, 409 for another") {
    ApiBench bench;
    const Response created = bench.call("PUT", "/v1/queues/room/123");
    CHECK(created.status == 201);
    CHECK(created.body == "{\"inc\":7,\"seq\":20}\n");
    CHECK(bench.site.asked.front().to == "/room/123");
    const auto& op = bench.site.only<queue::Op>();
    CHECK(op.sender.is_server);
    CHECK(std::holds_alternative<RequestId>(op.reply_to.who));
    CHECK(std::get<queue::CreateOp>(op.body).template_pattern.empty());

    bench.site.reply_with(ok_verdict(20, false));
    CHECK(bench.call("PUT", "/v1/queues/room/123", "{}").status == 200);
    bench.site.reply_with(rejected_verdict(ErrorCode::differs));
    const Response differs = bench.call("PUT", "/v1/queues/room/123");
    CHECK(differs.status == 409);
    CHECK(contains(differs.body, "M2012"));
}

TEST_CASE("PUT of a queue takes a template, mounts and the time to live when empty") {
    ApiBench bench;
    CHECK(bench
              .call("PUT", "/v1/queues/room/1",
                    R"({"template":"/room/*","ttl":"0s",
                         "mounts":{"scores":{"type":"state"},"log":{"type":"message","history":3}}})")
              .status == 201);
    const auto& create = bench.site.only_op<queue::CreateOp>();
    CHECK(create.template_pattern == "/room/*");
    CHECK(create.idle_ttl == Duration{0});
    REQUIRE(create.mounts.size() == 2);
    CHECK(create.mounts.at(MountName{"scores"}).kind == queue::MountKind::state);
    CHECK(create.mounts.at(MountName{"log"}).history_count_max == 3);
}

TEST_CASE("PUT of a queue with a definition that means nothing is refused at its place") {
    ApiBench bench;
    const auto pointer_of = [&bench](std::string_view body) {
        const Response response = bench.call("PUT", "/v1/queues/a", body);
        CHECK(response.status == 400);
        Fields fields = Fields::of(std::string_view{response.body});
        return fields.text("pointer").value_or("none");
    };
    CHECK(pointer_of(R"({"ttl":"10"})") == "/ttl");
    CHECK(pointer_of(R"({"ttl":10})") == "/ttl");
    CHECK(pointer_of(R"({"template":1})") == "/template");
    CHECK(pointer_of(R"({"mounts":[]})") == "/mounts");
    CHECK(pointer_of(R"({"mounts":{"a b":{"type":"state"}}})") == "/mounts/a b");
    CHECK(pointer_of(R"({"mounts":{"a":{"type":"?"}}})") == "/mounts/a/type");
    CHECK(pointer_of(R"({"mounts":{"a":{"type":"state","max_bytes":"4 kB"}}})") ==
          "/mounts/a/max_bytes");
    CHECK(pointer_of(R"({"idle_ttl":"10m"})") == "/idle_ttl");
    CHECK(pointer_of(R"([])").empty());
    CHECK(bench.site.asked.empty());
}

TEST_CASE("GET of a queue shows its rules, counts and mounts") {
    ApiBench bench;
    bench.site.reply_with(room());
    const Response response = bench.call("GET", "/v1/queues/room/123");
    CHECK(response.status == 200);
    CHECK(response.body ==
          "{\"name\":\"/room/123\",\"inc\":7,\"seq\":19,\"template\":\"/room/*\",\"ttl\":\"10m\","
          "\"member_count\":2,\"online_count\":1,\"mounts\":{"
          "\"chat\":{\"type\":\"message\",\"write\":\"members\",\"max_bytes\":\"16KiB\","
          "\"history\":100,\"history_ttl\":\"2m\",\"slow\":\"close\",\"message_count\":0,"
          "\"message_bytes\":0},"
          "\"scores\":{\"type\":\"state\",\"write\":\"members\",\"max_bytes\":\"16KiB\","
          "\"keys_max\":1024,\"key_count\":1,\"state_bytes\":6}}}\n");
    CHECK(std::holds_alternative<queue::Read>(bench.site.asked.front().body));
}

TEST_CASE("a queue that is not there is 404 for GET and DELETE") {
    ApiBench bench;
    bench.site.reply_with(std::shared_ptr<const queue::Content>{});
    CHECK(bench.call("GET", "/v1/queues/a").status == 404);
    bench.site.reply_with(rejected_verdict(ErrorCode::no_queue));
    CHECK(bench.call("DELETE", "/v1/queues/a").status == 404);
}

TEST_CASE("DELETE of a queue asks the queue to go") {
    ApiBench bench;
    const Response response = bench.call("DELETE", "/v1/queues/room/123");
    CHECK(response.status == 200);
    (void)bench.site.only_op<queue::DeleteOp>();
    CHECK(bench.site.asked.front().to == "/room/123");
}

TEST_CASE("a queue's name may be any text, escaped in the path and quoted in the answer") {
    ApiBench bench;
    auto content = room();
    content->rules = nullptr;
    bench.site.reply_with(content);
    const Response response = bench.call("GET", "/v1/queues/a%22%3Bb%20%C3%A9%2Fc+d");
    CHECK(bench.site.asked.front().to == "/a\";b \xc3\xa9/c+d");
    CHECK(contains(response.body, "\"name\":\"/a\\\";b \xc3\xa9/c+d\""));
    CHECK(check_json(std::string_view{response.body}).has_value());
}

TEST_CASE("the list of queues is paged by a cursor") {
    ApiBench bench;
    bench.site.names = std::vector<QueueName>{QueueName{"/room/1"}, QueueName{"/room/2"}};
    const Response page = bench.call("GET", "/v1/queues?prefix=/room/&limit=2");
    CHECK(page.body ==
          "{\"queues\":[{\"name\":\"/room/1\"},{\"name\":\"/room/2\"}],\"cursor\":\"/room/2\"}\n");
    CHECK(bench.site.listed.back().prefix == "/room/");
    CHECK(bench.site.listed.back().count_max == 2);

    bench.site.names = std::vector<QueueName>{QueueName{"/room/3"}};
    const Response last = bench.call("GET", "/v1/queues?prefix=%2Froom%2F&limit=2&cursor=/room/2");
    CHECK(last.body == "{\"queues\":[{\"name\":\"/room/3\"}]}\n");
    CHECK(bench.site.listed.back().after == "/room/2");
    CHECK(bench.site.listed.back().prefix == "/room/");
}

TEST_CASE("user queues are not listed, and a page skips all of them at once") {
    ApiBench bench;
    bench.site.names = std::vector<QueueName>{QueueName{"/room/1"}, QueueName{"/user/alice"}};
    CHECK(bench.call("GET", "/v1/queues?limit=2").body ==
          "{\"queues\":[{\"name\":\"/room/1\"}],\"cursor\":\"/user0\"}\n");
    CHECK(std::string_view{"/user/zzz"} < std::string_view{"/user0"});
}

TEST_CASE("queues after the user queues are listed once, and a page that is not full is the last") {
    ApiBench bench;
    bench.site.names =
        std::vector<QueueName>{QueueName{"/room/1"}, QueueName{"/user/alice"}, QueueName{"/zz/1"}};
    CHECK(bench.call("GET", "/v1/queues?limit=4").body ==
          "{\"queues\":[{\"name\":\"/room/1\"},{\"name\":\"/zz/1\"}]}\n");
    CHECK(bench.call("GET", "/v1/queues?limit=3").body ==
          "{\"queues\":[{\"name\":\"/room/1\"},{\"name\":\"/zz/1\"}],\"cursor\":\"/zz/1\"}\n");
    bench.site.names = std::vector<QueueName>{QueueName{"/user/alice"}};
    CHECK(bench.call("GET", "/v1/queues").body == "{\"queues\":[]}\n");
}

TEST_CASE("a list with a bad query, or without an answer, is refused") {
    ApiBench bench;
    for (const std::string_view query :
         {"limit=0", "limit=1001", "limit=x", "limit=-1", "limit=", "prefix=%f", "cursor=%ff"}) {
        CHECK(bench.call("GET", "/v1/queues?" + std::string{query}).status == 400);
    }
    bench.site.names.reset();
    CHECK(bench.call("GET", "/v1/queues").status == 503);
}

TEST_CASE("a query parameter that is not known is refused by its name") {
    ApiBench bench;
    const Response list = bench.call("GET", "/v1/queues?limit=5&prefx=/room");
    CHECK(list.status == 400);
    CHECK(contains(list.body, "M1030"));
    CHECK(contains(list.body, "`prefx`"));
    CHECK(contains(list.body, "there are: prefix cursor limit"));
    CHECK(bench.site.listed.empty());
    for (const std::string_view target :
         {"/v1/queues?", "/v1/queues?&", "/v1/queues?prefix=/a/&cursor=&limit=5&limit=6"}) {
        CHECK(bench.call("GET", target).status == 200);
    }
    for (const std::string_view target :
         {"/v1/queues?prefixx=/", "/v1/queues?=1", "/v1/queues?prefix%20cursor=1",
          "/v1/queues/a?limit=5", "/v1/queues/a/-/members?prefix=/",
          "/v1/queues/a/-/mounts/m/messages?cursor=1", "/v1/users/a?limit=1"}) {
        INFO(target);
        CHECK(bench.call("GET", target).status == 400);
    }
    CHECK(bench.call("PUT", "/v1/queues/a?ttl=5m").status == 400);
    CHECK(bench.site.asked.empty());
}

TEST_CASE("mounts are put, shown and deleted") {
    ApiBench bench;
    CHECK(bench.call("PUT", "/v1/queues/a/-/mounts/scores", R"({"type":"state"})").status == 201);
    const auto& put = bench.site.only_op<queue::PutMountOp>();
    CHECK(put.mount == "scores");
    CHECK(put.rules.kind == queue::MountKind::state);
    bench.site.reply_with(ok_verdict(21, false));
    CHECK(bench.call("PUT", "/v1/queues/a/-/mounts/scores", R"({"type":"state"})").status == 200);
    CHECK(bench.call("PUT", "/v1/queues/a/-/mounts/scores", "{}").status == 400);
    CHECK(bench.call("PUT", "/v1/queues/a/-/mounts/scores").status == 400);

    bench.site.reply_with(room());
    const Response shown = bench.call("GET", "/v1/queues/a/-/mounts/scores");
    CHECK(shown.status == 200);
    CHECK(contains(shown.body, "\"key_count\":1"));
    bench.site.reply_with(room());
    const Response missing = bench.call("GET", "/v1/queues/a/-/mounts/nothing");
    CHECK(missing.status == 404);
    CHECK(contains(missing.body, "M3001"));

    bench.site.asked.clear();
    CHECK(bench.call("DELETE", "/v1/queues/a/-/mounts/scores").status == 200);
    CHECK(bench.site.only_op<queue::DeleteMountOp>().mount == "scores");
}

}  // namespace muster::admin
