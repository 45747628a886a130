// Resume tokens come from outside: no text may be taken that was not issued, and none may do harm.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "core/gateway/resume_token.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using muster::gateway::ResumeTokens;
    static const ResumeTokens tokens{muster::gateway::ClusterSecret{}};
    static constexpr muster::WallTime now{1'790'000'000'000};
    const std::string_view text{reinterpret_cast<const char*>(data), size};

    const ResumeTokens::Bearer bearer{.user = std::nullopt, .cid = {.high = 1, .low = 2}};
    const auto token = tokens.check(text, bearer, now);
    if (token) {
        // Only what issue() writes is taken, in its one spelling.
        MUSTER_CHECK(tokens.issue(*token) == text);
    } else {
        MUSTER_CHECK(token.error().code == muster::ErrorCode::resume_refused);
    }
    return 0;
}
