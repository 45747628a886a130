#pragma once

#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/ids.h"
#include "base/name.h"
#include "base/payload.h"
#include "base/time.h"
#include "core/queue/content.h"
#include "core/queue/messages.h"
#include "core/queue/template.h"
#include "muster/log.pb.h"

/// How what a queue shows, its rules included, is written down and read again: by a queue's
/// snapshot, and by recordings of the messages that carry it (app/roles/recorded_message.h).
///
/// What is written into must be empty, but may have been used before. A read gives nothing, or
/// false, where what was written is damaged.
namespace muster::queue {

// ---- Pieces ----------------------------------------------------------------------------------

/// Beyond it a number is damage: no queue lives so long, and JSON cannot say it.
inline constexpr std::uint64_t saved_seq_max = std::uint64_t{1} << 53U;

/// Returns how an enumerator is written.
template <typename Enum>
[[nodiscard]] constexpr std::uint32_t number_of(Enum value) noexcept {
    return static_cast<std::uint32_t>(value);
}

/// Returns the enumerator that was written, or nothing where there is none up to `last` by that
/// number.
template <typename Enum>
[[nodiscard]] constexpr std::optional<Enum> enumerator(std::uint32_t number, Enum last) noexcept {
    if (number > number_of(last)) {
        return std::nullopt;
    }
    return static_cast<Enum>(number);
}

[[nodiscard]] inline std::string text_of(std::string_view text) { return std::string(text); }

/// Returns the payload of these bytes in the Format of this number.
[[nodiscard]] std::optional<Payload> payload_of(const std::string& bytes, std::uint32_t format);

/// Appends to a table that was written in the order of its keys. False where it was not.
template <typename Table>
[[nodiscard]] bool append(Table& table, typename Table::key_type key,
                          typename Table::mapped_type value) {
    if (!table.empty() && !(std::prev(table.end())->first < key)) {
        return false;
    }
    table.emplace_hint(table.end(), std::move(key), std::move(value));
    return true;
}

// ---- Rules -----------------------------------------------------------------------------------

void write(const MountRules& rules, proto::QueueState::MountRules& out);
[[nodiscard]] std::optional<MountRules> read(const proto::QueueState::MountRules& saved);

void write(const Template& rules, proto::QueueState::Template& out);
[[nodiscard]] std::optional<Template> read(const proto::QueueState::Template& saved);

void write(const CreateOp& definition, proto::QueueState::Definition& out);
[[nodiscard]] std::optional<CreateOp> read(const proto::QueueState::Definition& saved);

// ---- Content ---------------------------------------------------------------------------------

/// All of a member but its user, whom the caller writes.
void write(const Member& member, proto::QueueState::Member& out);
[[nodiscard]] std::optional<Member> read(const proto::QueueState::Member& saved);

/// Writes the place, the rules, mounts and members, and no other field. Times are written as
/// distances from `since`: the moment of saving, or Instant{} to keep them absolute.
void write(const Content& content, Instant since, proto::QueueState& out);

/// Reads what was written `since` the same moment into an empty `content`, whose rules are its own.
[[nodiscard]] bool read(const proto::QueueState& saved, Instant since, Content& content);

}  // namespace muster::queue
