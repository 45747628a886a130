#include "app/server/site.h"

#include <algorithm>
#include <utility>

#include "app/roles/actors.h"
#include "app/server/pages.h"
#include "shell/coord/data_folder.h"

namespace muster::server {
namespace {

// Each shard lets in by itself, and at least one; the kernel spreads clients evenly over them.
std::uint32_t share_of(std::uint32_t all, std::uint32_t shards) {
    return all / shards + (all % shards == 0 ? 0 : 1);
}

gateway::Limits gateway_limits(const app::Settings& settings) {
    const app::GatewaySettings& from = settings.gateway;
    gateway::Limits limits;
    limits.handshake_time = from.handshake_time;
    limits.hello_time = from.hello_time;
    limits.ping_interval = from.ping_interval;
    limits.dead_after = from.dead_after;
    limits.frame_bytes_max = from.frame_bytes_max;
    limits.out_bytes_max = from.out_bytes_max;
    limits.out_messages_max = from.out_messages_max;
    limits.out_time_max = from.out_time_max;
    limits.queues_max = from.queues_max;
    limits.listed_members_max = from.listed_members_max;
    limits.ops_per_second = from.op_rate.per_second;
    limits.ops_burst = from.op_rate.burst;
    // All within the time that the shard has for its end, and the last quarter for closing.
    // Each shard spreads its own clients, at its part of what others take in.
    limits.stop_spread_each *= settings.server.shards;
    limits.stop_spread_max = settings.server.drain_time / 2;
    limits.stop_grace = std::min(limits.stop_grace, settings.server.drain_time / 4);
    limits.op_window = settings.queue.op_window;
    limits.resume_age_max = std::max(limits.resume_age_max, 2 * settings.queue.left_client_ttl);
    limits.unknown_max = from.unknown_max;
    limits.unknown_of_address_max = from.unknown_of_address_max;
    const std::uint32_t shards = settings.server.shards;
    limits.logins_per_second = share_of(from.login_rate.per_second, shards);
    limits.logins_burst = share_of(from.login_rate.burst, shards);
    limits.resumes_per_second = share_of(from.resume_rate.per_second, shards);
    limits.resumes_burst = share_of(from.resume_rate.burst, shards);
    return limits;
}

Result<gateway::TokenKeys> token_keys(const app::Settings& settings, const SiteKeys& site_keys) {
    gateway::TokenKeys keys;
    if (auto added = keys.add_hs256(coord::DataFolder::own_token_key_id, site_keys.own_token_key);
        !added) {
        return tl::unexpected(added.error());
    }
    for (const auto& key : settings.token_keys) {
        const gateway::TokenScope scope{key.audience, key.issuer};
        auto added = key.algorithm == app::TokenAlgorithm::hs256
                         ? keys.add_hs256(key.kid, key.key, scope)
                         : keys.add_es256_public(key.kid, key.key, scope);
        if (!added) {
            return tl::unexpected(added.error());
        }
    }
    return keys;
}

}  // namespace

Result<std::shared_ptr<const roles::Site>> make_site(const app::Settings& settings,
                                                     const SiteKeys& site_keys) {
    auto keys = token_keys(settings, site_keys);
    if (!keys) {
        return tl::unexpected(keys.error());
    }
    auto gateway = std::make_shared<gateway::Settings>();
    gateway->limits = gateway_limits(settings);
    gateway->queue_limits = settings.queue;
    gateway->token_keys = *std::move(keys);
    gateway->secret = site_keys.resume;
    gateway->allowed_origins = settings.gateway.origins;
    gateway->is_dev = settings.is_dev;
    gateway->allows_token_in_query = settings.gateway.allow_token_in_query;
    gateway->takes_deflate = settings.gateway.deflate;
    if (settings.is_dev) {
        gateway->pages = built_in_pages();
    }
    auto queues = std::make_shared<queue::QueueSettings>(
        queue::QueueSettings{queue::TemplateTable(settings.templates), settings.queue});
    auto users = std::make_shared<user::UserSettings>();
    users->resume_time = settings.session.resume_time;
    users->logins = settings.session.logins;
    users->devices_max = settings.session.devices_max;
    users->joined_max = settings.gateway.queues_max;
    const actor::BucketSetSettings buckets{settings.server.buckets, site_keys.epoch,
                                           site_keys.bucket_seed, site_keys.table};
    return std::make_shared<const roles::Site>(
        roles::Site{ring::Placement(site_keys.placement, settings.server.buckets,
                                    static_cast<std::uint16_t>(settings.server.shards)),
                    std::make_shared<roles::SiteActors>(std::move(queues), std::move(users)),
                    std::move(gateway), buckets});
}

}  // namespace muster::server
