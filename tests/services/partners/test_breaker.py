"""The circuit breaker of an endpoint."""

from datetime import UTC, datetime, timedelta

from services.partners.policy.breaker import Breaker, counted, probed, room

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def test_ten_requests_of_which_seven_fail_open_it_for_thirty_seconds() -> None:
    almost = counted(Breaker(), succeeded=3, failed=6, now=NOW)
    assert room(almost, NOW) is None
    opened = counted(almost, succeeded=0, failed=1, now=NOW)
    assert room(opened, NOW + timedelta(seconds=29)) == 0
    assert room(opened, NOW + timedelta(seconds=30)) == 1


def test_fewer_than_seven_in_ten_leave_it_closed() -> None:
    assert not counted(Breaker(), succeeded=31, failed=69, now=NOW).is_open
    assert counted(Breaker(), succeeded=30, failed=70, now=NOW).is_open


def test_failures_of_more_than_five_minutes_ago_are_forgotten() -> None:
    old = counted(Breaker(), succeeded=0, failed=9, now=NOW)
    later = counted(old, succeeded=0, failed=1, now=NOW + timedelta(minutes=5, seconds=1))
    assert not later.is_open
    assert later.requests == 1


def test_results_from_before_it_opened_change_nothing() -> None:
    opened = counted(Breaker(), succeeded=0, failed=10, now=NOW)
    assert counted(opened, succeeded=4, failed=12, now=NOW) == opened


def test_each_failed_probe_doubles_the_wait_up_to_fifteen_minutes() -> None:
    state = counted(Breaker(), succeeded=0, failed=10, now=NOW)
    waits = []
    for _ in range(8):
        state = probed(state, ok=False, now=NOW)
        assert state.open_until is not None
        waits.append((state.open_until - NOW).total_seconds())
    assert waits == [60, 120, 240, 480, 900, 900, 900, 900]


def test_a_probe_that_succeeds_closes_it_with_a_fresh_count() -> None:
    opened = counted(Breaker(), succeeded=0, failed=10, now=NOW)
    closed = probed(opened, ok=True, now=NOW)
    assert room(closed, NOW) is None
    assert not counted(closed, succeeded=0, failed=9, now=NOW).is_open
