"""The clocks against a slow count by hand, with the bank holidays as the government publishes them."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubkit.contracts.profile import Calendar, Within
from services.triage.policy.clocks import WorkingCalendar

LONDON = ZoneInfo("Europe/London")
#: gov.uk/bank-holidays, England and Wales.
BANK_HOLIDAYS = {
    date.fromisoformat(f"{year}-{day}")
    for year, days in {
        2024: "01-01 03-29 04-01 05-06 05-27 08-26 12-25 12-26",
        2025: "01-01 04-18 04-21 05-05 05-26 08-25 12-25 12-26",
        2026: "01-01 04-03 04-06 05-04 05-25 08-31 12-25 12-28",
    }.items()
    for day in days.split()
}
STEP = timedelta(minutes=15)
#: Quarters of an hour from 2024 to the autumn of 2026; weeks with holidays and clock changes more often than others.
MOMENTS = st.one_of(
    st.integers(0, 96_000).map(lambda steps: datetime(2024, 1, 1, tzinfo=UTC) + steps * STEP),
    st.tuples(
        st.sampled_from([
            datetime(2024, 3, 27, tzinfo=UTC), datetime(2024, 10, 25, tzinfo=UTC), datetime(2024, 12, 22, tzinfo=UTC),
            datetime(2025, 4, 16, tzinfo=UTC), datetime(2026, 3, 27, tzinfo=UTC), datetime(2026, 10, 22, tzinfo=UTC),
        ]),
        st.integers(0, 800),
    ).map(lambda pair: pair[0] + pair[1] * STEP),
)  # fmt: skip
CALENDAR = WorkingCalendar(Calendar(), LONDON)
OFFICE = WorkingCalendar(Calendar(working_from=time(9), working_to=time(17)), LONDON)


def is_worked(moment: datetime, opens: time, closes: time) -> bool:
    local = moment.astimezone(LONDON)
    is_open = opens <= local.time() and (closes == time() or local.time() < closes)
    return is_open and local.isoweekday() <= 5 and local.date() not in BANK_HOLIDAYS


def counted_by_hand(start: datetime, hours: int, opens: time = time(), closes: time = time()) -> datetime:
    left, moment = timedelta(hours=hours), start
    while left:
        if is_worked(moment, opens, closes):
            left -= STEP
        moment += STEP
    return moment


@given(MOMENTS, st.integers(0, 500))
def test_hours_are_elapsed_hours_whatever_the_calendar(start: datetime, amount: int) -> None:
    due = CALENDAR.due(start.astimezone(LONDON), Within(amount=amount, unit="hours"))
    assert due.timestamp() - start.timestamp() == amount * 3600


@settings(max_examples=60, deadline=None)
@given(MOMENTS, st.integers(0, 60))
def test_working_hours_run_day_and_night_on_working_days(start: datetime, amount: int) -> None:
    due = CALENDAR.due(start.astimezone(LONDON), Within(amount=amount, unit="working_hours"))
    assert due == counted_by_hand(start, amount)


@settings(max_examples=60, deadline=None)
@given(MOMENTS, st.integers(0, 24))
def test_working_hours_with_office_hours_run_in_them_alone(start: datetime, amount: int) -> None:
    due = OFFICE.due(start, Within(amount=amount, unit="working_hours"))
    assert due == counted_by_hand(start, amount, time(9), time(17))


@settings(max_examples=200)
@given(MOMENTS, st.integers(0, 15))
def test_working_days_end_with_the_nth_working_day_after_receipt(start: datetime, amount: int) -> None:
    day, left = start.astimezone(LONDON).date(), amount
    while left:
        day += timedelta(days=1)
        left -= day.isoweekday() <= 5 and day not in BANK_HOLIDAYS
    due = CALENDAR.due(start, Within(amount=amount, unit="working_days"))
    assert due.astimezone(LONDON).replace(tzinfo=None) == datetime.combine(day, time(23, 59, 59))


@pytest.mark.parametrize(
    ("start", "amount", "unit", "due"),
    [
        # Hampshire: 24 hours across the spring clock change.
        ("2024-03-30T12:00:00+00:00", 24, "hours", "2024-03-31T13:00:00+01:00"),
        # Dorset: Good Friday, the weekend and Easter Monday do not count.
        ("2024-03-28T16:30:00+00:00", 1, "working_days", "2024-04-02T23:59:59+01:00"),
        ("2024-06-06T14:00:00+01:00", 5, "working_days", "2024-06-13T23:59:59+01:00"),
        # Lincolnshire: received on the Saturday of a bank holiday weekend.
        ("2024-08-24T10:00:00+01:00", 2, "working_days", "2024-08-28T23:59:59+01:00"),
        # Merseyside: 48 working hours over a weekend and a bank holiday.
        ("2024-05-24T15:00:00+01:00", 48, "working_hours", "2024-05-29T15:00:00+01:00"),
        # Received on a local day that is not the UTC day.
        ("2024-07-01T00:30:00+01:00", 1, "working_days", "2024-07-02T23:59:59+01:00"),
    ],
)
def test_known_deadlines(start: str, amount: int, unit: str, due: str) -> None:
    within = Within.model_validate({"amount": amount, "unit": unit})
    assert CALENDAR.due(datetime.fromisoformat(start), within) == datetime.fromisoformat(due)


def test_a_proclaimed_holiday_can_be_added_and_a_wrong_one_removed() -> None:
    corrected = Calendar(added_holidays=(date(2026, 11, 20),), removed_holidays=(date(2026, 12, 25),))
    calendar = WorkingCalendar(corrected, LONDON)
    assert not calendar.is_working_day(date(2026, 11, 20))
    assert calendar.is_working_day(date(2026, 12, 25))
    assert calendar.version.endswith("ENG+2026-11-20-2026-12-25")


def test_one_off_and_substitute_bank_holidays_are_known() -> None:
    days = [date(2022, 6, 3), date(2022, 9, 19), date(2023, 5, 8), date(2026, 12, 28)]
    assert [CALENDAR.is_working_day(day) for day in days] == [False] * 4
