#include "app/commands/replay_dump.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "cli/terminal.h"
#include "core/gateway/encode.h"
#include "core/wire/json_frames.h"

namespace muster::app {
namespace {

constexpr std::size_t all = std::numeric_limits<std::size_t>::max();

actor::Message question(const QueueName& queue) {
    return {actor::ServiceAddress{}, actor::ActorAddress{queue}, queue::Read{RequestId{1}}};
}

void print_messages(const QueueName& name, const queue::Mount& mount) {
    for (std::size_t i = 0; i < mount.history.size(); ++i) {
        const queue::Event& event = *mount.history[i].event;
        const auto& posted = std::get<queue::MessagePosted>(event.body);
        wire::MsgFrame frame;
        frame.queue = name.text();
        frame.mount = posted.mount.text();
        frame.seq = event.seq;
        frame.from = event.from.text();
        frame.time_ms = event.time.ms;
        frame.data = {posted.data.bytes(), posted.data.format()};
        std::string line;
        wire::append_frame(line, frame);
        cli::print_line(line);
    }
}

// Returns whether there was something to print: user queues answer with nothing.
bool print_answer(const QueueName& name, const actor::Body& answer) {
    const auto* reply = std::get_if<queue::ReadReply>(&answer);
    if (reply == nullptr || reply->content == nullptr) {
        return false;
    }
    const queue::Content& content = *reply->content;
    std::vector<std::string> infos;
    wire::JoinedFrame frame;
    frame.queue = name.text();
    frame.at = content.at;
    frame.mounts = gateway::mount_frames(content);
    frame.member_count = content.members.size();
    frame.who = gateway::member_frames(content, content.members.size(), infos);
    std::string line;
    wire::append_frame(line, frame);
    cli::print_line(line);
    for (const auto& [mount_name, mount] : content.mounts) {
        print_messages(name, mount);
    }
    return true;
}

bool is_meant(const QueueName& name, std::string_view queue) {
    return queue.empty() || name.text() == queue;
}

}  // namespace

std::size_t dump_state(roles::WholeReplay& replay, std::string_view queue) {
    std::size_t count = 0;
    roles::ShardMachine& machine = replay.machine();
    for (const QueueName& name : machine.buckets().names({}, {}, all)) {
        if (is_meant(name, queue)) {
            machine.departures.clear();
            machine.step(question(name));
            for (const auto& departure : machine.departures) {
                count += print_answer(name, departure.message.body) ? 1 : 0;
            }
        }
    }
    return count;
}

std::size_t dump_state(roles::BucketReplay& replay, std::string_view queue) {
    std::size_t count = 0;
    for (auto& [id, bucket] : replay.buckets()) {
        std::vector<QueueName> names;
        bucket.collect_names({}, {}, all, names);
        std::sort(names.begin(), names.end());
        for (const QueueName& name : names) {
            if (is_meant(name, queue)) {
                actor::Outbox answers;
                bucket.deliver(name, question(name), replay.now(), WallTime{}, answers);
                for (const auto& answer : answers) {
                    count += print_answer(name, answer.body) ? 1 : 0;
                }
            }
        }
    }
    return count;
}

}  // namespace muster::app
