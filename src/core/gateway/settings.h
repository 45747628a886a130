#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/gateway/jwt.h"
#include "core/gateway/messages.h"
#include "core/gateway/resume_token.h"
#include "core/queue/messages.h"

namespace muster::gateway {

/// What all gateway shards of a site have in common. Immutable, so they share one.
struct Settings {
    Limits limits;
    queue::Limits queue_limits;                 ///< by which owners, and so replicas, forget
    TokenKeys token_keys;
    ClusterSecret secret;                       ///< signs resume tokens, derives cids
    std::vector<std::string> allowed_origins;   ///< of browsers' pages
    bool is_dev = false;                        ///< users without tokens; pages of the same host
    bool allows_token_in_query = false;
    bool takes_deflate = false;                 ///< where a client offers permessage-deflate
    std::vector<Page> pages;                    ///< served to browsers; empty outside --dev
};

}  // namespace muster::gateway
