#include "shell/coord/data_folder.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <limits>
#include <optional>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"
#include "core/wire/base64.h"
#include "shell/runtime/entropy.h"
#include "shell/runtime/folder_lock.h"

namespace muster::coord {
namespace {

using runtime::Descriptor;

constexpr std::size_t file_bytes_max = 1024;
constexpr std::size_t key_text_bytes_min = 32;

std::string error_text() { return std::strerror(errno); }

/// All that can go wrong here is for the operator to mend, so it has one code.
tl::unexpected<Error> refused(std::string detail) {
    return failure(ErrorCode::bad_settings, std::move(detail));
}

/// The folder while it is being opened.
class Folder {
public:
    explicit Folder(std::string path) : path_(std::move(path)) {}

    Result<void> open();
    Result<Descriptor> lock();

    /// Returns the contents without the newline at their end, or nothing where there is no file.
    Result<std::optional<std::string>> read(const char* name);

    /// Writes `text` and a newline, to a file of another name that then takes the place of `name`:
    /// after a crash the file is the old or the new one, whole.
    Result<void> write(const char* name, std::string_view text);

    [[nodiscard]] std::string path_of(std::string_view name) const {
        return fmt::format("{}/{}", path_, name);
    }

private:
    Result<void> check_rights();
    Result<void> write_and_sync(const char* name, std::string_view text);

    std::string path_;
    Descriptor folder_;
};

Result<void> Folder::open() {
    const std::filesystem::path parent = std::filesystem::path{path_}.parent_path();
    std::error_code error;
    if (!parent.empty()) {
        std::filesystem::create_directories(parent, error);
    }
    if (error) {
        return refused(fmt::format("cannot make {}: {}", parent.string(), error.message()));
    }
    if (::mkdir(path_.c_str(), S_IRWXU) != 0 && errno != EEXIST) {
        return refused(fmt::format("cannot make {}: {}", path_, error_text()));
    }
    folder_ = Descriptor{::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!folder_.is_open()) {
        return refused(fmt::format("cannot open the folder {}: {}", path_, error_text()));
    }
    return check_rights();
}

Result<void> Folder::check_rights() {
    struct stat status{};
    if (::fstat(folder_.fd(), &status) != 0) {
        return refused(fmt::format("{}: {}", path_, error_text()));
    }
    if ((status.st_mode & S_IWOTH) != 0) {
        return refused(fmt::format("everybody may write to {}, which holds keys; run: chmod 700 {}",
                                   path_, path_));
    }
    return {};
}

Result<Descriptor> Folder::lock() {
    return runtime::lock_folder({.fd = folder_.fd(), .path = path_, .setting = "data.folder"});
}

Result<std::optional<std::string>> Folder::read(const char* name) {
    // O_NONBLOCK: a pipe in the file's place must not hold us up.
    const Descriptor file{
        ::openat(folder_.fd(), name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
    if (!file.is_open()) {
        if (errno == ENOENT) {
            return std::optional<std::string>{};
        }
        return refused(fmt::format("cannot read {}: {}", path_of(name), error_text()));
    }
    struct stat status{};
    if (::fstat(file.fd(), &status) != 0 || !S_ISREG(status.st_mode)) {
        return refused(fmt::format("{} is not a file", path_of(name)));
    }
    // A group may be let in: Kubernetes does that with the volumes that it hands out.
    if ((status.st_mode & S_IRWXO) != 0) {
        return refused(fmt::format("{} is secret, but open to everybody; run: chmod 600 {}",
                                   path_of(name), path_of(name)));
    }
    std::string text(file_bytes_max, '\0');
    const ssize_t bytes = ::read(file.fd(), text.data(), text.size());
    if (bytes < 0) {
        return refused(fmt::format("cannot read {}: {}", path_of(name), error_text()));
    }
    text.resize(static_cast<std::size_t>(bytes));
    if (!text.ends_with('\n')) {
        return refused(
            fmt::format("{} is damaged: it is cut off or not a text; restore it from a "
                        "backup",
                        path_of(name)));
    }
    text.pop_back();
    return std::optional{std::move(text)};
}

Result<void> Folder::write(const char* name, std::string_view text) {
    const std::string fresh = fmt::format("{}.new", name);
    auto written = write_and_sync(fresh.c_str(), text);
    if (written && ::renameat(folder_.fd(), fresh.c_str(), folder_.fd(), name) != 0) {
        written = refused(fmt::format("cannot write {}: {}", path_of(name), error_text()));
    }
    if (!written) {
        ::unlinkat(folder_.fd(), fresh.c_str(), 0);
        return written;
    }
    if (::fsync(folder_.fd()) != 0) {
        return refused(fmt::format("cannot write {}: {}", path_of(name), error_text()));
    }
    return {};
}

Result<void> Folder::write_and_sync(const char* name, std::string_view text) {
    const auto failed = [&] {
        return refused(fmt::format("cannot write {}: {}", path_of(name), error_text()));
    };
    ::unlinkat(folder_.fd(), name, 0);  // Left over from a crash.
    const Descriptor file{::openat(folder_.fd(), name,
                                   O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                                   S_IRUSR | S_IWUSR)};
    if (!file.is_open()) {
        return failed();
    }
    std::string rest = fmt::format("{}\n", text);
    while (!rest.empty()) {
        const ssize_t bytes = ::write(file.fd(), rest.data(), rest.size());
        if (bytes < 0) {
            return failed();
        }
        rest.erase(0, static_cast<std::size_t>(bytes));
    }
    if (::fsync(file.fd()) != 0) {
        return failed();
    }
    return {};
}

SecretKey random_key() {
    SecretKey key{};
    for (std::size_t i = 0; i < key.size(); i += sizeof(std::uint64_t)) {
        const std::uint64_t bits = runtime::random_bits();
        std::memcpy(key.data() + i, &bits, sizeof(bits));
    }
    return key;
}

std::string hex_text(const SecretKey& key) {
    std::string text;
    for (const std::uint8_t byte : key) {
        text += fmt::format("{:02x}", byte);
    }
    return text;
}

std::optional<SecretKey> key_from_hex(std::string_view text) {
    SecretKey key{};
    if (text.size() != key.size() * 2) {
        return std::nullopt;
    }
    for (std::size_t i = 0; i < key.size(); ++i) {
        const char* begin = text.data() + i * 2;
        const auto [end, error] = std::from_chars(begin, begin + 2, key[i], 16);
        if (error != std::errc{} || end != begin + 2) {
            return std::nullopt;
        }
    }
    return key;
}

/// Returns the number of starts so far. Makes the file first of all in a new folder, so that one
/// that has keys but no epoch was damaged: to count from 1 again would make old histories young.
Result<std::uint32_t> read_epoch(Folder& folder) {
    const auto text = folder.read("epoch");
    if (!text) {
        return tl::unexpected{text.error()};
    }
    if (!text->has_value()) {
        const auto key = folder.read("cluster.key");
        if (!key || key->has_value()) {
            return refused(
                fmt::format("{} is missing; restore it from a backup, or remove the "
                            "whole folder to begin anew",
                            folder.path_of("epoch")));
        }
        return folder.write("epoch", "0").map([] { return 0U; });
    }
    std::uint32_t epoch = 0;
    const std::string& digits = **text;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), epoch);
    if (parsed.ec != std::errc{} || digits != fmt::format("{}", epoch) ||
        epoch == std::numeric_limits<std::uint32_t>::max()) {
        return refused(
            fmt::format("{} is damaged: it holds no count; restore it from a backup, or "
                        "write a number into it that is greater than it ever was",
                        folder.path_of("epoch")));
    }
    return epoch;
}

Result<SecretKey> cluster_key_of(Folder& folder, std::uint32_t earlier_starts) {
    const auto text = folder.read("cluster.key");
    if (!text) {
        return tl::unexpected{text.error()};
    }
    if (text->has_value()) {
        const auto key = key_from_hex(**text);
        if (!key) {
            return refused(
                fmt::format("{} is damaged: it does not hold 64 hex digits; restore it "
                            "from a backup",
                            folder.path_of("cluster.key")));
        }
        return *key;
    }
    if (earlier_starts > 0) {
        return refused(
            fmt::format("{} is missing; restore it from a backup, or remove the whole "
                        "folder to begin anew",
                        folder.path_of("cluster.key")));
    }
    const SecretKey key = random_key();
    return folder.write("cluster.key", hex_text(key)).map([&key] { return key; });
}

/// Returns the text of a key file; a missing one is made, so that removing it is how to change it.
Result<std::string> key_text_of(Folder& folder, const char* name) {
    auto text = folder.read(name);
    if (!text) {
        return tl::unexpected{std::move(text.error())};
    }
    if (text->has_value()) {
        if ((*text)->size() < key_text_bytes_min) {
            return refused(fmt::format("{} is too short for a key; remove it to get a new one",
                                       folder.path_of(name)));
        }
        return std::move(**text);
    }
    const SecretKey key = random_key();
    std::string fresh;
    wire::append_base64(fresh, {reinterpret_cast<const char*>(key.data()), key.size()},
                        wire::Base64::url);
    const auto written = folder.write(name, fresh);
    if (!written) {
        return tl::unexpected{written.error()};
    }
    return fresh;
}

}  // namespace

Result<DataFolder> DataFolder::open(const std::string& path) {
    Folder folder{path};
    const auto opened = folder.open();
    if (!opened) {
        return tl::unexpected{opened.error()};
    }
    auto lock = folder.lock();
    if (!lock) {
        return tl::unexpected{std::move(lock.error())};
    }
    const auto earlier_starts = read_epoch(folder);
    if (!earlier_starts) {
        return tl::unexpected{earlier_starts.error()};
    }
    const auto cluster_key = cluster_key_of(folder, *earlier_starts);
    if (!cluster_key) {
        return tl::unexpected{cluster_key.error()};
    }
    auto token_key = key_text_of(folder, "token.key");
    if (!token_key) {
        return tl::unexpected{std::move(token_key.error())};
    }
    auto admin_key = key_text_of(folder, "admin.key");
    if (!admin_key) {
        return tl::unexpected{std::move(admin_key.error())};
    }
    // Last, and on the disk before anybody hears of it.
    const Epoch epoch{*earlier_starts + 1};
    const auto counted = folder.write("epoch", fmt::format("{}", epoch.value));
    if (!counted) {
        return tl::unexpected{counted.error()};
    }

    DataFolder data;
    data.path = path;
    data.token_key = std::move(*token_key);
    data.admin_key = std::move(*admin_key);
    data.epoch = epoch;
    data.cluster_key = *cluster_key;
    data.lock = std::move(*lock);
    data.resume_key = data.derive("muster resume token 1");
    const SecretKey placing = data.derive("muster bucket of a queue 1");
    for (std::size_t i = 0; i < 8; ++i) {  // Little-endian, whatever the machine is.
        data.bucket_key.low |= static_cast<std::uint64_t>(placing[i]) << (8 * i);
        data.bucket_key.high |= static_cast<std::uint64_t>(placing[i + 8]) << (8 * i);
    }
    return data;
}

SecretKey DataFolder::derive(std::string_view purpose) const {
    SecretKey key{};
    unsigned int bytes = 0;
    const unsigned char* done = ::HMAC(
        ::EVP_sha256(), cluster_key.data(), static_cast<int>(cluster_key.size()),
        reinterpret_cast<const unsigned char*>(purpose.data()), purpose.size(), key.data(), &bytes);
    MUSTER_CHECK(done != nullptr);
    MUSTER_CHECK(bytes == key.size());
    return key;
}

}  // namespace muster::coord
