#include "app/server/recording_head.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "app/version.h"
#include "muster/entry.pb.h"

namespace muster::server {

std::string recording_head(const app::Settings& settings, const SiteKeys& keys, ShardId shard,
                           std::uint64_t seed) {
    proto::RecordingHead head;
    head.set_version(std::string(app::version()));
    head.set_shard(shard.value);
    head.set_shard_count(settings.server.shards);
    head.set_settings(app::show(settings, {}));
    head.set_settings_changed(app::show(settings, {.is_brief = true}));
    head.set_is_dev(settings.is_dev);
    for (const auto& key : settings.token_keys) {
        auto& kept = *head.add_token_keys();
        kept.set_kid(key.kid);
        kept.set_key(key.key);
    }
    head.set_own_token_key(keys.own_token_key);
    head.set_resume_key(keys.resume.bytes.data(), keys.resume.bytes.size());
    head.set_placement_key_low(keys.placement.low);
    head.set_placement_key_high(keys.placement.high);
    head.set_table_key_low(keys.table.low);
    head.set_table_key_high(keys.table.high);
    head.set_epoch(keys.epoch.value);
    head.set_bucket_seed(keys.bucket_seed);
    head.set_shard_seed(seed);
    return head.SerializeAsString();
}

Result<RecordedShard> read_recording_head(std::string_view bytes) {
    proto::RecordingHead head;
    SiteKeys keys;
    if (bytes.size() > std::size_t{std::numeric_limits<int>::max()} ||
        !head.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) ||
        head.resume_key().size() != keys.resume.bytes.size()) {
        return failure(ErrorCode::damaged_recording, "the head of the recording is damaged");
    }
    app::SettingsRequest request;
    request.is_dev = head.is_dev();
    // All of them first: defaults may have changed since. A build that came before a setting still
    // reads what was recorded without it.
    auto settings = app::parse_settings(head.settings(), request);
    if (!settings && head.has_settings_changed()) {
        settings = app::parse_settings(head.settings_changed(), request);
    }
    if (!settings) {
        return failure(
            head.version() == app::version() ? ErrorCode::damaged_recording
                                             : ErrorCode::newer_recording,
            fmt::format("this program does not understand the settings of version {}: {}",
                        head.version(), settings.error().detail));
    }
    for (auto& key : settings->token_keys) {
        const auto kept = std::find_if(head.token_keys().begin(), head.token_keys().end(),
                                       [&](const auto& one) { return one.kid() == key.kid; });
        if (kept == head.token_keys().end()) {
            return failure(ErrorCode::damaged_recording, "the recording lacks the key " + key.kid);
        }
        key.key = kept->key();
    }
    std::copy(head.resume_key().begin(), head.resume_key().end(), keys.resume.bytes.begin());
    keys.own_token_key = head.own_token_key();
    keys.placement = {head.placement_key_low(), head.placement_key_high()};
    keys.table = {head.table_key_low(), head.table_key_high()};
    keys.epoch = Epoch{head.epoch()};
    keys.bucket_seed = head.bucket_seed();
    if (head.shard() >= settings->server.shards) {
        return failure(ErrorCode::damaged_recording, "the recording is of a shard that cannot be");
    }
    auto site = make_site(*settings, keys);
    if (!site) {
        return failure(ErrorCode::damaged_recording, site.error().detail);
    }
    return RecordedShard{head.version(), ShardId{static_cast<std::uint16_t>(head.shard())},
                         head.shard_seed(), *std::move(site)};
}

}  // namespace muster::server
