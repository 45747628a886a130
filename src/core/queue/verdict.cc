#include "core/queue/verdict.h"

#include <chrono>
#include <utility>

#include "base/check.h"

namespace muster::queue {

Verdict accepted(Cursor at, bool is_new) {
    Verdict verdict;
    verdict.at = at;
    verdict.is_new = is_new;
    return verdict;
}

Verdict rejected(ErrorCode code, std::string detail) {
    return refused(Verdict::Kind::rejected, code, std::move(detail));
}

Verdict refused(Verdict::Kind kind, ErrorCode code, std::string detail) {
    Verdict verdict;
    verdict.kind = kind;
    verdict.code = code;
    verdict.detail = std::move(detail);
    return verdict;
}

Verdict busy(ErrorCode code, Duration wait) {
    Verdict verdict = refused(Verdict::Kind::busy, code);
    verdict.retry_ms =
        static_cast<std::uint32_t>(std::chrono::ceil<std::chrono::milliseconds>(wait).count());
    return verdict;
}

KeptVerdict keep(const Verdict& verdict) {
    if (verdict.kind == Verdict::Kind::ok) {
        return {verdict.at.seq, ErrorCode::protocol, KeptVerdict::Kind::ok};
    }
    MUSTER_CHECK(verdict.kind == Verdict::Kind::rejected);
    return {verdict.current.value_or(0), verdict.code,
            verdict.current ? KeptVerdict::Kind::conflict : KeptVerdict::Kind::rejected};
}

Verdict recall(const KeptVerdict& kept, Inc inc) {
    if (kept.kind == KeptVerdict::Kind::ok) {
        return accepted({inc, kept.seq}, false);
    }
    Verdict verdict = kept.kind == KeptVerdict::Kind::forgotten
                          ? rejected(kept.code, "it was rejected; why is not remembered any more")
                          : rejected(kept.code);
    verdict.is_new = false;
    if (kept.kind == KeptVerdict::Kind::conflict) {
        verdict.current = kept.seq;
    }
    return verdict;
}

}  // namespace muster::queue
