"""Units, channels, transfers and clocks."""

import calendar
import re
from collections.abc import Iterator
from datetime import date, time
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema
from typing_extensions import override

from hubkit.contracts.profile.conditions import ChannelCode
from hubkit.contracts.profile.part import LocalTime, LongWord, Mistake, ProfilePart, Word


def _first_day(value: object) -> object:
    """Read a month (`2024-02`) or a year (`2024`) as its first day: sources often give no day."""
    year, month = _month(value)
    return date(year, month or 1, 1) if year else value


def _last_day(value: object) -> object:
    """Read a month or a year as its last day."""
    year, month = _month(value)
    return date(year, month or 12, calendar.monthrange(year, month or 12)[1]) if year else value


def _month(value: object) -> tuple[int, int]:
    """Return the year and the month of what is no full day, each 0 where there is none."""
    found = re.fullmatch(r"([12]\d{3})(?:-(0[1-9]|1[0-2]))?", str(value))
    return (int(found[1]), int(found[2] or 0)) if found else (0, 0)


_DAY = WithJsonSchema(
    {
        "anyOf": [
            {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}(-[0-9]{2})?$"},
            {"type": "integer", "minimum": 1900, "maximum": 2199},
        ]
    }
)
FirstDay = Annotated[date, BeforeValidator(_first_day), _DAY]
LastDay = Annotated[date, BeforeValidator(_last_day), _DAY]


class Within(ProfilePart):
    """A time limit. Hours are elapsed hours; working hours and days stop on weekends and bank holidays."""

    amount: int = Field(ge=0, le=10_000, description="how many")
    unit: Literal["hours", "working_hours", "working_days"] = Field(description="of what")
    starts: Literal["referral_received", "crime_recorded", "case_opened", "offer_accepted", "need_requested"] = Field(
        ("referral_received"), description="from when"
    )


class Calendar(ProfilePart):
    """How the hub counts working time; the defaults are the conventions IC-1 and IC-3 of the hub facts."""

    subdivision: Literal["ENG", "WLS", "SCT", "NIR"] = Field(
        "ENG", description="whose bank holidays: England, Wales, Scotland, Northern Ireland"
    )
    added_holidays: tuple[date, ...] = Field(
        (), description="proclaimed days that the holiday library does not know yet"
    )
    removed_holidays: tuple[date, ...] = Field((), description="days that the library has and the hub has not")
    end_of_day: LocalTime = Field(time(23, 59, 59), description="when a working day's deadline falls, local time")
    cut_off: LocalTime | None = Field(
        None, description="what comes later counts as received on the next day, local time"
    )
    first_day_counts: bool = Field(False, description="the day of receipt, if a working day, is day one and not zero")
    working_from: LocalTime | None = Field(
        None, description="working hours begin; without both, they run day and night"
    )
    working_to: LocalTime | None = Field(None, description="working hours end")

    @override
    def mistakes(self) -> Iterator[Mistake]:
        """Yield why no clock can run by this."""
        first, last = self.working_from, self.working_to
        if first is None or last is None:
            if (first is None) != (last is None):
                given, missing = ("working_from", "working_to") if last is None else ("working_to", "working_from")
                yield Mistake(
                    (given,), "working_from and working_to go together", fix=f"add {missing}", after=(missing,)
                )
        elif first >= last:
            yield Mistake(("working_to",), "impossible clock: working_from is before working_to")


class Unit(ProfilePart):
    """A part of the hub, with its own controller where the source says so.

    `decides`: it takes a referral on or not by itself, beside the other units that decide.
    """

    id: Word = Field(description="by which rules and channels name it")
    name: LongWord | None = Field(None, description="its name")
    controller: LongWord | None = Field(None, description="who controls its data")
    decides: bool = Field(False, description="whether it takes referrals on by itself")
    source: str | None = Field(None, description="where the hub's text says so")


class Transfer(ProfilePart):
    """When what the police record comes over: within a time, or daily at a local time, at most so many hours apart."""

    within: Within | None = Field(None, description="by when")
    at: LocalTime | None = Field(None, description="local time of a daily transfer")
    max_interval_hours: int | None = Field(None, ge=1, le=744, description="hours between two daily transfers at most")

    @override
    def mistakes(self) -> Iterator[Mistake]:
        """Yield why no transfer can keep to this."""
        if self.within is not None and self.at is not None:
            yield Mistake(("at",), "a transfer is within a time or daily at a local time, not both")
        if self.at is not None and self.max_interval_hours is not None and self.max_interval_hours < 24:
            words = f"impossible clock: daily transfers are 24 hours apart, not {self.max_interval_hours}"
            yield Mistake(("max_interval_hours",), words)


class Channel(ProfilePart):
    """A way by which referrals come, and when it is open (local days, both inclusive).

    `unit` is the unit that takes them; several units on one channel are several entries. `receiver` is who receives the
    data, where the source names somebody other than the hub.
    """

    channel: ChannelCode = Field(description="which")
    unit: str | None = Field(None, description="the unit that takes them; none: the hub")
    receiver: LongWord | None = Field(None, description="who receives the data, where it is not the hub")
    active_from: FirstDay | None = Field(None, description="first local day")
    active_to: LastDay | None = Field(None, description="last local day")
    early_reason: LongWord = Field("channel_not_started", description="reason code before `active_from`")
    late_reason: LongWord = Field("channel_ended", description="reason code after `active_to`")
    frequency: str | None = Field(None, description="how often, as the source words it")
    transfer: Transfer | None = Field(None, description="when what was recorded comes over")
    source: str | None = Field(None, description="where the hub's text says so")

    @override
    def mistakes(self) -> Iterator[Mistake]:
        """Yield that the channel never opens."""
        if self.active_from and self.active_to and self.active_from > self.active_to:
            yield Mistake(("active_to",), f"is before active_from, {self.active_from}")
