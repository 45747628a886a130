#include "app/server/pages.h"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <zlib.h>

#include "base/check.h"
#include "base/shared_text.h"
#include "web/assets.h"

namespace muster::server {
namespace {

constexpr int gzip_format = 16 + MAX_WBITS;  // See zlib.h, inflateInit2.

// Our own build has zipped it, so it can be unzipped.
std::string unzipped(std::span<const std::byte> gzip) {
    z_stream stream{};
    MUSTER_CHECK(inflateInit2(&stream, gzip_format) == Z_OK);
    stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(gzip.data()));
    stream.avail_in = static_cast<uInt>(gzip.size());
    std::string plain;
    int state = Z_OK;
    while (state == Z_OK) {
        const std::size_t size = plain.size();
        const std::size_t more = 64 * std::size_t{1024};
        plain.resize(size + more);
        stream.next_out = reinterpret_cast<Bytef*>(plain.data() + size);
        stream.avail_out = static_cast<uInt>(more);
        state = inflate(&stream, Z_NO_FLUSH);
        plain.resize(plain.size() - stream.avail_out);
    }
    inflateEnd(&stream);
    MUSTER_CHECK(state == Z_STREAM_END);
    return plain;
}

}  // namespace

std::vector<gateway::Page> built_in_pages() {
    std::vector<gateway::Page> pages;
    for (const auto& asset : web::assets()) {
        const auto bytes = asset.gzip_bytes();
        gateway::Page page;
        page.path = asset.path == "/index.html" ? "/" : std::string(asset.path);
        page.content_type = asset.content_type;
        page.etag = "W/" + std::string(asset.etag);
        page.gzip =
            SharedText(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
        page.plain = SharedText(unzipped(bytes));
        page.is_immutable = asset.path.starts_with("/assets/");
        pages.push_back(std::move(page));
    }
    return pages;
}

}  // namespace muster::server
