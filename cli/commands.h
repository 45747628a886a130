#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// The commands that speak with a server. Each does its work, prints what it has to say, and
/// returns the exit code of the program.
namespace muster::cli {

enum ExitCode : int { exit_ok = 0, exit_failed = 1, exit_usage = 2, exit_unreachable = 3 };

/// How to print: lines for people, or one JSON object a line for programs.
enum class Format : std::uint8_t { text, json };

/// Where clients connect, and as whom.
struct Target {
    std::string server = "127.0.0.1:7400";
    std::string user;  ///< for servers in --dev
    std::string token;
    std::string token_file;  ///< holds a token; safer than an argument that everybody can list
    /// To get an answer, or a connection that is not refused: a refused one ends a command at once.
    std::chrono::milliseconds patience{10'000};
    Format format = Format::text;
    bool is_verbose = false;
};

struct PubArguments {
    std::string queue;
    std::string mount;
    std::string json;
    bool stays = false;  ///< a member afterwards
};
int pub(const Target& target, const PubArguments& arguments);

struct SubArguments {
    std::string queue;
    std::vector<std::string> mounts;  ///< empty: all
    std::uint64_t count_max = 0;      ///< ends after so many messages and changes; 0: never
    bool joins = false;               ///< becomes a member; else only listens
    bool stays = false;               ///< a member afterwards
};
int sub(const Target& target, const SubArguments& arguments);

struct StateArguments {
    std::string queue;
    std::string mount;
    std::string key;    ///< get: empty for all keys
    std::string value;  ///< set: JSON
    std::optional<std::uint64_t> if_seq;
    bool stays = false;
    bool joins = false;  ///< get, watch: becomes a member; else only listens
};
int state_get(const Target& target, const StateArguments& arguments);
int state_set(const Target& target, const StateArguments& arguments);
int state_del(const Target& target, const StateArguments& arguments);
int state_watch(const Target& target, const StateArguments& arguments);

struct HistoryArguments {
    std::string queue;
    std::string mount;
    std::size_t limit = 100;
    bool joins = false;  ///< becomes a member for as long as it takes; else only listens
};
int history(const Target& target, const HistoryArguments& arguments);

/// The admin API, and the key that opens it.
struct AdminTarget {
    std::string address = "127.0.0.1:7401";
    std::string key_file;
    Format format = Format::text;
};
int queue_ls(const AdminTarget& target, const std::string& prefix);
int queue_show(const AdminTarget& target, const std::string& queue);
int queue_create(const AdminTarget& target, const std::string& queue,
                 const std::string& definition);
int queue_rm(const AdminTarget& target, const std::string& queue);

}  // namespace muster::cli
