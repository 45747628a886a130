#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include <doctest/doctest.h>

#include "shell/admin/fake_site.h"

// Members and users.
namespace muster::admin {
namespace {

std::shared_ptr<const queue::Content> crowd() {
    auto content = std::make_shared<queue::Content>();
    content->at = Cursor{Inc{7}, 19};
    queue::Member& alice = content->members[UserId{"alice"}];
    alice.info = Payload{R"({"name":"Alice"})"};
    alice.role = SharedText{"game\"master"};
    alice.session = SessionId{81};
    alice.is_online = true;
    content->members[UserId{"bob"}].by_server = true;
    content->members[UserId{"carol"}] = {};
    return content;
}

}  // namespace

TEST_CASE("members are listed in order, page by page") {
    ApiBench bench;
    bench.site.reply_with(crowd());
    CHECK(bench.call("GET", "/v1/queues/r/-/members?limit=2").body ==
          "{\"inc\":7,\"seq\":19,\"member_count\":3,\"members\":["
          "{\"user\":\"alice\",\"role\":\"game\\\"master\",\"meta\":{\"name\":\"Alice\"},"
          "\"online\":true,\"by_server\":false,\"session\":81},"
          "{\"user\":\"bob\",\"meta\":{},\"online\":false,\"by_server\":true}],"
          "\"cursor\":\"bob\"}\n");
    bench.site.reply_with(crowd());
    CHECK(bench.call("GET", "/v1/queues/r/-/members?limit=2&cursor=bob").body ==
          "{\"inc\":7,\"seq\":19,\"member_count\":3,\"members\":["
          "{\"user\":\"carol\",\"meta\":{},\"online\":false,\"by_server\":false}]}\n");
    CHECK(bench.call("GET", "/v1/queues/r/-/members?limit=10001").status == 400);
}

TEST_CASE("a member is put through the user's own queue") {
    ApiBench bench;
    CHECK(bench.call("PUT", "/v1/queues/r/-/members/alice", R"({"role":"player","meta":{"hp": 3}})")
              .status == 201);
    CHECK(bench.site.asked.front().to == "/user/alice");
    const auto& pass = bench.site.only<user::Pass>();
    CHECK(pass.queue == "/r");
    CHECK(pass.op.sender.is_server);
    CHECK(std::holds_alternative<RequestId>(pass.op.reply_to.who));
    const auto& join = std::get<queue::JoinOp>(pass.op.body);
    CHECK(join.user == "alice");
    CHECK(join.role.view() == "player");
    CHECK(join.info.bytes() == R"({"hp": 3})");

    bench.site.reply_with(ok_verdict(20, false));
    CHECK(bench.call("PUT", "/v1/queues/r/-/members/alice").status == 200);
}

TEST_CASE("a member's definition that means nothing is refused") {
    ApiBench bench;
    const std::string long_role = R"({"role":")" + std::string(65, 'r') + "\"}";
    for (const std::string& body : {std::string{R"({"role":1})"}, std::string{R"({"meta":[]})"},
                                    std::string{R"({"meta":"x"})"}, std::string{R"({"name":"x"})"},
                                    std::string{"[]"}, long_role}) {
        CHECK(bench.call("PUT", "/v1/queues/r/-/members/alice", body).status == 400);
    }
    CHECK(bench.call("PUT", "/v1/queues/r/-/members/b%20b").status == 400);
    CHECK(bench.site.asked.empty());
}

TEST_CASE("a member's meta is at most as long as a message") {
    ApiBench bench;
    const auto put = [&](std::size_t bytes) {
        return bench.call("PUT", "/v1/queues/r/-/members/alice",
                          R"({"meta":{"a":")" + std::string(bytes - 8, 'x') + "\"}}");
    };
    const Response refused = put(16 * 1024 + 1);
    CHECK(refused.status == 413);
    CHECK(contains(refused.body, "M3003"));
    CHECK(contains(refused.body, "/meta"));
    CHECK(bench.site.asked.empty());
    static_cast<void>(put(16 * 1024));
    CHECK(bench.site.asked.size() == 1);
}

TEST_CASE("a message to a user is at most as long as one to a queue") {
    ApiBench bench;
    const std::string_view path = "/v1/users/alice/-/messages";
    const Response refused =
        bench.call("POST", path, R"({"data":")" + std::string(16 * 1024 - 1, 'x') + "\"}");
    CHECK(refused.status == 413);
    CHECK(contains(refused.body, "M3003"));
    CHECK(contains(refused.body, "/data"));
    CHECK(bench.site.asked.empty());
    CHECK(
        bench.call("POST", path, R"({"data":")" + std::string(16 * 1024 - 2, 'x') + "\"}").status ==
        201);
}

TEST_CASE("a member is removed through the user's own queue, as kicked") {
    ApiBench bench;
    CHECK(bench.call("DELETE", "/v1/queues/r/-/members/alice").status == 200);
    const auto& pass = bench.site.only<user::Pass>();
    const auto& leave = std::get<queue::LeaveOp>(pass.op.body);
    CHECK(leave.user == "alice");
    CHECK(leave.reason == queue::LeaveReason::kicked);
    bench.site.reply_with(rejected_verdict(ErrorCode::not_member));
    CHECK(bench.call("DELETE", "/v1/queues/r/-/members/bob").status == 403);
}

TEST_CASE("a user is shown with its session and what it has joined") {
    ApiBench bench;
    user::UserReport report;
    report.is_known = true;
    report.is_online = true;
    report.session = SessionId{82};
    report.connections = 1;
    report.joined = {{QueueName{"/room/1"}, Inc{7}}, {QueueName{"/room/2"}, Inc{0}}};
    bench.site.reply_with(report);
    const Response response = bench.call("GET", "/v1/users/alice");
    CHECK(response.body ==
          "{\"user\":\"alice\",\"online\":true,\"connections\":1,\"session\":82,\"joined\":["
          "{\"queue\":\"/room/1\",\"inc\":7},{\"queue\":\"/room/2\"}]}\n");
    CHECK(bench.site.asked.front().to == "/user/alice");
    (void)bench.site.only<user::ReadUser>();
}

TEST_CASE("a user of whom nothing is known is 404") {
    ApiBench bench;
    bench.site.reply_with(user::UserReport{});
    const Response response = bench.call("GET", "/v1/users/nobody");
    CHECK(response.status == 404);
    CHECK(contains(response.body, "M4001"));
    bench.site.reply_with_silence();
    CHECK(bench.call("GET", "/v1/users/nobody").status == 503);
    CHECK(bench.call("GET", "/v1/users/no%27body").status == 400);
}

TEST_CASE("a user is disconnected") {
    ApiBench bench;
    CHECK(bench.call("POST", "/v1/users/alice/-/disconnect").status == 200);
    CHECK(bench.site.asked.front().to == "/user/alice");
    CHECK(std::holds_alternative<RequestId>(bench.site.only<user::Disconnect>().reply_to.who));
    CHECK(bench.call("POST", "/v1/users/alice/-/disconnect", "{}").status == 200);
    CHECK(bench.call("POST", "/v1/users/alice/-/disconnect", R"({"why":1})").status == 400);
}

TEST_CASE("a message to a user who is on line is handed on; to another it is 409") {
    ApiBench bench;
    const std::string_view path = "/v1/users/alice/-/messages";
    CHECK(bench.call("POST", path, R"({"data":{"text": "hi"},"from":"bob"})").status == 201);
    const auto& tell = bench.site.only<user::Tell>();
    CHECK(tell.from == "bob");
    CHECK(tell.data.bytes() == R"({"text": "hi"})");
    CHECK(std::holds_alternative<RequestId>(tell.reply_to.who));

    bench.site.reply_with(rejected_verdict(ErrorCode::user_offline));
    const Response offline = bench.call("POST", path, R"({"data":1,"reliable":false})");
    CHECK(offline.status == 409);
    CHECK(contains(offline.body, "M4004"));
}

TEST_CASE("a reliable message is refused honestly: there is no store") {
    ApiBench bench;
    const Response response =
        bench.call("POST", "/v1/users/alice/-/messages", R"({"data":1,"reliable":true})");
    CHECK(response.status == 501);
    CHECK(contains(response.body, "\"code\":\"M7001\",\"retryable\":false"));
    CHECK(contains(response.body, "reliable messages need the store"));
    CHECK(bench.site.asked.empty());
}

TEST_CASE("a message to a user that means nothing is refused") {
    ApiBench bench;
    for (const std::string_view body :
         {"{}", R"({"data":1,"b":"AA=="})", R"({"data":1,"from":"a b"})", R"({"data":1,"to":"x"})",
          R"({"data":1,"reliable":1})", "1"}) {
        CHECK(bench.call("POST", "/v1/users/alice/-/messages", body).status == 400);
    }
    CHECK(bench.call("POST", "/v1/users/alice/-/messages").status == 400);
    CHECK(bench.site.asked.empty());
}

}  // namespace muster::admin
