#!/usr/bin/env python3
"""What compare.py says of reports: medians, ratios, goals, the page."""

import unittest

import compare
from compare import Goal, Job


def report(rate, cpu, **more):
    return {
        "per_second": rate,
        "server_cpu_us_each": cpu,
        "latency_us": {"p50": 10, "p99": 90},
        "generator_share": 0.5,
        "server_share": 0.9,
        "is_generator_the_limit": False,
        **more,
    }


class Comparing(unittest.TestCase):
    def job(self, goals):
        job = Job("rooms", "rooms", [], ["limit", "muster"], goals)
        job.reports = {
            "limit": [report(100, 1), report(200, 2), report(100, 1)],
            "muster": [report(90, 1.1), report(120, 2.2), report(95, 1.3)],
        }
        return job

    def test_ratios_are_taken_round_by_round(self):
        job = self.job([])
        self.assertEqual(
            compare.ratios(job.reports["muster"], job.reports["limit"], "rate"), [0.9, 0.6, 0.95]
        )

    def test_goals_are_held_against_the_median(self):
        found = compare.verdicts(
            self.job(
                [Goal("rate", 0.85, to="limit"), Goal("rate", 0.95, to="limit"),
                 Goal("cpu", at_most=1.12, to="limit"), Goal("p50", at_most=9)]
            )
        )
        self.assertEqual([verdict.is_met for verdict in found], [True, False, True, False])
        self.assertIn("MISSED", str(found[1]))
        self.assertIn("0.6 ... 0.95", str(found[1]))
        self.assertIn("by CPU 0.909", str(found[1]))
        self.assertEqual(found[2].by_cpu, [])

    def test_a_goal_may_be_that_of_another_kind(self):
        found = compare.verdicts(self.job([Goal("cpu", at_most=0.9, of="limit", to="muster")]))
        self.assertEqual(found[0].values, [1 / 1.1, 2 / 2.2, 1 / 1.3])
        self.assertFalse(found[0].is_met)
        self.assertIn("limit cpu <= 0.9 x muster", str(found[0]))

    def test_a_round_without_a_report_is_left_out(self):
        job = self.job([Goal("rate", 0.85, to="limit")])
        job.reports["limit"][1] = None
        self.assertEqual(compare.verdicts(job)[0].values, [0.9, 0.95])
        job.reports["limit"] = [None] * 3
        verdict = compare.verdicts(job)[0]
        self.assertFalse(verdict.is_met)
        self.assertIn("not measured", str(verdict))
        self.assertIn("failed", compare.as_text(compare.rows(job)))
        del job.reports["limit"]
        self.assertIn("not run", compare.as_text(compare.rows(job)))

    def test_a_recovery_that_never_came_misses_its_goal(self):
        job = Job("overload", "fanout", [], ["muster"], [Goal("recovery", at_most=2)])
        job.reports = {"muster": [report(1, 1, capacity=5, recovery_seconds=-1)]}
        self.assertFalse(compare.verdicts(job)[0].is_met)

    def test_what_is_wrong_is_added_up(self):
        self.assertEqual(compare.wrong_in(report(1, 1, lost=1, doubled=2, conflated=9, refused=4)), 7)
        self.assertEqual(compare.wrong_in(report(1, 1, lost=1, refused=4, capacity=1)), 1)

    def test_the_limit_by_the_generator_is_marked(self):
        job = self.job([])
        job.reports["limit"][0]["is_generator_the_limit"] = True
        self.assertIn("50%!", compare.as_text(compare.rows(job)))

    def test_the_page_loads_nothing(self):
        job = self.job([Goal("rate", 0.85, to="limit")])
        page = compare.page([job], "<now>")
        self.assertIn("<svg", page)
        self.assertIn("&lt;now&gt;", page)
        self.assertIn("prefers-color-scheme: dark", page)
        for outside in ("<script", "http:", "https:", "src=", "url(", "@import"):
            self.assertNotIn(outside, page)


if __name__ == "__main__":
    unittest.main()
