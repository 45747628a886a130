#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "base/name.h"
#include "base/result.h"

namespace muster::wire {

inline constexpr std::size_t queue_name_bytes_max = 256;
inline constexpr std::size_t user_id_bytes_max = 64;
inline constexpr std::size_t mount_name_bytes_max = 64;
inline constexpr std::size_t key_bytes_max = 256;

// Each check returns nothing, or bad_name with the broken rule as its detail. Cost: one or two
// passes; memory only for the detail of a refusal.

/// A queue's name: `/room/123`. At most 256 bytes of UTF-8 in NFC; begins with `/`; no empty
/// segment (so no `//`, no trailing `/`, not `/` alone); no segment `.`, `..` or `-` (which parts a
/// name from its sub-resources in HTTP paths); no control characters (C0, DEL, C1). Source:
/// GUARANTEES.md section 7, row 44.
[[nodiscard]] Result<void> check_queue_name(std::string_view name);

/// A user's id: 1-64 bytes of A-Za-z0-9_.:@- but not `.`, `..` or `-`, which could not be a segment
/// of the user queue's name.
[[nodiscard]] Result<void> check_user_id(std::string_view user);

/// A mount's name: 1-64 bytes of A-Za-z0-9_.- that do not begin with `.` or `-`.
[[nodiscard]] Result<void> check_mount_name(std::string_view mount);

/// A key of a state mount: 1-256 bytes of UTF-8 without control characters. Keys are compared as
/// bytes, so they need no normal form.
[[nodiscard]] Result<void> check_key(std::string_view key);

/// Returns `/user/<user>`. `user` must have passed check_user_id.
[[nodiscard]] QueueName user_queue_name(const UserId& user);

/// Returns the user (a part of `name`) whose user queue this is, or nothing where it is none.
[[nodiscard]] std::optional<std::string_view> user_of_queue_name(std::string_view name) noexcept;

}  // namespace muster::wire
