#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "app/roles/shard_machine.h"
#include "app/settings.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/sip_hash.h"
#include "core/gateway/cid_text.h"

namespace muster::server {

/// The secrets and seeds with which a site lives. Together with the settings they decide, with what
/// comes in, everything that it does.
struct SiteKeys {
    HashKey placement;              ///< places queues in buckets
    HashKey table;                  ///< of the buckets' tables
    gateway::ClusterSecret resume;  ///< signs resume tokens
    std::string own_token_key;      ///< of the tokens that `muster token` makes
    Epoch epoch;                    ///< of this start
    std::uint64_t bucket_seed = 0;  ///< of all chance in buckets
};

/// Returns what all shards of a site have in common.
/// Errors: bad_settings, where a token key is none.
[[nodiscard]] Result<std::shared_ptr<const roles::Site>> make_site(const app::Settings& settings,
                                                                   const SiteKeys& keys);

}  // namespace muster::server
