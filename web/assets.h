#pragma once

#include <cstddef>
#include <span>
#include <string_view>

/// The pages that the console and the demos consist of, as they lie inside the binary.
namespace muster::web {

/// One file of the built web project. All views point into the program image: they live as long as
/// the process and are shared by all threads.
struct Asset {
    std::string_view path;          ///< As in a URL: "/index.html", "/assets/index-3f2a.js".
    std::string_view content_type;  ///< "text/html; charset=utf-8" and the like.
    std::string_view etag;          ///< With its quotes, made of the contents: "\"9c56cc51b374\"".
    const std::byte* begin;         ///< The gzip stream: send it with Content-Encoding: gzip.
    const std::byte* end;

    [[nodiscard]] std::span<const std::byte> gzip_bytes() const noexcept { return {begin, end}; }
};

/// Returns all assets, sorted by path. Empty where the build had no web project.
[[nodiscard]] std::span<const Asset> assets() noexcept;

}  // namespace muster::web
