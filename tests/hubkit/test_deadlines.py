"""The clocks against a slow count by hand, with the bank holidays as the government publishes them."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubkit.contracts.profile import Calendar, Within
from hubkit.deadlines import WorkingCalendar

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
#: Quarters of an hour from 2024 to the autumn of 2026, weeks with holidays and clock changes more often than others.
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


def is_worked_on(day: date) -> bool:
    return day.isoweekday() <= 5 and day not in BANK_HOLIDAYS


def is_worked(moment: datetime, opens: time, closes: time) -> bool:
    local = moment.astimezone(LONDON)
    return (
        local.isoweekday() <= 5
        and local.date() not in BANK_HOLIDAYS
        and opens <= local.time()
        and (closes == time() or local.time() < closes)
    )


def count_by_hand(start: datetime, hours: int, opens: time = time(), closes: time = time()) -> datetime:
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
    assert due == count_by_hand(start, amount)


@settings(max_examples=60, deadline=None)
@given(MOMENTS, st.integers(0, 24))
def test_working_hours_with_office_hours_run_in_them(start: datetime, amount: int) -> None:
    due = OFFICE.due(start, Within(amount=amount, unit="working_hours"))
    assert due == count_by_hand(start, amount, time(9), time(17))


@settings(max_examples=200)
@given(MOMENTS, st.integers(0, 15))
def test_working_days_end_with_the_nth_working_day_after_receipt(start: datetime, amount: int) -> None:
    day, left = start.astimezone(LONDON).date(), amount
    while left:
        day += timedelta(days=1)
        left -= day.isoweekday() <= 5 and day not in BANK_HOLIDAYS
    due = CALENDAR.due(start, Within(amount=amount, unit="working_days"))
    assert due.astimezone(LONDON).replace(tzinfo=None) == datetime.combine(day, time(23, 59, 59))


@settings(max_examples=200)
@given(
    MOMENTS, st.integers(0, 15), st.sampled_from([None, time(0), time(12), time(16, 30), time(23, 59)]), st.booleans()
)
def test_a_cut_off_and_a_first_day_that_counts_move_working_days_alone(
    start: datetime, amount: int, cut_off: time | None, first_day_counts: bool
) -> None:
    calendar = WorkingCalendar(Calendar(cut_off=cut_off, first_day_counts=first_day_counts), LONDON)
    local = start.astimezone(LONDON)
    day = local.date() + timedelta(days=cut_off is not None and local.time() > cut_off)
    # The days that count, in a row; the last of them is the deadline's.
    counted = [day] if first_day_counts and is_worked_on(day) else []
    last = day
    while len(counted) < amount:
        last += timedelta(days=1)
        counted += [last] if is_worked_on(last) else []
    expected = counted[amount - 1] if amount else day
    due = calendar.due(start, Within(amount=amount, unit="working_days"))
    assert due.astimezone(LONDON).replace(tzinfo=None) == datetime.combine(expected, time(23, 59, 59))
    for unit in ("hours", "working_hours"):
        within = Within.model_validate({"amount": amount, "unit": unit})
        assert calendar.due(start, within) == CALENDAR.due(start, within)


@given(MOMENTS, st.sampled_from([time(0), time(1, 30), time(2), time(22, 15)]))
def test_the_next_time_of_day_is_later_and_at_most_a_day_away(start: datetime, at: time) -> None:
    found = CALENDAR.next_at(start, at)
    assert start < found <= start + timedelta(hours=25)
    local = found.astimezone(LONDON)
    # At 01:30 on the day when the clocks go forward there is no such time: it is 02:30.
    assert local.time() == at or local.date() in {date(2024, 3, 31), date(2025, 3, 30), date(2026, 3, 29)}


def test_a_moment_without_a_zone_is_the_hubs_local_time() -> None:
    assert CALENDAR.localised(datetime(2024, 7, 1, 10)) == datetime(2024, 7, 1, 9, tzinfo=UTC)  # noqa: DTZ001
    assert CALENDAR.localised(datetime(2024, 7, 1, 10, tzinfo=UTC)) == datetime(2024, 7, 1, 10, tzinfo=UTC)


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


MINUTE = timedelta(minutes=1)
TO_THE_MINUTE = st.tuples(MOMENTS, st.integers(0, 14)).map(lambda pair: pair[0] + pair[1] * MINUTE)
#: How long a clock runs and then stands still, in minutes, up to three times; the first run begins a day before it.
GAPS = st.one_of(st.integers(0, 200), st.integers(0, 5_000))
STOPS = st.lists(st.tuples(GAPS, st.one_of(st.integers(0, 200), st.integers(0, 12_000))), max_size=3)
Spans = list[tuple[datetime, datetime]]


def spans(start: datetime, stops: list[tuple[int, int]]) -> Spans:
    """Return from when to when the clock stands still."""
    found, at = [], start - timedelta(days=1)
    for gap, length in stops:
        since = at + gap * MINUTE
        at = since + length * MINUTE
        found.append((since, at))
    return found


def minute_by_minute(
    start: datetime, hours: int, pauses: Spans, opens: time | None = None, closes: time = time()
) -> datetime:
    """Count minutes in which the clock runs, each by itself; with `opens` those alone that are worked."""
    left, moment = 60 * hours, start
    while left:
        runs = not any(since <= moment < until for since, until in pauses)
        if runs and (opens is None or is_worked(moment, opens, closes)):
            left -= 1
        moment += MINUTE
    return moment


@settings(max_examples=100, deadline=None)
@given(TO_THE_MINUTE, st.integers(0, 100), STOPS)
def test_no_hour_of_a_pause_counts(start: datetime, amount: int, stops: list[tuple[int, int]]) -> None:
    pauses = spans(start, stops)
    due = CALENDAR.due(start.astimezone(LONDON), Within(amount=amount, unit="hours"), pauses)
    assert due == minute_by_minute(start, amount, pauses)


@settings(max_examples=100, deadline=None)
@given(TO_THE_MINUTE, st.integers(0, 60), STOPS)
def test_no_working_hour_of_a_pause_counts(start: datetime, amount: int, stops: list[tuple[int, int]]) -> None:
    pauses, within = spans(start, stops), Within(amount=amount, unit="working_hours")
    assert CALENDAR.due(start, within, pauses) == minute_by_minute(start, amount, pauses, time())
    within = Within(amount=amount // 4, unit="working_hours")
    assert OFFICE.due(start, within, pauses) == minute_by_minute(start, amount // 4, pauses, time(9), time(17))


@settings(max_examples=300, deadline=None)
@given(TO_THE_MINUTE, st.integers(0, 15), STOPS, st.sampled_from([None, time(12)]), st.booleans())
def test_no_working_day_that_begins_in_a_pause_counts(
    start: datetime, amount: int, stops: list[tuple[int, int]], cut_off: time | None, first_day_counts: bool
) -> None:
    calendar = WorkingCalendar(Calendar(cut_off=cut_off, first_day_counts=first_day_counts), LONDON)
    pauses = [
        (since.astimezone(LONDON).date(), until.astimezone(LONDON).date()) for since, until in spans(start, stops)
    ]

    def is_paused(day: date) -> bool:
        return any(first <= day < last for first, last in pauses)

    local = start.astimezone(LONDON)
    receipt = local.date() + timedelta(days=cut_off is not None and local.time() > cut_off)
    days = [receipt + timedelta(days=number) for number in range(120)]
    counted = [day for day in days[not first_day_counts :] if is_worked_on(day) and not is_paused(day)]
    expected = counted[amount - 1] if amount else next(day for day in days if not is_paused(day))
    due = calendar.due(start, Within(amount=amount, unit="working_days"), spans(start, stops))
    assert due.astimezone(LONDON).replace(tzinfo=None) == datetime.combine(expected, time(23, 59, 59))


@pytest.mark.parametrize(
    ("start", "amount", "unit", "pause", "due"),
    [
        # Over the clock change in spring: an hour of the pause does not exist.
        ("2024-03-30T12:00Z", 24, "hours", ("2024-03-30T18:00+00:00", "2024-03-31T18:00+01:00"), "2024-04-01T11:00Z"),
        # Over Easter: seven of eight working hours are left when the clock goes on.
        ("2024-03-28T16:00Z", 8, "working_hours", ("2024-03-28T17:00Z", "2024-04-02T10:00+01:00"), "2024-04-02T16:00Z"),
        # Paused on Thursday, resumed on Tuesday: that Tuesday is the first day after the day of receipt that counts.
        ("2024-03-28T09:00Z", 1, "working_days", ("2024-03-28T10:00Z", "2024-04-02T10:00Z"), "2024-04-02T22:59:59Z"),
        ("2024-06-03T09:00Z", 2, "working_days", ("2024-06-04T08:00Z", "2024-06-06T08:00Z"), "2024-06-07T22:59:59Z"),
        # Begun and ended on one day: no day is lost.
        ("2024-06-03T09:00Z", 2, "working_days", ("2024-06-04T08:00Z", "2024-06-04T16:00Z"), "2024-06-05T22:59:59Z"),
        # Local days, not those of UTC: paused on Wednesday and resumed on Thursday, half an hour after midnight.
        ("2024-06-03T09:00Z", 2, "working_days", ("2024-06-04T23:30Z", "2024-06-05T23:30Z"), "2024-06-06T22:59:59Z"),
        # What was due before the pause stays due then.
        ("2024-06-03T09:00Z", 1, "working_days", ("2024-06-05T09:00Z", "2024-06-07T09:00Z"), "2024-06-04T22:59:59Z"),
        ("2024-06-03T09:00Z", 2, "hours", ("2024-06-03T11:00Z", "2024-06-07T09:00Z"), "2024-06-03T11:00Z"),
    ],
)
def test_known_pauses(start: str, amount: int, unit: str, pause: tuple[str, str], due: str) -> None:
    within = Within.model_validate({"amount": amount, "unit": unit})
    since, until = (datetime.fromisoformat(moment) for moment in pause)
    found = CALENDAR.due(datetime.fromisoformat(start), within, [(since, until)])
    assert found == datetime.fromisoformat(due)


def test_a_pause_on_the_last_day_after_its_hours_changes_nothing() -> None:
    calendar = WorkingCalendar(Calendar(end_of_day=time(17)), LONDON)
    start, within = datetime(2024, 6, 3, 9, tzinfo=UTC), Within(amount=1, unit="working_days")
    due = datetime(2024, 6, 4, 16, tzinfo=UTC)
    until = datetime(2024, 6, 7, 9, tzinfo=UTC)
    assert calendar.due(start, within, [(due, until)]) == due
    assert calendar.due(start, within, [(due - MINUTE, until)]) == datetime(2024, 6, 7, 16, tzinfo=UTC)


def test_a_proclaimed_holiday_can_be_added_and_a_wrong_one_removed() -> None:
    calendar = WorkingCalendar(
        Calendar(added_holidays=(date(2026, 11, 20),), removed_holidays=(date(2026, 12, 25),)), LONDON
    )
    assert not calendar.is_working_day(date(2026, 11, 20))
    assert calendar.is_working_day(date(2026, 12, 25))
    assert calendar.version.endswith("ENG+2026-11-20-2026-12-25")


def test_one_off_and_substitute_bank_holidays_are_known() -> None:
    days = [date(2022, 6, 3), date(2022, 9, 19), date(2023, 5, 8), date(2026, 12, 28)]
    assert [CALENDAR.is_working_day(day) for day in days] == [False] * 4
