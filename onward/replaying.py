"""`onward profile replay`: what past referrals would have become under another profile."""

import argparse
import json
from collections import Counter
from datetime import UTC, datetime, time
from typing import Any

from hubkit.profiles import ProfileBook
from onward.operate import open_database
from onward.profiles import find
from services.triage.actions.deps import Deps
from services.triage.actions.replay import Replayed, Verdict, replay_cases

#: What is counted, by the names of a verdict's fields.
_COUNTED = ("outcome", "entitlement", "level", "needs")


async def replay(arguments: argparse.Namespace) -> int:
    """Print how many cases would be otherwise, in what, and which; changes nothing."""
    deps = Deps(ProfileBook.load(find(arguments.profile)))
    since = datetime.combine(arguments.since, time(), UTC)
    async with open_database(arguments, "triage") as db, db.reading() as tx:
        found = [one async for one in replay_cases(tx, deps, since)]
    report = _report(found)
    if arguments.json:
        print(json.dumps(report))
    else:
        _print(report)
    return 0


def _report(found: list[Replayed]) -> dict[str, Any]:
    differing = [one for one in found if one.differs]
    return {
        "cases": len(found),
        "differ": len(differing),
        "contacts_differ": sum(one.contacts_differ for one in differing),
        "changes": {name: _moves(found, name) for name in _COUNTED},
        "case_ids": [str(one.case_id) for one in differing],
    }


def _moves(found: list[Replayed], name: str) -> list[dict[str, Any]]:
    """Return how many cases move from which to which value, most first."""
    counts = Counter((_value(one.before, name), _value(one.after, name)) for one in found)
    moved = [(pair, count) for pair, count in counts.items() if pair[0] != pair[1]]
    ordered = sorted(moved, key=lambda each: (-each[1], each[0]))
    return [{"before": before, "after": after, "count": count} for (before, after), count in ordered]


def _value(verdict: Verdict, name: str) -> str:
    if name == "outcome":
        return f"{verdict.outcome} ({verdict.reason})" if verdict.reason else verdict.outcome
    value = getattr(verdict, name)
    return ", ".join(sorted(value)) or "none" if isinstance(value, tuple) else value or "none"


def _print(report: dict[str, Any]) -> None:
    print(f"{report['cases']} cases, {report['differ']} would differ")
    for name, moves in report["changes"].items():
        if moves:
            print(f"{name}")
        for move in moves:
            print(f"  {move['count']:6}  {move['before']} -> {move['after']}")
    if report["contacts_differ"]:
        print(f"contacts\n  {report['contacts_differ']:6}  others would wait, or for another time")
    for case_id in report["case_ids"]:
        print(case_id)
