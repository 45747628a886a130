#include "core/wire/proto_writer.h"

#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include "muster/log.pb.h"

namespace muster::wire {
namespace {

using proto::QueueState;

TEST_CASE("fields that are 0 or empty are left out, unless they have presence") {
    std::string out;
    ProtoWriter writer(out);
    writer.number(1, 0);
    writer.number(1, false);
    writer.number(1, std::optional<std::uint64_t>());
    writer.fixed64(2, 0);
    writer.bytes(3, "");
    CHECK(out.empty());
    writer.number(1, std::optional<std::uint64_t>(0));
    writer.present_number(2, 0);
    writer.present_bytes(3, "");
    writer.message(4, [] {});
    CHECK(out == std::string("\x08\x00\x10\x00\x1a\x00\x22\x00", 8));
}

TEST_CASE("what is written is what generated code would write") {
    rc::check([](std::uint64_t number, std::int64_t time, const std::string& bytes, bool flag) {
        QueueState generated;
        generated.set_seq(number);
        auto& mount = *generated.add_mounts();
        mount.set_name(bytes);
        auto& posted = *mount.add_history();
        posted.set_time_ms(time);
        posted.set_data(bytes);
        auto& member = *generated.add_members();
        member.set_is_online(flag);
        auto& client = *generated.add_clients();
        client.set_cid_high(number);

        std::string out;
        ProtoWriter writer(out);
        writer.number(QueueState::kSeqFieldNumber, number);
        writer.message(QueueState::kMountsFieldNumber, [&] {
            writer.bytes(QueueState::Mount::kNameFieldNumber, bytes);
            writer.message(QueueState::Mount::kHistoryFieldNumber, [&] {
                writer.number(QueueState::Posted::kTimeMsFieldNumber,
                              static_cast<std::uint64_t>(time));
                writer.bytes(QueueState::Posted::kDataFieldNumber, bytes);
            });
        });
        writer.message(QueueState::kMembersFieldNumber,
                       [&] { writer.number(QueueState::Member::kIsOnlineFieldNumber, flag); });
        writer.message(QueueState::kClientsFieldNumber,
                       [&] { writer.fixed64(QueueState::Client::kCidHighFieldNumber, number); });
        RC_ASSERT(out == generated.SerializeAsString());
    });
}

TEST_CASE("a message's size takes as many bytes as it needs") {
    for (const std::size_t size :
         {0U, 1U, 124U, 125U, 126U, 16'379U, 16'380U, 16'381U, 3'000'000U}) {
        CAPTURE(size);
        QueueState generated;
        generated.add_mounts()->add_entries()->set_value(std::string(size, 'x'));
        std::string out;
        ProtoWriter writer(out);
        writer.message(QueueState::kMountsFieldNumber, [&] {
            writer.message(QueueState::Mount::kEntriesFieldNumber, [&] {
                writer.bytes(QueueState::Entry::kValueFieldNumber, std::string(size, 'x'));
            });
        });
        CHECK(out == generated.SerializeAsString());
    }
}

TEST_CASE("the biggest and the smallest number are written whole") {
    for (const std::uint64_t number :
         {std::uint64_t{1}, std::uint64_t{127}, std::uint64_t{128}, std::uint64_t{1} << 63U,
          std::numeric_limits<std::uint64_t>::max()}) {
        std::string out;
        ProtoWriter(out).number(QueueState::kSeqFieldNumber, number);
        QueueState read;
        REQUIRE(read.ParseFromString(out));
        CHECK(read.seq() == number);
    }
}

}  // namespace
}  // namespace muster::wire
