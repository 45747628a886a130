#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <initializer_list>
#include <iterator>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <rapidcheck.h>

#include "base/error_code.h"
#include "core/wire/frames.h"
#include "core/wire/json_reader.h"

/// Frames with any content, for tests that hold of all frames. Each function may be called only
/// within a property (rc::check).
namespace muster::wire {

/// Makes frames and owns the text that they point to.
/// Invariants: what it makes is what a codec can give back: values of a state mount in the order
///             JSON, bytes, deletions; JSON that is JSON; integers up to 2^53.
class ArbitraryFrames {
public:
    ClientFrame client_frame() {
        ClientFrame frame;
        frame.op = static_cast<ClientOp>(below(static_cast<std::uint64_t>(ClientOp::server_only)));
        frame.request = maybe([] { return integer(); });
        frame.queue = text();
        frame.mount = text();
        frame.key = text();
        frame.data = maybe([this] { return data(); });
        auto& number = frame.op == ClientOp::ack ? frame.acked_mail : frame.number;
        number = maybe([] { return integer(1); });
        frame.inc = inc();
        frame.attempt = maybe([] { return small_integer(1); });
        frame.if_seq = maybe([] { return integer(); });
        frame.before = maybe([] { return integer(); });
        frame.versions = list(version_count_max, [] { return small_integer(); });
        frame.token = text();
        frame.user = text();
        frame.nonce = text();
        frame.resume = text();
        frame.cid = text();
        frame.attempt_number = integer();
        frame.resolve = coin();
        if (frame.op == ClientOp::hello) {
            std::size_t count = 0;
            frame.since = list(since_count_max, [this, &count] {
                return Since{.queue = keep(std::to_string(count++) + std::string{text()}),
                             .cursor = cursor()};
            });
        } else if (frame.op == ClientOp::join || frame.op == ClientOp::listen) {
            frame.cursor = maybe([] { return cursor(); });
        }
        return frame;
    }

    /// With those fields only that the schema has for its op; in JSON they may stand in any.
    ClientFrame client_frame_of_schema() {
        using enum ClientOp;
        const ClientFrame all = client_frame();
        const auto is = [&](std::initializer_list<ClientOp> list) {
            return std::ranges::find(list, all.op) != list.end();
        };
        ClientFrame frame;
        if (all.op == hello) {
            frame = all;
            frame.queue = frame.mount = frame.key = {};
            frame.data.reset();
            frame.if_seq = frame.before = {};
        }
        frame.op = all.op;
        frame.request = all.request;
        frame.token = is({hello, auth}) ? all.token : std::string_view{};
        frame.acked_mail = all.acked_mail;
        if (is({join, listen, leave, unlisten, send, set, withdraw, history})) {
            frame.queue = all.queue;
        }
        if (is({send, set, history})) {
            frame.mount = all.mount;
        }
        if (is({send, set})) {
            frame.data = all.data;
        }
        if (all.op == set) {
            frame.key = all.key;
            frame.if_seq = all.if_seq;
        }
        const bool is_op = is({join, leave, send, set, withdraw});
        frame.number = is_op ? all.number : std::nullopt;
        frame.inc = is_op ? all.inc : std::nullopt;
        frame.attempt = is_op ? all.attempt : std::nullopt;
        frame.cursor = all.cursor;
        frame.before = all.op == history ? all.before : std::nullopt;
        return frame;
    }

    /// With a mount's type that the schema has; in JSON it is any text.
    ServerFrame server_frame_of_schema() {
        static constexpr std::string_view types[] = {"", "message", "state"};
        ServerFrame frame = server_frame();
        if (auto* mount = std::get_if<MountChangeFrame>(&frame)) {
            mount->type = types[below(std::size(types))];
        }
        return frame;
    }

    ServerFrame server_frame() {
        switch (below(std::variant_size_v<ServerFrame>)) {
            case 0:
                return HelloFrame{.version = small_integer(),
                                  .user = text(),
                                  .session = SessionId{integer()},
                                  .resume = text(),
                                  .cid = text(),
                                  .ping_s = small_integer()};
            case 1:
                return JoinedFrame{.request = request(),
                                   .queue = text(),
                                   .member = coin(),
                                   .at = cursor(),
                                   .mounts = mounts(true),
                                   .member_count = integer(),
                                   .who = members()};
            case 2:
                return ResetFrame{.queue = text(),
                                  .at = cursor(),
                                  .why = text(),
                                  .mounts = mounts(false),
                                  .member_count = integer(),
                                  .who = members()};
            case 3: {
                MsgFrame frame = message();
                frame.queue = text();
                frame.mount = text();
                frame.prev = request();
                frame.mail = maybe([] { return integer(1); });
                return frame;
            }
            case 4: {
                StateFrame frame{.queue = text(),
                                 .mount = text(),
                                 .seq = integer(),
                                 .prev = request(),
                                 .changes = values()};
                for (const std::string_view key : list(3, [this] { return text(); })) {
                    frame.changes.push_back({key, std::nullopt});
                }
                return frame;
            }
            case 5:
                return MembersFrame{
                    .queue = text(),
                    .seq = integer(),
                    .prev = request(),
                    .set = members(),
                    .gone = list(3, [this] { return MembersFrame::Gone{text(), text()}; }),
                    .count = integer()};
            case 6:
                return MountChangeFrame{.queue = text(),
                                        .mount = text(),
                                        .seq = integer(),
                                        .prev = request(),
                                        .type = text()};
            case 7: return OkFrame{.request = request(), .seq = request(), .inc = inc()};
            case 8:
                return ErrFrame{
                    .request = request(), .code = code(), .detail = text(), .current = request()};
            case 9:
                return RetryFrame{
                    .request = request(), .code = code(), .after_ms = small_integer()};
            case 10:
                return RefusedFrame{
                    .request = request(), .attempt = small_integer(1), .code = code()};
            case 11:
                return GapFrame{
                    .queue = text(), .mount = text(), .from = integer(), .to = integer()};
            case 12: return StalledFrame{.queue = text(), .on = coin()};
            case 13: return LeftFrame{.queue = text(), .why = text()};
            case 14:
                return ByeFrame{.code = code(),
                                .spread_ms = maybe([] { return small_integer(); }),
                                .retry_ms = maybe([] { return small_integer(); }),
                                .detail = text()};
            case 15:
                return HistoryFrame{.request = request(),
                                    .queue = text(),
                                    .mount = text(),
                                    .items = list(3, [this] { return message(); }),
                                    .more = coin()};
            case 16: return PingFrame{};
            default: return PongFrame{};
        }
    }

private:
    std::string_view keep(std::string text) { return texts_.emplace_back(std::move(text)); }

    static std::uint64_t below(std::uint64_t bound) {
        return *rc::gen::inRange<std::uint64_t>(0, bound);
    }

    static bool coin() { return below(2) == 1; }

    template <typename Make>
    static std::optional<std::invoke_result_t<Make>> maybe(Make make) {
        return coin() ? std::optional{make()} : std::nullopt;
    }

    template <typename Make>
    static std::vector<std::invoke_result_t<Make>> list(std::size_t count_max, Make make) {
        std::vector<std::invoke_result_t<Make>> made(below(count_max + 1));
        std::ranges::generate(made, make);
        return made;
    }

    static std::uint64_t integer(std::uint64_t min = 0) {
        return coin() ? min + below(100) : *rc::gen::inRange(min, json_integer_max + 1);
    }

    static std::uint32_t small_integer(std::uint32_t min = 0) {
        return coin() ? min : *rc::gen::inRange(min, std::numeric_limits<std::uint32_t>::max());
    }

    static std::optional<std::uint64_t> request() {
        return maybe([] { return integer(); });
    }

    static std::optional<Inc> inc() {
        return maybe([] { return Inc{integer()}; });
    }

    static Cursor cursor() { return {.inc = Inc{integer()}, .seq = integer()}; }

    static ErrorCode code() {
        const auto codes = error_registry();
        return codes[below(codes.size())].code;
    }

    /// Text with all that needs care: escapes, every length of UTF-8, control characters.
    std::string_view text() {
        static constexpr std::string_view pieces[] = {
            "a",      "/room/", "chat", " ",  "\"",      "\\",
            "\n",     "\x01",   "\x7f", "é",  "€",       "😀",
            "\u2028", ",",      ":",    "[]", "\\u0041", "a rather long piece of plain text"};
        std::string made;
        for (std::uint64_t count = below(6); count > 0; --count) {
            made += pieces[below(std::size(pieces))];
        }
        return keep(std::move(made));
    }

    Data data() {
        if (coin()) {
            static constexpr std::string_view samples[] = {
                "null",        "true",   "-0",
                "1.50e+3",     R"("")",  R"("\u00e9\ud83d\ude00\/")",
                "{}",          "[]",     "[[[[[[[[[[[[[[[0]]]]]]]]]]]]]]]",
                "[ 1 ,\t2\n]", R"("€")", R"({"op":"x","op":[{"d":null}]})"};
            return {.bytes = samples[below(std::size(samples))], .format = Format::json};
        }
        return {.bytes = keep(*rc::gen::container<std::string>(rc::gen::arbitrary<char>())),
                .format = Format::bytes};
    }

    MsgFrame message() {
        MsgFrame frame;
        frame.seq = integer();
        frame.from = text();
        frame.time_ms = static_cast<std::int64_t>(integer()) * (coin() ? 1 : -1);
        frame.data = coin() ? data() : Data{};
        return frame;
    }

    std::vector<KeyValue> values() {
        auto made = list(3, [this] { return KeyValue{text(), data()}; });
        std::ranges::stable_sort(made, {}, [](const KeyValue& one) { return one.value->format; });
        return made;
    }

    std::vector<MemberFrame> members() {
        static constexpr std::string_view infos[] = {"{}", R"({"online":false})",
                                                     R"({ "a" : [{}] })"};
        return list(3, [this] { return MemberFrame{text(), infos[below(std::size(infos))]}; });
    }

    std::vector<MountFrame> mounts(bool with_resume) {
        std::size_t count = 0;
        return list(3, [this, &count, with_resume] {
            MountFrame mount;
            mount.name = keep(std::to_string(count++) + std::string{text()});
            mount.is_state = coin();
            if (mount.is_state) {
                mount.values = values();
            }
            if (with_resume && coin()) {
                mount.resume = resume();
            }
            return mount;
        });
    }

    static Resume resume() {
        switch (below(4)) {
            case 0: return {.kind = Resume::Kind::fresh};
            case 1: return {.kind = Resume::Kind::replayed, .count = integer()};
            case 2: return {.kind = Resume::Kind::snapshot};
            default: return {.kind = Resume::Kind::gap, .from = integer(), .to = integer()};
        }
    }

    std::deque<std::string> texts_;  // Never moves what it holds.
};

}  // namespace muster::wire
