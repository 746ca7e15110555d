"""How often a client may call: the generic cell rate algorithm, in memory, per process."""

from dataclasses import dataclass
from typing import Final

_KEPT: Final = 10_000


@dataclass(frozen=True, slots=True)
class Rate:
    """So many calls a second in the long run, and so many at once."""

    per_second: float
    burst: int


def gcra(arrival_s: float, now_s: float, rate: Rate) -> tuple[float, float]:
    """Decide about one call.

    Parameters
    ----------
    arrival_s
        The theoretical arrival time that is stored; 0 for a new caller.
    now_s
        The present, in seconds.

    Returns
    -------
    tuple
        The arrival time to store, and the seconds to wait: 0 when the call may go ahead.

    Notes
    -----
    Source: ATM Forum TM 4.0, the virtual scheduling form of GCRA(T, tau), with T = 1/rate and tau = T * (burst - 1).
    """
    interval = 1 / rate.per_second
    tolerance = interval * (rate.burst - 1)
    arrival = max(arrival_s, now_s)
    # Further ahead than it can ever get: the clock was set back.
    if arrival - now_s > tolerance + 2 * interval:
        arrival = now_s
    wait = arrival - tolerance - now_s
    if wait > 1e-9:
        return arrival, wait
    return arrival + interval, 0.0


class Limiter:
    """Counts the calls of many callers against one rate."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._arrivals: dict[str, float] = {}

    def take(self, key: str, now_s: float) -> float:
        """Count one call of `key`; return 0, or the seconds after which it may try again."""
        arrival, wait = gcra(self._arrivals.get(key, 0.0), now_s, self._rate)
        if key not in self._arrivals and len(self._arrivals) >= _KEPT:
            self._forget(now_s)
        self._arrivals[key] = arrival
        return wait

    def peek(self, key: str, now_s: float) -> float:
        """Return what `take` would, and count nothing."""
        return gcra(self._arrivals.get(key, 0.0), now_s, self._rate)[1]

    def _forget(self, now_s: float) -> None:
        """Drop those who have their whole burst again; when nobody has, the oldest half."""
        self._arrivals = {key: arrival for key, arrival in self._arrivals.items() if arrival > now_s}
        if len(self._arrivals) >= _KEPT:
            self._arrivals = dict(list(self._arrivals.items())[_KEPT // 2 :])
