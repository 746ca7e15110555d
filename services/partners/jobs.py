"""The door of time: the dispatcher, which sends webhooks.

One loop claims what is due while memory has room, a fixed set of senders makes the attempts, one loop writes the
results in batches. What a transaction has just queued comes in by the handover, straight after its commit.
"""

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import TypeVar
from uuid import UUID

from hubkit.db import Database, is_disconnect, whole
from hubkit.egress import Attempt, WebhookClient
from hubkit.service import Service
from hubkit.telemetry import ACKNOWLEDGEMENTS_OVERDUE, CERTIFICATE_EXPIRES, DELIVERIES, DELIVERIES_WAITING
from hubkit.waiting import happens
from hubkit.webhooks import sign
from services.partners.actions.acknowledgements import count_overdue
from services.partners.actions.carry import Held, Load, load
from services.partners.actions.deps import Deps
from services.partners.actions.dispatch import Result, claim, keep_house, record
from services.partners.actions.lanes import Lanes
from services.partners.actions.outgoing import ATTEMPT_S, Outgoing
from services.partners.model import DETAILS_UNAVAILABLE

_BATCH = 256
_GATHER_S = 0.1
_POLL_S = 1.0
_HOUSE_S = 5.0
_LAST_WRITE_S = 5.0

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Dispatcher:
    """Sends the webhooks of this process. Any number of processes may do so on one database."""

    def __init__(self, db: Database, deps: Deps, client: WebhookClient) -> None:
        self._db = db
        self._deps = deps
        self._client = client
        self._senders = deps.dispatch_concurrency
        self._lanes = Lanes(deps.dispatch_concurrency, deps.endpoint_concurrency)
        self._results: asyncio.Queue[Result] = asyncio.Queue()
        self._unwritten: list[Result] = []
        deps.handover.take, deps.handover.room = self.take, self._lanes.room_for

    def take(self, leased: Sequence[Outgoing]) -> None:
        """Take in what a committed transaction has leased; nothing means that there is something to claim."""
        for outgoing in leased:
            if not self._lanes.put(outgoing):
                self._results.put_nowait(Result(outgoing, self._deps.clock.now(), None))
        if not leased:
            self._lanes.wake.set()

    async def run(self) -> None:
        """Dispatch until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._claim_loop())
            group.create_task(self._write_loop())
            group.create_task(self._house_loop())
            for _ in range(self._senders):
                group.create_task(self._send_loop())

    async def aclose(self) -> None:
        """Write what was finished last and close the connections; what was under way comes back when its lease ends."""
        while not self._results.empty():
            self._unwritten.append(self._results.get_nowait())
        try:
            async with asyncio.timeout(_LAST_WRITE_S):
                await self._write()
        except TimeoutError:
            _log.warning("results_not_written", extra={"count": len(self._unwritten)})
        finally:
            await self._client.aclose()

    async def claim_once(self) -> int:
        """Claim what there is room for; return how many deliveries that were."""
        began = time.monotonic()
        lanes = self._lanes
        # In batches, because news that is queued meanwhile waits for the transaction where a database has one writer.
        free = min(lanes.free, _BATCH)
        if free <= 0:
            return 0

        async def lease() -> list[Outgoing]:
            async with self._db.transaction() as tx:
                return await claim(tx, self._deps, began=began, free=free, room=lanes.room(), most_each=lanes.most_each)

        claimed = await whole(lease())
        if claimed:
            self.take(claimed)
        return len(claimed)

    async def _claim_loop(self) -> None:
        while True:
            self._lanes.wake.clear()
            if await _patiently("claim", self.claim_once):
                continue
            # Spread, so that several processes do not look at the same moment.
            await happens(self._lanes.wake, _POLL_S * random.uniform(0.8, 1.2))  # noqa: S311

    async def _send_loop(self) -> None:
        while True:
            outgoing = await self._lanes.next()
            ok = None
            try:
                result = await self._attempt(outgoing)
                ok = result.attempt.ok if result.attempt is not None else None
                self._results.put_nowait(result)
            finally:
                self._lanes.done(outgoing, ok=ok)

    async def _attempt(self, outgoing: Outgoing) -> Result:
        loaded = await self._load(outgoing)
        now = self._deps.clock.now()
        if isinstance(loaded, Held):
            return Result(outgoing, now, None, because=loaded.because)
        stamp = int(now.timestamp())
        headers = {
            "content-type": "application/json",
            "user-agent": "Onward-Webhooks/1",
            "webhook-id": str(outgoing.delivery_id),
            "webhook-timestamp": str(stamp),
            "webhook-signature": sign(str(outgoing.delivery_id), stamp, loaded.body, outgoing.keys),
        }
        if outgoing.traceparent:
            headers["traceparent"] = outgoing.traceparent
        # The last thing before sending: after a standstill the permit may be over, and a new one must be asked for.
        if time.monotonic() >= outgoing.start_by:
            return Result(outgoing, now, None)
        return Result(outgoing, now, await self._post(outgoing, headers, loaded.body), loaded.payload, loaded.because)

    async def _load(self, outgoing: Outgoing) -> Load | Held:
        try:
            return await load(self._db, self._deps, outgoing)
        except Exception as error:
            # The database may be away. What it is must not be asked of the person's details, so it is named alone.
            _log.error("load_failed", extra={"delivery_id": outgoing.delivery_id, "error": type(error).__name__})
            return Held(DETAILS_UNAVAILABLE)

    async def _post(self, outgoing: Outgoing, headers: Mapping[str, str], body: bytes) -> Attempt:
        try:
            return await self._client.post(
                outgoing.url, headers, body, total_s=ATTEMPT_S, mutual_tls=outgoing.mutual_tls
            )
        except Exception as error:
            # A fault of ours must not stop the sender, nor send the same delivery round and round.
            _log.error("attempt_failed", extra={"delivery_id": outgoing.delivery_id}, exc_info=error)
            return Attempt(ok=False, status=None, error_class="reset", duration_ms=0)

    async def _write_loop(self) -> None:
        await self._write()
        while True:
            self._unwritten.append(await self._results.get())
            await asyncio.sleep(_GATHER_S)
            while len(self._unwritten) < _BATCH and not self._results.empty():
                self._unwritten.append(self._results.get_nowait())
            await self._write()

    async def _write(self) -> None:
        """Write what is unwritten; while the database is away, keep it and wait."""
        tries = 0
        while self._unwritten:
            try:
                await self._record(len(self._unwritten))
            except Exception as error:
                if not is_disconnect(error):
                    await self._write_singly(error)
                    return
                tries += 1
                _log.warning("results_wait_for_database", extra={"attempt": tries, "error": type(error).__name__})
                await asyncio.sleep(min(5.0, 0.1 * 2**tries))

    async def _write_singly(self, error: Exception) -> None:
        """Write one by one, so that a bad result does not fail its neighbours.

        It is tried once more without the receiver's words, so that nothing that these are keeps it from being counted;
        after that its lease runs out.
        """
        _log.error(
            "results_split", extra={"count": len(self._unwritten), "error": type(error).__name__}, exc_info=error
        )
        while self._unwritten:
            try:
                await self._record(1)
            except Exception as failure:
                lost = self._unwritten.pop(0)
                plain = lost.without_words()
                if plain != lost:
                    self._unwritten.insert(0, plain)
                    continue
                extra = {"delivery_id": lost.outgoing.delivery_id, "error": type(failure).__name__}
                _log.error("result_lost", extra=extra, exc_info=failure)
                self._go_on([lost], ())

    async def _record(self, count: int) -> None:
        """Write the first unwritten results. They are written with the commit, even if this is cancelled meanwhile."""
        results = self._unwritten[:count]

        async def write() -> None:
            async with self._db.transaction() as tx:
                closed = await record(tx, self._deps, results)
            del self._unwritten[:count]
            self._go_on(results, closed)
            for result in results:
                _count(result.outgoing, result.attempt)

        await whole(write())

    def _go_on(self, results: Sequence[Result], closed: Collection[UUID]) -> None:
        """Let the lanes go on after these results; what waited for endpoints that are closed now is given back."""
        failures = Counter(result.outgoing.endpoint_id for result in results if result.failed)
        for outgoing in self._lanes.written(failures, closed):
            self._results.put_nowait(Result(outgoing, self._deps.clock.now(), None))
        if any(result.attempt is None for result in results):
            self._lanes.wake.set()

    async def _house_loop(self) -> None:
        while True:
            await _patiently("housekeeping", self._keep_house)
            await asyncio.sleep(_HOUSE_S)

    async def _keep_house(self) -> int:
        async def tidy() -> tuple[dict[str, int], int]:
            async with self._db.transaction() as tx:
                return await keep_house(tx, self._deps), await count_overdue(tx)

        counts, overdue = await whole(tidy())
        ACKNOWLEDGEMENTS_OVERDUE.set(overdue)
        if self._deps.identity is not None:
            left = self._deps.identity.expires_at - self._deps.clock.now()
            CERTIFICATE_EXPIRES.set(left.total_seconds())
        for state, count in counts.items():
            DELIVERIES_WAITING.labels(state).set(count)
        return len(counts)


def install(service: Service, deps: Deps) -> Dispatcher:
    """Let the service dispatch for as long as it runs."""
    private = deps.allow_private_endpoints
    client = WebhookClient(
        allow_http=private,
        allow_private=private,
        connections=deps.dispatch_concurrency,
        identity=deps.identity.context if deps.identity is not None else None,
    )
    dispatcher = Dispatcher(service.db, deps, client)
    service.loop("dispatcher", dispatcher.run)
    service.on_stop(dispatcher.aclose)
    return dispatcher


async def _patiently(what: str, action: Callable[[], Awaitable[int]]) -> int:
    """Do it; a failure (the database may be away) is said and waited for, so that the senders go on."""
    try:
        return await action()
    except Exception as error:
        _log.warning(f"{what}_failed", extra={"error": type(error).__name__}, exc_info=not is_disconnect(error))
        await asyncio.sleep(_POLL_S)
        return 0


def _count(outgoing: Outgoing, attempt: Attempt | None) -> None:
    outcome = "not_started" if attempt is None else "delivered" if attempt.ok else attempt.error_class
    DELIVERIES.labels(outcome).inc()
    if outcome not in ("delivered", "not_started"):
        extra = {
            "delivery_id": outgoing.delivery_id,
            "endpoint_id": outgoing.endpoint_id,
            "outcome": outcome,
            "status": attempt.status if attempt else None,
        }
        _log.warning("delivery_failed", extra=extra)
