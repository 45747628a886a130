#include "shell/admin/pages.h"

#include <algorithm>
#include <cstddef>
#include <string>

namespace muster::admin {
namespace {

// A page may load what this server has, and speak with it and with the client port of the same host
// (the playground does, over WebSocket). No page may show it in a frame.
constexpr std::string_view content_security_policy =
    "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; style-src 'self' "
    "'unsafe-inline'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

}  // namespace

std::optional<Response> page(std::string_view path, std::optional<std::string_view> if_none_match,
                             std::span<const web::Asset> assets) {
    const std::string_view wanted = path == "/" ? "/index.html" : path;
    const auto found = std::ranges::lower_bound(assets, wanted, {}, &web::Asset::path);
    if (found == assets.end() || found->path != wanted) {
        return std::nullopt;
    }
    Response response;
    response.content_type = found->content_type;
    response.headers = {{"ETag", std::string{found->etag}},
                        {"Cache-Control", "no-cache"},  // Keep it, but ask whether it has changed.
                        {"Content-Security-Policy", std::string{content_security_policy}},
                        {"Referrer-Policy", "no-referrer"}};
    if (if_none_match == found->etag) {
        response.status = 304;
        return response;
    }
    response.headers.push_back({"Content-Encoding", "gzip"});
    const auto bytes = found->gzip_bytes();
    response.body.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return response;
}

}  // namespace muster::admin
