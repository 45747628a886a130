#pragma once

#include <cstdint>
#include <string>

#include "base/error_code.h"
#include "base/ids.h"
#include "base/time.h"
#include "core/queue/messages.h"

/// Making verdicts, and keeping them.
namespace muster::queue {

[[nodiscard]] Verdict accepted(Cursor at, bool is_new = true);
[[nodiscard]] Verdict rejected(ErrorCode code, std::string detail = {});

/// The verdicts that are neither OK nor REJECTED.
[[nodiscard]] Verdict refused(Verdict::Kind kind, ErrorCode code, std::string detail = {});

/// BUSY and RETRY: the same op may come again after `wait`.
[[nodiscard]] Verdict busy(ErrorCode code, Duration wait);

/// An OK or REJECTED as it is kept for those who ask again, in 16 bytes: everything but the words
/// for people.
struct KeptVerdict {
    enum class Kind : std::uint8_t {
        ok,
        rejected,
        conflict,
        forgotten,  ///< it was rejected; why is not known any more
    };
    Seq seq = 0;  ///< ok: where the op took effect, or 0 where that is not known any more;
                  ///< conflict: where the key last changed
    ErrorCode code = ErrorCode::protocol;  ///< not for ok
    Kind kind = Kind::ok;

    friend bool operator==(const KeptVerdict&, const KeptVerdict&) = default;
};

/// `verdict` must be OK or REJECTED: nothing else is final.
[[nodiscard]] KeptVerdict keep(const Verdict& verdict);

/// Returns what keep() took, as the answer to a repetition. `inc`: of the queue that gave it.
[[nodiscard]] Verdict recall(const KeptVerdict& kept, Inc inc);

}  // namespace muster::queue
