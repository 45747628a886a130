#include "shell/coord/data_folder.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <string_view>
#include <utility>

using namespace muster;
using coord::DataFolder;
namespace fs = std::filesystem;

namespace {

/// A new folder that goes away with its contents; data() is not there yet.
struct Bench {
    Bench() {
        std::string name = (fs::temp_directory_path() / "muster-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        top = name;
    }
    Bench(const Bench&) = delete;
    Bench& operator=(const Bench&) = delete;
    ~Bench() { fs::remove_all(top); }

    [[nodiscard]] std::string data() const { return (top / "data").string(); }
    [[nodiscard]] fs::path file(std::string_view name) const { return top / "data" / name; }

    /// Opens the folder, which must work, and closes it again.
    DataFolder open() const {
        auto folder = DataFolder::open(data());
        REQUIRE_MESSAGE(folder, (folder ? std::string{} : folder.error().detail));
        return std::move(*folder);
    }

    /// Opens the folder, which must fail, and returns why.
    std::string refusal() const {
        const auto folder = DataFolder::open(data());
        REQUIRE_FALSE(folder);
        CHECK(folder.error().code == ErrorCode::bad_settings);
        return folder.error().detail;
    }

    fs::path top;
};

std::string contents(const fs::path& path) {
    std::ifstream file{path};
    return {std::istreambuf_iterator<char>{file}, {}};
}

void overwrite(const fs::path& path, std::string_view text) {
    std::ofstream file{path, std::ios::trunc};
    file << text;
}

unsigned rights(const fs::path& path) {
    struct stat status{};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    return status.st_mode & 07777U;
}

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

}  // namespace

TEST_CASE("a new data folder is made with keys that only its owner can read") {
    const Bench bench;
    const DataFolder folder = bench.open();
    CHECK(folder.epoch == Epoch{1});
    CHECK(folder.token_key.size() == 43);
    CHECK(folder.admin_key.size() == 43);
    CHECK(folder.token_key != folder.admin_key);
    CHECK(rights(bench.data()) == 0700);
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator{bench.data()}) {
        CHECK(rights(entry.path()) == 0600);
        names.insert(entry.path().filename().string());
    }
    CHECK(names == std::set<std::string>{"admin.key", "cluster.key", "epoch", "lock", "token.key"});
    CHECK(contents(bench.file("token.key")) == folder.token_key + "\n");
    CHECK(contents(bench.file("cluster.key")).size() == 65);
}

TEST_CASE("folders above the data folder are made as well") {
    const Bench bench;
    CHECK(DataFolder::open((bench.top / "a" / "b" / "data").string()));
}

TEST_CASE("every start has the same keys and an epoch of its own") {
    const Bench bench;
    HashKey bucket_key;
    coord::SecretKey resume_key{};
    std::string admin_key;
    for (std::uint32_t start = 1; start <= 12; ++start) {
        const DataFolder folder = bench.open();
        CHECK(folder.epoch == Epoch{start});
        if (start > 1) {
            CHECK(folder.bucket_key.low == bucket_key.low);
            CHECK(folder.bucket_key.high == bucket_key.high);
            CHECK(folder.resume_key == resume_key);
            CHECK(folder.admin_key == admin_key);
        }
        bucket_key = folder.bucket_key;
        resume_key = folder.resume_key;
        admin_key = folder.admin_key;
    }
}

TEST_CASE("two folders have nothing in common, and keys for two purposes neither") {
    const Bench one;
    const Bench other;
    const DataFolder a = one.open();
    const DataFolder b = other.open();
    CHECK(a.bucket_key.low != b.bucket_key.low);
    CHECK(a.resume_key != b.resume_key);
    CHECK(a.token_key != b.token_key);
    CHECK(a.derive("x") != a.derive("y"));
    CHECK(a.derive("x") == a.derive("x"));
    CHECK(a.resume_key != a.cluster_key);
}

TEST_CASE("keys for a purpose stay what they are from version to version") {
    const Bench bench;
    (void)bench.open();
    overwrite(bench.file("cluster.key"), std::string(64, '0') + "\n");
    const DataFolder folder = bench.open();
    // By Python: hmac.new(bytes(32), b"muster bucket of a queue 1", hashlib.sha256)
    CHECK(folder.bucket_key.low == 0x1612b31f80b455f5);
    CHECK(folder.bucket_key.high == 0x58c587b1ad911ea6);
    CHECK(folder.resume_key[0] == 0x97);
    CHECK(folder.resume_key[31] == 0x54);
}

TEST_CASE("a second server on the same folder is refused and told who has it") {
    const Bench bench;
    const DataFolder folder = bench.open();
    const std::string refusal = bench.refusal();
    CHECK(contains(refusal, "another server uses " + bench.data()));
    CHECK(contains(refusal, "process " + std::to_string(::getpid())));
    CHECK(contents(bench.file("epoch")) == "1\n");
}

TEST_CASE("a folder is free again when its server was killed") {
    const Bench bench;
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        const auto folder = DataFolder::open(bench.data());
        ::kill(::getpid(), SIGKILL);
    }
    REQUIRE(::waitpid(child, nullptr, 0) == child);
    CHECK(bench.open().epoch == Epoch{2});
}

TEST_CASE("a first start that was cut off anywhere is simply done again") {
    const Bench bench;
    (void)bench.open();
    overwrite(bench.file("epoch"), "0\n");
    for (const char* name : {"admin.key", "token.key", "cluster.key"}) {
        fs::remove(bench.file(name));
        overwrite(bench.file(std::string{name} + ".new"), "half");
        CHECK(bench.open().epoch == Epoch{1});
        CHECK_FALSE(fs::exists(bench.file(std::string{name} + ".new")));
        overwrite(bench.file("epoch"), "0\n");
    }
}

TEST_CASE("a token or admin key that was removed is made anew") {
    const Bench bench;
    const std::string earlier = bench.open().admin_key;
    fs::remove(bench.file("admin.key"));
    CHECK(bench.open().admin_key != earlier);
}

TEST_CASE("a key of the operator's own choice is taken as it is") {
    const Bench bench;
    (void)bench.open();
    const std::string key = "a passphrase of 32 bytes or more, chosen by a person";
    overwrite(bench.file("admin.key"), key + "\n");
    CHECK(bench.open().admin_key == key);
}

TEST_CASE("damaged, short and missing files are refused, and nothing is changed") {
    const Bench bench;
    (void)bench.open();
    const auto refusal_with = [&bench](const char* name, const std::string& text) {
        const fs::path path = bench.file(name);
        const std::string good = contents(path);
        overwrite(path, text);
        const std::string refusal = bench.refusal();
        CHECK(contents(path) == text);
        overwrite(path, good);
        return refusal;
    };
    const std::string zeros(64, '0');
    for (const std::string& text :
         {std::string{}, std::string{"\n"}, zeros, zeros.substr(2) + "\n", zeros + "00\n",
          zeros.substr(1) + "g\n", std::string{"-"} + zeros.substr(1) + "\n"}) {
        CHECK(contains(refusal_with("cluster.key", text), "cluster.key is damaged"));
    }
    for (const std::string text : {"", "\n", "1", "-1\n", "+1\n", "01\n", "1 \n", "x\n",
                                   "4294967295\n", "4294967296\n", "99999999999999999999\n"}) {
        CHECK(contains(refusal_with("epoch", text), "epoch is damaged"));
    }
    CHECK(contains(refusal_with("token.key", "short\n"), "token.key is too short"));
    CHECK(contains(refusal_with("admin.key", std::string(2'000, 'x') + "\n"), "admin.key"));
    CHECK(bench.open().epoch == Epoch{2});

    fs::remove(bench.file("cluster.key"));
    CHECK(contains(bench.refusal(), "cluster.key is missing"));
    CHECK_FALSE(fs::exists(bench.file("cluster.key")));
    overwrite(bench.file("cluster.key"), zeros + "\n");
    ::chmod(bench.file("cluster.key").c_str(), 0600);
    fs::remove(bench.file("epoch"));
    CHECK(contains(bench.refusal(), "epoch is missing"));
    CHECK_FALSE(fs::exists(bench.file("epoch")));
}

TEST_CASE("secrets that everybody may read, and a folder that everybody may change, are refused") {
    const Bench bench;
    (void)bench.open();
    for (const char* name : {"cluster.key", "token.key", "admin.key"}) {
        ::chmod(bench.file(name).c_str(), 0644);
        CHECK(contains(bench.refusal(), "chmod 600 " + bench.file(name).string()));
        ::chmod(bench.file(name).c_str(), 0640);
        (void)bench.open();
    }
    ::chmod(bench.data().c_str(), 0777);
    CHECK(contains(bench.refusal(), "chmod 700 " + bench.data()));
}

TEST_CASE("what stands in the place of the folder or of a file is refused") {
    const Bench bench;
    overwrite(bench.data(), "a file");
    CHECK(contains(bench.refusal(), "cannot open the folder"));
    fs::remove(bench.data());
    (void)bench.open();
    fs::remove(bench.file("admin.key"));
    REQUIRE(::mkfifo(bench.file("admin.key").c_str(), 0600) == 0);
    CHECK(contains(bench.refusal(), "admin.key is not a file"));
    fs::remove(bench.file("admin.key"));
    fs::create_symlink("token.key", bench.file("admin.key"));
    CHECK(contains(bench.refusal(), "cannot read"));
}

TEST_CASE("a folder that may not be written is refused") {
    const Bench bench;
    fs::create_directory(bench.data());
    ::chmod(bench.data().c_str(), 0500);
    // Root may write everywhere, so a test that runs as root is nobody for a moment.
    const bool is_root = ::geteuid() == 0;
    if (is_root) {
        REQUIRE(::chown(bench.top.c_str(), 65'534, 65'534) == 0);
        REQUIRE(::chown(bench.data().c_str(), 65'534, 65'534) == 0);
        REQUIRE(::seteuid(65'534) == 0);
    }
    const auto folder = DataFolder::open(bench.data());
    if (is_root) {
        REQUIRE(::seteuid(0) == 0);
    }
    REQUIRE_FALSE(folder);
    CHECK(contains(folder.error().detail, "cannot write to " + bench.file("lock").string()));
}

TEST_CASE("a full disk is an error, and the folder is as it was before") {
    const Bench bench;
    (void)bench.open();
    // A limit of one byte a file is the nearest thing to a full disk that needs no rights.
    rlimit earlier{};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &earlier) == 0);
    const rlimit tiny{1, earlier.rlim_max};
    const auto earlier_handler = ::signal(SIGXFSZ, SIG_IGN);
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &tiny) == 0);
    const auto folder = DataFolder::open(bench.data());
    const auto fresh = DataFolder::open((bench.top / "fresh").string());
    ::setrlimit(RLIMIT_FSIZE, &earlier);
    ::signal(SIGXFSZ, earlier_handler);

    REQUIRE_FALSE(folder);
    CHECK(contains(folder.error().detail, "cannot write " + bench.file("epoch").string()));
    CHECK(contents(bench.file("epoch")) == "1\n");
    CHECK_FALSE(fs::exists(bench.file("epoch.new")));
    CHECK(bench.open().epoch == Epoch{2});
    CHECK_FALSE(fresh);
    CHECK(DataFolder::open((bench.top / "fresh").string())->epoch == Epoch{1});
}
