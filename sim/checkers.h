#pragma once

#include <string>
#include <vector>

#include "sim/history.h"

/// The invariants of GUARANTEES.md section 3, as linear passes over a history. Each appends one
/// line for each breach, which begins with the invariant's name.
///
/// I11 is not here yet: it needs the mailbox. I12 says little while a bucket has one owner: what is
/// applied there is committed.
namespace muster::sim {

using Breaches = std::vector<std::string>;

void check_one_history(const History& history, Breaches& out);     // I1
void check_no_gap(const History& history, Breaches& out);          // I2
void check_once(const History& history, Breaches& out);            // I3
void check_acked_is_kept(const History& history, Breaches& out);   // I4
void check_verdicts(const History& history, Breaches& out);        // I5
void check_fold(const History& history, Breaches& out);            // I6
void check_dead_is_dead(const History& history, Breaches& out);    // I7
void check_one_winner(const History& history, Breaches& out);      // I8
void check_fenced(const History& history, Breaches& out);          // I9
void check_real_time(const History& history, Breaches& out);       // I10
void check_visible(const History& history, Breaches& out);         // I12
void check_no_silent_loss(const History& history, Breaches& out);  // I14
void check_liveness(const History& history, Breaches& out);        // after healing

/// PRESENCE: of each user `online` and `offline`, `joined` and `left` alternate; sessions grow,
/// each is shown by every queue that the user was in meanwhile; none ends before its grace time is
/// over; and readers are shown what was decided, no more.
void check_presence(const History& history, Breaches& out);

/// MEMBERS: after healing, queues, user queues, clients and readers agree who is in what.
void check_members(const History& history, Breaches& out);

/// Returns what all of them find, and what was found on the way.
[[nodiscard]] Breaches check_all(const History& history);

}  // namespace muster::sim
