#include "shell/admin/openapi.h"

// The assembler looks along the compiler's include paths.
asm(R"(
    .pushsection .rodata
    .global muster_openapi_begin
    .global muster_openapi_end
muster_openapi_begin:
    .incbin "shell/admin/openapi.json"
muster_openapi_end:
    .byte 0
    .popsection
)");

extern "C" {
extern const char muster_openapi_begin[];
extern const char muster_openapi_end[];
}

namespace muster::admin {

std::string_view openapi_json() noexcept { return {muster_openapi_begin, muster_openapi_end}; }

}  // namespace muster::admin
