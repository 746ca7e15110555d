"""`python -m bench`: measure the hub beside a bare floor and a Celery chain. Exit status 1 when a goal is missed.

`python -m bench fairness` and `python -m bench parts` measure other things: see the modules of these names.
"""

import argparse
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from bench import fairness, parts
from bench.measure import Figures, bulk, light, peak_rss_mb, throughput
from bench.report import describe, goals, medians
from bench.systems import ROOT, Bench, CelerySystem, OnwardSystem, System, describe_machine, dump

SYSTEMS = ("floor", "onward", "celery")
PREFETCHES = (64, 4)


class Amounts:
    """How much is measured: enough for a result, or with `quick` just enough to see that all of it works."""

    def __init__(self, *, quick: bool) -> None:
        self.referrals = {"floor": 600, "onward": 600, "celery": 100} if quick else {
            "floor": 3000, "onward": 3000, "celery": 600,
        }  # fmt: skip
        self.warm = 64 if quick else 300
        self.rate, self.light_s = 20.0, 2.0 if quick else 6.0
        self.rows = 2000 if quick else 20_000
        self.calibration = (1, 100) if quick else (2, 300)


class Report:
    """Prints each measurement as it is made and keeps it."""

    def __init__(self) -> None:
        self.figures: list[Figures] = []
        self.faulty = False

    def add(self, figures: Figures) -> None:
        """Keep one that counts."""
        self.figures.append(figures)
        self.show(figures)

    def show(self, figures: Figures) -> None:
        """Print one; a fault counts even where the figure does not."""
        self.faulty |= bool(figures.faults)
        print(describe(figures), flush=True)


def choose_prefetch(bench: Bench, celery: CelerySystem, report: Report, passes: int, count: int) -> int:
    """Return the prefetch multiplier with which Celery is faster, and leave its worker running with it."""
    best: dict[int, float] = {}
    for prefetch in PREFETCHES * passes:
        celery.use_prefetch(prefetch)
        throughput(bench, celery, 64)
        figures = throughput(bench, celery, count)
        print(f"  prefetch {prefetch}: ", end="")
        report.show(figures)
        best[prefetch] = max(best.get(prefetch, 0.0), figures.rate)
    chosen = max(best, key=lambda prefetch: best[prefetch])
    celery.use_prefetch(chosen)
    throughput(bench, celery, 64)
    return chosen


def one_round(bench: Bench, report: Report, amounts: Amounts) -> None:
    """Measure every system once, one after the other."""
    for system in bench.systems:
        report.add(throughput(bench, system, amounts.referrals[system.name]))
    for system in bench.systems:
        report.add(light(bench, system, amounts.rate, amounts.light_s))
    onward = bench.system("onward")
    if isinstance(onward, OnwardSystem):
        report.add(bulk(bench, onward, amounts.rows))


def peaks(system: System | None) -> dict[str, float]:
    """Return the peak memory of the hub's processes in MB."""
    return {name: round(peak_rss_mb(pid), 1) for name, pid in system.processes().items()} if system else {}


def _stop(*_: object) -> NoReturn:
    sys.exit(143)


def main() -> int:
    """Measure; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="few referrals: shows that all works, proves nothing")
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=SYSTEMS, help="leave some out")
    parser.add_argument("--prefetch", type=int, choices=PREFETCHES, help="do not try which is better for Celery")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, _stop)
    machine, started = describe_machine(), datetime.now(UTC)
    amounts, report = Amounts(quick=arguments.quick), Report()
    print(", ".join(f"{name.replace('_', ' ')} {value}" for name, value in machine.items()), flush=True)
    bench = Bench(arguments.systems)
    try:
        prefetch = warm_up(bench, report, amounts, arguments.prefetch)
        for number in range(arguments.rounds):
            print(f"round {number + 1} of {arguments.rounds}", flush=True)
            one_round(bench, report, amounts)
        memory = peaks(bench.system("onward"))
    finally:
        bench.stop()
    path = ROOT / "bench" / "results" / f"{started:%Y%m%dT%H%M%SZ}.json"
    conditions: dict[str, object] = {"machine": machine, "arguments": vars(arguments), "celery_prefetch": prefetch}
    return conclude(report, memory, path, conditions)


def warm_up(bench: Bench, report: Report, amounts: Amounts, prefetch: int | None) -> int | None:
    """Let every system make its connections and plans; return Celery's prefetch multiplier."""
    print("warming up")
    for system in bench.systems:
        report.show(throughput(bench, system, amounts.warm))
    celery = bench.system("celery")
    if not isinstance(celery, CelerySystem):
        return None
    if prefetch is None:
        return choose_prefetch(bench, celery, report, *amounts.calibration)
    celery.use_prefetch(prefetch)
    throughput(bench, celery, 64)
    return prefetch


def conclude(report: Report, memory: dict[str, float], path: Path, conditions: dict[str, object]) -> int:
    """Print medians and goals, keep everything, and return the exit status."""
    reached = goals(report.figures, memory)
    print("medians", *medians(report.figures), sep="\n")
    print("goals", *(goal.line() for goal in reached), sep="\n")
    document = {
        **conditions,
        "figures": [figures.model_dump() for figures in report.figures],
        "peak_memory_mb": memory,
        "goals": [{**vars(goal), "met": goal.is_met} for goal in reached],
    }
    dump(path, document)
    print(f"kept in {path.relative_to(ROOT)}")
    if report.faulty:
        print("FAULT: a referral was lost, doubled or refused, or a signature was wrong; see above")
    return int(report.faulty or not all(goal.is_met for goal in reached))


if __name__ == "__main__":
    others = {"fairness": fairness.main, "parts": parts.main}
    other = others.get(sys.argv[1]) if len(sys.argv) > 1 else None
    sys.exit(other(sys.argv[2:]) if other is not None else main())
