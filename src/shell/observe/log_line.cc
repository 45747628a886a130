#include "shell/observe/log_line.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "base/check.h"

namespace muster::observe {
namespace {

constexpr std::array registry{
    LogEventInfo{LogEvent::up, "up", Severity::notice,
                 "The server is ready; names version, roles, addresses and configuration.",
                 "version, roles, client, admin, shards, epoch, data, settings"},
    LogEventInfo{LogEvent::draining, "draining", Severity::notice,
                 "The server takes no new clients and sends away those it has."},
    LogEventInfo{LogEvent::down, "down", Severity::notice, "The server has ended in order."},
    LogEventInfo{LogEvent::about_to_crash, "about_to_crash", Severity::critical,
                 "The server met a bug of its own and ends; names reason, place and recording.",
                 "reason, condition, file, line, signal, recording"},
    LogEventInfo{LogEvent::cannot_listen, "cannot_listen", Severity::error,
                 "An address could not be listened on.", "reason"},
    LogEventInfo{LogEvent::accept_paused, "accept_paused", Severity::warning,
                 "New connections wait: descriptors are used up or a limit is reached.",
                 "shard, reason"},
    LogEventInfo{LogEvent::accept_resumed, "accept_resumed", Severity::notice,
                 "New connections are accepted again.", "shard"},
    LogEventInfo{
        LogEvent::overload, "overload", Severity::warning,
        "Clients were asked to come back later: one line a second for each reason, with their "
        "number since the last one; the peer is one of them, and detail the reason.",
        "count, peer, detail"},
    LogEventInfo{LogEvent::abuse, "abuse", Severity::warning,
                 "A connection was closed because its client broke the rules on purpose; "
                 "detail says which.",
                 "user, peer, detail"},
    LogEventInfo{LogEvent::login_refused, "login_refused", Severity::info,
                 "A token or its use was refused.", "user, peer, detail"},
    LogEventInfo{LogEvent::resume_conflict, "resume_conflict", Severity::warning,
                 "A client came from a second address while its connection lived; names both.",
                 "user, peer, detail"},
    LogEventInfo{
        LogEvent::slow_client, "slow_client", Severity::info,
        "A connection was closed because its client read too slowly; queue and mount are those of "
        "what was one too many or too old, and detail names the limit.",
        "user, peer, queue, mount, detail"},
    LogEventInfo{LogEvent::origin_refused, "origin_refused", Severity::notice,
                 "A web page of a foreign origin tried to connect.", "peer, detail"},
    LogEventInfo{LogEvent::admin_refused, "admin_refused", Severity::warning,
                 "A request to the admin API had no right to what it asked for; key is missing "
                 "where none was good.",
                 "key, peer, method, path, detail"},
    LogEventInfo{
        LogEvent::admin_change, "admin_change", Severity::info,
        "The admin API made or deleted a queue or a mount, or ended a user's session, each call of "
        "a batch by itself; what changed nothing, and members, messages and state, are not "
        "told. `key` is the name of an admin key, `own` for the data folder's.",
        "key, peer, method, path"},
    LogEventInfo{LogEvent::channel_full, "channel_full", Severity::warning,
                 "The inbox of a shard was full and senders were told to wait: a line a second, "
                 "with how many operations it were since the last one.",
                 "shard, count"},
    LogEventInfo{LogEvent::shard_late, "shard_late", Severity::warning,
                 "One turn of a shard's loop took longer than 1 s, or began so late: the machine "
                 "stood still or has too much to do.",
                 "shard, late_ms"},
    LogEventInfo{LogEvent::recording_started, "recording_started", Severity::notice,
                 "A recording began.", "folder"},
    LogEventInfo{LogEvent::recording_ended, "recording_ended", Severity::notice,
                 "A recording ended.", "folder"},
    LogEventInfo{LogEvent::recording_failed, "recording_failed", Severity::error,
                 "A recording could not go on.", "shard, reason"},
    LogEventInfo{LogEvent::log_dropped, "log_dropped", Severity::warning,
                 "Log lines were dropped: too many of a kind, or their receiver was away.",
                 "count, total"},
};

constexpr std::array severities{Severity::critical, Severity::error, Severity::warning,
                                Severity::notice,   Severity::info,  Severity::debug};

constexpr unsigned facility_daemon = 3;

/// The longest text in a line; the rest is for the fields.
constexpr std::size_t text_bytes_max = 1024;

/// The name of our structured data. 32473 is the number that RFC 5612 gives to those without one.
constexpr std::string_view data_id = "muster@32473";

/// What a syslog value and a quoted value of the human form escape with a backslash.
constexpr std::string_view syslog_escaped = "\"\\]";
constexpr std::string_view human_escaped = "\"\\";

/// Returns the size of the character in front of `text`, which is not empty, or 0 where there is
/// none that may be shown: bad UTF-8, control characters.
std::size_t shown_character_bytes(std::string_view text) noexcept {
    const auto byte = [text](std::size_t i) {
        return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
    };
    const auto follows = [&byte](std::size_t i, unsigned low, unsigned high) {
        return byte(i) >= low && byte(i) <= high;
    };
    const unsigned first = byte(0);
    if (first < 0x80) {
        return first >= 0x20 && first != 0x7f ? 1 : 0;
    }
    if (first >= 0xc2 && first <= 0xdf) {
        // U+0080 to U+009F control terminals like their ASCII brothers.
        return follows(1, first == 0xc2 ? 0xa0 : 0x80, 0xbf) ? 2 : 0;
    }
    if (first >= 0xe0 && first <= 0xef) {
        const unsigned low = first == 0xe0 ? 0xa0 : 0x80;
        const unsigned high = first == 0xed ? 0x9f : 0xbf;
        return follows(1, low, high) && follows(2, 0x80, 0xbf) ? 3 : 0;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        const unsigned low = first == 0xf0 ? 0x90 : 0x80;
        const unsigned high = first == 0xf4 ? 0x8f : 0xbf;
        const bool is_good =
            follows(1, low, high) && follows(2, 0x80, 0xbf) && follows(3, 0x80, 0xbf);
        return is_good ? 4 : 0;
    }
    return 0;
}

/// Appends to memory of a fixed size; what does not fit is left out.
class FixedText {
public:
    explicit FixedText(std::span<char> memory) noexcept : memory_(memory) {}

    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    void put(char c) noexcept { put(std::string_view{&c, 1}); }

    /// Appends all of `text`, or nothing. Returns whether it fitted.
    bool put(std::string_view text) noexcept {
        if (text.size() > memory_.size() - size_) {
            return false;
        }
        std::copy(text.begin(), text.end(), memory_.begin() + static_cast<std::ptrdiff_t>(size_));
        size_ += text.size();
        return true;
    }

    void put_number(std::int64_t number) noexcept {
        std::array<char, 24> digits{};
        const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
        put(std::string_view{digits.data(), static_cast<std::size_t>(end - digits.data())});
    }

    /// Appends a number of a date with zeros in front.
    void put_padded(std::int64_t number, unsigned width) noexcept {
        std::array<char, 8> digits{};
        for (unsigned i = width; i-- > 0; number /= 10) {
            digits[i] = static_cast<char>('0' + number % 10);
        }
        put(std::string_view{digits.data(), width});
    }

    /// Appends what may be shown of `text`, with a backslash before each of `escaped`, until size()
    /// is `size_max`.
    void put_cleaned(std::string_view text, std::string_view escaped,
                     std::size_t size_max) noexcept {
        size_max = std::min(size_max, memory_.size());
        while (!text.empty()) {
            const std::size_t bytes = shown_character_bytes(text);
            const std::string_view shown = bytes == 0 ? "?" : text.substr(0, bytes);
            const bool needs_escape = escaped.find(shown[0]) != std::string_view::npos;
            if (size_ + shown.size() + (needs_escape ? 1 : 0) > size_max) {
                return;
            }
            if (needs_escape) {
                put('\\');
            }
            put(shown);
            text.remove_prefix(std::max<std::size_t>(bytes, 1));
        }
    }

private:
    std::span<char> memory_;
    std::size_t size_ = 0;
};

/// Appends 2026-01-02T03:04:05.123456Z. The C library's gmtime may take a lock, so the date is
/// computed here (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
void put_time(FixedText& out, std::int64_t time_us, unsigned fraction_digits) noexcept {
    constexpr std::int64_t us_per_day = 86'400'000'000;
    std::int64_t day = time_us / us_per_day;
    std::int64_t rest_us = time_us % us_per_day;
    if (rest_us < 0) {
        rest_us += us_per_day;
        --day;
    }
    const std::int64_t shifted = day + 719'468;  // Days since 1 March of the year 0.
    const std::int64_t era = (shifted >= 0 ? shifted : shifted - 146'096) / 146'097;
    const std::int64_t of_era = shifted - era * 146'097;
    const std::int64_t year_of_era =
        (of_era - of_era / 1'460 + of_era / 36'524 - of_era / 146'096) / 365;
    const std::int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const std::int64_t march_month = (5 * of_year + 2) / 153;
    const std::int64_t month = march_month < 10 ? march_month + 3 : march_month - 9;
    const std::int64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);

    out.put_padded(std::clamp<std::int64_t>(year, 0, 9999), 4);
    out.put('-');
    out.put_padded(month, 2);
    out.put('-');
    out.put_padded(of_year - (153 * march_month + 2) / 5 + 1, 2);
    out.put('T');
    const std::int64_t second = rest_us / 1'000'000;
    out.put_padded(second / 3600, 2);
    out.put(':');
    out.put_padded(second / 60 % 60, 2);
    out.put(':');
    out.put_padded(second % 60, 2);
    out.put('.');
    const std::int64_t us = rest_us % 1'000'000;
    out.put_padded(fraction_digits == 3 ? us / 1000 : us, fraction_digits);
    out.put('Z');
}

/// Appends ` name="value"`, or nothing where `size_max` leaves no room for it. Returns whether it
/// is there.
bool put_syslog_field(FixedText& out, const LogField& field, std::size_t size_max) noexcept {
    constexpr std::size_t punctuation_bytes = 4;
    constexpr std::size_t number_bytes_max = 20;
    const std::size_t least = out.size() + field.name.size() + punctuation_bytes;
    if (least + number_bytes_max > size_max) {
        return false;
    }
    out.put(' ');
    out.put(field.name);
    out.put("=\"");
    if (field.is_number) {
        out.put_number(field.number);
    } else {
        out.put_cleaned(field.text, syslog_escaped, size_max - 1);
    }
    out.put('"');
    return true;
}

/// Appends ` name=value`, in quotes where the value would be hard to tell from what follows.
void put_human_field(FixedText& out, const LogField& field, std::size_t size_max) noexcept {
    if (out.size() + field.name.size() + 24 > size_max) {
        return;
    }
    out.put(' ');
    out.put(field.name);
    out.put('=');
    if (field.is_number) {
        out.put_number(field.number);
    } else if (field.text.empty() || field.text.find_first_of(" =\"\\") != std::string_view::npos) {
        out.put('"');
        out.put_cleaned(field.text, human_escaped, size_max - 1);
        out.put('"');
    } else {
        out.put_cleaned(field.text, {}, size_max);
    }
}

}  // namespace

std::span<const LogEventInfo> log_event_registry() noexcept { return registry; }

const LogEventInfo& describe(LogEvent event) noexcept {
    const auto index = static_cast<std::size_t>(event);
    MUSTER_CHECK(index < registry.size());
    return registry[index];
}

std::string_view to_text(Severity severity) noexcept {
    switch (severity) {
        case Severity::critical: return "critical";
        case Severity::error: return "error";
        case Severity::warning: return "warning";
        case Severity::notice: return "notice";
        case Severity::info: return "info";
        case Severity::debug: return "debug";
    }
    return "?";
}

std::optional<Severity> parse_severity(std::string_view text) noexcept {
    for (const Severity severity : severities) {
        if (text == to_text(severity)) {
            return severity;
        }
    }
    return std::nullopt;
}

LogIdentity LogIdentity::own() {
    LogIdentity identity;
    identity.pid = ::getpid();
    std::array<char, 256> name{};
    if (::gethostname(name.data(), name.size() - 1) == 0 && name[0] != '\0') {
        identity.host = name.data();
        // A header field of RFC 5424 is printable ASCII without spaces.
        std::replace_if(
            identity.host.begin(), identity.host.end(),
            [](char c) { return c <= ' ' || c >= 0x7f; }, '?');
    }
    return identity;
}

std::size_t format_syslog(std::span<char> out, const LogIdentity& identity,
                          const LogLine& line) noexcept {
    const LogEventInfo& info = describe(line.event);
    FixedText text{out};
    text.put('<');
    text.put_number(facility_daemon * 8 + static_cast<unsigned>(info.severity));
    text.put(">1 ");
    put_time(text, line.time_us, 6);
    text.put(' ');
    text.put(identity.host.empty() ? std::string_view{"-"}
                                   : std::string_view{identity.host}.substr(0, 255));
    text.put(" muster ");
    text.put_number(identity.pid);
    text.put(' ');
    text.put(info.id);
    text.put(' ');
    if (line.fields.empty()) {
        text.put('-');
    } else {
        // The end of the line is kept free for the text, so that neither hides the other.
        const std::size_t text_bytes = std::min({line.text.size(), text_bytes_max, out.size() / 4});
        const std::size_t fields_end = out.size() - text_bytes - std::strlen("] ");
        text.put('[');
        text.put(data_id);
        for (const LogField& field : line.fields) {
            if (!put_syslog_field(text, field, fields_end)) {
                break;
            }
        }
        text.put(']');
    }
    if (!line.text.empty()) {
        text.put(' ');
        text.put_cleaned(line.text, {}, text.size() + text_bytes_max);
    }
    return text.size();
}

std::size_t format_human(std::span<char> out, const LogLine& line) noexcept {
    const LogEventInfo& info = describe(line.event);
    FixedText text{out};
    put_time(text, line.time_us, 3);
    text.put(' ');
    text.put(to_text(info.severity));
    text.put(' ');
    text.put(info.id);
    text.put(": ");
    const std::size_t end = out.size() - 1;  // For the newline.
    text.put_cleaned(line.text, {}, std::min(end, text.size() + text_bytes_max));
    for (const LogField& field : line.fields) {
        put_human_field(text, field, end);
    }
    text.put('\n');
    return text.size();
}

}  // namespace muster::observe
