"""Deliveries in the database: queued with the change they tell of, once for each endpoint, stopped and claimed."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import orjson
import pytest
from sqlalchemy import update

from hubkit.db import table_of
from hubkit.egress import Attempt
from services.partners.actions import deliveries, dispatch
from services.partners.actions.deliveries import Notice, Queued, enqueue
from services.partners.actions.dispatch import Result
from services.partners.actions.outgoing import LEASE, Outgoing
from services.partners.actions.permits import permits_for
from services.partners.model import SENT, WITHDRAWN
from services.partners.tables.delivery import Delivery, Endpoint
from tests.services.partners.delivery_support import KIND, NOW, World, open_world

HOOK = "http://127.0.0.1:9/hook"
OK = Attempt(ok=True, status=200, error_class="none", duration_ms=1)
FAILED = Attempt(ok=False, status=500, error_class="status", duration_ms=1)


@pytest.fixture(params=["sqlite", "postgresql"])
async def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    if request.param == "postgresql":
        url = request.getfixturevalue("migrated_postgres_url")("services.partners")
    else:
        url = f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('partners')}/partners.db"
    async with open_world(url, endpoint_concurrency=4) as world:
        yield world


async def claim(world: World, free: int = 64, room: Mapping[UUID, int] | None = None) -> list[Outgoing]:
    async with world.db.transaction() as tx:
        return await dispatch.claim(tx, world.deps, began=time.monotonic(), free=free, room=room or {}, most_each=8)


async def record(world: World, *results: Result) -> None:
    async with world.db.transaction() as tx:
        await dispatch.record(tx, world.deps, results)


async def test_the_body_is_thin_and_names_nobody(world: World) -> None:
    partner = await world.partner()
    await world.endpoint(partner, HOOK)
    (onward_id,) = await world.notify(partner)
    (delivery,) = await world.deliveries()
    assert orjson.loads(delivery.body) == {
        "type": SENT,
        "timestamp": "2026-11-21T12:00:00Z",
        "data": {
            "onward_referral_id": str(onward_id),
            "kind": KIND,
            "links": {"self": f"https://hub.example.org/v1/onward-referrals/{onward_id}"},
        },
    }


async def test_a_rolled_back_change_hands_nothing_over(world: World) -> None:
    partner = await world.partner()
    await world.endpoint(partner, HOOK)
    taken: list[object] = []
    world.deps.handover.take = taken.extend  # type: ignore[assignment]
    (onward_id,) = await world.ready(partner)

    async def change_that_fails() -> None:
        async with world.db.transaction() as tx:
            permits = await permits_for(tx, world.deps, [onward_id])
            await enqueue(tx, world.deps, [Notice(onward_id, partner, SENT, KIND, False, permits[onward_id].permit_id)])
            raise LookupError

    with pytest.raises(LookupError):
        await change_that_fails()
    assert taken == []
    assert await world.deliveries() == []


async def test_a_partner_without_an_endpoint_for_the_news_is_named_and_needs_no_permit(world: World) -> None:
    nobody, choosy = await world.partner(), await world.partner()
    await world.endpoint(choosy, HOOK, [WITHDRAWN])
    ids = [*await world.ready(nobody), *await world.ready(choosy)]
    async with world.db.transaction() as tx:
        permits = await permits_for(tx, world.deps, ids)
        notices = [
            Notice(id, partner, SENT, KIND, permit_id=permits[id].permit_id)
            for id, partner in zip(ids, (nobody, choosy), strict=True)
        ]
        assert await enqueue(tx, world.deps, notices) == Queued(unheard=set(ids), permits=set())
    assert await world.deliveries() == []


async def test_the_same_news_is_queued_once_and_again_only_after_it_was_stopped(world: World) -> None:
    partner = await world.partner()
    await world.endpoint(partner, HOOK)
    (onward_id,) = await world.notify(partner)
    notice = Notice(onward_id, partner, SENT, KIND)
    async with world.db.transaction() as tx:
        await enqueue(tx, world.deps, [notice])
    (first,) = await world.deliveries()
    async with world.db.transaction() as tx:
        assert await deliveries.stop(tx, [onward_id]) == set()
    assert [row.state for row in await world.deliveries()] == ["stopped"]
    assert await claim(world) == []
    async with world.db.transaction() as tx:
        await enqueue(tx, world.deps, [notice])
    (again,) = await world.deliveries()
    assert (again.id, again.state) == (first.id, "queued")


async def test_stopping_leaves_news_of_the_withdrawal_alone(world: World) -> None:
    partner = await world.partner()
    await world.endpoint(partner, HOOK)
    (onward_id,) = await world.notify(partner, type=WITHDRAWN)
    async with world.db.transaction() as tx:
        await deliveries.stop(tx, [onward_id])
    assert [row.state for row in await world.deliveries()] == ["queued"]


async def test_stopping_names_what_a_partner_may_know_of(world: World) -> None:
    partner = await world.partner()
    await world.endpoint(partner, HOOK)
    tried, under_way, untouched = [(await world.notify(partner))[0] for _ in range(3)]
    by_onward = {outgoing.onward_referral_id: outgoing for outgoing in await claim(world)}
    await record(
        world,
        Result(by_onward[tried], NOW, FAILED),
        Result(by_onward[untouched], NOW, None),
    )
    async with world.db.transaction() as tx:
        assert await deliveries.stop(tx, [tried, under_way, untouched]) == {tried, under_way}
        assert {row.onward_referral_id for row in await deliveries.went_out(tx, [tried, untouched])} == {tried}


async def test_a_stopped_delivery_whose_attempt_failed_stays_stopped(world: World) -> None:
    partner = await world.partner()
    await world.endpoint(partner, HOOK)
    (onward_id,) = await world.notify(partner)
    (outgoing,) = await claim(world)
    async with world.db.transaction() as tx:
        await deliveries.stop(tx, [onward_id])
    await record(world, Result(outgoing, NOW, FAILED))
    (delivery,) = await world.deliveries()
    assert (delivery.state, delivery.attempts, delivery.reason) == ("stopped", 1, "withdrawn")


async def test_a_transaction_leases_no_more_for_one_endpoint_than_memory_holds(world: World) -> None:
    partner = await world.partner()
    await world.endpoint(partner, HOOK)
    taken: list[Outgoing] = []
    world.deps.handover.take = taken.extend  # type: ignore[assignment]
    world.deps.handover.room = lambda _endpoint_id: 16
    await world.notify(partner, 20, permit=True)
    assert len(taken) == 16
    assert await world.unsettled() == 16
    assert len({outgoing.lease_token for outgoing in taken}) == 1


async def test_news_calls_for_a_claim_only_where_one_would_find_it(world: World) -> None:
    first, second = await world.partner(), await world.partner()
    one, _ = await world.endpoint(first, HOOK), await world.endpoint(second, HOOK)
    called: list[int] = []
    world.deps.handover.take = lambda leased: called.append(len(leased))
    world.deps.handover.room = lambda _endpoint_id: 2
    await world.notify(first, 5, permit=True)
    assert called == [2]  # the lane says when there is room again
    async with world.db.transaction() as tx:
        await tx.run(update(table_of(Endpoint)).values(openings=1, open_until=NOW + timedelta(minutes=1)))
    await world.notify(first, permit=True)
    assert called == [2]  # nothing goes before the breaker lets it through
    async with world.db.transaction() as tx:
        await tx.run(update(table_of(Endpoint)).values(openings=0, open_until=None))
    await world.notify(second)
    assert called == [2, 0]  # a permit is to be asked for
    async with world.db.transaction() as tx:
        await tx.run(update(table_of(Delivery)).values(state="stopped"))
    again = next(row for row in await world.deliveries() if row.endpoint_id == one.endpoint.id)
    async with world.db.transaction() as tx:
        await enqueue(tx, world.deps, [Notice(again.onward_referral_id, first, again.type, KIND)])
    assert called == [2, 0, 0]  # what was stopped is queued again


async def test_nothing_is_leased_at_once_for_an_endpoint_whose_breaker_is_open(world: World) -> None:
    partner = await world.partner()
    await world.endpoint(partner, HOOK)
    taken: list[Outgoing] = []
    world.deps.handover.take = taken.extend  # type: ignore[assignment]
    await world.notify(partner, 10)
    await record(world, *(Result(outgoing, NOW, FAILED) for outgoing in [*await claim(world), *await claim(world)]))
    assert [row.openings for row in await world.endpoints()] == [1]
    await world.notify(partner, permit=True)
    assert taken == []
    assert await world.unsettled() == 0


async def test_claims_are_shared_between_endpoints(world: World) -> None:
    busy, calm = await world.partner(), await world.partner()
    one, other = await world.endpoint(busy, HOOK), await world.endpoint(calm, HOOK)
    await world.notify(busy, 20)
    await world.notify(calm, 2)
    claimed = await claim(world, free=6)  # the third share stays free for an endpoint that comes next
    assert [outgoing.endpoint_id for outgoing in claimed].count(one.endpoint.id) == 2
    assert [outgoing.endpoint_id for outgoing in claimed].count(other.endpoint.id) == 2
    more = await claim(world, room={one.endpoint.id: 1})
    assert [outgoing.endpoint_id for outgoing in more] == [one.endpoint.id]
    assert await claim(world, free=0) == []


async def test_a_leased_delivery_is_not_claimed_again_before_its_lease_is_over(world: World) -> None:
    partner = await world.partner()
    await world.endpoint(partner, HOOK)
    await world.notify(partner)
    (first,) = await claim(world)
    assert await claim(world) == []
    world.clock.advance(LEASE - timedelta(seconds=1))
    assert await claim(world) == []
    world.clock.advance(timedelta(seconds=1))
    (second,) = await claim(world)
    assert second.delivery_id == first.delivery_id
    assert second.lease_token != first.lease_token
    assert second.permit_id != first.permit_id


async def test_two_dispatchers_that_claim_together_never_get_the_same(world: World) -> None:
    partners = [await world.partner() for _ in range(3)]
    for partner in partners:
        await world.endpoint(partner, HOOK)
        await world.notify(partner, 8)
    claimed = await asyncio.gather(*(claim(world) for _ in range(4)))
    ids = [outgoing.delivery_id for batch in claimed for outgoing in batch]
    assert len(ids) == len(set(ids)) == 24
    assert await world.unsettled() == 24


async def test_one_result_twice_in_a_batch_is_recorded_twice_and_counts_once(world: World) -> None:
    partner = await world.partner()
    await world.endpoint(partner, HOOK)
    await world.notify(partner)
    (outgoing,) = await claim(world)
    await record(world, Result(outgoing, NOW, FAILED), Result(replace(outgoing, permit_id=None), NOW, FAILED))
    (delivery,) = await world.deliveries()
    assert (delivery.attempts, delivery.failures, delivery.state) == (2, 1, "queued")
    assert [attempt.number for attempt in await world.attempts()] == [1, 2]


async def test_what_was_never_started_comes_back_at_once_without_an_attempt(world: World) -> None:
    partner = await world.partner()
    await world.endpoint(partner, HOOK)
    await world.notify(partner)
    (outgoing,) = await claim(world)
    await record(world, Result(outgoing, NOW, None))
    assert await world.attempts() == []
    assert await world.unsettled() == 0
    (again,) = await claim(world)
    assert again.delivery_id == outgoing.delivery_id


async def test_recording_a_withdrawal_beside_a_result_never_deadlocks(world: World) -> None:
    partner = await world.partner()
    await world.endpoint(partner, HOOK)
    ids = await world.notify(partner, 8)
    outgoing = await claim(world)

    async def stop() -> None:
        async with world.db.transaction() as tx:
            await permits_for(tx, world.deps, ids)
            await deliveries.stop(tx, ids)

    await asyncio.gather(stop(), record(world, *(Result(each, NOW, OK) for each in outgoing)), stop())
    assert {row.state for row in await world.deliveries()} == {"delivered"}


async def test_waiting_is_counted_by_state(world: World) -> None:
    partner = await world.partner()
    await world.endpoint(partner, HOOK)
    await world.notify(partner, 3)
    gone = Attempt(ok=False, status=410, error_class="status", duration_ms=1)
    (first, *_) = await claim(world)
    await record(world, Result(first, NOW, gone))
    world.clock.advance(LEASE)
    async with world.db.transaction() as tx:
        assert await dispatch.keep_house(tx, world.deps) == {"queued": 0, "parked": 3}
