#pragma once

#include "app/setting_problems.h"
#include "app/settings.h"

namespace muster::app {

/// Reads the files that token_keys and admin_keys name. A secret that everybody on the machine may
/// read, or a public key that everybody may change, is refused, as is what is too short for a key.
void read_key_files(Settings& settings, Problems& problems);

}  // namespace muster::app
