#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "shell/runtime/descriptor.h"

namespace muster::runtime {

/// A folder that is to be locked, and what to say where that cannot be.
struct FolderToLock {
    int fd = -1;  ///< open
    std::string path;
    std::string_view file = "lock";  ///< made in it; names the process that holds the lock
    std::string_view setting;        ///< that names another folder
};

/// Locks a folder: as long as the descriptor is open, in whichever process, nobody else gets the
/// lock. Does not wait for it.
/// Errors: bad_settings, which says who holds the folder and what to do, or why the file cannot be
/// written.
[[nodiscard]] Result<Descriptor> lock_folder(const FolderToLock& folder);

}  // namespace muster::runtime
