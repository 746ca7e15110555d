"""When a webhook that failed is tried again."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

#: Waits in seconds after the first attempt, the second, …: ten attempts in 75 h 35 min.
#: Source: Standard Webhooks 1.0.0, "Deliverability and reliability", example retry schedule.
STEPS_S = (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
#: The first three are shorter where the person is at urgent risk.
URGENT_STEPS_S = (1, 30, 300, *STEPS_S[3:])
#: However long an endpoint asks us to wait, it cannot hold a referral back for longer than this.
MAX_RETRY_AFTER_S = 3600.0
_SPREAD = 0.2
#: How long a delivery that waits for intake is held at a time: a quarter of its age, within these.
_HOLD = (timedelta(seconds=5), timedelta(minutes=1))
#: After this it is parked: the longest that a failing endpoint is tried.
_LONGEST_HOLD = timedelta(seconds=sum(STEPS_S))


def is_gone(status: int | None) -> bool:
    """Whether the endpoint says that it is not to be called any more.

    Source: Standard Webhooks 1.0.0: 410 Gone means the endpoint should be disabled.
    """
    return status == 410


def reason_to_park(status: int | None, error_class: str) -> str | None:
    """Return why this failure needs a human rather than another attempt, or None."""
    if is_gone(status):
        return "endpoint_gone"
    return "address_blocked" if error_class == "blocked" else None


def delay_after(
    attempts: int, *, spread: float, urgent: bool = False, retry_after_s: float | None = None
) -> timedelta | None:
    """Return how long to wait after the given number of failed attempts, or None when they are exhausted.

    Parameters
    ----------
    spread
        From 0 to 1, drawn at random: where in the ±20 % around the step it falls, so that retries do not come at once.
    retry_after_s
        What the endpoint asked for: it is never called earlier, except that an hour is the most.
    """
    steps = URGENT_STEPS_S if urgent else STEPS_S
    if attempts > len(steps):
        return None
    seconds = steps[max(0, attempts - 1)] * (1 - _SPREAD + 2 * _SPREAD * spread)
    asked = min(retry_after_s or 0.0, MAX_RETRY_AFTER_S)
    return timedelta(seconds=max(seconds, asked))


def hold_for(age: timedelta) -> timedelta | None:
    """Return how long a delivery of this age waits that could not be made whole, or None when it has waited enough.

    It costs no attempt: nothing was sent.
    """
    shortest, longest = _HOLD
    return None if age >= _LONGEST_HOLD else min(longest, max(shortest, age / 4))


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Return the seconds that a `Retry-After` header asks for; None for anything but a time ahead.

    Source: RFC 9110 section 10.2.3: whole seconds or an HTTP date.
    """
    if value is None or not value.isascii():
        return None
    value = value.strip()
    if value.isdecimal():
        return float(value[:12])
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, OverflowError):  # a year or an offset of twenty digits
        return None
    seconds = ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()
    return seconds if seconds > 0 else None
