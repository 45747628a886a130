#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"

/// A request and its response as values: what the handlers see of HTTP, whatever carries it.
namespace muster::admin {

struct Header {
    std::string name;  ///< lower case in a Request
    std::string value;
    friend bool operator==(const Header&, const Header&) = default;
};

struct Request {
    std::string method;
    std::string target;  ///< as sent: path and query
    std::vector<Header> headers;
    std::string body;
    std::string peer;  ///< the caller's address; of IPv6 the network (/64)
    Instant now;

    /// Returns the value of the first header called `name` (lower case).
    [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const noexcept {
        for (const Header& header : headers) {
            if (header.name == name) {
                return header.value;
            }
        }
        return std::nullopt;
    }
};

struct Response {
    std::uint16_t status = 200;
    std::string content_type = "application/json";
    std::vector<Header> headers = {};  ///< besides content-type and content-length
    std::string body = {};
    bool is_unknown = false;  ///< nobody knows whether the request took effect
};

/// Takes the answer to one request; to be called once.
using Respond = std::function<void(Response)>;

}  // namespace muster::admin
