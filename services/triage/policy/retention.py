"""From when on a person's data is no longer kept, by the hub's profile."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from hubkit.contracts.profile import Retention
from services.triage.model import CaseStatus, Progress, Subject
from services.triage.policy.conditions import compile_condition


def end_of(status: str, outcome: str, progress: Progress) -> str | None:
    """Return how a case has ended, or None while it has not."""
    if status in (CaseStatus.CLOSED, CaseStatus.DECLINED):
        return "declined" if progress.offer == "declined" else "closed"
    return outcome if status == CaseStatus.EXCLUDED else None


def ended_at(progress: Progress, changed_at: datetime) -> datetime:
    """Return when it ended."""
    return progress.closed_at or progress.declined_at or changed_at


def days_kept(rules: Iterable[Retention], end: str, subject: Subject) -> int | None:
    """Return the longest that a rule says; None: no rule says anything, and the data is kept."""
    found = (rule.days for rule in rules if end in rule.ends and compile_condition(rule.when)(subject))
    return max(found, default=None)


def kept_until(since: datetime, days: int) -> datetime:
    """Return the moment from which on it is no longer kept."""
    return since + timedelta(days=days)
