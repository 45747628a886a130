#include "shell/admin/batch.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <doctest/doctest.h>

#include "shell/admin/fake_site.h"

namespace muster::admin {
namespace {

struct BatchBench : ApiBench {
    BatchBench() { content_type = "application/x-ndjson"; }
};

std::size_t line_count(std::string_view text) {
    std::size_t count = 0;
    for (const char c : text) {
        count += c == '\n' ? 1 : 0;
    }
    return count;
}

}  // namespace

TEST_CASE("a batch carries out its lines in order and answers each with one line") {
    BatchBench bench;
    bench.site.reply_with(ok_verdict(1));
    bench.site.reply_with(ok_verdict(2));
    bench.site.reply_with(rejected_verdict(ErrorCode::no_mount));
    const Response response =
        bench.call("POST", "/v1/batch",
                   "{\"method\":\"PUT\",\"path\":\"/v1/queues/r\"}\n"
                   "\n"
                   "{\"method\":\"POST\",\"path\":\"/v1/queues/r/-/mounts/chat/"
                   "messages\",\"body\":{\"data\": 1 }}\r\n"
                   "{\"method\":\"DELETE\",\"path\":\"/v1/queues/r/-/mounts/x\"}");
    CHECK(response.status == 200);
    CHECK(response.content_type == "application/x-ndjson");
    REQUIRE(line_count(response.body) == 3);
    CHECK(response.body.starts_with(
        "{\"line\":1,\"status\":201,\"body\":{\"inc\":7,\"seq\":1}}\n"
        "{\"line\":3,\"status\":201,\"body\":{\"inc\":7,\"seq\":2}}\n"
        "{\"line\":4,\"status\":404,\"body\":{\"type\":\"urn:muster:M3001\""));
    REQUIRE(bench.site.asked.size() == 3);
    const auto& op = std::get<queue::Op>(bench.site.asked[1].body);
    CHECK(std::get<queue::SendOp>(op.body).data.bytes() == "1");
}

TEST_CASE("a line of a batch may carry its own key and preconditions") {
    BatchBench bench;
    bench.site.reply_with(ok_verdict(2, false));
    const Response response =
        bench.call("POST", "/v1/batch",
                   "{\"method\":\"POST\",\"path\":\"/v1/queues/r/-/mounts/chat/"
                   "messages\",\"body\":{\"data\":1},"
                   "\"idempotency_key\":\"k\"}\n"
                   "{\"method\":\"PUT\",\"path\":\"/v1/queues/r/-/mounts/s/state/a\",\"body\":7,"
                   "\"if_match\":\"\\\"41\\\"\"}\n"
                   "{\"method\":\"PUT\",\"path\":\"/v1/queues/r/-/mounts/s/state/b\",\"body\":7,"
                   "\"if_none_match\":\"*\"}\n"
                   "{\"method\":\"POST\",\"path\":\"/v1/users/alice/-/"
                   "disconnect\",\"idempotency_key\":\"d\"}\n"
                   "{\"method\":\"POST\",\"path\":\"/v1/users/alice/-/"
                   "disconnect\",\"idempotency_key\":\"d\"}\n");
    CHECK(response.body.starts_with("{\"line\":1,\"status\":201,\"replay\":true,\"body\":"));
    CHECK(contains(response.body, "{\"line\":5,\"status\":200,\"replay\":true,\"body\":{}}\n"));
    REQUIRE(bench.site.asked.size() == 4);
    CHECK(std::get<queue::Op>(bench.site.asked[0].body).idempotency_key.view() == "k");
    const auto if_seq = [&bench](std::size_t i) {
        return std::get<queue::SetOp>(std::get<queue::Op>(bench.site.asked[i].body).body).if_seq;
    };
    CHECK(if_seq(1) == Seq{41});
    CHECK(if_seq(2) == Seq{0});
}

TEST_CASE("a line that means nothing is refused alone") {
    BatchBench bench;
    const Response response =
        bench.call("POST", "/v1/batch",
                   "nonsense\n"
                   "{\"method\":\"GET\",\"path\":\"/v1/queues/r\"}\n"
                   "{\"method\":\"POST\",\"path\":\"/v1/batch\",\"body\":{}}\n"
                   "{\"method\":\"POST\",\"path\":\"/v1/%62atch\",\"body\":{}}\n"
                   "{\"method\":\"PUT\",\"path\":\"/v1/queues/r\",\"extra\":1}\n"
                   "{\"method\":\"PUT\"}\n"
                   "{\"path\":\"/v1/queues/r\"}\n"
                   "{\"method\":\"PUT\",\"path\":\"/v1/queues/r\",\"path\":\"/v1/queues/s\"}\n"
                   "[]\n"
                   "{\"method\":\"PUT\",\"path\":\"/v1/queues/r\",\"idempotency_key\":\"a b\"}\n"
                   "{\"method\":\"POST\",\"path\":\"/healthz\"}\n");
    CHECK(response.status == 200);
    CHECK(line_count(response.body) == 11);
    CHECK_FALSE(contains(response.body, "\"status\":20"));
    CHECK(contains(response.body, "{\"line\":11,\"status\":405,"));
    CHECK(contains(response.body, "a batch has no batches inside"));
    CHECK(bench.site.asked.empty());
}

TEST_CASE("each line is held against the caller's role and tenant") {
    BatchBench bench;
    bench.key = ApiBench::tenant;
    const Response response = bench.call("POST", "/v1/batch",
                                         "{\"method\":\"PUT\",\"path\":\"/v1/queues/a/1\"}\n"
                                         "{\"method\":\"PUT\",\"path\":\"/v1/queues/b/1\"}\n");
    CHECK(contains(response.body, "{\"line\":1,\"status\":201,"));
    CHECK(contains(response.body, "{\"line\":2,\"status\":403,"));
    bench.key = ApiBench::reader;
    CHECK(bench.call("POST", "/v1/batch", "{}").status == 403);
}

TEST_CASE("after a line without an answer the rest is refused, and none of it has an effect") {
    BatchBench bench;
    bench.site.reply_with(ok_verdict(1));
    bench.site.reply_with_silence();
    const Response response = bench.call("POST", "/v1/batch",
                                         "{\"method\":\"PUT\",\"path\":\"/v1/queues/a\"}\n"
                                         "{\"method\":\"PUT\",\"path\":\"/v1/queues/b\"}\n"
                                         "{\"method\":\"PUT\",\"path\":\"/v1/queues/c\"}\n");
    CHECK(contains(response.body, "{\"line\":2,\"status\":503,"));
    CHECK(contains(response.body, "\"outcome\":\"unknown\""));
    CHECK(contains(response.body,
                   "{\"line\":3,\"status\":503,\"body\":{\"type\":\"urn:muster:M2023\""));
    CHECK(bench.site.asked.size() == 2);
}

TEST_CASE("a line begins when the one before has its answer") {
    BatchBench bench;
    bench.site.holds = true;
    std::optional<Response> response;
    bench.api.handle(bench.request("POST", "/v1/batch",
                                   "{\"method\":\"PUT\",\"path\":\"/v1/queues/a\"}\n"
                                   "{\"method\":\"bad\"}\n"
                                   "{\"method\":\"PUT\",\"path\":\"/v1/queues/b\"}\n"),
                     [&response](Response given) { response = std::move(given); });
    CHECK(bench.site.asked.size() == 1);
    bench.site.release();
    CHECK(bench.site.asked.size() == 2);
    CHECK_FALSE(response.has_value());
    bench.site.release();
    REQUIRE(response.has_value());
    CHECK(line_count(response->body) == 3);
}

TEST_CASE("a batch of a thousand lines is taken, and of one more is refused as a whole") {
    BatchBench bench;
    std::string body;
    for (std::size_t i = 0; i < batch_lines_max; ++i) {
        body += "{\"method\":\"PUT\",\"path\":\"/v1/queues/r\"}\n";
    }
    CHECK(line_count(bench.call("POST", "/v1/batch", body).body) == batch_lines_max);
    bench.site.asked.clear();
    body += "{\"method\":\"PUT\",\"path\":\"/v1/queues/r\"}\n";
    const Response refused = bench.call("POST", "/v1/batch", body);
    CHECK(refused.status == 413);
    CHECK(contains(refused.body, "\"limit\":1000"));
    CHECK(bench.site.asked.empty());
}

TEST_CASE("a whole batch is carried out once for each Idempotency-Key") {
    BatchBench bench;
    const Header key{"idempotency-key", "k"};
    const std::string body = "{\"method\":\"PUT\",\"path\":\"/v1/queues/r\"}\n";
    const Response first = bench.call("POST", "/v1/batch", body, {key});
    const Response again = bench.call("POST", "/v1/batch", body, {key});
    CHECK(again.body == first.body);
    CHECK(again.content_type == first.content_type);
    CHECK(header_of(again, "Idempotent-Replay") == "true");
    CHECK(bench.site.asked.size() == 1);
    CHECK(bench.call("POST", "/v1/batch", body + body, {key}).status == 422);
}

TEST_CASE("a batch says that it is NDJSON") {
    BatchBench bench;
    bench.content_type = "application/json";
    const Response response = bench.call("POST", "/v1/batch", "{}");
    CHECK(response.status == 415);
    CHECK(contains(response.body, "application/x-ndjson"));
    bench.content_type = "application/x-ndjson";
    const Response empty = bench.call("POST", "/v1/batch");
    CHECK(empty.status == 200);
    CHECK(empty.body.empty());
}

}  // namespace muster::admin
