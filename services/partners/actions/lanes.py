"""The deliveries in memory, in a lane for each endpoint: what a slow or failing one holds is not taken from others."""

import asyncio
from collections import Counter, deque
from collections.abc import Collection, Mapping
from uuid import UUID

from services.partners.actions.outgoing import HELD_PER_SENDER, Outgoing
from services.partners.policy.breaker import MIN_REQUESTS


class Lanes:
    """The deliveries in memory.

    An endpoint begins with a quarter of the attempts that it may have at once; each success adds one, a failure takes
    it back to the quarter. Its lane takes no more senders, and no more places, than it leaves to the others: so however
    many endpoints are slow, something is free for the next. No more failures than open its breaker go ahead of what is
    written of them.

    Source: TCP's slow start (RFC 5681); dynamic thresholds for the shared memory of network switches (Choudhury and
    Hahne 1998).

    Parameters
    ----------
    senders
        How many attempts run at once in all.
    per_endpoint
        How many of them to one endpoint.
    """

    def __init__(self, senders: int, per_endpoint: int) -> None:
        self._most = senders * HELD_PER_SENDER
        self._senders = senders
        self._per_endpoint = per_endpoint
        self._first = max(1, per_endpoint // 4)
        self._busy = 0
        self._allowed: dict[UUID, int] = {}
        self._held: Counter[UUID] = Counter()
        self._running: Counter[UUID] = Counter()
        self._unwritten: Counter[UUID] = Counter()
        self._waiting: dict[UUID, deque[Outgoing]] = {}
        self._startable: asyncio.Queue[Outgoing] = asyncio.Queue()
        #: Set when there is something new to claim, or room for it.
        self.wake = asyncio.Event()

    @property
    def free(self) -> int:
        """How many more fit in."""
        return self._most - self._held.total()

    @property
    def most_each(self) -> int:
        """How many fit in for an endpoint of which nothing is known."""
        return self._room(0, self._first)

    def room_for(self, endpoint_id: UUID) -> int:
        """Return how many more fit in for one endpoint."""
        return self._room(self._held.get(endpoint_id, 0), self._allowed.get(endpoint_id, self._first))

    def room(self) -> dict[UUID, int]:
        """Return how many more fit in for the endpoints of which something is known."""
        return {endpoint_id: self.room_for(endpoint_id) for endpoint_id in self._held.keys() | self._allowed.keys()}

    def put(self, outgoing: Outgoing) -> bool:
        """Take a delivery in; return False when there is no room for it."""
        endpoint_id = outgoing.endpoint_id
        if self.free <= 0 or self._held[endpoint_id] >= self._per_endpoint * HELD_PER_SENDER:
            return False
        self._held[endpoint_id] += 1
        self._waiting.setdefault(endpoint_id, deque()).append(outgoing)
        self._start(endpoint_id)
        return True

    async def next(self) -> Outgoing:
        """Wait for a delivery that may be sent now; `done` must follow."""
        return await self._startable.get()

    def done(self, outgoing: Outgoing, *, ok: bool | None) -> None:
        """Give its place back; `ok` is None when there was no attempt."""
        endpoint_id = outgoing.endpoint_id
        free, was_roomy = self.free, self._is_roomy(endpoint_id)
        if ok:
            allowed = self._allowed.get(endpoint_id, self._first)
            self._allowed[endpoint_id] = min(allowed + 1, self._per_endpoint)
        elif ok is False:
            self._allowed.pop(endpoint_id, None)
            self._unwritten[endpoint_id] += 1
        self._running[endpoint_id] -= 1
        self._busy -= 1
        self._held[endpoint_id] -= 1
        # Claiming pays for itself in batches, so it is called for when half a lane or half of all is free.
        if self._is_roomy(endpoint_id) > was_roomy or free < self._most // 2 <= self.free:
            self.wake.set()
        self._start(endpoint_id)

    def written(self, failures: Mapping[UUID, int], closed: Collection[UUID]) -> list[Outgoing]:
        """Go on where failures held a lane up; return what was to go to the closed endpoints, and have it no more.

        Parameters
        ----------
        failures
            How many of each endpoint have been written.
        closed
            The endpoints to which nothing goes now.
        """
        self._unwritten -= Counter(failures)
        dropped: list[Outgoing] = []
        for endpoint_id in {*failures, *closed} & self._waiting.keys():
            if endpoint_id in closed:
                waiting = self._waiting[endpoint_id]
                dropped += waiting
                self._held[endpoint_id] -= len(waiting)
                waiting.clear()
            self._start(endpoint_id)
        if dropped:
            self.wake.set()
        return dropped

    def _room(self, held: int, allowed: int) -> int:
        return max(0, min(allowed * HELD_PER_SENDER - held, (self.free - held + 1) // 2))

    def _is_roomy(self, endpoint_id: UUID) -> bool:
        return self.room_for(endpoint_id) >= self._held[endpoint_id]

    def _start(self, endpoint_id: UUID) -> None:
        waiting = self._waiting[endpoint_id]
        while waiting and self._running[endpoint_id] < self._most_now(waiting[0]):
            self._running[endpoint_id] += 1
            self._busy += 1
            self._startable.put_nowait(waiting.popleft())
        if not self._held[endpoint_id]:
            del self._waiting[endpoint_id], self._held[endpoint_id], self._running[endpoint_id]

    def _most_now(self, outgoing: Outgoing) -> int:
        """Return how many attempts its endpoint may have running.

        None only where what is yet to be written starts the next; otherwise at least one, or nobody would.
        """
        left = MIN_REQUESTS - self._unwritten[outgoing.endpoint_id]
        if left <= 0:
            return 0
        most = self._allowed.get(outgoing.endpoint_id, self._first)
        if outgoing.is_watched:
            most = min(most, self._first)
        return max(1, min(most, left, self._senders - self._busy))
