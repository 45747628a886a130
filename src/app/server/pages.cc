#include "app/server/pages.h"

#include <string>
#include <string_view>

#include "web/assets.h"

namespace muster::server {

std::vector<gateway::Page> built_in_pages() {
    std::vector<gateway::Page> pages;
    for (const auto& asset : web::assets()) {
        const auto bytes = asset.gzip_bytes();
        gateway::Page page;
        page.path = asset.path == "/index.html" ? "/" : std::string(asset.path);
        page.content_type = asset.content_type;
        page.etag = asset.etag;
        page.gzip = SharedText(
            std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
        page.is_immutable = asset.path.starts_with("/assets/");
        pages.push_back(std::move(page));
    }
    return pages;
}

}  // namespace muster::server
