"""Outbox, bus and inbox: the same promises on both adapters."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aio_pika
import pytest
from sqlalchemy import select, text

from hubkit.bus import Bus, LocalBus, Message, PublishError, RabbitBus
from hubkit.clock import ManualClock, SystemClock
from hubkit.contracts import CaseExcludedV1, Event, ReferralReceivedV1
from hubkit.contracts.case import DecisionFacts
from hubkit.contracts.envelope import encode, pack
from hubkit.contracts.referral import CrimeFacts
from hubkit.db import Database, Tx
from hubkit.errors import PermanentError, TransientError
from hubkit.ids import new_id
from hubkit.inbox import MAX_TRIES, Deferred, Inbox, list_events, replay_dead, retry_delay
from hubkit.messaging import INBOX, OUTBOX, _metadata
from hubkit.outbox import Relay, list_unpublished, replay_since
from hubkit.service import keep_running


@dataclass
class Pair:
    """A publishing service, a consuming one, and the buses of both."""

    publisher: Database
    consumer: Database
    buses: tuple[Bus, Bus]
    tasks: list[asyncio.Task[None]]

    def run(self, name: str, loop: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        task = asyncio.create_task(keep_running("test", name, loop))
        self.tasks.append(task)
        return task

    def consume(self, handler: Any, contract: Any = ReferralReceivedV1) -> None:
        inbox = Inbox("triage", self.consumer, self.buses[1], {contract: handler})
        self.run("inbox", inbox.run)
        for bus in dict.fromkeys(self.buses):
            self.run("bus", bus.run)

    def relay(self) -> asyncio.Task[None]:
        return self.run("relay", Relay(self.publisher, self.buses[0]).run)


@contextlib.asynccontextmanager
async def made(publisher_url: str, consumer_url: str, buses: tuple[Bus, Bus]) -> AsyncIterator[Pair]:
    databases = [
        Database(url, source=name, clock=SystemClock())
        for url, name in ((publisher_url, "intake"), (consumer_url, "triage"))
    ]
    for database in databases:
        async with database._writer.begin() as conn:
            await conn.run_sync(_metadata.create_all)
    pair = Pair(databases[0], databases[1], buses, [])
    try:
        yield pair
    finally:
        for task in pair.tasks:
            task.cancel()
        await asyncio.gather(*pair.tasks, return_exceptions=True)
        for database in databases:
            await database.aclose()


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[Pair]:
    bus = LocalBus()
    async with made(f"sqlite+aiosqlite:///{tmp_path}/a.db", f"sqlite+aiosqlite:///{tmp_path}/b.db", (bus, bus)) as pair:
        yield pair


@pytest.fixture
async def full(postgres_server: Any, rabbit_url: str) -> AsyncIterator[Pair]:
    names = [f"t_{new_id().hex}" for _ in range(2)]
    urls = [postgres_server.create_database(name) for name in names]
    buses = (RabbitBus(rabbit_url, "intake"), RabbitBus(rabbit_url, "triage"))
    async with made(urls[0], urls[1], buses) as pair:
        yield pair
    for name in names:
        postgres_server.drop_database(name)


@pytest.fixture(params=["embedded", "full"])
def pair(request: pytest.FixtureRequest) -> Pair:
    chosen: Pair = request.getfixturevalue(request.param)
    return chosen


def received(version: int = 1) -> ReferralReceivedV1:
    return ReferralReceivedV1(
        referral_id=new_id(), version=version, source_organisation="police", channel="police_automatic",
        received_at=datetime.now(UTC), crime=CrimeFacts(category="burglary.residential"),
    )  # fmt: skip


async def until(condition: Callable[[], Any], seconds: float = 15) -> None:
    async with asyncio.timeout(seconds):
        while True:
            found = condition()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return
            await asyncio.sleep(0.01)


async def states(db: Database) -> list[str]:
    async with db.reading() as tx:
        return [row.state for row in await tx.rows(select(INBOX.c.state))]


async def unpublished(db: Database) -> int:
    return len(await list_unpublished(db, 10_000))


async def test_committed_events_arrive_once_and_are_marked(pair: Pair) -> None:
    seen: list[Event[Any]] = []

    async def handler(tx: Tx, events: list[Event[Any]]) -> None:
        tx.after_commit(lambda: seen.extend(events))

    pair.consume(handler)
    pair.relay()
    for _ in range(3):
        async with pair.publisher.transaction() as tx:
            for _ in range(70):
                tx.emit(received(), "subject")
    await until(lambda: len(seen) == 210)
    await until(lambda: _none(pair.publisher))
    assert len({event.id for event in seen}) == 210
    assert set(await states(pair.consumer)) == {"done"}


async def _none(db: Database) -> bool:
    return await unpublished(db) == 0


async def test_rolled_back_transaction_says_nothing(pair: Pair) -> None:
    pair.relay()

    async def fail() -> None:
        async with pair.publisher.transaction() as tx:
            tx.emit(received(), "subject")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with pair.publisher.reading() as tx:
        assert await tx.rows(select(OUTBOX.c.id)) == []


async def test_events_left_by_a_crash_are_swept_and_published(pair: Pair) -> None:
    seen: list[Event[Any]] = []

    async def handler(tx: Tx, events: list[Event[Any]]) -> None:
        tx.after_commit(lambda: seen.extend(events))

    async with pair.publisher.transaction() as tx:  # no relay runs yet: as after a kill between commit and publish
        tx.emit(received(), "subject")
    pair.consume(handler)
    pair.relay()
    await until(lambda: len(seen) == 1)


async def test_replayed_events_have_one_effect(pair: Pair) -> None:
    seen: list[Event[Any]] = []

    async def handler(tx: Tx, events: list[Event[Any]]) -> None:
        tx.after_commit(lambda: seen.extend(events))

    pair.consume(handler)
    pair.relay()
    async with pair.publisher.transaction() as tx:
        tx.emit(received(), "subject")
    await until(lambda: _none(pair.publisher))
    await until(lambda: len(seen) == 1)
    assert await replay_since(pair.publisher, datetime.now(UTC) - timedelta(minutes=1)) == 1
    await until(lambda: _none(pair.publisher))
    await asyncio.sleep(0.2)
    assert len(seen) == 1


async def test_failing_event_is_retried_alone_and_its_neighbours_pass(pair: Pair) -> None:
    bad: list[Any] = []
    done: list[Any] = []

    async def handler(tx: Tx, events: list[Event[Any]]) -> None:
        for event in events:
            if event.data.version == 2 and len(bad) < 3:
                bad.append(event.id)
                raise TransientError("not yet")
        done.extend(event.id for event in events)

    pair.consume(handler)
    pair.relay()
    async with pair.publisher.transaction() as tx:
        for version in (1, 2, 1):
            tx.emit(received(version), "subject")
    await until(lambda: len(done) == 3)
    assert len(set(done)) == 3


async def test_permanent_failure_is_dead_with_its_reason_and_can_be_replayed(pair: Pair) -> None:
    broken = True
    done: list[Any] = []

    async def handler(tx: Tx, events: list[Event[Any]]) -> None:
        if broken:
            raise PermanentError("no such hub")
        done.extend(events)

    pair.consume(handler)
    pair.relay()
    async with pair.publisher.transaction() as tx:
        tx.emit(received(), "subject")

    async def dead() -> list[dict[str, Any]]:
        return await list_events(pair.consumer, "dead")

    await until(dead)
    assert (await dead())[0]["reason"] == "no such hub"
    broken = False
    assert await replay_dead(pair.consumer) == 1
    await until(lambda: len(done) == 1)


async def test_deferred_event_waits_while_its_batch_stands(embedded: Pair) -> None:
    known = False
    done: list[int] = []

    async def handler(tx: Tx, events: list[Event[Any]]) -> list[Deferred]:
        nonlocal known
        late = [event for event in events if event.data.version == 2 and not known]
        done.extend(event.data.version for event in events if event not in late)
        known = True
        return [Deferred(event.id, "not known yet") for event in late]

    embedded.consume(handler)
    embedded.relay()
    async with embedded.publisher.transaction() as tx:
        tx.emit(received(2), "subject")
        tx.emit(received(1), "subject")
    await until(lambda: sorted(done) == [1, 2])


async def test_poison_messages_are_dead_and_the_rest_flows(pair: Pair) -> None:
    """Row 44 of the bad-input matrix."""
    seen: list[Event[Any]] = []

    async def handler(tx: Tx, events: list[Event[Any]]) -> None:
        tx.after_commit(lambda: seen.extend(events))

    pair.consume(handler)
    pair.relay()
    bus = pair.buses[0]
    await until(lambda: bus.is_ready)
    kind = ReferralReceivedV1.TYPE
    envelope = {"id": str(new_id()), "type": kind, "source": "x", "subject": "x", "time": "2026-01-01T00:00:00+00:00"}
    wrong_shape = json.dumps([{**envelope, "data": {}}]).encode()
    forged = b"[" + encode(id=new_id(), source="partners", subject="x", time=datetime.now(UTC), data=received()) + b"]"
    for body in (b"\xff not json", b'{"type":"other"}', wrong_shape, forged, b"x" * 2_000_000):
        await bus.publish(kind, body, str(new_id()))
    if isinstance(bus, RabbitBus):
        assert bus._exchange is not None
        await bus._exchange.publish(aio_pika.Message(b"{", headers={"x": "a" * 100_000}), kind)
    async with pair.publisher.transaction() as tx:
        tx.emit(received(), "subject")
    await until(lambda: len(seen) == 1)
    reasons = sorted(row["reason"] for row in await list_events(pair.consumer, "dead"))
    assert sorted(set(reasons)) == [
        "does not fit its contract", "message too large", "not JSON", "not from its producer", "unknown type",
    ]  # fmt: skip
    assert reasons.count("not JSON") == (2 if isinstance(bus, RabbitBus) else 1)


async def test_event_that_is_not_from_its_producer_stays_dead_on_replay(embedded: Pair) -> None:
    """Row 44 of the bad-input matrix."""
    seen: list[Event[Any]] = []

    async def handler(tx: Tx, events: list[Event[Any]]) -> None:
        tx.after_commit(lambda: seen.extend(events))

    inbox = Inbox("triage", embedded.consumer, embedded.buses[1], {ReferralReceivedV1: handler})
    forged, real = (
        encode(id=new_id(), source=source, subject="x", time=datetime.now(UTC), data=received())
        for source in ("partners", "intake")
    )
    embedded.run("inbox", inbox.run)
    await embedded.buses[0].publish(ReferralReceivedV1.TYPE, pack([forged, real]), "1")
    await until(lambda: len(seen) == 1)
    assert await replay_dead(embedded.consumer) == 1
    await inbox._retry_due()
    await until(lambda: _is_given_up(embedded.consumer))
    [dead] = await list_events(embedded.consumer, "dead")
    assert (dead["reason"], dead["attempts"]) == ("not from its producer", 1)
    assert [event.source for event in seen] == ["intake"]


async def test_event_that_came_as_another_type_is_dead(embedded: Pair) -> None:
    """Row 44: who may say one type at the broker says no other in its place."""

    async def handler(_tx: Tx, _events: list[Event[Any]]) -> None:
        raise AssertionError("it has no effect")

    handlers = {ReferralReceivedV1: handler, CaseExcludedV1: handler}
    inbox = Inbox("triage", embedded.consumer, embedded.buses[1], handlers)
    embedded.run("inbox", inbox.run)
    forged = encode(id=new_id(), source="intake", subject="x", time=datetime.now(UTC), data=received())
    await embedded.buses[0].publish(CaseExcludedV1.TYPE, pack([forged]), "1")
    await until(lambda: _is_given_up(embedded.consumer))
    assert [row["reason"] for row in await list_events(embedded.consumer, "dead")] == ["came as another type"]


async def _is_given_up(db: Database) -> bool:
    return bool(await list_events(db, "dead"))


async def test_hundred_concurrent_duplicates_have_one_effect(full: Pair) -> None:
    count = 0

    async def handler(tx: Tx, events: list[Event[Any]]) -> None:
        def done() -> None:
            nonlocal count
            count += len(events)

        tx.after_commit(done)

    full.consume(handler)
    async with full.publisher.transaction() as tx:
        tx.emit(received(), "subject")
        body = ("[" + tx.events[0]["body"] + "]").encode()
    bus = full.buses[0]
    await until(lambda: bus.is_ready)
    await asyncio.gather(*(bus.publish(ReferralReceivedV1.TYPE, body, str(new_id())) for _ in range(100)))
    await until(lambda: count == 1)
    await asyncio.sleep(0.5)
    assert count == 1


async def test_publishing_without_a_consumer_is_an_error(embedded: Pair) -> None:
    with pytest.raises(PublishError):
        await embedded.buses[0].publish("case.opened.v1", b"[]", "1")


async def test_unroutable_event_stays_in_the_outbox(full: Pair) -> None:
    bus = full.buses[0]
    full.run("bus", bus.run)
    await until(lambda: bus.is_ready)
    with pytest.raises(PublishError):
        await bus.publish("nobody.listens.v1", b"[]", str(new_id()))


async def test_only_one_relay_of_a_service_leads(full: Pair) -> None:
    seen: list[Event[Any]] = []

    async def handler(tx: Tx, events: list[Event[Any]]) -> None:
        tx.after_commit(lambda: seen.extend(events))

    full.consume(handler)
    other = Database(full.publisher.url, source="intake", clock=SystemClock())
    second = Relay(other, full.buses[0])
    first = full.relay()
    await asyncio.sleep(0.5)
    full.run("second relay", second.run)
    async with other.transaction() as tx:  # committed by the replica that does not lead: the leader is told of it
        tx.emit(received(), "subject")
    await until(lambda: len(seen) == 1)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    async with other.transaction() as tx:
        tx.emit(received(), "subject")
    await until(lambda: len(seen) == 2)
    await other.aclose()


async def test_exhausted_event_is_dead_after_the_last_try(tmp_path: Path) -> None:
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    db = Database(f"sqlite+aiosqlite:///{tmp_path}/a.db", source="intake", clock=clock)
    async with db._writer.begin() as conn:
        await conn.run_sync(_metadata.create_all)
    bus = LocalBus()

    async def handler(tx: Tx, events: list[Event[Any]]) -> None:
        raise ValueError("a bug")

    inbox = Inbox("triage", db, bus, {ReferralReceivedV1: handler})
    task = asyncio.create_task(inbox.run())
    async with db.transaction() as tx:
        tx.emit(received(), "subject")
        body = ("[" + tx.events[0]["body"] + "]").encode()
    await bus.publish(ReferralReceivedV1.TYPE, body, "1")
    async with asyncio.timeout(30):
        while not (found := await list_events(db, "dead")):
            await inbox._retry_due()
            clock.advance(timedelta(minutes=20))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    [dead] = found
    assert (dead["attempts"], dead["reason"]) == (MAX_TRIES, "ValueError")
    await db.aclose()


def test_retry_delay_grows_to_a_quarter_of_an_hour() -> None:
    assert retry_delay(1) < timedelta(seconds=0.2)
    assert timedelta(minutes=11) < retry_delay(12) <= timedelta(minutes=18)


async def test_message_of_another_type_in_a_batch_is_not_lost(embedded: Pair) -> None:
    """A consumer that does not know a type keeps it as dead: it can be replayed after an upgrade."""

    async def handler(_tx: Tx, _events: list[Event[Any]]) -> None:
        raise AssertionError("nothing it knows arrives")

    embedded.consume(handler, CaseExcludedV1)
    decision = DecisionFacts(outcome="excluded", profile_version="1")
    excluded = CaseExcludedV1(
        case_id=new_id(), referral_id=new_id(), version=1, source_organisation="p", decision=decision
    )
    async with embedded.publisher.transaction() as tx:
        tx.emit(excluded, "x")
        foreign = tx.events[0]["body"].replace("case.excluded.v1", "case.unheard_of.v1")
    acknowledged = asyncio.Event()

    async def ack() -> None:
        acknowledged.set()

    for sink in embedded.buses[1]._sinks[CaseExcludedV1.TYPE]:  # type: ignore[attr-defined]
        sink(Message(CaseExcludedV1.TYPE, f"[{foreign}]".encode(), ack))
    await asyncio.wait_for(acknowledged.wait(), 5)
    assert [row["reason"] for row in await list_events(embedded.consumer, "dead")] == ["unknown type"]


async def test_sqlite_keeps_its_promises(tmp_path: Path) -> None:
    db = Database(f"sqlite+aiosqlite:///{tmp_path}/a.db", source="x", clock=SystemClock())
    async with db.transaction() as tx:
        assert (await tx.row(text("PRAGMA journal_mode")))[0] == "wal"  # type: ignore[index]
        assert (await tx.row(text("PRAGMA synchronous")))[0] == 2  # type: ignore[index]
    await db.aclose()
