#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "app/setting_problems.h"
#include "app/setting_value.h"
#include "app/settings.h"

/// The lists of the configuration: [[token_key]], [[admin_key]], [[template]].
namespace muster::app {

inline constexpr std::array<std::string_view, 3> list_names{"token_key", "admin_key", "template"};

inline constexpr std::array token_algorithms{Word<TokenAlgorithm>{"HS256", TokenAlgorithm::hs256},
                                             Word<TokenAlgorithm>{"ES256", TokenAlgorithm::es256}};
inline constexpr std::array admin_roles{Word<AdminRole>{"read", AdminRole::read},
                                        Word<AdminRole>{"game-server", AdminRole::game_server},
                                        Word<AdminRole>{"operator", AdminRole::operator_}};
inline constexpr std::array who_may_words{Word<queue::WhoMay>{"server", queue::WhoMay::server},
                                          Word<queue::WhoMay>{"anyone", queue::WhoMay::anyone}};
inline constexpr std::array who_listens_words{
    Word<queue::WhoListens>{"server", queue::WhoListens::server},
    Word<queue::WhoListens>{"members", queue::WhoListens::members},
    Word<queue::WhoListens>{"anyone", queue::WhoListens::anyone}};
inline constexpr std::array who_writes_words{
    Word<queue::WhoWrites>{"server", queue::WhoWrites::server},
    Word<queue::WhoWrites>{"members", queue::WhoWrites::members},
    Word<queue::WhoWrites>{"owner", queue::WhoWrites::owner},
    Word<queue::WhoWrites>{"anyone", queue::WhoWrites::anyone}};
inline constexpr std::array mount_kinds{
    Word<queue::MountKind>{"message", queue::MountKind::message},
    Word<queue::MountKind>{"state", queue::MountKind::state}};
inline constexpr std::array slow_policies{
    Word<queue::SlowPolicy>{"close", queue::SlowPolicy::close},
    Word<queue::SlowPolicy>{"drop", queue::SlowPolicy::drop}};

/// Reads one element of a list into `settings`. Relative paths stay as they are written.
void read_token_key(TableReader& reader, Settings& settings);
void read_admin_key(TableReader& reader, Settings& settings);

/// `payload_bytes_max` and the like are then already those of the file.
void read_template(TableReader& reader, Settings& settings);

/// The template that --dev comes with: `/room/*` with chat, dice, scores and positions, in which
/// anyone may do what a player does. SURFACES.md section 1.
[[nodiscard]] queue::Template dev_template();

}  // namespace muster::app
