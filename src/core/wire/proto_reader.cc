#include "core/wire/proto_reader.h"

#include <limits>
#include <string>

#include "core/wire/utf8.h"

namespace muster::wire::proto {

namespace {

constexpr std::size_t varint_bytes_max = 10;
constexpr std::size_t short_varint_bytes_max = 5;  // Of a tag and a length, as protobuf has it.
constexpr std::uint64_t uint32_max = std::numeric_limits<std::uint32_t>::max();

}  // namespace

Error Problem::error() const {
    std::string detail{field_};
    detail += field_.empty() ? "" : ": ";
    detail += what_;
    return Error{code_, std::move(detail)};
}

bool ProtoReader::fail(std::string_view what) noexcept {
    problem_.note({}, what);
    return false;
}

bool ProtoReader::read_varint(std::uint64_t& value, std::size_t bytes_max) noexcept {
    if (at_ != end_ && static_cast<unsigned char>(*at_) < 0x80) {
        value = static_cast<unsigned char>(*at_++);
        return true;
    }
    value = 0;
    for (std::size_t i = 0; i < bytes_max; ++i) {
        if (at_ == end_) {
            return fail("the message is cut off");
        }
        const auto byte = static_cast<unsigned char>(*at_++);
        if (i == varint_bytes_max - 1 && byte > 1) {
            break;  // The tenth byte holds the one bit that is left of 64.
        }
        value |= std::uint64_t{byte & 0x7fU} << (7 * i);
        if (byte < 0x80) {
            return true;
        }
    }
    return fail("a number is too long");
}

bool ProtoReader::next() noexcept {
    if (at_ == end_ || problem_.is_there()) {
        return false;
    }
    std::uint64_t tag = 0;
    if (!read_varint(tag, short_varint_bytes_max)) {
        return false;
    }
    number_ = static_cast<std::uint32_t>(tag >> 3U);
    if (number_ == 0 || tag > uint32_max) {
        return fail("a field has no number");
    }
    stood_before_ = false;
    if (number_ < 64) {
        stood_before_ = (seen_ >> number_ & 1U) != 0;
        seen_ |= std::uint64_t{1} << number_;
    }
    std::uint64_t size = 0;
    switch (tag & 7U) {
        case 0: type_ = WireType::varint; return read_varint(integer_, varint_bytes_max);
        case 1:
            type_ = WireType::fixed64;
            size = 8;
            break;
        case 2:
            type_ = WireType::bytes;
            if (!read_varint(size, short_varint_bytes_max)) {
                return false;
            }
            break;
        case 3:
        case 4: return fail("a group");
        case 5:
            type_ = WireType::fixed32;
            size = 4;
            break;
        default: return fail("a field has no type");
    }
    if (size > static_cast<std::uint64_t>(end_ - at_)) {
        return fail("a length goes past the end");
    }
    bytes_ = {at_, static_cast<std::size_t>(size)};
    at_ += size;
    return true;
}

bool ProtoReader::has_type(std::string_view name, WireType type) noexcept {
    if (type_ == type) {
        return true;
    }
    refuse(name, type == WireType::varint ? "must be a varint" : "must be of a length");
    return false;
}

bool ProtoReader::take(std::string_view name, WireType type) noexcept {
    if (stood_before_) {
        refuse(name, "stands twice");
        return false;
    }
    return has_type(name, type);
}

std::uint64_t ProtoReader::integer(std::string_view name, std::uint64_t min,
                                   std::uint64_t max) noexcept {
    if (!take(name, WireType::varint)) {
        return min;
    }
    if (integer_ < min || integer_ > max) {
        refuse(name, "is out of its range");
        return min;
    }
    return integer_;
}

std::uint32_t ProtoReader::small_integer(std::string_view name, std::uint32_t min) noexcept {
    return static_cast<std::uint32_t>(integer(name, min, uint32_max));
}

std::int64_t ProtoReader::signed_integer(std::string_view name) noexcept {
    constexpr auto bound = static_cast<std::int64_t>(json_integer_max);
    if (!take(name, WireType::varint)) {
        return 0;
    }
    const auto value = static_cast<std::int64_t>(integer_);
    if (value < -bound || value > bound) {
        refuse(name, "is out of its range");
        return 0;
    }
    return value;
}

bool ProtoReader::boolean(std::string_view name) noexcept {
    return take(name, WireType::varint) && integer_ != 0;
}

std::string_view ProtoReader::text(std::string_view name) noexcept {
    if (!take(name, WireType::bytes)) {
        return {};
    }
    if (!is_valid_utf8(bytes_)) {
        problem_.note(name, "must be UTF-8", ErrorCode::bad_utf8);
        return {};
    }
    return bytes_;
}

std::string_view ProtoReader::json(std::string_view name, std::size_t depth_max,
                                   bool is_object) noexcept {
    if (!take(name, WireType::bytes)) {
        return {};
    }
    JsonReader reader{bytes_, depth_max};
    JsonValue value;
    if (!reader.read(value) || !reader.finish()) {
        const bool is_utf8 = reader.problem() != JsonProblem::bad_utf8;
        problem_.note(name, is_utf8 ? describe(reader.problem()) : "must be UTF-8",
                      is_utf8 ? ErrorCode::protocol : ErrorCode::bad_utf8);
        return {};
    }
    if (is_object && value.kind != JsonKind::object) {
        refuse(name, "must be a JSON object");
        return {};
    }
    return bytes_;
}

std::string_view ProtoReader::bytes(std::string_view name) noexcept {
    return take(name, WireType::bytes) ? bytes_ : std::string_view{};
}

std::string_view ProtoReader::repeated_bytes(std::string_view name) noexcept {
    return has_type(name, WireType::bytes) ? bytes_ : std::string_view{};
}

std::uint64_t ProtoReader::repeated_integer(std::string_view name, std::uint64_t max) noexcept {
    if (!has_type(name, WireType::varint)) {
        return 0;
    }
    if (integer_ > max) {
        refuse(name, "is out of its range");
        return 0;
    }
    return integer_;
}

bool ProtoReader::next_packed(std::uint64_t& value) noexcept {
    return at_ != end_ && !problem_.is_there() && read_varint(value, varint_bytes_max);
}

}  // namespace muster::wire::proto
