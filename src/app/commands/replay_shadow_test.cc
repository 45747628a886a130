#include "app/commands/replay_shadow.h"

#include <limits>
#include <string_view>

#include <doctest/doctest.h>

namespace muster::app {
namespace {

using Kind = ShadowLine::Kind;

TEST_CASE("what a build prints of a shadow run is read by another one") {
    ShadowLine step;
    step.entry = 412;
    step.hash = std::numeric_limits<std::uint64_t>::max();
    CHECK(text_of(step) == "step 412 ffffffffffffffff");
    CHECK(parse_shadow_line(text_of(step)) == step);

    ShadowLine input;
    input.kind = Kind::input;
    input.text = "an event of a socket, 45 bytes";
    CHECK(parse_shadow_line(text_of(input)) == input);

    ShadowLine said;
    said.kind = Kind::said;
    said.hash = 0xab12;
    said.text = "Published, /room/1 to the gateway of shard 0";
    CHECK(text_of(said) == "said ab12 Published, /room/1 to the gateway of shard 0");
    CHECK(parse_shadow_line(text_of(said)) == said);
    said.kind = Kind::recorded;
    CHECK(parse_shadow_line(text_of(said)) == said);

    ShadowLine end;
    end.kind = Kind::end;
    end.entry = 5'000;
    end.inputs = 812;
    end.differs_at = 7;
    end.is_stopped = true;
    CHECK(text_of(end) == "end 5000 812 7 1");
    CHECK(parse_shadow_line(text_of(end)) == end);
}

TEST_CASE("what no build has printed is not taken for a line") {
    for (const std::string_view text :
         {"", "step", "step 412", "step x 0", "step 412 xy", "step 412 0 more", "said zz text",
          "end 1 2 3", "end 1 2 3 4", "end 1 2 3 1 5", "recording of shard 0",
          "step 99999999999999999999 0"}) {
        CAPTURE(text);
        CHECK(parse_shadow_line(text) == std::nullopt);
    }
}

}  // namespace
}  // namespace muster::app
