// Snapshots come from disks and other processes: no bytes may do harm, and what was understood once
// is written and understood the same way again.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "core/queue/queue.h"

namespace {

using namespace muster;
using namespace muster::queue;

std::string saved(const Queue& queue, Instant now) {
    std::string bytes;
    queue.save(now, bytes);
    return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const auto settings = std::make_shared<const QueueSettings>(
        QueueSettings{TemplateTable({Template{.match = "/room/*", .mounts = {}}}), Limits{}});
    static constexpr Instant now{std::chrono::seconds{1'000}};
    const std::string_view bytes{reinterpret_cast<const char*>(data), size};

    const auto first = Queue::restore(settings, now, bytes);
    if (first == nullptr) {
        return 0;
    }
    const std::string once = saved(*first, now);
    const auto second = Queue::restore(settings, now, once);
    MUSTER_CHECK(second != nullptr);
    MUSTER_CHECK(saved(*second, now) == once);
    MUSTER_CHECK(shows_same(*first->content(), *second->content()));

    // And it works: time passes, somebody joins and writes wherever that is possible.
    const QueueName name{"/room/1"};
    actor::Outbox outbox;
    actor::Context ctx(name, now + std::chrono::hours{1}, WallTime{}, Rng(1), Inc{1}, outbox);
    second->step(actor::Wake{}, ctx);
    Op op;
    op.sender.is_server = true;
    const auto feed = [&](OpBody body) {
        op.body = std::move(body);
        second->step(actor::Message{actor::ServiceAddress{}, actor::ActorAddress{name}, op}, ctx);
    };
    feed(JoinOp{UserId("alice"), {}, {}});
    const auto mounts = second->content() ? second->content()->mounts : first->content()->mounts;
    for (const auto& [mount, held] : mounts) {
        feed(SendOp{mount, Payload("1")});
        feed(SetOp{mount, {{Key("k"), Payload("1")}}, {}});
    }
    feed(DeleteOp{});
    MUSTER_CHECK(second->is_absent());
    return 0;
}
