#pragma once

#include "shell/admin/gate.h"
#include "shell/admin/reply_table.h"
#include "shell/admin/request.h"
#include "shell/admin/router.h"
#include "shell/admin/site.h"

namespace muster::admin {

/// The admin HTTP+JSON API: takes requests as values and answers them with what the site says.
/// SURFACES.md section 5; openapi.json describes it to machines.
///
/// Owns:       the gate, and the replies of POSTs that no queue remembers.
/// Thread:     the service thread, like the site's answers. The Api must live until the site has
///             answered, or dropped, every question.
/// Invariants: every request is answered once. Nothing but /healthz, /readyz, /openapi.json and the
///             console's pages is answered without a key (unless the gate is open).
class Api {
public:
    Api(Site& site, GateSettings gate);

    /// Answers a request, now or when the site has answered.
    void handle(const Request& request, Respond respond);

    /// Carries out a request of a caller who has been let in: its own one, or a line of its batch.
    void carry_out(const Request& request, const Access& access, Respond respond);

private:
    struct Arrival;

    [[nodiscard]] static Parsed<Arrival> arrive(const Request& request, const Access& access);
    void carry_out_once(const Request& request, const Access& access, const Arrival& arrival,
                        Respond respond);
    void run(const Request& request, const Access& access, const Arrival& arrival, Respond respond);

    Site& site_;
    Gate gate_;
    ReplyTable replies_;
};

}  // namespace muster::admin
