"""When a failed webhook is tried again."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.partners.policy.retry import STEPS_S, delay_after, hold_for, parse_retry_after, reason_to_park

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
#: What dates are made of, and what they are not.
PIECES = [
    "Sat,", "21", "31", "Feb", "Nov", "2026", "12:02:00", "24:00:00", "0:0", "GMT", "+0000", "-9999", "+99999999",
    "9" * 12, "9" * 22, "-1", "1e9", ":", "(", ",", "am", "\u0663",
]  # fmt: skip


def test_ten_attempts_span_75_hours_and_35_minutes() -> None:
    waits = [delay_after(failed, spread=0.5) for failed in range(1, 10)]
    assert sum((wait for wait in waits if wait is not None), timedelta()) == timedelta(hours=75, minutes=35, seconds=5)
    assert delay_after(10, spread=0.5) is None


@pytest.mark.parametrize("failed", range(1, 10))
def test_each_wait_is_spread_by_a_fifth_either_way(failed: int) -> None:
    step = STEPS_S[failed - 1]
    assert delay_after(failed, spread=0.0) == timedelta(seconds=step * 0.8)
    assert delay_after(failed, spread=1.0) == timedelta(seconds=step * 1.2)


def test_urgent_news_is_tried_sooner_and_as_often() -> None:
    assert delay_after(2, spread=0.5, urgent=True) == timedelta(seconds=30)
    assert delay_after(9, spread=0.5, urgent=True) == delay_after(9, spread=0.5)
    assert delay_after(10, spread=0.5, urgent=True) is None


def test_retry_after_is_never_undercut_and_never_holds_back_for_more_than_an_hour() -> None:
    assert delay_after(1, spread=0.0, retry_after_s=120) == timedelta(seconds=120)
    assert delay_after(1, spread=0.5, retry_after_s=10**9) == timedelta(hours=1)
    assert delay_after(4, spread=0.5, retry_after_s=120) == timedelta(hours=2)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 7 ", 7.0),
        ("1000000000", 1e9),
        ("Sat, 21 Nov 2026 12:02:00 GMT", 120.0),
        ("Sat, 21 Nov 2026 11:00:00 GMT", None),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("٣", None),
        ("Sat, 99 Nov 2026 12:02:00 GMT", None),
        ("Sat, 21 Nov 99999999999999999999 12:02:00 GMT", None),
        ("Sat, 21 Nov 2026 12:02:00 +99999999999999999999", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 251_607_038_399.0),
        (None, None),
    ],
)
def test_retry_after_is_read_or_ignored(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, NOW) == seconds


@given(st.one_of(st.text(max_size=64), st.lists(st.sampled_from(PIECES), max_size=8).map(" ".join)))
def test_whatever_a_partner_asks_is_read_as_a_time_ahead_or_ignored(value: str) -> None:
    seconds = parse_retry_after(value, NOW)
    assert seconds is None or seconds >= 0


def test_a_long_row_of_digits_is_still_a_number() -> None:
    assert delay_after(1, spread=0.5, retry_after_s=parse_retry_after("9" * 5000, NOW)) == timedelta(hours=1)


def test_gone_and_blocked_need_a_human() -> None:
    assert reason_to_park(410, "status") == "endpoint_gone"
    assert reason_to_park(None, "blocked") == "address_blocked"
    assert reason_to_park(500, "status") is None
    assert reason_to_park(None, "timeout") is None


@pytest.mark.parametrize(
    ("age_s", "wait_s"),
    [(0, 5), (20, 5), (40, 10), (240, 60), (241, 60), (sum(STEPS_S) - 1, 60), (sum(STEPS_S), None)],
)
def test_what_waits_for_intake_is_held_longer_the_older_it_is_and_not_for_ever(
    age_s: float, wait_s: float | None
) -> None:
    assert hold_for(timedelta(seconds=age_s)) == (None if wait_s is None else timedelta(seconds=wait_s))
