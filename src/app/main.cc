#include "app/commands/command_line.h"

// How jemalloc, the program's allocator, is set (MALLOC_CONF in the environment goes before this):
// what was freed goes back to the kernel two seconds later, as soon as the thread that freed it takes
// or frees something again.
extern "C" {
extern const char* const malloc_conf;
const char* const malloc_conf = "dirty_decay_ms:2000,muzzy_decay_ms:0";
}

int main(int argc, char** argv) { return muster::app::run_command_line(argc, argv); }
