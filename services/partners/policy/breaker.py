"""The circuit breaker of an endpoint: when to stop calling one that fails, and when to try it again.

Source: the numbers of Convoy 26.7 (at least 10 requests, 70 % failures within 5 minutes, 30 s open), doubled with each
opening that follows a failed probe, up to 15 minutes.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

MIN_REQUESTS = 10
FAILURE_SHARE = 0.7
WINDOW = timedelta(minutes=5)
FIRST_OPEN = timedelta(seconds=30)
LONGEST_OPEN = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Breaker:
    """What is remembered of an endpoint: a window of results while closed, the number of openings while open."""

    window_from: datetime | None = None
    requests: int = 0
    failures: int = 0
    openings: int = 0
    open_until: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether only probes may go out."""
        return self.openings > 0


def room(breaker: Breaker, now: datetime) -> int | None:
    """Return how many attempts the breaker lets through now: None for no limit, 1 for the probe, 0 while it is open."""
    if not breaker.is_open:
        return None
    return 0 if breaker.open_until is not None and now < breaker.open_until else 1


def counted(breaker: Breaker, *, succeeded: int, failed: int, now: datetime) -> Breaker:
    """Return the breaker after ordinary attempts; late results from before it opened change nothing.

    A window begins with a failure: an endpoint that does its work is not counted, and costs nothing.
    """
    if breaker.is_open:
        return breaker
    if breaker.window_from is None or now - breaker.window_from > WINDOW:
        if not failed:
            return Breaker()
        breaker = Breaker(window_from=now)
    breaker = replace(breaker, requests=breaker.requests + succeeded + failed, failures=breaker.failures + failed)
    if breaker.requests >= MIN_REQUESTS and breaker.failures >= FAILURE_SHARE * breaker.requests:
        return _opened(1, now)
    return breaker


def probed(breaker: Breaker, *, ok: bool, now: datetime) -> Breaker:
    """Return the breaker after its probe: closed and fresh, or open for twice as long."""
    if ok or not breaker.is_open:
        return Breaker()
    return _opened(breaker.openings + 1, now)


def _opened(openings: int, now: datetime) -> Breaker:
    duration = min(LONGEST_OPEN, FIRST_OPEN * 2 ** min(openings - 1, 10))
    return Breaker(openings=openings, open_until=now + duration)
