"""When a deadline is.

Source: conventions IC-1 (working days), IC-2 (hours) and IC-3 (working hours) of the hub facts. Bank holidays are those
of the `holidays` package, corrected by the profile's own list.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from importlib.metadata import version
from zoneinfo import ZoneInfo

from holidays import country_holidays

from hubkit.contracts.profile import Calendar, Within

_DAY = timedelta(days=1)
_SATURDAY = 5


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

    def due(self, start: datetime, within: Within) -> datetime:
        """Return the deadline, in UTC, of a limit whose clock starts at `start`."""
        if within.unit == "hours":
            # Elapsed time: the sum is taken in UTC, where no clock change is.
            return start.astimezone(UTC) + timedelta(hours=within.amount)
        if within.unit == "working_days":
            return self._after_working_days(start, within.amount)
        return self._after_working_time(start.astimezone(UTC), timedelta(hours=within.amount))

    def _after_working_days(self, start: datetime, amount: int) -> datetime:
        """Return the end of the nth working day after the day of `start`, whatever that day is."""
        day = self.local_day(start)
        for _ in range(amount):
            day += _DAY
            while not self.is_working_day(day):
                day += _DAY
        return self._moment(day, self._settings.end_of_day)

    def _after_working_time(self, start: datetime, left: timedelta) -> datetime:
        """Return the first moment at which this much working time has passed since `start`."""
        if not left:
            return start
        for opens, closes in self._windows(self.local_day(start)):
            begins = max(opens, start)
            if begins + left <= closes:
                return begins + left
            left -= max(timedelta(), closes - begins)
        raise AssertionError("the calendar has no end")

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
