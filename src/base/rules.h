#pragma once

namespace muster {

/// Rules of the protocol (GUARANTEES.md section 6) that can be switched off, one by one: but only
/// in `sim_canaries`, the program with which a test shows that the simulator misses each of them.
/// In every other program all hold, and the compiler sees that.
struct Rules {
    bool cursors_name_inc = true;     ///< R1: a cursor is compared as (inc, seq)
    bool ops_name_inc = true;         ///< R2: an op counts for the inc that it names
    bool rejections_count = true;     ///< R3: also what is refused uses its number up
    bool window_spans_issued = true;  ///< R4: and not only what is open
    bool lost_is_new = true;          ///< R20: what begins anew has another inc
    bool cep_names_inc = true;        ///< R25: of the user queue
    bool fence_first = true;          ///< R26: WELCOME comes after the answers to FENCE, …
    bool queues_check_cep = true;     ///< … and queues refuse what is of a smaller cep
};

#ifdef MUSTER_CANARIES
inline Rules rules_in_force;
#else
static constexpr Rules rules_in_force;
#endif

}  // namespace muster
