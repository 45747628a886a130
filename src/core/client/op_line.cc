#include "core/client/op_line.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/check.h"
#include "base/rules.h"

namespace muster::client {

namespace {

constexpr std::uint8_t rebinds_max = 3;
constexpr std::uint8_t holes_until_fill = 2;

bool is_join(const Request& request) noexcept { return std::holds_alternative<Join>(request); }

bool brings_inc(const Request& request) noexcept {
    return is_join(request) || std::holds_alternative<Listen>(request);
}

bool is_unlisten(const OpLine::Op& op) noexcept {
    return std::holds_alternative<Unlisten>(op.body);
}

bool is_wanted(const OpLine::Op& op) noexcept { return op.intent == OpLine::Intent::apply; }

}  // namespace

bool is_op(const Request& request) noexcept {
    return is_join(request) || std::holds_alternative<Leave>(request) ||
           std::holds_alternative<Send>(request) || std::holds_alternative<Set>(request);
}

// ---- New requests --------------------------------------------------------------------------

bool OpLine::add(Op op) {
    if (held_.size() >= held_max) {
        return false;
    }
    held_.push_back(std::move(op));
    return true;
}

OpLine::Op* OpLine::open_next(bool is_resuming) {
    if (held_.empty()) {
        return nullptr;
    }
    Op& next = held_.front();
    if (is_resuming && (is_unlisten(next) || (is_op(next.body) && !is_join(next.body)))) {
        return nullptr;
    }
    if (is_op(next.body)) {
        if (!may_number(next)) {
            return nullptr;
        }
        const bool names_no_inc = inc_.value == 0 || (is_join(next.body) && next_ == 1);
        if (!names_no_inc && next_ <= stray_max_) {
            return &open_filler(next_++, inc_, open_.end());
        }
        next.number = next_;
        if (!names_no_inc) {
            next.inc = inc_;
            ++next_;
        }
    } else {
        const auto asks = std::ranges::count(open_, OpNumber{0}, &Op::number);
        if (must_wait(next) || static_cast<std::size_t>(asks) >= asks_max) {
            return nullptr;
        }
    }
    open_.push_back(std::move(next));
    held_.pop_front();
    return &open_.back();
}

// What begins a stream and what ends one wait for each other: one that a busy gateway turned away
// would be sent again behind the other and undo it, and one that begins a stream tells from where.
bool OpLine::must_wait(const Op& next) const noexcept {
    return std::ranges::any_of(open_, [&next](const Op& op) {
        if (std::holds_alternative<History>(next.body)) {
            return is_wanted(op) && brings_inc(op.body);
        }
        return brings_inc(next.body) ? std::holds_alternative<Unlisten>(op.body)
                                     : brings_inc(op.body);
    });
}

bool OpLine::may_number(const Op& op) const noexcept {
    if (is_pushed_back_ || has_unbound() || is_first_open() ||
        (is_join(op.body) && must_wait(op)) || (!is_join(op.body) && has_open_join())) {
        return false;
    }
    if (inc_.value == 0) {
        return is_join(op.body);
    }
    const Op* first = lowest(inc_);
    if (!rules_in_force.window_spans_issued) {
        return open_.size() < window;
    }
    return first == nullptr || next_ - first->number < (is_guess_ ? 1 : window);
}

bool OpLine::has_unbound() const noexcept {
    return std::ranges::any_of(open_,
                               [](const Op& op) { return op.number != 0 && op.inc.value == 0; });
}

// Were our first op delayed (a join or leave goes through the user queue, a busy gateway turns one
// away and takes the next) and another came before it, the queue would take us for somebody whom it
// has forgotten, and answer EXPIRED.
bool OpLine::is_first_open() const noexcept {
    return std::ranges::any_of(open_,
                               [this](const Op& op) { return op.number == 1 && op.inc == inc_; });
}

const OpLine::Op* OpLine::lowest(Inc inc) const noexcept {
    const auto found = std::ranges::find_if(
        open_, [inc](const Op& op) { return op.number != 0 && op.inc == inc; });
    return found == open_.end() ? nullptr : &*found;
}

bool OpLine::can_hope_for_inc() const noexcept {
    const auto brings = [](const Op& op) { return is_wanted(op) && brings_inc(op.body); };
    return inc_.value != 0 || std::ranges::any_of(held_, brings) ||
           std::ranges::any_of(open_, brings);
}

bool OpLine::is_next_hopeless() const noexcept {
    if (held_.empty() || inc_.value != 0) {
        return false;
    }
    const Request& next = held_.front().body;
    return is_op(next) && !is_join(next) && std::ranges::none_of(open_, [](const Op& op) {
               return is_wanted(op) && brings_inc(op.body);
           });
}

// Should the history that the join names be gone, it is asked for another one, and what waits here
// goes there. Nobody else would take it anyway.
bool OpLine::has_open_join() const noexcept {
    return std::ranges::any_of(open_,
                               [](const Op& op) { return is_wanted(op) && is_join(op.body); });
}

bool OpLine::has_join() const noexcept {
    const auto joins = [](const Op& op) { return is_wanted(op) && is_join(op.body); };
    return std::ranges::any_of(held_, joins) || std::ranges::any_of(open_, joins);
}

bool OpLine::has_listen() const noexcept {
    const auto listens = [](const Op& op) { return std::holds_alternative<Listen>(op.body); };
    return std::ranges::any_of(held_, listens) || std::ranges::any_of(open_, listens);
}

bool OpLine::ends_joined(bool otherwise) const noexcept {
    bool is_joined = otherwise;
    for (const auto* ops : {&open_, &held_}) {
        for (const Op& op : *ops) {
            const bool decides = is_join(op.body) || std::holds_alternative<Leave>(op.body);
            is_joined = is_wanted(op) && decides ? is_join(op.body) : is_joined;
        }
    }
    return is_joined;
}

bool OpLine::ends_listening(bool otherwise) const noexcept {
    bool is_listening = otherwise;
    for (const auto* ops : {&open_, &held_}) {
        for (const Op& op : *ops) {
            const bool listens = std::holds_alternative<Listen>(op.body);
            const bool decides = listens || std::holds_alternative<Unlisten>(op.body);
            is_listening = is_wanted(op) && decides ? listens : is_listening;
        }
    }
    return is_listening;
}

bool OpLine::holds_unlisten() const noexcept { return std::ranges::any_of(held_, is_unlisten); }

bool OpLine::has_unlisten() const noexcept {
    return holds_unlisten() || std::ranges::any_of(open_, is_unlisten);
}

bool OpLine::awaits_stream() const noexcept {
    return std::ranges::any_of(open_, [](const Op& op) {
        const bool is_filler = op.intent == Intent::fill && op.number != 0;
        return brings_inc(op.body) && op.attempts > 0 && !is_filler;
    });
}

// ---- Sending -------------------------------------------------------------------------------

void OpLine::sent(Op& op, Instant now) {
    ++op.attempts;
    op.is_due = false;
    op.was_turned_away = false;
    if (op.number != 0 && op.inc.value == 0 && op.attempts > 1) {
        stray_max_ = std::max(stray_max_, op.number);
    }
    if (!retry_at_) {
        retry_at_ = now + retry_delay_;
    }
}

void OpLine::restart() {
    pause();
    retry_delay_ = retry_first;
    push_backs_ = 0;
    for (Op& op : open_) {
        op.is_due = true;
    }
}

void OpLine::forget_vain_unlistens() {
    const auto is_vain = [](const Op& op) {
        return is_unlisten(op) && (op.id.value == 0 || op.intent == Intent::fill);
    };
    std::erase_if(open_, is_vain);
    std::erase_if(held_, is_vain);
}

void OpLine::pause() noexcept {
    retry_at_.reset();
    is_pushed_back_ = false;
}

void OpLine::time_passed(Instant now) {
    if (!retry_at_ || now < *retry_at_) {
        return;
    }
    if (!is_pushed_back_) {
        retry_delay_ = std::min(retry_delay_ * 2, retry_max);
    }
    pause();
    for (Op& op : open_) {
        op.is_due = op.is_due || op.number != 0 || op.was_turned_away;
    }
}

// ---- Answers -------------------------------------------------------------------------------

OpLine::Op* OpLine::find(std::uint64_t request) noexcept {
    const auto found = std::ranges::find(open_, request, &Op::request);
    return found == open_.end() ? nullptr : &*found;
}

void OpLine::bind(Inc inc) {
    if (inc == inc_ || inc.value == 0) {
        return;
    }
    if (inc_.value != 0) {
        if (earlier_.size() == counted_max) {
            earlier_.pop_front();
        }
        earlier_.push_back({inc_, next_});
        next_ = 1;
        is_guess_ = false;
    }  // Otherwise a guess was made for just the inc that we now get to know.
    inc_ = inc;
    const auto known = std::ranges::find(earlier_, inc, &Counted::inc);
    if (known != earlier_.end()) {
        next_ = known->next;
        is_guess_ = false;
        earlier_.erase(known);
    }
}

void OpLine::forget_inc(Inc ended) {
    std::erase_if(earlier_, [ended](const Counted& counted) { return counted.inc == ended; });
    if (inc_ == ended) {
        inc_ = Inc{};
        next_ = 1;
        is_guess_ = false;
    }
}

OpLine::Op OpLine::settle_ok(Op& op, std::optional<Inc> inc, Instant now) {
    if (op.number != 0 && op.inc.value == 0) {
        bind(inc.value_or(Inc{}));
        next_ = std::max(next_, op.number + 1);
        is_guess_ = inc_.value == 0;
    } else if (op.number != 0 && op.inc == inc_) {
        is_guess_ = false;
    }
    return take_with_fillers(op, now);
}

OpLine::Op OpLine::settle_rejected(Op& op, ErrorCode code, Instant now) {
    if (op.number != 0 && op.inc.value == 0) {
        // Where there is no queue, nobody counted the op. Elsewhere the queue did, or its gateway
        // spoke for it, which nobody can tell from here.
        if (next_ <= op.number && code != ErrorCode::no_queue && code != ErrorCode::bad_name) {
            next_ = op.number + 1;
            is_guess_ = true;
        }
    } else if (op.number != 0 && op.inc == inc_) {
        is_guess_ = false;
    }
    return take_with_fillers(op, now);
}

OpLine::Op OpLine::settle_gone(Op& op, Instant now) {
    if (op.number != 0 && op.inc.value != 0) {
        forget_inc(op.inc);
    }
    return take(op, now);
}

bool OpLine::rebind_join(Op& op, Instant now) {
    if (!is_join(op.body) || !is_wanted(op) || op.inc.value == 0 || op.rebinds >= rebinds_max) {
        return false;
    }
    forget_inc(op.inc);
    requeue(op, now);
    return true;
}

bool OpLine::renumber_guess(Op& op, Instant now) {
    const bool is_ours = op.inc.value == 0 || op.inc == inc_;
    if (!is_guess_ || !is_wanted(op) || !is_ours || op.number <= 1) {
        return false;
    }
    next_ = 1;
    is_guess_ = false;
    requeue(op, now);
    return true;
}

bool OpLine::forget_guess(const Op& op) noexcept {
    const bool is_ours = op.inc.value == 0 || op.inc == inc_;
    if (!is_guess_ || is_wanted(op) || !is_ours || op.number <= 1) {
        return false;
    }
    next_ = 1;
    is_guess_ = false;
    return true;
}

OpLine::Op OpLine::settle(Op& op, Instant now) { return take(op, now); }

// The queue has decided `op`, and so has seen all numbers before it: they need no no-op any more.
OpLine::Op OpLine::take_with_fillers(Op& op, Instant now) {
    Op settled = take(op, now);
    std::erase_if(open_, [&settled](const Op& other) {
        return other.intent == Intent::fill && other.inc == settled.inc &&
               other.number < settled.number;
    });
    if (open_.empty()) {
        pause();
    }
    return settled;
}

OpLine::Op OpLine::take(Op& op, Instant now) {
    const auto at = std::ranges::find_if(open_, [&op](const Op& other) { return &other == &op; });
    MUSTER_CHECK(at != open_.end());
    const bool was_first = at == open_.begin();
    Op taken = std::move(op);
    open_.erase(at);
    retry_delay_ = retry_first;
    push_backs_ = 0;
    if (open_.empty()) {
        pause();
    } else if (was_first && !is_pushed_back_ && retry_at_) {
        retry_at_ = now + retry_delay_;  // There is progress. Without, one lost ask would starve.
    }
    return taken;
}

void OpLine::requeue(Op& op, Instant now) {
    Op again = take(op, now);
    again.request = 0;
    again.deadline.reset();
    again.number = 0;
    again.inc = Inc{};
    again.attempts = 0;
    again.holes = 0;
    ++again.rebinds;
    again.is_due = true;
    held_.push_front(std::move(again));
}

void OpLine::push_back(Op& op, ErrorCode code, Duration after, Instant now) {
    op.was_turned_away = true;
    if (!is_pushed_back_) {
        const bool is_quick = code == ErrorCode::hole || after > Duration::zero();
        const Duration shortest = std::max(after, is_quick ? push_back_min : retry_first);
        const Duration grown = push_back_min * (std::int64_t{1} << std::min(push_backs_, 8U));
        retry_at_ = now + std::max(shortest, std::min(grown, retry_max));
        is_pushed_back_ = true;
        ++push_backs_;
    }
    const bool is_lowest = op.number > 1 && lowest(op.inc) == &op;
    if (code == ErrorCode::hole && is_lowest && ++op.holes >= holes_until_fill) {
        op.holes = 0;
        fill_before(op.number, op.inc);
    }
}

// All below `number` have been decided here, yet the queue has not seen them: somebody in between
// gave a final answer of its own. No-ops use these numbers up; where the queue has seen one after
// all, it repeats its result and nothing happens.
// First those that its ring still holds whatever else it has seen meanwhile, since a HOLE may be
// old; should that not do, further back.
void OpLine::fill_before(OpNumber number, Inc inc) {
    const auto window_before = [](OpNumber end) { return end > window ? end - window : 1; };
    OpNumber first = inc == inc_ ? window_before(next_) : window_before(number);
    if (first >= number) {
        first = window_before(number);
    }
    for (OpNumber missing = first; missing < number; ++missing) {
        const auto before = std::ranges::find_if(
            open_, [number, inc](const Op& op) { return op.number == number && op.inc == inc; });
        open_filler(missing, inc, before).is_due = false;  // With the others, after the wait.
    }
}

OpLine::Op& OpLine::open_filler(OpNumber number, Inc inc, std::deque<Op>::iterator before) {
    Op op;
    op.number = number;
    op.inc = inc;
    op.intent = Intent::fill;
    return *open_.insert(before, std::move(op));
}

bool OpLine::refuse(Op& op, std::uint32_t attempt) noexcept {
    return is_wanted(op) &&
           ((op.attempts == 1 && attempt == 1) || !rules_in_force.refusal_needs_first);
}

void OpLine::withdraw(Op& op, Intent intent) noexcept {
    op.intent = intent;
    op.is_due = true;
}

// ---- The client's identity -----------------------------------------------------------------

std::vector<OpLine::Op> OpLine::forget_numbers() {
    std::vector<Op> taken;
    std::deque<Op> asks;
    for (Op& op : open_) {
        if (op.number != 0) {
            taken.push_back(std::move(op));
        } else {
            asks.push_back(std::move(op));
        }
    }
    open_ = std::move(asks);
    next_ = 1;
    is_guess_ = false;
    stray_max_ = 0;
    earlier_.clear();
    pause();
    return taken;
}

bool OpLine::has_open_ops() const noexcept {
    return std::ranges::any_of(open_, [](const Op& op) { return op.number != 0; });
}

}  // namespace muster::client
