#include "app/version.h"

namespace muster::app {

std::string_view version() noexcept { return MUSTER_VERSION; }

}  // namespace muster::app
