"""The time, always injected, so that tests and scenarios can hold it still."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Where the present comes from."""

    def now(self) -> datetime:
        """Return the present in UTC, with its offset."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the present in UTC."""
        return datetime.now(UTC)


class ManualClock:
    """A clock that stands still until it is moved.

    Parameters
    ----------
    at
        Where it starts, with offset.
    """

    def __init__(self, at: datetime) -> None:
        self._at = at.astimezone(UTC)

    def now(self) -> datetime:
        """Return the time it was last set to, in UTC."""
        return self._at

    def set(self, at: datetime) -> None:
        """Put it at `at`."""
        self._at = at.astimezone(UTC)

    def advance(self, by: timedelta) -> None:
        """Move it on by `by`."""
        self._at += by


class SteeredClock:
    """A clock that is put to any instant and goes on from there with real time, so that leases and retries live.

    Held, it stands still: all that is done meanwhile happens at one instant.

    Parameters
    ----------
    at
        Where it starts, with offset.
    """

    def __init__(self, at: datetime) -> None:
        self._at = at.astimezone(UTC)
        self._since = time.monotonic()
        self._is_held = False

    def now(self) -> datetime:
        """Return the instant it has reached, in UTC."""
        return self._at if self._is_held else self._at + timedelta(seconds=time.monotonic() - self._since)

    def hold(self, at: datetime) -> None:
        """Put it at `at`, and let it stand there."""
        self._at, self._is_held = at.astimezone(UTC), True

    def go_on(self) -> None:
        """Let it go on from where it stands."""
        if self._is_held:
            self._since, self._is_held = time.monotonic(), False
