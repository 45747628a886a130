#include "client/resolver.h"

#include <cstring>
#include <utility>

#include <fmt/format.h>

namespace muster::detail {

namespace {

std::vector<SocketAddress> addresses_of(const addrinfo* first) {
    std::vector<SocketAddress> found;
    for (const addrinfo* one = first; one != nullptr; one = one->ai_next) {
        SocketAddress address;
        if (one->ai_addrlen <= sizeof address.bytes) {
            std::memcpy(&address.bytes, one->ai_addr, one->ai_addrlen);
            address.size = one->ai_addrlen;
            found.push_back(address);
        }
    }
    return found;
}

tl::unexpected<Error> not_found(const std::string& host, int error) {
    return failure(ErrorCode::upstream,
                   fmt::format("`{}` has no address: {}", host, ::gai_strerror(error)));
}

}  // namespace

void Resolver::start(const std::string& host, const std::string& port) {
    cancel();
    auto lookup = std::make_unique<Lookup>();
    lookup->host = host;
    lookup->port = port;
    lookup->hints.ai_family = AF_UNSPEC;
    lookup->hints.ai_socktype = SOCK_STREAM;
    lookup->hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
    addrinfo* numeric = nullptr;
    if (::getaddrinfo(host.c_str(), port.c_str(), &lookup->hints, &numeric) == 0) {
        done_ = addresses_of(numeric);
        ::freeaddrinfo(numeric);
        return;
    }
    lookup->hints.ai_flags = AI_NUMERICSERV;
    lookup->request.ar_name = lookup->host.c_str();
    lookup->request.ar_service = lookup->port.c_str();
    lookup->request.ar_request = &lookup->hints;
    gaicb* requests[] = {&lookup->request};
    if (const int error = ::getaddrinfo_a(GAI_NOWAIT, requests, 1, nullptr); error != 0) {
        done_ = not_found(host, error);
        return;
    }
    lookup_ = std::move(lookup);
}

std::optional<Result<std::vector<SocketAddress>>> Resolver::result() {
    if (lookup_ != nullptr) {
        const int state = ::gai_error(&lookup_->request);
        if (state == EAI_INPROGRESS) {
            return std::nullopt;
        }
        if (state == 0) {
            done_ = addresses_of(lookup_->request.ar_result);
            ::freeaddrinfo(lookup_->request.ar_result);
        } else {
            done_ = not_found(lookup_->host, state);
        }
        lookup_.reset();
    }
    return std::exchange(done_, std::nullopt);
}

void Resolver::cancel() noexcept {
    done_.reset();
    if (lookup_ == nullptr) {
        return;
    }
    ::gai_cancel(&lookup_->request);
    if (::gai_error(&lookup_->request) == EAI_INPROGRESS) {
        // The C library still writes to it, so it must outlive us: some hundred bytes are lost.
        static_cast<void>(lookup_.release());
        return;
    }
    if (lookup_->request.ar_result != nullptr) {
        ::freeaddrinfo(lookup_->request.ar_result);
    }
    lookup_.reset();
}

}  // namespace muster::detail
