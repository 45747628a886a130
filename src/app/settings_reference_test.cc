#include <fstream>
#include <iterator>
#include <string>

#include <doctest/doctest.h>

#include "app/settings.h"

namespace muster::app {
namespace {

TEST_CASE("docs/reference/settings.md holds the file that `muster config init` prints") {
    std::ifstream file{"docs/reference/settings.md"};
    REQUIRE_MESSAGE(file.good(), "run this test from the top of the tree");
    const std::string page{std::istreambuf_iterator<char>{file}, {}};
    const bool is_up_to_date = page.find("```toml\n" + config_init_text() + "```\n") !=
                               std::string::npos;
    CHECK_MESSAGE(is_up_to_date, "put the output of `muster config init` between its ``` lines");
}

}  // namespace
}  // namespace muster::app
