"""1,000 withdrawals on PostgreSQL, and 240 on SQLite, raced against sending and reading, in four runs each.

Row 44 of the fault matrix: nothing is sent after a withdrawal is acknowledged, and its answer names exactly what had
gone out before. The dispatcher and the receiver are real; only who intake knows is made up. They say no to the kind of
partner, to the partner by its id, or to all, by withdrawing or refusing; in the fourth run the partner has everything
sent again all the time. A fifth run is shorter, and its webhooks carry what is disclosed.
"""

import asyncio
import contextlib
import random
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar, cast
from uuid import UUID

import pytest
from aiohttp import web
from sqlalchemy import select
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from hubkit.clock import ManualClock, SteeredClock
from hubkit.db import table_of
from hubkit.egress import WebhookClient
from hubkit.errors import HubError, UnavailableError
from hubkit.ids import new_id
from services.partners.actions.cases import open_cases
from services.partners.actions.consents import Decision, Recorded, record_consent
from services.partners.actions.deliveries import replay_since
from services.partners.actions.disclose import read_onward_referral
from services.partners.jobs import Dispatcher
from services.partners.model import SENT
from services.partners.tables.cases import Disclosure, Permit
from services.partners.tables.delivery import Attempt, Delivery
from tests.services.partners.delivery_support import Receiver, receiving, register_verified
from tests.services.partners.support import NOW, World, caller, consent, database, event, opened
from tests.services.partners.test_full_payloads import secured

T = TypeVar("T")
RACES, RACES_WITH_ONE_WRITER = 250, 60
RACES_OF_FULL, RACES_OF_FULL_WITH_ONE_WRITER = 60, 20
RETRY = timedelta(minutes=10)
AT_ONCE = 20
REPLAYED = 3
STAFF = caller("staff", "cases:write")


@dataclass
class Race:
    """One person: the onward referral, when the withdrawal was acknowledged, and what its answer said."""

    case_id: UUID
    onward_id: UUID
    acknowledged: float = 0.0
    answer: Recorded | None = None
    read: list[tuple[float, UUID]] = field(default_factory=list)


@asynccontextmanager
async def hub(url: str, receiver: Receiver, delivery: str) -> AsyncIterator[World]:
    """Run a dispatcher with one partner behind the receiver, by a clock that goes on."""
    clock = cast("ManualClock", SteeredClock(NOW))
    async with database(url, clock) as db:
        world = World.make(db, clock)
        await world.add_partner("counselling", delivery=delivery)
        async with db.transaction() as tx:
            await register_verified(tx, world.deps, caller(), receiver.url, None, secured())
        dispatcher = Dispatcher(db, world.deps, WebhookClient(allow_http=True, allow_private=True))
        task = asyncio.create_task(dispatcher.run())
        try:
            yield world
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await dispatcher.aclose()


@pytest.mark.parametrize(("seed", "delivery"), [*((seed, "thin") for seed in range(4)), (4, "full")])
async def test_nothing_is_sent_after_a_withdrawal_is_acknowledged(
    url: str, tmp_path: Path, seed: int, delivery: str
) -> None:
    """Row 44 of the fault matrix."""
    del tmp_path
    chance = random.Random(seed)
    count, with_one_writer = (RACES, RACES_WITH_ONE_WRITER)
    if delivery == "full":
        count, with_one_writer = RACES_OF_FULL, RACES_OF_FULL_WITH_ONE_WRITER
    if not url.startswith("postgresql"):
        count = with_one_writer
    carried = 0
    arrived: dict[UUID, list[float]] = defaultdict(list)

    async def answer(_: web.Request) -> web.StreamResponse:
        hook = receiver.received[-1]
        if b'"onward_referral.sent"' in hook.body:
            arrived[hook.onward_id].append(time.monotonic())
            nonlocal carried
            carried += b'"disclosure"' in hook.body
        await asyncio.sleep(chance.uniform(0, 0.02))
        return web.Response(status=chance.choice([200, 200, 200, 503]))

    async with receiving(answer) as receiver, hub(url, receiver, delivery) as world:

        async def dawdle() -> None:
            await asyncio.sleep(chance.uniform(0, 0.02))

        world.intake.before = dawdle
        limit = asyncio.Semaphore(AT_ONCE)
        plans = [[chance.uniform(0, 0.06) for _ in range(3)] for _ in range(count)]

        async def one(number: int, delays: list[float]) -> Race:
            async with limit:
                moment = _moment(world, arrived, number, (seed, delivery))
                return await run(world, delays, moment, _no(world, number))

        async with _having_all_sent_again(world) if seed == REPLAYED else contextlib.nullcontext():
            races = await asyncio.gather(*(one(number, delays) for number, delays in enumerate(plans)))
        # What was refused with 503 would be tried again now, were it not stopped.
        cast("SteeredClock", world.clock).hold(world.clock.now() + RETRY)
        cast("SteeredClock", world.clock).go_on()
        world.deps.handover.take(())
        await asyncio.sleep(0.5)
        facts = await read_facts(world)

    assert len(races) == count
    raced = 0
    for race in races:
        assert race.answer is not None
        onward_id = race.onward_id
        assert [at for at in arrived[onward_id] if at > race.acknowledged] == [], "sent after the acknowledgement"
        assert [at for at, _ in race.read if at > race.acknowledged] == [], "read after the acknowledgement"
        assert {each.id for each in race.answer.disclosures} == facts.disclosed[onward_id]
        assert {id for _, id in race.read} <= facts.disclosed[onward_id]
        assert {each.onward_referral_id for each in race.answer.deliveries} == (
            {onward_id} if arrived[onward_id] else set()
        )
        assert sum(each.attempts for each in race.answer.deliveries) == len(arrived[onward_id])
        knows, is_asked = bool(arrived[onward_id] or facts.disclosed[onward_id]), bool(race.answer.acknowledgements)
        # A full one that was under way is asked about too, although it stops where it would be recorded.
        assert is_asked >= knows if delivery == "full" else is_asked == knows
        raced += bool(arrived[onward_id])
    # Some went out before and some did not: otherwise there was no race.
    assert count * 0.1 < raced < count * 0.98
    assert seed != REPLAYED or max(map(len, arrived.values())) > 1, "nothing was sent again"
    assert carried == (sum(map(len, arrived.values())) if delivery == "full" else 0)
    check_permits(facts)


def _moment(
    world: World, arrived: Mapping[UUID, list[float]], number: int, how: tuple[int, str]
) -> Callable[[Race], Awaitable[None]]:
    """Return what a withdrawal waits for, so that it comes in the midst of things."""
    seed, delivery = how
    if delivery == "full":
        # Making a full one takes long, so that by the clock alone nearly all would be withdrawn before it.
        return (_at_once, _once_intake_is_asked(world), _once_arrived(arrived, 1))[number % 3]
    return _once_arrived(arrived, 2) if seed == REPLAYED and number % 5 == 0 else _at_once


def _no(world: World, number: int) -> Decision:
    """Return one of the ways to say no to the partner."""
    recipients: tuple[tuple[str, ...], ...] = (("counselling",), (str(world.partners["counselling"]),), ())
    return Decision("hub_to_partner", ("withdrawn", "refused")[number % 2], recipients[number % len(recipients)])


@asynccontextmanager
async def _having_all_sent_again(world: World) -> AsyncIterator[None]:
    """Replay whatever was delivered, again and again, as a partner may at any time."""
    is_over = asyncio.Event()

    async def replay() -> int:
        async with world.db.transaction() as tx:
            return await replay_since(tx, world.deps, caller(), NOW - RETRY, states=("delivered",))

    async def replays() -> None:
        while not is_over.is_set():
            await asyncio.sleep(0.2)
            await patiently(replay)

    async with asyncio.TaskGroup() as group:
        group.create_task(replays())
        yield
        is_over.set()


async def _at_once(_race: Race) -> None:
    """Wait for nothing."""


def _once_arrived(arrived: Mapping[UUID, list[float]], times: int) -> Callable[[Race], Awaitable[None]]:
    async def wait(race: Race) -> None:
        await _shortly(lambda: len(arrived.get(race.onward_id, ())) >= times)

    return wait


def _once_intake_is_asked(world: World) -> Callable[[Race], Awaitable[None]]:
    async def wait(race: Race) -> None:
        await _shortly(lambda: any(asked["referral_id"] == str(race.case_id) for asked in world.intake.asked))

    return wait


async def _shortly(condition: Callable[[], bool]) -> None:
    """Wait for a condition, but not for ever: it may not come about."""
    end = time.monotonic() + 5
    while not condition() and time.monotonic() < end:
        await asyncio.sleep(0.001)


async def run(world: World, delays: list[float], moment: Callable[[Race], Awaitable[None]], decision: Decision) -> Race:
    """Ask, read and withdraw at once, each after its delay; the withdrawal waits for its moment before."""
    case_id = new_id()
    data = world.requested(case_id)
    race = Race(case_id, data.onward_referral_id)

    async def open_case() -> None:
        async with world.db.transaction() as tx:
            await open_cases(tx, world.deps, [event(opened(case_id, consents=[consent()]))])

    await patiently(open_case)

    async def send() -> None:
        await asyncio.sleep(delays[0])
        await patiently(lambda: world.take(data))

    async def read() -> None:
        await asyncio.sleep(delays[1])
        try:
            found = await read_onward_referral(world.db, world.deps, caller(), race.onward_id)
        except (HubError, PoolTimeoutError):
            return
        race.read.append((time.monotonic(), found.id))

    async def withdraw() -> None:
        await moment(race)
        await asyncio.sleep(delays[2])
        race.answer = await patiently(lambda: record_consent(world.db, world.deps, STAFF, case_id, decision))
        race.acknowledged = time.monotonic()

    async with asyncio.TaskGroup() as group:
        for step in (send(), read(), withdraw()):
            group.create_task(step)
    return race


async def patiently(act: Callable[[], Awaitable[T]]) -> T:
    """Do it again when the pool had no connection in time, as the inbox does, and the caller who is answered 503."""
    for _ in range(20):
        with contextlib.suppress(PoolTimeoutError, UnavailableError):
            return await act()
        await asyncio.sleep(0.2)
    return await act()


@dataclass
class Facts:
    """What the database holds at the end."""

    disclosed: dict[UUID, set[UUID]]
    disclosures: list[Any]
    permits: dict[UUID, Any]
    attempts: list[Any]


async def read_facts(world: World) -> Facts:
    """Read what went out and under which permits."""
    attempt, delivery = table_of(Attempt), table_of(Delivery)
    sent = select(attempt).join(delivery, delivery.c.id == attempt.c.delivery_id).where(delivery.c.type == SENT)
    async with world.db.reading() as tx:
        disclosures = list(await tx.rows(select(table_of(Disclosure))))
        permits = {row.id: row for row in await tx.rows(select(table_of(Permit)))}
        attempts = list(await tx.rows(sent))
    disclosed: dict[UUID, set[UUID]] = defaultdict(set)
    for row in disclosures:
        disclosed[row.onward_referral_id].add(row.id)
    return Facts(disclosed, disclosures, permits, attempts)


def check_permits(facts: Facts) -> None:
    """Each attempt and each reading has a permit of its own that was valid at its moment.

    What an attempt carried was disclosed under the permit of that attempt; or under one under which none was begun.
    """
    attempts = [(row.permit_id, row.started_at) for row in facts.attempts]
    readings = [(row.permit_id, row.disclosed_at) for row in facts.disclosures if row.delivery_id is None]
    carried = [(row.permit_id, row.disclosed_at) for row in facts.disclosures if row.delivery_id is not None]
    assert attempts + readings
    assert len({permit_id for permit_id, _ in attempts + readings}) == len(attempts + readings)
    assert len({permit_id for permit_id, _ in carried}) == len(carried)
    full = {row.permit_id for row in facts.attempts if row.payload == "full"}
    assert full <= {permit_id for permit_id, _ in carried}
    moments = attempts + readings + carried
    for permit_id, at in moments:
        permit = facts.permits[permit_id]
        assert permit.issued_at <= at < permit.expires_at
