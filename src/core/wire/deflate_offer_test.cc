#include "core/wire/deflate_offer.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <string_view>

namespace muster::wire {
namespace {

// "no", "yes", or "window" where the answer names ours.
std::string answered(std::string_view first, std::string_view second = {}) {
    HeaderList headers;
    REQUIRE(headers.add({"Sec-WebSocket-Key", "permessage-deflate"}));
    REQUIRE(headers.add({"Sec-WebSocket-Extensions", first}));
    if (!second.empty()) {
        REQUIRE(headers.add({"sec-websocket-extensions", second}));
    }
    const std::string_view answer = answer_to_deflate_offers(headers);
    const std::string_view whole =
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    if (answer.empty()) {
        return "no";
    }
    REQUIRE(answer.starts_with(whole));
    if (answer == whole) {
        return "yes";
    }
    REQUIRE(answer.substr(whole.size()) == "; server_max_window_bits=12");
    return "window";
}

TEST_CASE("what browsers and libraries offer is taken up") {
    CHECK(answered("permessage-deflate") == "yes");                          // Firefox, Safari
    CHECK(answered("permessage-deflate; client_max_window_bits") == "yes");  // Chromium, ws
    CHECK(answered("permessage-deflate; server_max_window_bits=12; client_max_window_bits=12") ==
          "window");  // Python's websockets
    CHECK(answered("permessage-deflate; client_no_context_takeover; server_no_context_takeover") ==
          "yes");
}

TEST_CASE("a window that we cannot keep to is declined, a bigger one narrowed to ours") {
    for (const char* bits : {"8", "9", "10", "11"}) {
        CHECK(answered(std::string("permessage-deflate; server_max_window_bits=") + bits) == "no");
    }
    for (const char* bits : {"12", "13", "14", "15", "\"12\"", "\"15\""}) {
        CHECK(answered(std::string("permessage-deflate; server_max_window_bits=") + bits) ==
              "window");
    }
    for (const char* bits : {"8", "15", "\"10\""}) {
        CHECK(answered(std::string("permessage-deflate; client_max_window_bits=") + bits) == "yes");
    }
}

TEST_CASE("parameters that are not known, bad or there twice decline an offer") {
    for (const std::string_view parameters :
         {"x",
          "client_max_window_bits; client_max_window_bits",
          "server_no_context_takeover; server_no_context_takeover",
          "server_no_context_takeover=1",
          "client_no_context_takeover=",
          "server_max_window_bits",
          "server_max_window_bits=",
          "server_max_window_bits=16",
          "server_max_window_bits=015",
          "server_max_window_bits=+15",
          "server_max_window_bits=7",
          "client_max_window_bits=7",
          "client_max_window_bits=16",
          "client_max_window_bits=",
          "client_max_window_bits=\"1\\2\"",
          "client_max_window_bits=\"12",
          "client_max_window_bits=12\"",
          "client_max_window_bits=\"12,13\"",
          "Client_Max_Window_Bits",
          "",
          "; client_max_window_bits",
          "client_max_window_bits;",
          "client_max_window_bits=12=12",
          "client_max_window_bits 12"}) {
        const std::string offer = "permessage-deflate; " + std::string(parameters);
        CAPTURE(offer);
        CHECK(answered(offer) == "no");
        const bool is_open = std::count(parameters.begin(), parameters.end(), '"') % 2 != 0;
        CHECK(answered(offer + ", permessage-deflate") == (is_open ? "no" : "yes"));
    }
}

TEST_CASE("the first offer that is good is taken, in whichever header it stands") {
    CHECK(answered("permessage-deflate; server_max_window_bits=13, permessage-deflate") ==
          "window");
    CHECK(answered("x-webkit-deflate-frame, permessage-deflate") == "yes");
    CHECK(answered(" ,, permessage-bzip2; x=\"a,b;permessage-deflate\" ,permessage-deflate") ==
          "yes");
    CHECK(answered("permessage-deflate; server_max_window_bits=8",
                   "permessage-deflate; client_max_window_bits") == "yes");
    CHECK(answered("x", "y; permessage-deflate") == "no");
    CHECK(answered("") == "no");
    CHECK(answered("permessage-deflate2") == "no");
    CHECK(answered("\"permessage-deflate\\") == "no");
}

}  // namespace
}  // namespace muster::wire
