#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "core/wire/json_reader.h"

/// The wire format of protobuf, read field by field. For the frame parsers only.
/// Source: protobuf.dev, "Encoding"; GUARANTEES.md section 7, rows 38 and 39.
namespace muster::wire::proto {

enum class WireType : std::uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

/// What first went wrong in a frame; the readers of all its messages share one.
class Problem {
public:
    /// Keeps the first problem. Both texts are static.
    void note(std::string_view field, std::string_view what,
              ErrorCode code = ErrorCode::protocol) noexcept {
        if (!is_there_) {
            *this = Problem{field, what, code};
        }
    }

    [[nodiscard]] bool is_there() const noexcept { return is_there_; }

    /// Returns the problem as an error: protocol or bad_utf8, whose detail names the field.
    [[nodiscard]] Error error() const;

    Problem() = default;

private:
    Problem(std::string_view field, std::string_view what, ErrorCode code) noexcept
        : field_(field), what_(what), code_(code), is_there_(true) {}

    std::string_view field_;
    std::string_view what_;
    ErrorCode code_ = ErrorCode::protocol;
    bool is_there_ = false;
};

/// Walks through the fields of one message and hands out their values.
///
///     while (fields.next()) {
///         switch (fields.number()) {
///             case 1: out.queue = fields.text("q"); break;
///             default: break;  // Not known: ignored (row 38).
///         }
///     }
///
/// Invariants: each value is checked to its end before its field is handed out, so that one that is
///             passed over is checked as well; only what unknown bytes hold is left alone. Nothing
///             is found after a problem, which is kept in the Problem.
/// Limits:     no groups; a varint has at most 10 bytes, a tag and a length 5. Messages are as deep
///             as the parser that steps into them, which is five levels, and allocate nothing.
class ProtoReader {
public:
    ProtoReader(std::string_view bytes, Problem& problem) noexcept
        : at_(bytes.data()), end_(bytes.data() + bytes.size()), problem_(problem) {}

    /// Steps to the next field. False at the message's end and after a problem.
    bool next() noexcept;

    [[nodiscard]] std::uint32_t number() const noexcept { return number_; }

    // Each returns the present field's value; something empty (and a problem) where its type is
    // another, its value not within bounds, or the field has stood in the message before.

    std::uint64_t integer(std::string_view name, std::uint64_t min = 0,
                          std::uint64_t max = json_integer_max) noexcept;
    std::uint32_t small_integer(std::string_view name, std::uint32_t min = 0) noexcept;
    std::int64_t signed_integer(std::string_view name) noexcept;
    bool boolean(std::string_view name) noexcept;

    /// Valid UTF-8.
    std::string_view text(std::string_view name) noexcept;

    /// One JSON value, or (is_object) one object.
    std::string_view json(std::string_view name, std::size_t depth_max,
                          bool is_object = false) noexcept;

    /// Bytes, or a message that another reader steps into.
    std::string_view bytes(std::string_view name) noexcept;

    /// The same for a field that may stand several times.
    std::string_view repeated_bytes(std::string_view name) noexcept;

    /// The type of the present field, for one that may have two.
    [[nodiscard]] WireType type() const noexcept { return type_; }

    /// The value of a varint that may stand several times.
    std::uint64_t repeated_integer(std::string_view name, std::uint64_t max) noexcept;

    /// Reads a bare varint, as packed fields hold them. False at the end and after a problem.
    bool next_packed(std::uint64_t& value) noexcept;

    void refuse(std::string_view name, std::string_view what) noexcept {
        problem_.note(name, what);
    }

    [[nodiscard]] Problem& problem() const noexcept { return problem_; }

private:
    bool fail(std::string_view what) noexcept;
    bool read_varint(std::uint64_t& value, std::size_t bytes_max) noexcept;
    bool take(std::string_view name, WireType type) noexcept;
    bool has_type(std::string_view name, WireType type) noexcept;

    const char* at_;
    const char* end_;
    Problem& problem_;
    std::uint64_t seen_ = 0;  // One bit for each number below 64: it has stood here.
    std::uint64_t integer_ = 0;
    std::string_view bytes_;
    std::uint32_t number_ = 0;
    WireType type_ = WireType::varint;
    bool stood_before_ = false;  // The present field.
};

}  // namespace muster::wire::proto
