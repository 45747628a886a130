#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace muster::wire {

/// Appends the fields of a protobuf message to a string that the caller keeps and uses again: what
/// generated code would write, but straight from our own types.
///
/// Where the schema has oneofs, a generated message is built anew each time, with a dozen small
/// allocations; this one makes none once the string is big enough. Write the fields in the order of
/// their numbers, and the bytes are those of the generated code. As there, a field without presence
/// is left out where it is 0 or empty.
class ProtoWriter {
public:
    explicit ProtoWriter(std::string& out) : out_(out) {}

    /// uint32, uint64, int32, int64, bool.
    void number(int field, std::uint64_t value) {
        if (value != 0) {
            present_number(field, value);
        }
    }
    void number(int field, std::optional<std::uint64_t> value) {
        if (value) {
            present_number(field, *value);
        }
    }
    /// Of a field with presence (optional, or in a oneof): never left out.
    void present_number(int field, std::uint64_t value) { append(field, type_varint, value); }

    void fixed64(int field, std::uint64_t value) {
        if (value != 0) {
            append_fixed64(field, value);
        }
    }

    /// bytes, string. At most 2 GiB in one message, as everywhere in protobuf.
    void bytes(int field, std::string_view value) {
        if (!value.empty()) {
            present_bytes(field, value);
        }
    }
    void present_bytes(int field, std::string_view value) {
        append(field, type_sized, value.size());
        out_.append(value);
    }

    /// A message, of which `write_fields()` appends the fields. Never left out.
    template <typename WriteFields>
    void message(int field, const WriteFields& write_fields) {
        // Most are shorter than 128 bytes, so that one byte is kept free for the size.
        append(field, type_sized, 0);
        const std::size_t begin = out_.size();
        write_fields();
        Varint size;
        size.put(out_.size() - begin);
        out_[begin - 1] = size.bytes[0];
        if (size.count > 1) {
            out_.insert(begin, size.bytes.data() + 1, size.count - 1);
        }
    }

private:
    static constexpr unsigned type_varint = 0;
    static constexpr unsigned type_fixed64 = 1;
    static constexpr unsigned type_sized = 2;

    struct Varint {
        std::array<char, 20> bytes{};  // Room for two of at most ten bytes each.
        std::size_t count = 0;

        void put(std::uint64_t value) noexcept {
            while (value >= 0x80) {
                bytes[count++] = static_cast<char>(value | 0x80);
                value >>= 7U;
            }
            bytes[count++] = static_cast<char>(value);
        }
    };

    static std::uint64_t tag(int field, unsigned type) noexcept {
        return (static_cast<std::uint64_t>(field) << 3U) | type;
    }

    void append(int field, unsigned type, std::uint64_t value) {
        Varint both;
        both.put(tag(field, type));
        both.put(value);
        out_.append(both.bytes.data(), both.count);
    }

    void append_fixed64(int field, std::uint64_t value) {
        Varint both;
        both.put(tag(field, type_fixed64));
        for (unsigned shift = 0; shift < 64; shift += 8) {
            both.bytes[both.count++] = static_cast<char>(value >> shift);
        }
        out_.append(both.bytes.data(), both.count);
    }

    std::string& out_;
};

}  // namespace muster::wire
