"""What the actions need besides a transaction."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from zoneinfo import ZoneInfo

from hubkit.contracts.profile import Profile
from hubkit.deadlines import WorkingCalendar


@dataclass(frozen=True, slots=True)
class Rules:
    """One version of the hub's profile, and its calendar."""

    profile: Profile
    calendar: WorkingCalendar

    @classmethod
    def of(cls, profile: Profile) -> Self:
        """Return what a profile gives."""
        return cls(profile, WorkingCalendar(profile.calendar, ZoneInfo(profile.timezone)))


@dataclass(frozen=True, slots=True)
class Deps:
    """The hub's rules as they are on the local day of a moment."""

    rules_at: Callable[[datetime], Rules]

    def profile_at(self, now: datetime) -> Profile:
        """Return the hub's profile of a moment."""
        return self.rules_at(now).profile
