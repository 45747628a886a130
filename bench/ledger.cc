#include "bench/ledger.h"

#include <algorithm>
#include <charconv>

namespace muster::bench {
namespace {

// Takes `name` and the number after it off the front of `text`.
template <typename Number>
bool take(std::string_view& text, std::string_view name, Number& number) noexcept {
    if (!text.starts_with(name)) {
        return false;
    }
    const char* const begin = text.data() + name.size();
    const auto [end, error] = std::from_chars(begin, text.data() + text.size(), number);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return error == std::errc{};
}

}  // namespace

void append_stamp(std::string& out, const Stamp& stamp, std::size_t bytes) {
    const std::size_t begin = out.size();
    out += R"({"t":)";
    out += std::to_string(stamp.due_us);
    out += R"(,"r":)";
    out += std::to_string(stamp.room);
    out += R"(,"s":)";
    out += std::to_string(stamp.sender);
    out += R"(,"n":)";
    out += std::to_string(stamp.number);
    out += R"(,"p":")";
    const std::size_t used = out.size() - begin + 2;
    out.append(bytes > used ? bytes - used : 0, 'x');
    out += R"("})";
}

std::optional<Stamp> read_stamp(std::string_view text) noexcept {
    Stamp stamp;
    if (take(text, R"({"t":)", stamp.due_us) && take(text, R"(,"r":)", stamp.room) &&
        take(text, R"(,"s":)", stamp.sender) && take(text, R"(,"n":)", stamp.number)) {
        return stamp;
    }
    return std::nullopt;
}

bool Ledger::take(std::uint32_t receiver, std::uint32_t room, const std::optional<Stamp>& stamp,
                  std::uint64_t seq) {
    if (!stamp || stamp->room != room || stamp->sender >= senders_ || receiver >= seqs_.size()) {
        ++wrongs_.strayed;
        return false;
    }
    std::uint64_t& last = last_[receiver * std::size_t{senders_} + stamp->sender];
    std::uint64_t& last_seq = seqs_[receiver];
    if (stamp->number == last) {
        ++wrongs_.doubled;
        return false;
    }
    if (stamp->number < last || (seq != 0 && seq < last_seq)) {
        ++wrongs_.out_of_order;
    }
    last = std::max(last, stamp->number);
    last_seq = std::max(last_seq, seq);
    return true;
}

}  // namespace muster::bench
