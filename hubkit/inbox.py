"""The inbox: every event takes effect exactly once, however often and in whatever order it arrives.

What has arrived is taken in as one batch: the event ids, the effect and the new events in one transaction, then the
acknowledgement. When that fails, for whatever reason, the batch is stored as pending and acknowledged, and each event
is tried alone with growing delay until it is done or dead. Redelivery by the broker plays no part.
"""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import delete, func, select, update

from hubkit.bus import Bus, Message
from hubkit.contracts import PRODUCERS
from hubkit.contracts.envelope import Contract, Event, decode
from hubkit.db import Database, Tx, is_disconnect, whole
from hubkit.errors import PermanentError, TransientError
from hubkit.ids import new_id
from hubkit.messaging import INBOX
from hubkit.telemetry import INBOX_AGE, INBOX_DEAD, INBOX_EVENTS, INBOX_PENDING, reset_traceparent, use_traceparent
from hubkit.waiting import happens

BATCH_LIMIT = 128  # more costs memory, and a transaction of so many costs hardly less for each
MAX_TRIES = 12
_BODY_LIMIT = 256 * 1024
_POLL_S = 1.0
_PATIENCE_S = 0.2
_PATIENT_LIMIT = 16  # well below the prefetch, or the broker would hold back what is urgent

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Deferred:
    """An event of a batch that cannot take effect yet: it alone is retried, the rest of its batch stands."""

    event_id: UUID
    reason: str


#: Applies events of one type, in the order they arrived, in the given transaction.
Handler = Callable[[Tx, list[Event[Any]]], Awaitable[Sequence[Deferred] | None]]


@dataclass(slots=True)
class _Arrived:
    """An event with its envelope, as it will be stored if it cannot be processed at once."""

    event: Event[Any]
    raw: dict[str, Any]


def retry_delay(attempts: int) -> timedelta:
    """Return how long to wait after the given number of failed tries: 0.1 s, tripling, at most 15 minutes, ±20 %."""
    seconds = min(900.0, 0.1 * 3 ** max(0, attempts - 1))
    return timedelta(seconds=seconds * random.uniform(0.8, 1.2))  # noqa: S311 - jitter


class Inbox:
    """Takes in the events of one service.

    Parameters
    ----------
    handlers
        One handler for each contract; within a batch they run in this order, so that what others build on comes first.
    patient
        Contracts that nobody waits for: they go along with the next batch, or make one of their own after a moment.
    """

    def __init__(
        self,
        service: str,
        db: Database,
        bus: Bus,
        handlers: Mapping[type[Contract], Handler],
        patient: Collection[type[Contract]] = (),
    ) -> None:
        self._service = service
        self._db = db
        self._contracts = {contract.TYPE: contract for contract in handlers}
        self._handlers = {contract.TYPE: handler for contract, handler in handlers.items()}
        self._patient = frozenset(contract.TYPE for contract in patient) if bus.keeps_messages else frozenset()
        self._arrivals: deque[Message] = deque()
        self._arrived = asyncio.Event()
        self._in_hand: list[Message] = []
        self._retry = asyncio.Event()
        bus.subscribe(service, list(self._contracts), self._receive)

    def _receive(self, message: Message) -> None:
        was_empty = not self._arrivals
        self._arrivals.append(message)
        if message.type not in self._patient or len(self._arrivals) >= _PATIENT_LIMIT:
            self._arrived.set()
        elif was_empty:
            asyncio.get_running_loop().call_later(_PATIENCE_S, self._arrived.set)

    async def run(self) -> None:
        """Take in what arrives and retry what failed, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._take_in())
            group.create_task(self._retry_loop())

    async def _take_in(self) -> None:
        while True:
            # In hand until acknowledged: the broker sends nothing again while the connection lives, so a loop that
            # was ended goes on with what it had.
            messages = self._in_hand
            if not messages:
                await self._arrived.wait()
                self._arrived.clear()
            arrived: list[_Arrived] = []
            dead: list[dict[str, Any]] = []
            for message in messages:
                self._read_into(arrived, dead, message)
            while len(arrived) < BATCH_LIMIT and self._arrivals:
                messages.append(self._arrivals.popleft())
                self._read_into(arrived, dead, messages[-1])
            if self._arrivals:
                self._arrived.set()
            if not messages:
                continue  # what was patient went along with an earlier batch
            await self._store_or_process(arrived, dead)
            for message in messages:
                await message.ack()
            messages.clear()

    async def _store_or_process(self, arrived: list[_Arrived], dead: list[dict[str, Any]]) -> None:
        """Return once everything is in the database, one way or the other; while it is away, wait for it."""
        tries = 0
        while True:
            try:
                if tries == 0:
                    try:
                        await whole(self._process(arrived, dead))
                        return
                    except Exception as error:
                        if is_disconnect(error):
                            raise
                        _log.warning(
                            "batch_set_aside",
                            extra={"count": len(arrived), "error": type(error).__name__},
                            exc_info=not isinstance(error, TransientError),
                        )
                await whole(self._store(arrived, dead))
                return
            except Exception as error:
                if not is_disconnect(error):
                    raise
                tries += 1
                _log.warning("inbox_waits_for_database", extra={"attempt": tries, "error": type(error).__name__})
                await asyncio.sleep(min(5.0, 0.2 * 2**tries))

    def _read_into(self, arrived: list[_Arrived], dead: list[dict[str, Any]], message: Message) -> None:
        more, more_dead = self._read(message)
        arrived += more
        dead += more_dead

    def _read(self, message: Message) -> tuple[list[_Arrived], list[dict[str, Any]]]:
        """Return a message's events, and a dead row for whatever in it cannot be read."""
        if len(message.body) > _BODY_LIMIT * 4:
            return [], [self._dead_row(message.type, message.body[:1024], "message too large")]
        try:
            raws = orjson.loads(message.body)
        except ValueError:
            return [], [self._dead_row(message.type, message.body, "not JSON")]
        arrived: list[_Arrived] = []
        dead: list[dict[str, Any]] = []
        for raw in raws if isinstance(raws, list) else [raws]:
            try:
                arrived.append(_Arrived(self._event(raw, message.type), raw))
            except PermanentError as error:
                dead.append(self._dead_row(message.type, orjson.dumps(raw), str(error), raw))
            except (KeyError, TypeError):
                dead.append(self._dead_row(message.type, orjson.dumps(raw), "unknown type", raw))
            except ValueError:
                dead.append(self._dead_row(message.type, orjson.dumps(raw), "does not fit its contract", raw))
        return arrived, dead

    def _event(self, raw: Any, type: str) -> Event[Any]:
        """Return the event of an envelope that came as one of a type, which is what the broker's permissions are for.

        Raises
        ------
        KeyError, TypeError
            When its type is none that this service takes in.
        ValueError
            When it does not fit its contract.
        PermanentError
            When it came as another type, or not from the one service that says such events; a replay changes neither.
        """
        contract = self._contracts[raw["type"]]
        if raw["type"] != type:
            raise PermanentError("came as another type")
        event = decode(raw, contract)
        if event.source != PRODUCERS[contract]:
            raise PermanentError("not from its producer")
        return event

    def _dead_row(self, type: str, body: bytes, reason: str, raw: Any = None) -> dict[str, Any]:
        try:
            event_id = UUID(raw["id"])
        except (KeyError, TypeError, ValueError, AttributeError):
            event_id = new_id()
        _log.error("event_dead", extra={"event_id": event_id, "event_type": type[:80], "reason": reason})
        INBOX_EVENTS.labels(self._service, type if type in self._contracts else "unknown", "dead").inc()
        text = body[:_BODY_LIMIT].decode("utf-8", "replace").replace("\0", "")
        return {"event_id": event_id, "type": type[:80], "state": "dead", "body": text, "reason": reason}

    async def _process(self, arrived: list[_Arrived], dead: list[dict[str, Any]]) -> None:
        """Record and apply a batch in one transaction."""
        deferred = await self._db.hopefully(lambda tx: self._take_effect(tx, arrived, dead))
        if deferred:
            self._retry.set()

    async def _take_effect(self, tx: Tx, arrived: list[_Arrived], dead: list[dict[str, Any]]) -> list[Deferred]:
        done = {"state": "done", "received_at": tx.now, "processed_at": tx.now}
        events = {item.event.id: item.event.type for item in arrived}
        rows = [{"event_id": event_id, "type": type, **done} for event_id, type in events.items()]
        # Most events come once; one that comes again fails a hopeful transaction, and is found by the ordinary one.
        new = await tx.insert_new(INBOX, rows, conflict=["event_id"], returning="event_id", hope=True)
        await self._insert_dead(tx, dead)
        deferred = await self._apply(tx, [item for item in arrived if item.event.id in new])
        if deferred:
            await self._set_pending(tx, arrived, deferred)
        return deferred

    async def _apply(self, tx: Tx, items: list[_Arrived]) -> list[Deferred]:
        by_type: dict[str, dict[UUID, Event[Any]]] = {}
        for item in items:
            by_type.setdefault(item.event.type, {})[item.event.id] = item.event
        deferred: list[Deferred] = []
        for type, handler in self._handlers.items():
            events = list(by_type.get(type, {}).values())
            if not events:
                continue
            token = use_traceparent(events[0].traceparent if len(events) == 1 else None)
            try:
                deferred += await handler(tx, events) or ()
            finally:
                reset_traceparent(token)
            INBOX_EVENTS.labels(self._service, type, "done").inc(len(events))
        return deferred

    async def _set_pending(self, tx: Tx, arrived: list[_Arrived], deferred: list[Deferred]) -> None:
        raws = {item.event.id: item.raw for item in arrived}
        for item in deferred:
            await tx.run(
                update(INBOX).where(INBOX.c.event_id == item.event_id).values(
                    state="pending", body=orjson.dumps(raws[item.event_id]).decode(), attempts=1,
                    reason=item.reason[:200], due_at=tx.now + retry_delay(1), processed_at=None,
                )
            )  # fmt: skip

    async def _store(self, arrived: list[_Arrived], dead: list[dict[str, Any]]) -> None:
        """Keep a batch that could not be processed, for each event to be tried alone."""
        async with self._db.transaction() as tx:
            rows = [
                {"event_id": item.event.id, "type": item.event.type, "state": "pending", "received_at": tx.now,
                 "due_at": tx.now, "body": orjson.dumps(item.raw).decode()}
                for item in {item.event.id: item for item in arrived}.values()
            ]  # fmt: skip
            await tx.insert_new(INBOX, rows, conflict=["event_id"], returning="event_id")
            await self._insert_dead(tx, dead)
        self._retry.set()

    async def _insert_dead(self, tx: Tx, dead: list[dict[str, Any]]) -> None:
        rows = [{**row, "received_at": tx.now} for row in dead]
        await tx.insert_new(INBOX, rows, conflict=["event_id"], returning="event_id")

    async def _retry_loop(self) -> None:
        while True:
            try:
                wait_s = await self._retry_due()
            except Exception as error:
                if not is_disconnect(error):
                    raise
                _log.warning("retries_wait_for_database", extra={"error": type(error).__name__})
                wait_s = _POLL_S
            if await happens(self._retry, wait_s):
                self._retry.clear()
                await asyncio.sleep(0.02)

    async def _retry_due(self) -> float:
        """Try everything that is due; return how long to sleep until the next."""
        async with self._db.reading() as tx:
            pending = (INBOX.c.state == "pending",)
            due = select(INBOX.c.event_id).where(*pending, INBOX.c.due_at <= tx.now).order_by(INBOX.c.due_at)
            ids = [row[0] for row in await tx.rows(due.limit(BATCH_LIMIT))]
        for event_id in ids:
            await whole(self._retry_one(event_id))
        async with self._db.reading() as tx:
            counted = await tx.row(select(func.count(), func.min(INBOX.c.due_at)).where(*pending))
            count, earliest = tuple(counted) if counted else (0, None)
            dead = await tx.row(select(func.count()).where(INBOX.c.state == "dead"))
            INBOX_PENDING.labels(self._service).set(count)
            INBOX_DEAD.labels(self._service).set(dead[0] if dead else 0)
            left = (earliest - tx.now).total_seconds() if earliest else _POLL_S
            INBOX_AGE.labels(self._service).set(max(0.0, -left) if earliest else 0)
            return min(_POLL_S, max(0.02, left))

    async def _retry_one(self, event_id: UUID) -> None:
        try:
            async with self._db.transaction() as tx:
                row = await tx.row(
                    select(INBOX)
                    .where(INBOX.c.event_id == event_id, INBOX.c.state == "pending")
                    .with_for_update(skip_locked=True)
                )
                if row is None:
                    return  # another replica has it
                raw = orjson.loads(row.body)
                deferred = await self._apply(tx, [_Arrived(self._event(raw, row.type), raw)])
                if deferred:
                    raise TransientError(deferred[0].reason)
                done = {"state": "done", "body": None, "processed_at": tx.now, "due_at": None}
                await tx.run(update(INBOX).where(INBOX.c.event_id == event_id).values(done))
        except Exception as error:
            if is_disconnect(error):
                raise
            await self._retry_failed(event_id, error)

    async def _retry_failed(self, event_id: UUID, error: Exception) -> None:
        reason = str(error) if isinstance(error, (TransientError, PermanentError)) else type(error).__name__
        async with self._db.transaction() as tx:
            row = await tx.row(select(INBOX.c.attempts, INBOX.c.type).where(INBOX.c.event_id == event_id))
            attempts, type_ = (row.attempts + 1, row.type) if row is not None else (1, "")
            is_dead = isinstance(error, (PermanentError, KeyError)) or attempts >= MAX_TRIES
            await tx.run(
                update(INBOX).where(INBOX.c.event_id == event_id).values(
                    state="dead" if is_dead else "pending", attempts=attempts, reason=reason[:200],
                    due_at=None if is_dead else tx.now + retry_delay(attempts),
                )
            )  # fmt: skip
        extra = {"event_id": event_id, "event_type": type_, "attempt": attempts, "reason": reason[:200]}
        if is_dead:
            _log.error("event_dead", extra=extra, exc_info=error)
            INBOX_EVENTS.labels(self._service, type_, "dead").inc()
        else:
            _log.info("event_retry", extra=extra)


async def list_events(db: Database, state: str, limit: int = 100) -> list[dict[str, Any]]:
    """Return the oldest events in a state (`pending` or `dead`), with their reasons."""
    columns = (INBOX.c.event_id, INBOX.c.type, INBOX.c.state, INBOX.c.attempts, INBOX.c.reason, INBOX.c.received_at)
    query = select(*columns).where(INBOX.c.state == state).order_by(INBOX.c.received_at).limit(limit)
    async with db.reading() as tx:
        return [dict(row._mapping) for row in await tx.rows(query)]


async def replay_dead(db: Database, event_id: UUID | None = None) -> int:
    """Set one dead event, or all, to be tried again from the first try; returns how many. Their ids stay the same."""
    statement = update(INBOX).where(INBOX.c.state == "dead", INBOX.c.body.is_not(None))
    if event_id is not None:
        statement = statement.where(INBOX.c.event_id == event_id)
    async with db.transaction() as tx:
        values = {"state": "pending", "attempts": 0, "due_at": tx.now, "reason": None}
        return (await tx.run(statement.values(values))).rowcount


async def prune(db: Database, before: datetime) -> int:
    """Forget done events received before `before` (keep at least 90 days); returns how many."""
    async with db.transaction() as tx:
        return (await tx.run(delete(INBOX).where(INBOX.c.state == "done", INBOX.c.received_at < before))).rowcount
