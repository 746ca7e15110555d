"""Clocks that can be moved."""

import time
from datetime import UTC, datetime, timedelta

from hubkit.clock import SteeredClock

AT = datetime(2024, 3, 30, 12, tzinfo=UTC)


def test_it_goes_on_from_where_it_was_put():
    clock = SteeredClock(AT)
    time.sleep(0.01)

    assert AT < clock.now() < AT + timedelta(seconds=5)


def test_held_it_stands_and_then_goes_on_from_there():
    clock = SteeredClock(AT)
    later = AT + timedelta(days=1)
    clock.hold(later)
    time.sleep(0.01)
    assert clock.now() == later

    clock.go_on()
    assert clock.now() - later < timedelta(seconds=0.009)
    time.sleep(0.01)
    assert later < clock.now() < later + timedelta(seconds=5)


def test_going_on_twice_changes_nothing():
    clock = SteeredClock(AT)
    time.sleep(0.01)
    clock.go_on()

    assert clock.now() - AT >= timedelta(seconds=0.01)
