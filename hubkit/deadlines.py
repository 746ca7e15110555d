"""When a deadline is.

Source: conventions IC-1 (working days), IC-2 (hours) and IC-3 (working hours) of the hub facts. Bank holidays are those
of the `holidays` package, corrected by the profile's own list. A cut-off time and a first day that counts are settings
of working days alone: hours run from the moment itself. While a clock is paused, no time counts.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from importlib.metadata import version
from zoneinfo import ZoneInfo

from holidays import country_holidays

from hubkit.contracts.profile import Calendar, Within

#: From when to when a clock stood still, each after the one before it.
Pauses = Sequence[tuple[datetime, datetime]]

_DAY = timedelta(days=1)
_SATURDAY = 5
_NEVER = datetime.max.replace(tzinfo=UTC)


@lru_cache(maxsize=256)
def _bank_holidays(subdivision: str, year: int) -> frozenset[date]:
    # Without the subdivision, Easter Monday would be missing.
    return frozenset(country_holidays("GB", subdiv=subdivision, years=year))


class WorkingCalendar:
    """The hub's local time, its working days and hours.

    Attributes
    ----------
    version
        Which calendar a deadline was computed with, to be stored beside it.
    """

    def __init__(self, settings: Calendar, zone: ZoneInfo) -> None:
        self._settings = settings
        self._zone = zone
        self._added = frozenset(settings.added_holidays)
        self._removed = frozenset(settings.removed_holidays)
        corrections = "".join(f"+{day}" for day in sorted(self._added)) + "".join(
            f"-{day}" for day in sorted(self._removed)
        )
        self.version = f"holidays {version('holidays')} {settings.subdivision}{corrections}"[:200]

    def local_day(self, at: datetime) -> date:
        """Return the hub's local day of a moment."""
        return at.astimezone(self._zone).date()

    def is_working_day(self, day: date) -> bool:
        """Whether it is Monday to Friday and no bank holiday."""
        if day.weekday() >= _SATURDAY or day in self._added:
            return False
        return day in self._removed or day not in _bank_holidays(self._settings.subdivision, day.year)

    def due(self, start: datetime, within: Within, pauses: Pauses = ()) -> datetime:
        """Return the deadline, in UTC, of a limit whose clock starts at `start`.

        Parameters
        ----------
        pauses
            Hours and working hours in them do not count. Of working days those do not that begin with the local day of
            the pause and end before that of its end. What was due before a pause stays due then.
        """
        if within.unit == "working_days":
            return self._after_working_days(start, within.amount, pauses)
        # The sum is taken in UTC, where no clock change is.
        start = start.astimezone(UTC)
        windows = [(start, _NEVER)] if within.unit == "hours" else self._windows(self.local_day(start))
        return _after(start, timedelta(hours=within.amount), _outside(pauses, windows))

    def next_at(self, after: datetime, at: time) -> datetime:
        """Return the first moment after `after`, in UTC, at which the hub's clocks show `at`."""
        day = self.local_day(after)
        moment = self._moment(day, at)
        return moment if moment > after else self._moment(day + _DAY, at)

    def localised(self, at: datetime) -> datetime:
        """Return a moment in UTC; one without a time zone is the hub's local time."""
        return (at if at.tzinfo else at.replace(tzinfo=self._zone)).astimezone(UTC)

    def _after_working_days(self, start: datetime, amount: int, pauses: Pauses) -> datetime:
        left_out: set[date] = set()
        due = self._end_of_working_day(start, amount, left_out)
        for since, until in pauses:
            if due <= since:
                break
            first = self.local_day(since)
            left_out.update(first + number * _DAY for number in range((self.local_day(until) - first).days))
            due = self._end_of_working_day(start, amount, left_out)
        return due

    def _end_of_working_day(self, start: datetime, amount: int, left_out: Collection[date]) -> datetime:
        """Return the end of the nth working day: the day of receipt, whatever it is, is day zero.

        It is day one where the settings say so and it is a working day. A limit of no days ends on no day that is left
        out.
        """
        day = self._day_of_receipt(start)
        left = amount
        if left and self._settings.first_day_counts and self.is_working_day(day) and day not in left_out:
            left -= 1
        for _ in range(left):
            day += _DAY
            while not self.is_working_day(day) or day in left_out:
                day += _DAY
        while day in left_out:
            day += _DAY
        return self._moment(day, self._settings.end_of_day)

    def _day_of_receipt(self, at: datetime) -> date:
        cut_off = self._settings.cut_off
        local = at.astimezone(self._zone)
        return local.date() + _DAY if cut_off is not None and local.time() > cut_off else local.date()

    def _windows(self, day: date) -> Iterator[tuple[datetime, datetime]]:
        """Yield the working time of each working day from `day` on, in UTC."""
        opens, closes = self._settings.working_from, self._settings.working_to
        while True:
            if self.is_working_day(day):
                ends = self._moment(day + _DAY, time()) if closes is None else self._moment(day, closes)
                yield self._moment(day, opens or time()), ends
            day += _DAY

    def _moment(self, day: date, at: time) -> datetime:
        return datetime.combine(day, at, self._zone).astimezone(UTC)


def _after(start: datetime, left: timedelta, windows: Iterable[tuple[datetime, datetime]]) -> datetime:
    """Return the first moment at which this much of the time in the windows has passed since `start`."""
    if not left:
        return start
    for opens, closes in windows:
        begins = max(opens, start)
        if begins + left <= closes:
            return begins + left
        left -= max(timedelta(), closes - begins)
    raise AssertionError("the calendar has no end")


def _outside(pauses: Pauses, windows: Iterable[tuple[datetime, datetime]]) -> Iterator[tuple[datetime, datetime]]:
    """Yield what is left of the windows outside the pauses."""
    for opens, closes in windows:
        begins = opens
        for since, until in pauses:
            if since < closes and begins < until:
                yield begins, max(begins, since)
                begins = until
        if begins < closes:
            yield begins, closes
