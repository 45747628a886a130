#include "shell/admin/api.h"

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "shell/admin/fake_site.h"
#include "shell/admin/json_body.h"

namespace muster::admin {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view messages = "/v1/queues/room/1/-/mounts/chat/messages";
constexpr std::string_view disconnect = "/v1/users/alice/-/disconnect";

}  // namespace

TEST_CASE("health, readiness and the description are there without a key") {
    ApiBench bench;
    bench.key.clear();
    CHECK(bench.call("GET", "/healthz").status == 200);
    CHECK(bench.call("HEAD", "/healthz").status == 200);
    CHECK(bench.call("GET", "/readyz").status == 200);
    bench.site.ready = false;
    CHECK(bench.call("GET", "/readyz").status == 503);
    CHECK(bench.call("GET", "/healthz?verbose=1").status == 200);
    const Response description = bench.call("GET", "/openapi.json");
    CHECK(description.status == 200);
    CHECK(contains(description.body, "\"openapi\": \"3.1.0\""));
}

TEST_CASE("metrics are Prometheus text, for whoever has a key") {
    ApiBench bench;
    bench.key = ApiBench::reader;
    const Response metrics = bench.call("GET", "/metrics");
    CHECK(metrics.status == 200);
    CHECK(metrics.content_type == "text/plain; version=0.0.4; charset=utf-8");
    CHECK(metrics.body == "muster_up 1\n");
    bench.key.clear();
    CHECK(bench.call("GET", "/metrics").status == 401);
}

TEST_CASE("without a key everything else is 401, whether it is there or not") {
    ApiBench bench;
    bench.key.clear();
    for (const std::string_view path : {"/v1/queues", "/v1/queues/a", "/v1/nothing", "/nothing"}) {
        const Response response = bench.call("GET", path);
        CHECK(response.status == 401);
        CHECK(contains(response.body, "\"code\":\"M9003\""));
        CHECK(header_of(response, "WWW-Authenticate") == "Bearer realm=\"muster admin\"");
    }
    CHECK(bench.call("DELETE", "/v1/queues/a").status == 401);
    CHECK(bench.call("POST", "/healthz").status == 401);
    CHECK(bench.site.asked.empty());
}

TEST_CASE("a role too small is 403 and says which one is needed") {
    ApiBench bench;
    bench.key = ApiBench::reader;
    const Response response = bench.call("DELETE", "/v1/queues/a");
    CHECK(response.status == 403);
    CHECK(contains(response.body, "\"code\":\"M2004\""));
    CHECK(contains(response.body, "the key `dashboard` has the role read; this needs game-server"));
    for (const Route& route : routes()) {
        if (route.method == "GET") {
            CHECK(route.role == Role::read);
        } else {
            CHECK(route.role == Role::game_server);
        }
    }
    CHECK(bench.site.asked.empty());
}

TEST_CASE("the first page is none, and says where to look, without a key") {
    ApiBench bench;
    bench.key = "";
    for (const std::string_view method : {"GET", "HEAD"}) {
        const Response response = bench.call(method, "/");
        CHECK(response.status == 404);
        CHECK(response.content_type == "application/problem+json");
        CHECK(contains(response.body, "/openapi.json"));
    }
    for (const std::string_view path : {"/index.html", "/assets/app.js"}) {
        CHECK(bench.call("GET", path).status == 401);
    }
}

TEST_CASE("a tenant's key opens the tenant's queues only") {
    ApiBench bench;
    bench.key = ApiBench::tenant;
    CHECK(bench.call("PUT", "/v1/queues/a/1").status == 201);
    CHECK(bench.call("PUT", "/v1/queues/b/1").status == 403);
    CHECK(bench.call("PUT", "/v1/queues/ab").status == 403);
    CHECK(bench.call("GET", "/v1/users/alice").status == 403);
    CHECK(bench.call("GET", "/metrics").status == 403);
    CHECK(bench.call("GET", "/v1/queues?prefix=/b/").status == 403);
    CHECK(bench.call("GET", "/v1/queues?prefix=/").status == 403);
    CHECK(bench.call("GET", "/v1/queues").status == 200);
    CHECK(bench.site.listed.back().prefix == "/a/");
    CHECK(bench.call("GET", "/v1/queues?prefix=/a/x").status == 200);
    CHECK(bench.site.asked.size() == 1);
}

TEST_CASE("every answer forbids guessing its type, and forbids caches to keep it") {
    ApiBench bench;
    for (const std::string_view path : {"/healthz", "/v1/queues", "/v1/nothing"}) {
        const Response response = bench.call("GET", path);
        CHECK(header_of(response, "X-Content-Type-Options") == "nosniff");
        CHECK(header_of(response, "Cache-Control") == "no-store");
        CHECK(header_of(response, "Access-Control-Allow-Origin").empty());
    }
}

TEST_CASE("errors are problem documents") {
    ApiBench bench;
    bench.site.reply_with(rejected_verdict(ErrorCode::no_queue));
    const Response response = bench.call("DELETE", "/v1/queues/a");
    CHECK(response.status == 404);
    CHECK(response.content_type == "application/problem+json");
    CHECK(contains(response.body, R"({"type":"urn:muster:M2002","title":")"));
    CHECK(contains(response.body, R"("status":404,"code":"M2002","retryable":false)"));
    CHECK(check_json(std::string_view{response.body}).has_value());
}

TEST_CASE("a body must say that it is JSON, and curl's default is told how") {
    ApiBench bench;
    bench.content_type = "application/x-www-form-urlencoded";
    const Response form = bench.call("POST", messages, R"({"data":1})");
    CHECK(form.status == 415);
    CHECK(contains(form.body, "add the header `content-type: application/json`"));
    bench.content_type = "text/plain";
    CHECK(bench.call("POST", messages, R"({"data":1})").status == 415);
    bench.content_type = "application/jsonx";
    CHECK(bench.call("POST", messages, R"({"data":1})").status == 415);
    Request bare = bench.request("POST", messages, R"({"data":1})");
    bare.headers.pop_back();
    CHECK(bench.answer(bare).status == 415);
    CHECK(bench.site.asked.empty());
    bench.content_type = "Application/JSON; charset=utf-8";
    CHECK(bench.call("POST", messages, R"({"data":1})").status == 201);
}

TEST_CASE("bad JSON is 400 with a pointer, whatever it was meant for") {
    ApiBench bench;
    const std::string deep = std::string(16, '[') + std::string(16, ']');
    for (const std::string& body :
         {R"({"data":)" + deep + "}", std::string{R"({"data":NaN})"},
          std::string{R"({"data":1e400})"}, std::string{R"({"data":{"a":1,"a":2}})"},
          std::string{R"({"data":"\udfff"})"}, std::string{R"({"data":1}{})"}}) {
        for (const std::string_view path :
             {messages, std::string_view{"/v1/users/alice/-/messages"}}) {
            const Response response = bench.call("POST", path, body);
            CHECK(response.status == 400);
            CHECK(contains(response.body, "\"code\":\"M1030\""));
            CHECK(contains(response.body, "\"pointer\":\""));
        }
    }
    CHECK(bench.call("PUT", "/v1/queues/r/-/mounts/m/state/k", "{]").status == 400);
    CHECK(bench.site.asked.empty());
}

TEST_CASE("a body where none belongs is refused") {
    ApiBench bench;
    CHECK(bench.call("GET", "/v1/queues/a", "{}").status == 400);
    CHECK(bench.call("DELETE", "/v1/queues/a", "{}").status == 400);
}

TEST_CASE("targets that are no paths are refused") {
    ApiBench bench;
    CHECK(bench.call("GET", "/v1/queues/%00").status == 400);
    CHECK(bench.call("GET", "/v1/queues/%2e%2e/x").status == 400);
    CHECK(bench.call("GET", "/v1/../metrics").status == 400);
    CHECK(bench.call("GET", "/v1/queues/%zz").status == 400);
    CHECK(bench.call("GET", "/v1/queues/%ff").status == 400);
    CHECK(bench.call("GET", "http://x/v1/queues").status == 400);
    CHECK(bench.call("GET", "*").status == 400);
    CHECK(bench.call("GET", "/" + std::string(100'000, 'x')).status == 414);
}

TEST_CASE("a header that may stand once is refused when it stands twice") {
    ApiBench bench;
    CHECK(bench.call("POST", messages, R"({"data":1})", {{"content-type", "application/json"}})
              .status == 400);
    CHECK(bench.call("GET", "/v1/queues", "", {{"authorization", "Bearer x"}}).status == 400);
    CHECK(bench.call("GET", "/v1/queues", "", {{"host", "other"}}).status == 400);
}

TEST_CASE("in dev nobody needs a key, but a page of another origin gets nothing done") {
    ApiBench bench{true};
    bench.key.clear();
    CHECK(bench.call("PUT", "/v1/queues/a").status == 201);
    CHECK(bench.call("PUT", "/v1/queues/a", "", {{"origin", "http://localhost:7401"}}).status ==
          201);
    CHECK(bench.call("PUT", "/v1/queues/a", "", {{"origin", "http://evil.example"}}).status == 403);
    CHECK(bench.call("POST", disconnect, "", {{"origin", "null"}}).status == 403);
    CHECK(bench.call("POST", disconnect, "", {{"sec-fetch-site", "cross-site"}}).status == 403);
    Request rebound = bench.request("GET", "/v1/queues");
    rebound.headers.front().value = "attacker.example:7401";
    CHECK(bench.answer(rebound).status == 403);
    CHECK(bench.site.asked.size() == 2);
}

TEST_CASE("a POST that no queue remembers is carried out once for each Idempotency-Key") {
    ApiBench bench;
    const Header key{"idempotency-key", "k-1"};
    const Response first = bench.call("POST", disconnect, "", {key});
    CHECK(first.status == 200);
    CHECK(header_of(first, "Idempotent-Replay").empty());
    const Response again = bench.call("POST", disconnect, "", {key});
    CHECK(again.status == 200);
    CHECK(again.body == first.body);
    CHECK(header_of(again, "Idempotent-Replay") == "true");
    CHECK(bench.site.asked.size() == 1);

    const Response other = bench.call("POST", "/v1/users/bob/-/disconnect", "", {key});
    CHECK(other.status == 422);
    CHECK(contains(other.body, "M2013"));
    bench.now += 600s;
    CHECK(header_of(bench.call("POST", disconnect, "", {key}), "Idempotent-Replay").empty());
    CHECK(bench.site.asked.size() == 2);
}

TEST_CASE("a repetition while the first request is under way is told to come again") {
    ApiBench bench;
    bench.site.holds = true;
    const Request request = [&bench] {
        Request made = bench.request("POST", disconnect);
        made.headers.push_back({"idempotency-key", "k"});
        return made;
    }();
    int answers = 0;
    bench.api.handle(request, [&answers](const Response& response) {
        ++answers;
        CHECK(response.status == 200);
    });
    const Response again = bench.answer(request);
    CHECK(again.status == 503);
    CHECK(header_of(again, "Retry-After") == "1");
    bench.site.release();
    CHECK(answers == 1);
    CHECK(bench.answer(request).status == 200);
    CHECK(bench.site.asked.size() == 1);
}

TEST_CASE("what had no effect, or nobody knows, is not kept under its key") {
    ApiBench bench;
    const Header key{"idempotency-key", "k"};
    bench.site.reply_with(rejected_verdict(ErrorCode::user_offline));
    CHECK(bench.call("POST", disconnect, "", {key}).status == 409);
    bench.site.reply_with_silence();
    CHECK(bench.call("POST", disconnect, "", {key}).status == 503);
    CHECK(bench.call("POST", disconnect, "", {key}).status == 200);
    CHECK(bench.site.asked.size() == 3);
}

TEST_CASE("an Idempotency-Key is 1 to 255 visible characters") {
    ApiBench bench;
    for (const std::string& key :
         {std::string{}, std::string(256, 'k'), std::string{"a b"}, std::string{"\xc3\xa9"}}) {
        CHECK(bench.call("POST", disconnect, "", {{"idempotency-key", key}}).status == 400);
    }
    CHECK(bench.call("POST", disconnect, "", {{"idempotency-key", std::string(255, 'k')}}).status ==
          200);
}

TEST_CASE("no answer in time is 503: of a read simply so, of a change with an unknown outcome") {
    ApiBench bench;
    bench.site.reply_with_silence();
    const Response read = bench.call("GET", "/v1/queues/a");
    CHECK(read.status == 503);
    CHECK(contains(read.body, "\"retryable\":true"));
    CHECK_FALSE(contains(read.body, "outcome"));

    bench.site.reply_with_silence();
    const Response put = bench.call("PUT", "/v1/queues/a");
    CHECK(put.status == 503);
    CHECK(contains(put.body, R"("code":"M2024","retryable":true,"outcome":"unknown")"));

    bench.site.reply_with_silence();
    const Response post = bench.call("POST", messages, R"({"data":1})");
    CHECK(contains(post.body, R"("retryable":false,"outcome":"unknown")"));
    bench.site.reply_with_silence();
    const Response keyed =
        bench.call("POST", messages, R"({"data":1})", {{"idempotency-key", "k"}});
    CHECK(contains(keyed.body, R"("retryable":true,"outcome":"unknown")"));
}

TEST_CASE("verdicts of the queue become the registry's statuses") {
    const auto status_of = [](queue::Verdict::Kind kind, ErrorCode code) {
        ApiBench bench;
        queue::Verdict verdict;
        verdict.kind = kind;
        verdict.code = code;
        verdict.retry_ms = 1'500;
        bench.site.reply_with(verdict);
        return bench.call("DELETE", "/v1/queues/a");
    };
    using Kind = queue::Verdict::Kind;
    CHECK(status_of(Kind::rejected, ErrorCode::forbidden).status == 403);
    CHECK(status_of(Kind::rejected, ErrorCode::full).status == 409);
    CHECK(status_of(Kind::gone, ErrorCode::gone).status == 410);
    CHECK(status_of(Kind::expired, ErrorCode::expired).status == 500);
    CHECK(status_of(Kind::protocol_error, ErrorCode::protocol).status == 500);
    CHECK(status_of(Kind::hole, ErrorCode::hole).status == 500);
    CHECK(status_of(Kind::fenced, ErrorCode::superseded).status == 500);
    const Response busy = status_of(Kind::busy, ErrorCode::busy);
    CHECK(busy.status == 429);
    CHECK(contains(busy.body, "\"retry_after_ms\":1500"));
    CHECK(header_of(busy, "Retry-After") == "2");
    CHECK(status_of(Kind::busy, ErrorCode::retry).status == 503);
}

TEST_CASE("who is refused for want of rights is told to the log, by the name of the key") {
    ApiBench bench;
    bench.key.clear();
    bench.call("GET", "/v1/queues?prefix=/a");
    bench.key = "a-wrong-key-0123456789";
    bench.call("GET", "/metrics");
    bench.key = ApiBench::reader;
    bench.call("DELETE", "/v1/queues/a");
    bench.call("GET", "/v1/nothing");
    bench.call("GET", "/healthz");
    CHECK(bench.noted == std::vector<std::string>{
                             "refused GET by  from 192.0.2.1: /v1/queues"
                             "the header `Authorization: Bearer KEY` is missing",
                             "refused GET by  from 192.0.2.1: /metricsno such key",
                             "refused DELETE by dashboard from 192.0.2.1: /v1/queues/a"
                             "the key `dashboard` has the role read; this needs game-server",
                         });
    bench.noted.clear();
    bench.key = ApiBench::game_server;
    bench.call("DELETE", "/v1/queues/a", {}, {{"origin", "http://elsewhere.example"}});
    REQUIRE(bench.noted.size() == 1);
    CHECK(bench.noted[0].starts_with("refused DELETE by  from 192.0.2.1: /v1/queues/aa web page"));
}

TEST_CASE("what changes queues, mounts and sessions is told to the log, and what flows is not") {
    ApiBench bench;
    bench.site.reply_with(ok_verdict(1));
    bench.call("PUT", "/v1/queues/a", "{}");
    bench.site.reply_with(ok_verdict(1, false));
    bench.call("PUT", "/v1/queues/a", "{}");
    bench.call("POST", messages, R"({"data":1})");
    bench.call("PUT", "/v1/queues/a/-/mounts/scores/state/k", "1");
    bench.site.reply_with(rejected_verdict(ErrorCode::no_queue));
    bench.call("DELETE", "/v1/queues/gone");
    bench.call("DELETE", "/v1/queues/a/-/mounts/poll");
    bench.content_type = "application/x-ndjson";
    bench.call("POST", "/v1/batch", R"({"method":"DELETE","path":"/v1/queues/b"})");
    CHECK(bench.noted == std::vector<std::string>{
                             "changed PUT by game from 192.0.2.1: /v1/queues/a",
                             "changed DELETE by game from 192.0.2.1: /v1/queues/a/-/mounts/poll",
                             "changed DELETE by game from 192.0.2.1: /v1/queues/b",
                         });
}

TEST_CASE("a disconnect is told to the log once, however often its answer is asked for") {
    ApiBench bench;
    for (int i = 0; i < 2; ++i) {
        const Response response = bench.call("POST", disconnect, "", {{"idempotency-key", "k"}});
        CHECK(response.status < 300);
    }
    CHECK(bench.noted == std::vector<std::string>{
                             "changed POST by game from 192.0.2.1: /v1/users/alice/-/disconnect"});
}

}  // namespace muster::admin
