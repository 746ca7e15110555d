"""The figures of a mutation run, from what `mutmut results --all true` prints."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable

#: In percent, over all files.
GOAL = 95.0
#: A mutant that never ends is found out as well.
KILLED = {"killed", "timeout"}
_RESULT = re.compile(r"\s*(?P<module>[\w.]+)\.(?P<name>\w+): (?P<status>[\w ]+)")


def report(lines: Iterable[str]) -> tuple[list[str], bool]:
    """Return a row for each module and for all, then the mutants that live; and whether the goal is reached."""
    counts: defaultdict[str, Counter[bool]] = defaultdict(Counter)
    alive = []
    for found in filter(None, map(_RESULT.fullmatch, (line.rstrip("\n") for line in lines))):
        killed = found["status"] in KILLED
        counts[found["module"]][killed] += 1
        if not killed:
            alive.append(f"{found['status']}: {found['module']}.{found['name']}")
    total = sum(counts.values(), Counter[bool]())
    rows = [_row(module, counted) for module, counted in sorted(counts.items())]
    return [*rows, _row("all", total), *alive], _percent(total) >= GOAL


def _row(name: str, counted: Counter[bool]) -> str:
    return f"{name:48}{counted[True]:5} of{counted.total():5}{_percent(counted):7.1f} %"


def _percent(counted: Counter[bool]) -> float:
    return 100 * counted[True] / counted.total() if counted else 0.0
