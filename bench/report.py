"""What the measurements come to, and whether that is enough."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from bench.measure import Figures

MEMORY_MB = 150
_MISSING = float("nan")


@dataclass(frozen=True)
class Goal:
    """A ratio or amount with its floor or ceiling; NaN where a system was left out."""

    name: str
    value: float
    limit: float
    at_most: bool = False

    @property
    def is_met(self) -> bool:
        """Whether it is reached."""
        return self.value <= self.limit if self.at_most else self.value >= self.limit

    def line(self) -> str:
        """Return it in words."""
        sign = "<=" if self.at_most else ">="
        return f"  {'pass' if self.is_met else 'FAIL'}  {self.name}: {self.value:,.2f} (goal {sign} {self.limit:g})"


def describe(figures: Figures) -> str:
    """Return one measurement as a line."""
    parts = [f"  {figures.system:<7}{figures.kind:<11}"]
    if figures.kind == "light":
        parts.append(f"p50 {figures.p50_ms:.1f} ms, p99 {figures.p99_ms:.1f} ms, ")
        parts.append(f"answered p50 {figures.acknowledged_p50_ms:.1f} ms")
    else:
        parts.append(f"{figures.rate:,.0f}/s to the webhook")
        if figures.acknowledged_rate is not None:
            parts.append(f", {figures.acknowledged_rate:,.0f}/s answered")
    total = sum(figures.cpu_ms.values())
    parts.append(f", CPU {total:.2f} ms per referral")
    parts += [f"\n    FAULT: {fault}" for fault in figures.faults]
    return "".join(parts)


def _median(all_figures: Iterable[Figures], system: str, kind: str, field: str) -> float:
    values = [getattr(f, field) for f in all_figures if (f.system, f.kind) == (system, kind)]
    return median(values) if values and None not in values else _MISSING


def medians(all_figures: Sequence[Figures]) -> list[str]:
    """Return the medians over the rounds as lines."""
    lines = []
    for system, kind in dict.fromkeys((f.system, f.kind) for f in all_figures):
        mine = [f for f in all_figures if (f.system, f.kind) == (system, kind)]
        if kind == "light":
            p50, p99 = (_median(mine, system, kind, field) for field in ("p50_ms", "p99_ms"))
            said = f"p50 {p50:.1f} ms, p99 {p99:.1f} ms"
        else:
            rates = [f.rate for f in mine]
            said = f"{median(rates):,.0f}/s ({min(rates):,.0f} to {max(rates):,.0f})"
        cpu = {name: median([f.cpu_ms[name] for f in mine if name in f.cpu_ms]) for name in mine[0].cpu_ms}
        lines.append(f"  {system:<7}{kind:<11}{said}")
        parts = ", ".join(f"{name} {value:.2f}" for name, value in cpu.items())
        lines.append(f"{'':<20}CPU ms per referral: {parts}; all {sum(cpu.values()):.2f}")
    return lines


def goals(all_figures: Sequence[Figures], peak_mb: dict[str, float]) -> list[Goal]:
    """Return what must be reached; empty when the hub itself was left out."""
    if not any(figures.system == "onward" for figures in all_figures):
        return []
    rate = {name: _median(all_figures, name, "throughput", "rate") for name in ("floor", "onward", "celery")}
    p50 = {name: _median(all_figures, name, "light", "p50_ms") for name in ("onward", "celery")}
    bulk = _median(all_figures, "onward", "bulk", "rate")
    found = [
        Goal("throughput / floor", rate["onward"] / rate["floor"], 0.10),
        Goal("throughput / Celery", rate["onward"] / rate["celery"], 8),
        Goal("bulk rate / floor's single rate", bulk / rate["floor"], 0.20),
        Goal("light p50 / Celery", p50["onward"] / p50["celery"], 0.5, at_most=True),
        *(Goal(f"peak memory of {name}, MB", value, MEMORY_MB, at_most=True) for name, value in peak_mb.items()),
    ]
    return [goal for goal in found if goal.value == goal.value]
