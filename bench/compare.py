"""What many reports of `muster bench` say together: medians, ratios round by round, goals.

A report is the JSON object that `muster bench -o json` prints. Ratios are taken between runs of the
same round, which are minutes apart at most, so that what else the machine does cancels out.
"""

import html
import statistics
from dataclasses import dataclass, field

WRONG = ("lost", "doubled", "out_of_order", "strayed", "refused", "disconnected")

# What can be compared: name -> (how to read it from a report, unit).
METRICS = {
    "rate": (lambda report: report.get("per_second"), "/s"),
    "cpu": (lambda report: report.get("server_cpu_us_each"), "us"),
    "p50": (lambda report: report.get("latency_us", {}).get("p50"), "us"),
    "p99": (lambda report: report.get("latency_us", {}).get("p99"), "us"),
    "last": (lambda report: report.get("whole_us", {}).get("max"), "us"),
    "bytes": (lambda report: report.get("server_bytes_per_client"), "B"),
    "back": (lambda report: report.get("back_seconds"), "s"),
    "recovery": (lambda report: report.get("recovery_seconds"), "s"),
}


@dataclass
class Goal:
    """`metric` of a kind of server, or its ratio to another's, must be at least or at most so much."""

    metric: str
    at_least: float | None = None
    at_most: float | None = None
    to: str | None = None
    of: str = "muster"

    def is_met(self, value):
        if self.at_least is not None:
            return value >= self.at_least
        return 0 <= value <= self.at_most

    def __str__(self):
        sign, bound = (">=", self.at_least) if self.at_least is not None else ("<=", self.at_most)
        unit = f" x {self.to}" if self.to else f" {METRICS[self.metric][1]}"
        of = "" if self.of == "muster" else f"{self.of} "
        return f"{of}{self.metric} {sign} {bound:g}{unit}"


@dataclass
class Job:
    """One work, done by each kind of server in each round."""

    name: str
    work: str
    options: list
    kinds: list
    goals: list = field(default_factory=list)
    rounds: int | None = None  # Fewer than the others.
    reports: dict = field(default_factory=dict)  # By kind: one report a round, None if it failed.


def value_of(report, metric):
    return None if report is None else METRICS[metric][0](report)


def wrong_in(report):
    """How many deliveries were wrong; a conflated one is not. Refusals are an answer to overload."""
    fields = [name for name in WRONG if not (name == "refused" and "capacity" in report)]
    return sum(report.get(name, 0) for name in fields)


def median_of(reports, metric):
    values = [v for v in (value_of(report, metric) for report in reports) if v is not None]
    return statistics.median(values) if values else None


def ratios(ours, theirs, metric):
    """One ratio for each round in which both have a value and theirs is not nothing."""
    pairs = ((value_of(a, metric), value_of(b, metric)) for a, b in zip(ours, theirs))
    return [a / b for a, b in pairs if a is not None and b]


@dataclass
class Verdict:
    job: str
    goal: str
    values: list  # One a round.
    is_met: bool
    by_cpu: list = field(default_factory=list)  # The same ratio, of deliveries per CPU second.

    @property
    def median(self):
        return statistics.median(self.values) if self.values else None

    def __str__(self):
        if not self.values:
            return f"{self.job:22} {self.goal:24} not measured"
        by_cpu = f"  by CPU {statistics.median(self.by_cpu):.3g}" if self.by_cpu else ""
        spread = f"({min(self.values):.3g} ... {max(self.values):.3g})"
        return (
            f"{self.job:22} {self.goal:24} {self.median:10.4g} {spread:22} "
            f"{'ok' if self.is_met else 'MISSED'}{by_cpu}"
        )


def verdicts(job):
    """Holds the medians of a job against its goals."""
    found = []
    for goal in job.goals:
        ours = job.reports.get(goal.of, [])
        if goal.to:
            values = ratios(ours, job.reports.get(goal.to, []), goal.metric)
        else:
            values = [v for v in (value_of(report, goal.metric) for report in ours) if v is not None]
        # Where others want the machine, too, the rates suffer by chance; CPU times do less.
        of_rates = goal.to and goal.metric == "rate"
        by_cpu = ratios(job.reports.get(goal.to, []), ours, "cpu") if of_rates else []
        is_met = bool(values) and goal.is_met(statistics.median(values))
        found.append(Verdict(job.name, str(goal), values, is_met, by_cpu))
    return found


HEADINGS = ("work", "server", "rate/s", "CPU us", "p50 us", "p99 us", "last us", "server", "gen", "wrong")


def rows(job):
    """The table's lines for one job: text, one for each kind."""
    for kind in job.kinds:
        reports = [report for report in job.reports.get(kind, []) if report is not None]
        if not reports:
            what = "failed" if kind in job.reports else "not run"
            yield (job.name, kind, what, "", "", "", "", "", "", "")
            continue

        def shown(metric, form):
            value = median_of(reports, metric)
            return "-" if value is None else format(value, form)

        def share(name):
            values = [report[name] for report in reports if name in report]
            return f"{statistics.median(values):.0%}" if values else "-"

        limit = "!" if any(report["is_generator_the_limit"] for report in reports) else ""
        yield (
            job.name,
            kind,
            shown("rate", ",.0f"),
            shown("cpu", ".2f"),
            shown("p50", ",.0f"),
            shown("p99", ",.0f"),
            shown("last", ",.0f"),
            share("server_share"),
            share("generator_share") + limit,
            str(sum(wrong_in(report) for report in reports)),
        )


def as_text(lines):
    widths = (22, 10, 11, 8, 9, 9, 10, 6, 6, 6)
    return "\n".join(
        " ".join(
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths))
        )
        for line in lines
    )


STYLE = """
:root { --fg: #1b1f24; --bg: #fff; --grid: #d8dde3; --bar: #0b62c4; --bad: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --fg: #e6e8eb; --bg: #14171b; --grid: #343b44; --bar: #6cb2ff; --bad: #ff8f87; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--fg); background: var(--bg);
  max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
div { overflow-x: auto; } table { border-collapse: collapse; font-size: 13px; }
td, th { padding: .15rem .6rem; border-bottom: 1px solid var(--grid); text-align: right; }
td:first-child, td:nth-child(2) { text-align: left; } .missed { color: var(--bad); }
svg { width: 100%; height: auto; } svg text { fill: var(--fg); font-size: 12px; }
rect { fill: var(--bar); }
"""


def bars(job, metric):
    """One SVG: a bar for each kind, the median of `metric`."""
    values = [(kind, median_of(job.reports.get(kind, []), metric)) for kind in job.kinds]
    values = [(kind, value) for kind, value in values if value]
    if len(values) < 2:
        return ""
    most = max(value for _, value in values)
    drawn = "".join(
        f'<text x="0" y="{i * 22 + 15}">{html.escape(kind)}</text>'
        f'<rect x="110" y="{i * 22 + 3}" width="{420 * value / most:.1f}" height="16"/>'
        f'<text x="{116 + 420 * value / most:.1f}" y="{i * 22 + 15}">{value:,.4g}</text>'
        for i, (kind, value) in enumerate(values)
    )
    title = html.escape(f"{job.name}: {metric}, {METRICS[metric][1]}")
    return (
        f'<h3>{title}</h3><svg viewBox="0 0 640 {len(values) * 22 + 4}" role="img" '
        f'aria-label="{title}">{drawn}</svg>'
    )


def page(jobs, subtitle):
    """A whole HTML page with tables and bars; it loads nothing."""

    def table(head, lines):
        def line(cells, tag):
            return "<tr>" + "".join(f"<{tag}>{html.escape(c)}</{tag}>" for c in cells) + "</tr>"

        return "<div><table>" + line(head, "th") + "".join(line(c, "td") for c in lines) + "</table></div>"

    found = [verdict for job in jobs for verdict in verdicts(job)]
    goals = "".join(
        f'<li class="{"met" if verdict.is_met else "missed"}">{html.escape(str(verdict))}</li>'
        for verdict in found
    )
    plots = "".join(bars(job, "rate") + bars(job, "cpu") for job in jobs)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><title>Muster, measured</title>'
        f"<style>{STYLE}</style></head><body><h1>Muster, measured</h1>"
        f"<p>{html.escape(subtitle)}</p><h2>Goals</h2><ul>{goals}</ul><h2>All works</h2>"
        + table(HEADINGS, [row for job in jobs for row in rows(job)])
        + f"{plots}</body></html>\n"
    )
