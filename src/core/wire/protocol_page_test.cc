#include <cstddef>
#include <fstream>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <doctest/doctest.h>

#include "base/error_code.h"
#include "core/wire/json_frames.h"

namespace muster::wire {
namespace {

constexpr std::string_view frame_start = R"({"op":)";

struct Example {
    bool is_client = false;
    std::string text;
};

struct Page {
    std::string text;
    std::vector<Example> examples;
};

/// The page, and the frames in its blocks: each begins with `> ` or `< ` and goes on over lines
/// that are indented.
Page page() {
    std::ifstream file{"docs/reference/protocol.md"};
    REQUIRE_MESSAGE(file.good(), "run this test from the top of the tree");
    Page page;
    bool is_inside = false;
    for (std::string line; std::getline(file, line);) {
        page.text += line;
        page.text += '\n';
        if (line.starts_with("```")) {
            is_inside = !is_inside;
        } else if (is_inside && (line.starts_with("> {") || line.starts_with("< {"))) {
            page.examples.push_back({line.starts_with('>'), line.substr(2)});
        } else if (is_inside && line.starts_with("   ")) {
            REQUIRE(!page.examples.empty());
            page.examples.back().text += line.substr(line.find_first_not_of(' '));
        }
    }
    return page;
}

std::size_t count_of(std::string_view part, std::string_view text) {
    std::size_t count = 0;
    for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) {
        ++count;
    }
    return count;
}

TEST_CASE("every frame on the page of the protocol is read, and written as it stands there") {
    const Page shown = page();
    // What is not in a block with its direction would not be checked.
    CHECK(shown.examples.size() == count_of(frame_start, shown.text));
    for (const Example& example : shown.examples) {
        CAPTURE(example.text);
        std::string scratch;
        std::string written;
        if (example.is_client) {
            ClientFrame frame;
            const auto read = parse_client_frame(example.text, scratch, frame);
            REQUIRE_MESSAGE(read.has_value(), read.error().detail);
            REQUIRE(frame.op != ClientOp::server_only);
            REQUIRE(frame.op != ClientOp::unknown);
            append_client_frame(written, frame);
        } else {
            const auto frame = parse_server_frame(example.text, scratch);
            REQUIRE_MESSAGE(frame.has_value(), frame.error().detail);
            append_server_frame(written, *frame);
        }
        CHECK(written == example.text);
    }
}

TEST_CASE("the page of the protocol shows every kind of frame") {
    std::set<ClientOp> client_ops;
    std::set<std::size_t> server_frames;
    for (const Example& example : page().examples) {
        std::string scratch;
        if (example.is_client) {
            ClientFrame frame;
            REQUIRE(parse_client_frame(example.text, scratch, frame).has_value());
            client_ops.insert(frame.op);
        } else {
            server_frames.insert(parse_server_frame(example.text, scratch).value().index());
        }
    }
    CHECK(client_ops.size() == static_cast<std::size_t>(ClientOp::server_only));
    CHECK(server_frames.size() == std::variant_size_v<ServerFrame>);
}

TEST_CASE("every code that the page of the protocol names is registered") {
    const std::string text = page().text;
    std::size_t count = 0;
    for (std::size_t at = text.find('M'); at != text.npos; at = text.find('M', at + 1)) {
        const std::string label = text.substr(at, 5);
        if (label.find_first_not_of("0123456789", 1) == label.npos) {
            CHECK_MESSAGE(find_error(label) != nullptr, label);
            ++count;
        }
    }
    CHECK(count > 50);
}

}  // namespace
}  // namespace muster::wire
