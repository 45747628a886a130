#include "core/wire/deflate.h"

#include <algorithm>

#include <zlib.h>

#include "base/check.h"

namespace muster::wire {
namespace {

// What the sender leaves out at the end of each message: an empty stored block without its header.
constexpr std::string_view tail("\x00\x00\xff\xff", 4);

constexpr int level = 3;         // Higher ones take a fifth more time for nothing at 1 KiB.
constexpr int memory_level = 5;  // 8 KiB of hash table, cleared for each message.
constexpr int raw_window_bits_max = -15;  // Negative: without zlib's own header.

constexpr std::size_t first_message_bytes = 4096;

// A block of a few bytes may cost 6 us for its tables and hold nothing. Who compresses a message
// has no use for many: so many are free, and one more for so many bytes that come out.
constexpr std::size_t free_blocks = 64;
constexpr std::size_t bytes_per_block = 128;

constexpr WebSocketError damaged{CloseCode::bad_text, ErrorCode::bad_utf8,
                                 "a compressed message is damaged"};
constexpr WebSocketError too_many_blocks{CloseCode::bad_text, ErrorCode::bad_utf8,
                                         "a compressed message has too many blocks"};
constexpr WebSocketError too_big{CloseCode::too_big, ErrorCode::frame_too_big,
                                 "the message is too big once it is inflated"};

// zlib does not change its input, but takes it by a pointer that could.
Bytef* input_of(std::string_view bytes) noexcept {
    return const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes.data()));
}

}  // namespace

struct Deflater::Stream {
    Stream() {
        const int result = deflateInit2(&z, level, Z_DEFLATED, -deflate_window_bits, memory_level,
                                        Z_DEFAULT_STRATEGY);
        MUSTER_CHECK(result == Z_OK);
    }
    ~Stream() { deflateEnd(&z); }
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    z_stream z{};
};

Deflater::Deflater() noexcept = default;
Deflater::~Deflater() = default;

bool Deflater::append(std::string& out, std::string_view message) {
    if (stream_ == nullptr) {
        stream_ = std::make_unique<Stream>();
    } else {
        deflateReset(&stream_->z);
    }
    const std::size_t before = out.size();
    out.resize(before + message.size());  // What does not fit into this is not smaller.
    z_stream& z = stream_->z;
    z.next_in = input_of(message);
    z.avail_in = static_cast<uInt>(message.size());
    z.next_out = reinterpret_cast<Bytef*>(out.data() + before);
    z.avail_out = static_cast<uInt>(message.size());
    deflate(&z, Z_SYNC_FLUSH);
    if (z.avail_out == 0) {
        out.resize(before);
        return false;
    }
    MUSTER_CHECK(z.avail_in == 0);
    out.resize(out.size() - z.avail_out - tail.size());
    return true;
}

struct Inflater::Stream {
    Stream() { MUSTER_CHECK(inflateInit2(&z, raw_window_bits_max) == Z_OK); }
    ~Stream() { inflateEnd(&z); }
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    enum class Taken : std::uint8_t { all, to_last_block, damaged, too_many_blocks, too_big };

    // Puts what `part` holds behind the first `size` bytes of `message`, up to `most` of them.
    Taken take(std::string_view part, std::string& message, std::size_t most) {
        z.next_in = input_of(part);
        z.avail_in = static_cast<uInt>(part.size());
        for (;;) {
            if (message.size() == size) {
                message.resize(std::min(std::max(size * 2, first_message_bytes), most));
            }
            z.next_out = reinterpret_cast<Bytef*>(message.data() + size);
            const std::size_t room = std::min(message.size(), most) - size;
            z.avail_out = static_cast<uInt>(room);
            const int result = ::inflate(&z, Z_BLOCK);
            size += room - z.avail_out;
            if (size == most) {
                return Taken::too_big;
            }
            if (result == Z_STREAM_END || (is_between_blocks() && is_last_block())) {
                return Taken::to_last_block;
            }
            const bool is_stuck = result == Z_BUF_ERROR && z.avail_in > 0 && z.avail_out > 0;
            if ((result != Z_OK && result != Z_BUF_ERROR) || is_stuck) {
                return Taken::damaged;
            }
            if (is_between_blocks() && ++blocks > free_blocks + size / bytes_per_block) {
                return Taken::too_many_blocks;
            }
            if (z.avail_in == 0 && z.avail_out > 0) {
                return Taken::all;
            }
        }
    }

    [[nodiscard]] bool is_between_blocks() const noexcept { return (z.data_type & 128) != 0; }
    [[nodiscard]] bool is_last_block() const noexcept { return (z.data_type & 64) != 0; }

    z_stream z{};
    std::size_t size = 0;
    std::size_t blocks = 0;
};

Inflater::Inflater() noexcept = default;
Inflater::~Inflater() = default;

tl::expected<std::string_view, WebSocketError> Inflater::inflate(std::string_view deflated,
                                                                 std::uint32_t bytes_max) {
    if (stream_ == nullptr) {
        stream_ = std::make_unique<Stream>();
    } else {
        inflateReset(&stream_->z);
        stream_->size = 0;
        stream_->blocks = 0;
    }
    using Taken = Stream::Taken;
    const std::size_t most = std::size_t{bytes_max} + 1;
    const auto message = [&] { return std::string_view(message_).substr(0, stream_->size); };
    switch (stream_->take(deflated, message_, most)) {
        case Taken::damaged: return tl::unexpected(damaged);
        case Taken::too_many_blocks: return tl::unexpected(too_many_blocks);
        case Taken::too_big: return tl::unexpected(too_big);
        case Taken::to_last_block:
            // Some mark a block as the last one. Then comes what is left of an empty one, or
            // nothing.
            if (stream_->z.avail_in == 0 || (stream_->z.avail_in == 1 && deflated.back() == '\0')) {
                return message();
            }
            return tl::unexpected(damaged);
        case Taken::all: break;
    }
    switch (stream_->take(tail, message_, most)) {
        case Taken::too_many_blocks: return tl::unexpected(too_many_blocks);
        case Taken::too_big: return tl::unexpected(too_big);
        case Taken::all:
            if (stream_->is_between_blocks()) {
                return message();
            }
            break;
        case Taken::to_last_block:
            if (stream_->z.avail_in == 0) {
                return message();
            }
            break;
        case Taken::damaged: break;
    }
    return tl::unexpected(damaged);
}

}  // namespace muster::wire
