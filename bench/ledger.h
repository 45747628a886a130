#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace muster::bench {

/// What every message says of itself, whatever the server is.
struct Stamp {
    std::int64_t due_us = 0;  ///< when it was to be sent, on the machine's monotonic clock
    std::uint32_t room = 0;
    std::uint32_t sender = 0;  ///< among those of the room who send
    std::uint64_t number = 0;  ///< 1, 2, 3 … of this sender

    friend bool operator==(const Stamp&, const Stamp&) = default;
};

/// Appends a JSON object of about `bytes` bytes that carries `stamp`.
void append_stamp(std::string& out, const Stamp& stamp, std::size_t bytes);

/// Reads the stamp with which `text` begins, as append_stamp() wrote it.
[[nodiscard]] std::optional<Stamp> read_stamp(std::string_view text) noexcept;

/// What has gone wrong with deliveries, counted.
struct Wrongs {
    std::uint64_t doubled = 0;
    std::uint64_t out_of_order = 0;
    std::uint64_t strayed = 0;  ///< of another room, or without a stamp
};

/// Holds every delivery against what its receiver has had before: per sender, the numbers must
/// rise by one. Who is missing shows at the end, in what was expected and did not come.
class Ledger {
public:
    Ledger(std::size_t receivers, std::uint32_t senders_per_room)
        : senders_(senders_per_room), last_(receivers * senders_per_room), seqs_(receivers) {}

    /// Receiver `receiver`, who is in `room`, has got `stamp`; `seq`: the server's own number, if
    /// it gives one, which must rise as well. Returns whether it counts as a delivery.
    bool take(std::uint32_t receiver, std::uint32_t room, const std::optional<Stamp>& stamp,
              std::uint64_t seq);

    /// Returns the number that `receiver` has last had from `sender`; 0: none.
    [[nodiscard]] std::uint64_t last(std::uint32_t receiver, std::uint32_t sender) const {
        return last_[receiver * std::size_t{senders_} + sender];
    }

    [[nodiscard]] const Wrongs& wrongs() const noexcept { return wrongs_; }

private:
    std::uint32_t senders_;
    std::vector<std::uint64_t> last_;  // By receiver and sender.
    std::vector<std::uint64_t> seqs_;  // By receiver.
    Wrongs wrongs_;
};

}  // namespace muster::bench
