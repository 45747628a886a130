#pragma once

namespace muster {

/// Rules that the protocol was designed by (R1 to R31) that can be switched off, one by one: but
/// only in `sim_canaries`, the program with which a test shows that the simulator misses each of
/// them. In every other program all hold, and the compiler sees that.
struct Rules {
    bool cursors_name_inc = true;     ///< R1: a cursor is compared as (inc, seq)
    bool ops_name_inc = true;         ///< R2: an op counts for the inc that it names
    bool rejections_count = true;     ///< R3: also what is refused uses its number up
    bool window_spans_issued = true;  ///< R4: and not only what is open
    bool ring_spans_window = true;    ///< R5: verdicts are kept of a whole window
    bool refusal_needs_first = true;  ///< R6: a refusal is final only on the only attempt, …
    bool refusal_is_filled = true;    ///< … and its number is used up by a no-op
    bool lost_is_new = true;          ///< R20: what begins anew has another inc
    bool none_steps_back = true;      ///< R23: nobody is served from a copy behind its cursor
    bool gaps_are_seen = true;        ///< R24: by a copy, at each event
    bool cep_names_inc = true;        ///< R25: of the user queue
    bool fence_first = true;          ///< R26: WELCOME comes after the answers to FENCE, …
    bool queues_check_cep = true;     ///< … and queues refuse what is of a smaller cep
    bool check_decides = true;        ///< R27: who has lost its kick learns it from the next check
    bool late_loses = true;           ///< R28: a late attempt of the same client program
};

#ifdef MUSTER_CANARIES
inline Rules rules_in_force;
#else
static constexpr Rules rules_in_force;
#endif

}  // namespace muster
