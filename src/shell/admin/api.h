#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "shell/admin/gate.h"
#include "shell/admin/reply_table.h"
#include "shell/admin/request.h"
#include "shell/admin/router.h"
#include "shell/admin/site.h"

namespace muster::admin {

/// What of a request is told to the log. Refers to texts of the request.
struct Notice {
    enum class Kind : std::uint8_t {
        refused,  ///< it had no right to what it asked for
        changed,  ///< it made, changed or deleted a queue or a mount, or ended a session
    };
    Kind kind;
    std::string_view key;  ///< name of the key; empty where none was good
    std::string_view peer;
    std::string_view method;
    std::string_view path;
    std::string_view detail = {};  ///< why it was refused
};
using TellLog = std::function<void(const Notice&)>;

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
    /// `tell_log` is called while a request is answered.
    Api(Site& site, GateSettings gate, TellLog tell_log);

    /// Answers a request, now or when the site has answered.
    void handle(const Request& request, Respond respond);

    /// Carries out a request of a caller who has been let in: its own one, or a line of its batch.
    void carry_out(const Request& request, const Access& access, Respond respond);

private:
    struct Arrival;

    void tell_refusal(const Request& request, std::string_view key, const Problem& why) const;
    [[nodiscard]] Respond telling_change(const Request& request, const Access& access,
                                         Respond respond) const;

    [[nodiscard]] static Parsed<Arrival> arrive(const Request& request, const Access& access);
    void carry_out_once(const Request& request, const Access& access, const Arrival& arrival,
                        Respond respond);
    void run(const Request& request, const Access& access, const Arrival& arrival, Respond respond);

    Site& site_;
    Gate gate_;
    TellLog tell_log_;
    ReplyTable replies_;
};

}  // namespace muster::admin
