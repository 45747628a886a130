// A connection's first bytes: the request's head, its target, its body, and the upgrade. The first
// byte of the input says how the rest is cut; the outcome must not depend on it.
#include "core/wire/http_head.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "base/check.h"
#include "core/wire/http_body.h"
#include "core/wire/http_response.h"
#include "core/wire/http_target.h"
#include "core/wire/utf8.h"
#include "core/wire/websocket_handshake.h"

namespace muster::wire {
namespace {

constexpr std::uint32_t body_bytes_max = 1000;

struct Outcome {
    std::size_t head_bytes = 0;
    std::uint16_t refused_with = 0;
    std::string body;
    std::size_t body_end = 0;
    bool is_body_done = false;
    friend bool operator==(const Outcome&, const Outcome&) = default;
};

void check_head(const RequestHead& head) {
    std::string path;
    if (const auto query = decode_target(head.target, path)) {
        MUSTER_CHECK(path.starts_with('/'));
        MUSTER_CHECK(is_valid_utf8(path));
        MUSTER_CHECK(path.find('\0') == std::string::npos);
        MUSTER_CHECK((path + "/").find("/../") == std::string::npos);
        std::string value;
        if (append_query_decoded(value, query_value(*query, "wait").value_or(*query))) {
            MUSTER_CHECK(is_valid_utf8(value));
        }
    }
    for (const HeaderField& field : head.headers.all()) {
        MUSTER_CHECK(!field.name.empty());
        MUSTER_CHECK(field.value.find_first_of(std::string_view{"\r\n\0", 3}) ==
                     std::string_view::npos);
    }
    static constexpr std::array<std::string_view, 1> protocols = {"muster.v1.json"};
    const std::array<std::string, 1> origins = {"https://a.example"};
    std::string answer;
    if (const auto upgrade = check_upgrade(head, {origins, true, protocols, true})) {
        append_upgrade_response(answer, *upgrade);
    } else {
        append_refusal(answer, upgrade.error());
    }
    ResponseHead response;
    HeadScan scan;
    MUSTER_CHECK(parse_response_head(answer, scan, response).value_or(0) != 0);
}

void read_body(const RequestHead& head, std::string_view bytes, std::size_t piece_bytes,
               Outcome& outcome) {
    auto decoder = BodyDecoder::of(head, body_bytes_max);
    if (!decoder) {
        outcome.refused_with = decoder.error().status;
        return;
    }
    for (std::size_t at = 0; at <= bytes.size(); at += piece_bytes) {
        const std::string_view piece = bytes.substr(at, piece_bytes);
        std::string_view input = piece;
        for (;;) {
            const auto step = decoder->next(input);
            if (!step) {
                outcome.refused_with = step.error().status;
                return;
            }
            if (step->kind == BodyDecoder::Step::Kind::done) {
                outcome.is_body_done = true;
                outcome.body_end = at + piece.size() - input.size();
                return;
            }
            if (step->kind == BodyDecoder::Step::Kind::need_more) {
                MUSTER_CHECK(input.empty());
                break;
            }
            outcome.body += step->part;
            MUSTER_CHECK(outcome.body.size() <= body_bytes_max);
        }
    }
}

Outcome read(std::string_view bytes, std::size_t piece_bytes) {
    Outcome outcome;
    HeadScan scan;
    RequestHead head;
    for (std::size_t end = 0; end < bytes.size();) {
        end = std::min(bytes.size(), end + piece_bytes);
        const auto size = parse_request_head(bytes.substr(0, end), scan, head);
        if (!size) {
            outcome.refused_with = size.error().status;
            MUSTER_CHECK(!reason_phrase(outcome.refused_with).starts_with("Unknown"));
            return outcome;
        }
        MUSTER_CHECK(*size != 0 || end <= head_bytes_max);
        if (*size != 0) {
            outcome.head_bytes = *size;
            check_head(head);
            read_body(head, bytes.substr(*size), piece_bytes, outcome);
            return outcome;
        }
    }
    return outcome;
}

}  // namespace
}  // namespace muster::wire

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    // A copy of just that size, so that reading past its end is seen.
    const std::vector<char> bytes(data + 1, data + size);
    const std::string_view input{bytes.data(), bytes.size()};
    const auto whole = muster::wire::read(input, input.size() + 1);
    MUSTER_CHECK(muster::wire::read(input, data[0] % 64U + 1) == whole);
    return 0;
}
