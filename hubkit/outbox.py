"""The relay: takes committed events to the bus, exactly in the order they were made, at least once.

One relay of a service is active at a time (an advisory lock on PostgreSQL). It is fed in memory right after each
commit; a sweeper finds what a crash, another replica or the operator's command left. What waits for one event type is
packed into one message, a single event when idle. A row is done when the broker has confirmed it.
"""

import asyncio
import contextlib
import hashlib
import logging
import random
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import func, select, text, update

from hubkit.bus import Bus, PublishError
from hubkit.contracts import PATIENT
from hubkit.contracts.envelope import pack
from hubkit.db import Database, whole
from hubkit.ids import new_id
from hubkit.messaging import OUTBOX
from hubkit.telemetry import OUTBOX_AGE, OUTBOX_DEPTH, OUTBOX_FAILURES, OUTBOX_PUBLISHED
from hubkit.waiting import happens

PACK_LIMIT = 64
_IN_FLIGHT = 4
_MEMORY_LIMIT = 20_000
_SWEEP_S = 1.0
_SWEEP_LIMIT = 2_000
_MARK_S = 0.25
_PATIENCE_S = 0.1
_BACKOFF_S = (0.5, 5.0)

_log = logging.getLogger(__name__)
Row = Mapping[str, Any]


class Relay:
    """Publishes one service's outbox."""

    def __init__(self, db: Database, bus: Bus) -> None:
        self._db = db
        self._bus = bus
        self._waiting: dict[str, deque[Row]] = {}
        self._known: set[UUID] = set()  # waiting or in flight, so that the sweeper leaves them alone
        self._confirmed: list[UUID] = []
        self._due: dict[str, float] = {}
        self._wake = asyncio.Event()
        self._sweep_now = asyncio.Event()
        self._leading = not db.is_postgresql
        self._failures = 0
        self._is_well = asyncio.Event()  # the broker confirmed last
        self._slots = asyncio.Semaphore(_IN_FLIGHT)
        db.on_events = self.feed

    def feed(self, rows: list[dict[str, Any]]) -> None:
        """Take the outbox rows of a transaction that has committed. Never blocks; what does not fit is swept later."""
        if not self._leading or len(self._known) > _MEMORY_LIMIT:
            self._sweep_now.set()
            return
        self._add(rows)

    def _add(self, rows: Sequence[Row]) -> None:
        for row in rows:
            if row["id"] not in self._known:
                self._known.add(row["id"])
                self._waiting.setdefault(row["type"], deque()).append(row)
                if row["type"] not in PATIENT:
                    self._wake.set()
                elif row["type"] not in self._due:
                    loop = asyncio.get_running_loop()
                    self._due[row["type"]] = loop.time() + _PATIENCE_S
                    loop.call_later(_PATIENCE_S + 0.001, self._wake.set)

    def _is_early(self, type: str) -> bool:
        """Whether events of this type still wait for others to travel with."""
        if self._due.get(type, 0) > asyncio.get_running_loop().time():
            return True
        self._due.pop(type, None)
        return False

    async def run(self) -> None:
        """Relay until cancelled; returns early when the lock is lost, to be started again."""
        async with self._leadership():
            self._waiting.clear()
            self._known.clear()
            self._due.clear()
            self._leading = True
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._publish_loop(group))
                    group.create_task(self._mark_loop())
                    group.create_task(self._sweep_loop())
            finally:
                self._leading = not self._db.is_postgresql

    @contextlib.asynccontextmanager
    async def _leadership(self) -> AsyncIterator[None]:
        """Hold the service's advisory lock on a connection of its own; SQLite has one process and needs none."""
        if not self._db.is_postgresql:
            yield
            return
        key = int.from_bytes(hashlib.sha256(f"relay {self._db.source}".encode()).digest()[:8], "big", signed=True)
        connection = await asyncpg.connect(self._db.url.replace("+asyncpg", ""), timeout=5, command_timeout=5)
        watch: asyncio.Task[None] | None = None
        try:
            while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", key):
                await self._stand_by(connection)
            await connection.add_listener(f"outbox_{self._db.source}", lambda *_: self._sweep_now.set())
            watch = asyncio.create_task(_until_lost(connection, asyncio.current_task()))
            yield
        finally:
            if watch is not None:
                watch.cancel()
            with contextlib.suppress(Exception):
                await connection.close(timeout=2)

    async def _stand_by(self, connection: Any) -> None:
        """Wait for the lock; tell the active relay of what this replica commits, at most every 20 ms."""
        deadline = asyncio.get_running_loop().time() + 1.0
        while (left := deadline - asyncio.get_running_loop().time()) > 0:
            if await happens(self._sweep_now, left):
                self._sweep_now.clear()
                await connection.execute(f'NOTIFY "outbox_{self._db.source}"')
                await asyncio.sleep(0.02)

    async def _publish_loop(self, group: asyncio.TaskGroup) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._failures:
                low, high = _BACKOFF_S
                wait_s = random.uniform(0.1, min(high, low * 2 ** min(self._failures, 8)))  # noqa: S311
                await happens(self._is_well, wait_s)
            for type in list(self._waiting):
                waiting = self._waiting[type]
                while waiting and not self._is_early(type):
                    await self._slots.acquire()
                    rows = [waiting.popleft() for _ in range(min(PACK_LIMIT, len(waiting)))]
                    if not rows:
                        self._slots.release()
                        break
                    group.create_task(self._publish(type, rows))
                    if self._failures:
                        break  # the broker is away: one probe at a time

    async def _publish(self, type: str, rows: list[Row]) -> None:
        try:
            await self._bus.publish(type, pack([row["body"].encode() for row in rows]), str(new_id()))
        except PublishError as error:
            self._failures += 1
            self._is_well.clear()
            OUTBOX_FAILURES.labels(self._db.source).inc()
            if self._failures in (1, 10) or self._failures % 100 == 0:
                extra = {"event_type": type, "count": len(rows), "error": str(error)[:100]}
                _log.warning("publish_failed", extra=extra)
            self._waiting[type].extendleft(reversed(rows))
            self._wake.set()
        else:
            self._failures = 0
            self._is_well.set()
            OUTBOX_PUBLISHED.labels(self._db.source, type).inc(len(rows))
            self._confirmed.extend(row["id"] for row in rows)
            if self._waiting[type]:
                self._wake.set()
        finally:
            self._slots.release()

    async def _mark_loop(self) -> None:
        """Mark confirmed rows in batches. A mark lost in a crash only republishes, so it need not wait for the disk."""
        while True:
            await asyncio.sleep(_MARK_S)
            if not self._confirmed:
                continue
            ids, self._confirmed = self._confirmed, []
            try:
                await whole(self._mark(ids))
            except BaseException:
                self._confirmed.extend(ids)
                raise
            self._known.difference_update(ids)

    async def _mark(self, ids: list[UUID]) -> None:
        async with self._db.transaction() as tx:
            if tx.is_postgresql:
                await tx.run(text("SET LOCAL synchronous_commit = off"))
            await tx.run(update(OUTBOX).where(tx.among(OUTBOX.c.id, ids)).values(published_at=tx.now))

    async def _sweep_loop(self) -> None:
        first = True
        while True:
            # Rows younger than this are on their way here from the commit that made them.
            at_once = first or self._sweep_now.is_set()
            self._sweep_now.clear()
            await whole(self._sweep(timedelta(0) if at_once else timedelta(seconds=2)))
            first = False
            await happens(self._sweep_now, _SWEEP_S * random.uniform(0.8, 1.2))  # noqa: S311

    async def _sweep(self, age: timedelta) -> None:
        room = _SWEEP_LIMIT - len(self._known)
        async with self._db.reading() as tx:
            before = tx.now - age
            unpublished = OUTBOX.c.published_at.is_(None)
            if room > 0:
                columns = (OUTBOX.c.id, OUTBOX.c.type, OUTBOX.c.body)
                found = select(*columns).where(unpublished, OUTBOX.c.created_at <= before).order_by(OUTBOX.c.id)
                rows = await tx.rows(found.limit(_SWEEP_LIMIT))
                self._add([dict(row._mapping) for row in rows[:room]])
            counted = await tx.row(select(func.count(), func.min(OUTBOX.c.created_at)).where(unpublished))
            depth, oldest = tuple(counted) if counted else (0, None)
            OUTBOX_DEPTH.labels(self._db.source).set(depth)
            OUTBOX_AGE.labels(self._db.source).set((tx.now - oldest).total_seconds() if oldest else 0)


async def _until_lost(connection: Any, task: "asyncio.Task[Any] | None") -> None:
    """Cancel the relay when the connection that holds its lock is gone."""
    try:
        while True:
            await asyncio.sleep(2)
            await connection.fetchval("SELECT 1")
    except asyncio.CancelledError:
        raise
    except Exception:
        if task is not None:
            task.cancel()


async def list_unpublished(db: Database, limit: int = 100) -> list[dict[str, Any]]:
    """Return the oldest events that the broker has not confirmed."""
    columns = (OUTBOX.c.id, OUTBOX.c.type, OUTBOX.c.subject, OUTBOX.c.created_at)
    query = select(*columns).where(OUTBOX.c.published_at.is_(None)).order_by(OUTBOX.c.id).limit(limit)
    async with db.reading() as tx:
        return [dict(row._mapping) for row in await tx.rows(query)]


async def replay_since(db: Database, since: Any, type: str | None = None) -> int:
    """Mark events made at or after `since` as unpublished, so that the relay sends them again; returns how many.

    Consumers drop those they have; a new or restored consumer gets all.
    """
    statement = update(OUTBOX).where(OUTBOX.c.created_at >= since, OUTBOX.c.published_at.is_not(None))
    if type is not None:
        statement = statement.where(OUTBOX.c.type == type)
    async with db.transaction() as tx:
        return (await tx.run(statement.values(published_at=None))).rowcount
