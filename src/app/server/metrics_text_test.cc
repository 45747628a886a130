#include <cstdint>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "app/server/service_site.h"

namespace muster::server {
namespace {

bool has_line(const std::string& text, const std::string& line) {
    return text.find("\n" + line + "\n") != std::string::npos;
}

gateway::SlowReader reader(const std::string& user, std::uint64_t dropped) {
    return {.user = UserId(user),
            .queue = QueueName("/room/1"),
            .mount = MountName("chat"),
            .dropped = dropped};
}

TEST_CASE("metrics add up the shards") {
    std::vector<ShardReport> reports(2);
    reports[0].gateway.deliveries = 3;
    reports[1].gateway.deliveries = 4;
    CHECK(has_line(metrics_text(reports), "muster_deliveries_total 7"));
}

TEST_CASE("metrics name slow readers by user and mount, and add them up over the shards") {
    std::vector<ShardReport> reports(2);
    reports[0].slow_readers = {reader("alice", 3), reader("bob", 1)};
    reports[1].slow_readers = {reader("alice", 4)};
    const std::string text = metrics_text(reports);
    CHECK(has_line(text,
                   R"(muster_slow_reader_dropped{user="alice",queue="/room/1",mount="chat"} 7)"));
    CHECK(
        has_line(text, R"(muster_slow_reader_dropped{user="bob",queue="/room/1",mount="chat"} 1)"));
    CHECK(has_line(text,
                   R"(muster_slow_reader_closed{user="alice",queue="/room/1",mount="chat"} 0)"));
}

TEST_CASE("metrics name the 32 slowest readers and no more") {
    std::vector<ShardReport> reports(1);
    for (std::uint64_t i = 1; i <= 64; ++i) {
        reports[0].slow_readers.push_back(reader("u" + std::to_string(i), i));
    }
    const std::string text = metrics_text(reports);
    CHECK(text.find(R"(user="u64")") != std::string::npos);
    CHECK(text.find(R"(user="u33")") != std::string::npos);
    CHECK(text.find(R"(user="u32")") == std::string::npos);
}

}  // namespace
}  // namespace muster::server
