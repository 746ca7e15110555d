"""What must hold between the agreements with one partner, and what their dates mean for the days to come."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final
from uuid import UUID

#: How the state of an agreement may move. To `active` a draft comes by a second person's approval alone.
MOVES: Final = {
    "draft": frozenset({"active", "ended"}),
    "active": frozenset({"suspended", "ended"}),
    "suspended": frozenset({"active", "ended"}),
    "ended": frozenset[str](),
}
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Term:
    """What an agreement covers and when. Dates are local and inclusive; `ends_on` None means open-ended.

    `ended_on` is the day on which it was ended, whatever had been agreed.
    """

    status: str
    purposes: frozenset[str]
    starts_on: date
    ends_on: date | None
    id: UUID
    ended_on: date | None = None

    @property
    def last_day(self) -> date | None:
        """The last day on which it holds, if there is one."""
        return min((day for day in (self.ends_on, self.ended_on) if day is not None), default=None)

    def holds_on(self, day: date) -> bool:
        """Return whether a day lies within its dates."""
        last = self.last_day
        return self.starts_on <= day and (last is None or day <= last)


@dataclass(frozen=True, slots=True)
class Gap:
    """Days, both inclusive, on which no agreement covers purposes, before or after one that does."""

    first_day: date
    last_day: date
    purposes: tuple[str, ...]
    other_id: UUID

    @property
    def days(self) -> int:
        """How many days that are."""
        return (self.last_day - self.first_day).days + 1


@dataclass(frozen=True, slots=True)
class Loss:
    """The days from which a purpose is not covered any more; `until` None: not again by the end of the forecast."""

    purpose: str
    since: date
    until: date | None


@dataclass(frozen=True, slots=True)
class Outlook:
    """What becomes of the agreements with one partner by a day. `gains` are purposes with their first covered day."""

    stops: tuple[Term, ...]
    starts: tuple[Term, ...]
    losses: tuple[Loss, ...]
    gains: tuple[tuple[str, date], ...]


def state_on(status: str, starts_on: date, ends_on: date | None, today: date) -> str:
    """Return what an agreement is called on a day: one that a second person approved is active from its first day.

    Before that it is approved, and after its last day it has ended.
    """
    if status != "active":
        return status
    if starts_on > today:
        return "approved"
    return "ended" if ends_on is not None and ends_on < today else "active"


def overlap(one: Term, other: Term) -> bool:
    """Return whether two agreements are active for the same purpose on the same day: which one holds must be clear."""
    if not (one.status == other.status == "active" and one.purposes & other.purposes):
        return False
    return _begins_by_the_end_of(one, other) and _begins_by_the_end_of(other, one)


def _begins_by_the_end_of(one: Term, other: Term) -> bool:
    last = other.last_day
    return last is None or one.starts_on <= last


def gaps(term: Term, others: Iterable[Term]) -> list[Gap]:
    """Return the days without cover between an agreement and the nearest before and after it, for each purpose.

    Drafts cover nothing. Purposes with the same gap are named together.
    """
    standing = [each for each in others if each.status != "draft" and _begins_by_the_end_of(each, each)]
    found: dict[tuple[date, date, UUID], list[str]] = {}
    for purpose in sorted(term.purposes):
        near = [each for each in standing if purpose in each.purposes]
        for first, last, id in (*_gap_before(term, near), *_gap_after(term, near)):
            found.setdefault((first, last, id), []).append(purpose)
    return [Gap(first, last, tuple(purposes), id) for (first, last, id), purposes in sorted(found.items())]


def _gap_before(term: Term, near: Sequence[Term]) -> Iterator[tuple[date, date, UUID]]:
    if term.starts_on == date.min or any(each.holds_on(term.starts_on - _DAY) for each in near):
        return
    ended = [(each.last_day, each.id) for each in near if each.last_day is not None and each.last_day < term.starts_on]
    if ended:
        last, id = max(ended)
        yield last + _DAY, term.starts_on - _DAY, id


def _gap_after(term: Term, near: Sequence[Term]) -> Iterator[tuple[date, date, UUID]]:
    last = term.last_day
    if last is None or last == date.max or any(each.holds_on(last + _DAY) for each in near):
        return
    following = [(each.starts_on, each.id) for each in near if each.starts_on > last]
    if following:
        start, id = min(following)
        yield last + _DAY, start - _DAY, id


def outlook(terms: Collection[Term], today: date, on: date) -> Outlook:
    """Return which of a partner's agreements stop or start after `today` and by `on`, and what that leaves uncovered.

    An agreement stops by a day when its last day lies before it. Only active agreements count.
    """
    active = [each for each in terms if each.status == "active" and _begins_by_the_end_of(each, each)]
    stops = [each for each in active if each.last_day is not None and today <= each.last_day < on]
    starts = [each for each in active if today < each.starts_on <= on]
    losses, gains = [], []
    for purpose in sorted({purpose for each in active for purpose in each.purposes}):
        covering = [each for each in active if purpose in each.purposes]
        if any(each.holds_on(today) for each in covering):
            losses += _loss(purpose, covering, today, on)
        elif any(each.holds_on(on) for each in covering):
            gains.append((purpose, min(each.starts_on for each in starts if purpose in each.purposes)))
    return Outlook(tuple(stops), tuple(starts), tuple(losses), tuple(gains))


def _loss(purpose: str, covering: Sequence[Term], today: date, on: date) -> list[Loss]:
    day = today
    while True:
        holding = [each.last_day for each in covering if each.holds_on(day)]
        if not holding:
            following = [each.starts_on for each in covering if day < each.starts_on <= on]
            return [Loss(purpose, day, min(following) - _DAY if following else None)]
        ends = [last for last in holding if last is not None]
        if len(ends) < len(holding) or max(ends) >= on:
            return []
        day = max(ends) + _DAY
