"""One measurement of one system, from the first request to the last webhook, checked referral by referral."""

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from statistics import median

import psutil  # type: ignore[import-untyped]
from pydantic import BaseModel, Field

from bench.load import Done, Order
from bench.systems import ROOT, Bench, OnwardSystem, System

STALL_S = 30.0
#: After the last webhook a system still has work to do, which must not fall into the next measurement.
_QUIET_S, _QUIET_SHARE, _QUIET_AT_MOST_S = 0.4, 0.15, 20.0


class Figures(BaseModel):
    """What one measurement found. Rates per second, times in milliseconds, CPU in milliseconds per referral."""

    system: str
    kind: str
    count: int
    rate: float
    acknowledged_rate: float | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None
    acknowledged_p50_ms: float | None = None
    cpu_ms: dict[str, float] = {}
    faults: list[str] = Field(default=[], description="anything but one genuine webhook for each accepted referral")


def percentile(values: list[float], share: float) -> float:
    """Return the value that `share` of `values` do not exceed; NaN of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process and its children, those that have ended included."""
    total = 0.0
    process = psutil.Process(pid)
    for part in [process, *process.children(recursive=True)]:
        try:
            times = part.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def peak_rss_mb(pid: int) -> float:
    """Return the most memory that a process has held at once since it started, in MB (10^6 bytes)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise LookupError("the kernel does not say")


def throughput(bench: Bench, system: System, count: int) -> Figures:
    """Measure `count` referrals over 64 connections."""
    run = _Run(bench, system)
    done = run.load(Order(mode="closed", url=system.url, token=system.token(), run=bench.run_name(), count=count))
    came = run.webhooks(sum(status == 202 for status in done.statuses))
    figures = run.figures("throughput", count, done, came)
    figures.acknowledged_rate = count / _seconds(min(done.sent), max(done.answered))
    run.check_pairs(figures, [id for id in done.ids if id], came)
    return figures


def light(bench: Bench, system: System, rate: float, seconds: float) -> Figures:
    """Measure the time from sending to the webhook while `rate` referrals a second come in."""
    run = _Run(bench, system)
    count = int(rate * seconds)
    order = Order(mode="open", url=system.url, token=system.token(), run=bench.run_name(), count=count, rate=rate)
    done = run.load(order)
    came = run.webhooks(sum(status == 202 for status in done.statuses))
    figures = run.figures("light", count, done, came)
    accepted = {id: sent for id, sent in zip(done.ids, done.sent, strict=True) if id}
    pairs = run.check_pairs(figures, list(accepted), came)
    ways = [_seconds(accepted[pairs[onward]], at) * 1000 for at, onward in came if pairs.get(onward) in accepted]
    answers = [_seconds(sent, at) * 1000 for sent, at in zip(done.sent, done.answered, strict=True)]
    figures.p50_ms, figures.p99_ms = percentile(ways, 0.5), percentile(ways, 0.99)
    figures.acknowledged_p50_ms = median(answers)
    return figures


def bulk(bench: Bench, system: OnwardSystem, count: int) -> Figures:
    """Measure one transfer of `count` rows, from its first byte to the last webhook."""
    run = _Run(bench, system)
    done = run.load(Order(mode="transfer", url=system.url, token=system.token(), run=bench.run_name(), count=count))
    transfer_id = done.ids[0]
    if transfer_id is None:
        return Figures(system=system.name, kind="bulk", count=count, rate=0, faults=[f"answered {done.statuses[0]}"])
    came = run.webhooks(count)
    figures = run.figures("bulk", count, done, came)
    figures.acknowledged_rate = count / _seconds(done.sent[0], done.answered[0])
    accepted = list(system.transferred(transfer_id))
    if len(accepted) != count:
        figures.faults.append(f"{len(accepted)} of {count} rows were accepted")
    run.check_pairs(figures, accepted, came)
    return figures


def _seconds(start_ns: int, end_ns: int) -> float:
    return (end_ns - start_ns) / 1e9


class _Run:
    """One measurement on its way: notes the CPU time from when it is made."""

    def __init__(self, bench: Bench, system: System) -> None:
        self._bench = bench
        self._system = system
        bench.sink.take(system.name, system.secret)
        self._pids = system.processes() | bench.server_pids()
        self._before = self._cpu()

    def _cpu(self) -> dict[str, float]:
        return {name: cpu_seconds(pid) for name, pid in self._pids.items()}

    def _come_to_rest(self) -> None:
        end = time.monotonic() + _QUIET_AT_MOST_S
        used, quiet = sum(self._cpu().values()), False
        while not quiet and time.monotonic() < end:
            time.sleep(_QUIET_S)
            now = sum(self._cpu().values())
            quiet, used = now - used < _QUIET_SHARE * _QUIET_S, now

    def load(self, order: Order) -> Done:
        done = subprocess.run(
            [sys.executable, "-m", "bench.load"],
            input=order.model_dump_json().encode(),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            check=True,
        )
        return Done.model_validate_json(done.stdout)

    def webhooks(self, count: int) -> list[tuple[int, str]]:
        """Wait for `count` webhooks, or until none has come for half a minute; then for the system to come to rest."""
        seen, since = 0, time.monotonic()
        while seen < count and time.monotonic() - since < STALL_S:
            time.sleep(0.05)
            now = self._bench.sink.count(self._system.name)
            if now > seen:
                seen, since = now, time.monotonic()
        self._come_to_rest()
        self._used = {name: seconds - self._before[name] for name, seconds in self._cpu().items()}
        came, self._forged = self._bench.sink.take(self._system.name, self._system.secret)
        return came

    def figures(self, kind: str, count: int, done: Done, came: list[tuple[int, str]]) -> Figures:
        last = max((at for at, _ in came), default=0)
        distinct = len({onward for _, onward in came})
        figures = Figures(
            system=self._system.name,
            kind=kind,
            count=count,
            rate=distinct / _seconds(min(done.sent), last) if came else 0.0,
            cpu_ms={name: round(1000 * seconds / count, 3) for name, seconds in self._used.items()},
        )
        if self._forged:
            figures.faults.append(f"{self._forged} webhooks are not signed rightly")
        refused = Counter(status for status in done.statuses if status != 202)
        figures.faults += [f"{number} requests were answered {status}" for status, number in refused.items()]
        return figures

    def check_pairs(self, figures: Figures, accepted: list[str], came: list[tuple[int, str]]) -> dict[str, str]:
        """Compare by id what was accepted with what the partner was told of; return referral id by onward id."""
        pairs = self._system.pairs(min(accepted)) if accepted else {}
        told = Counter(pairs.get(onward, "") for _, onward in came)
        wanted = set(accepted)
        counts = {
            "accepted referrals without a webhook": len(wanted - set(told)),
            "referrals with more than one webhook": sum(number > 1 for known, number in told.items() if known),
            "webhooks of no accepted referral": sum(number for known, number in told.items() if known not in wanted),
        }
        figures.faults += [f"{number} {what}" for what, number in counts.items() if number]
        return pairs
