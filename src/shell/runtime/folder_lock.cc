#include "shell/runtime/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include <fmt/format.h>

namespace muster::runtime {

Result<Descriptor> lock_folder(const FolderToLock& folder) {
    const std::string name{folder.file};
    const auto cannot = [&](std::string_view what) {
        return failure(
            ErrorCode::bad_settings,
            fmt::format("cannot {} {}/{}: {}", what, folder.path, name, std::strerror(errno)));
    };
    Descriptor file{::openat(folder.fd, name.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
                             S_IRUSR | S_IWUSR)};
    if (!file.is_open()) {
        return cannot("write to");
    }
    if (::flock(file.fd(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) {
            return cannot("lock");
        }
        std::array<char, 32> holder{};
        const ssize_t bytes = ::pread(file.fd(), holder.data(), holder.size(), 0);
        const std::string_view text{holder.data(), bytes > 0 ? static_cast<std::size_t>(bytes) : 0};
        return failure(
            ErrorCode::bad_settings,
            fmt::format("another server uses {} (process {}); stop it, or choose "
                        "another folder with --set {}=…",
                        folder.path, text.empty() ? "unknown" : text.substr(0, text.find('\n')),
                        folder.setting));
    }
    // Only for the message above, so a failure changes nothing.
    const std::string holder = fmt::format("{}\n", ::getpid());
    [[maybe_unused]] const bool is_told =
        ::ftruncate(file.fd(), 0) == 0 && ::pwrite(file.fd(), holder.data(), holder.size(), 0) > 0;
    return file;
}

}  // namespace muster::runtime
