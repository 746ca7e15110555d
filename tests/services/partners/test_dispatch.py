"""The dispatcher against real receivers: whatever they do, nothing is lost, nothing goes out without a permit."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from sqlalchemy import select, update

from hubkit.db import table_of
from hubkit.egress import Attempt
from hubkit.ids import new_id
from hubkit.telemetry import reset_traceparent, use_traceparent
from hubkit.webhooks import WebhookVerificationError, verify
from services.partners.actions import deliveries, dispatch
from services.partners.actions.dispatch import Result
from services.partners.actions.endpoints import delete_endpoint, resume_endpoint, rotate_secret
from services.partners.actions.outgoing import LEASE, Outgoing
from services.partners.model import WITHDRAWN
from services.partners.tables.cases import Permit
from services.partners.tables.delivery import Endpoint
from tests.services.partners.delivery_support import (
    NOW,
    World,
    dispatching,
    open_world,
    receiving,
    status,
    until,
)


@pytest.fixture
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    folder = tmp_path_factory.mktemp("partners")
    async with open_world(f"sqlite+aiosqlite:///{folder}/partners.db", endpoint_concurrency=4) as world:
        yield world


def wake(world: World, **forward: float) -> None:
    """Move the clock and let the dispatcher look again."""
    world.clock.advance(timedelta(**forward))
    world.deps.handover.take(())


async def test_news_with_a_permit_goes_out_straight_after_the_commit(world: World) -> None:
    partner = await world.partner()
    async with receiving(status(204)) as receiver, dispatching(world):
        made = await world.endpoint(partner, receiver.url)
        (onward_id,) = await world.notify(partner, permit=True)
        await world.states(delivered=1)
        assert [hook.onward_id for hook in receiver.received] == [onward_id]
        hook = receiver.received[0]
        now = int(NOW.timestamp())
        assert verify(hook.headers, hook.body, [made.secret], now=now) == hook.id
        assert verify(hook.headers, hook.body, [made.endpoint.public_key], now=now) == hook.id
        assert await world.statuses() == ["sent"]
        assert await world.unsettled() == 0
        (attempt,) = await world.attempts()
        assert (attempt.number, attempt.status, attempt.error_class) == (1, 204, "none")


async def test_an_idle_hand_over_takes_about_a_millisecond(world: World) -> None:
    partner = await world.partner()
    arrived: list[float] = []

    async def answer(_: web.Request) -> web.StreamResponse:
        arrived.append(time.perf_counter())
        return web.Response()

    async with receiving(answer) as receiver, dispatching(world) as dispatcher:
        await world.endpoint(partner, receiver.url)
        taken: list[float] = []

        def take(leased: object) -> None:
            taken.append(time.perf_counter())
            dispatcher.take(leased)  # type: ignore[arg-type]

        world.deps.handover.take = take
        for _ in range(8):
            await world.notify(partner, permit=True)
            await until(lambda: _all_arrived(arrived, len(taken)))
        assert min(b - a for a, b in zip(taken, arrived, strict=True)) < 0.02


async def _all_arrived(arrived: list[float], count: int) -> bool:
    return len(arrived) == count


async def test_a_failed_attempt_is_repeated_with_the_same_id_and_a_new_permit(world: World) -> None:
    partner = await world.partner()
    async with receiving(status(500)) as receiver, dispatching(world):
        await world.endpoint(partner, receiver.url)
        await world.notify(partner, permit=True)
        await until(lambda: _attempted(world, 1))
        assert await world.statuses() == ["ready"]
        receiver.answer = status(200)
        wake(world, seconds=3)
        await asyncio.sleep(0.1)
        assert len(receiver.received) == 1
        wake(world, seconds=4)
        await world.states(delivered=1)
    first, second = receiver.received
    assert first.id == second.id
    assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) == 7
    permits = [attempt.permit_id for attempt in await world.attempts()]
    assert len(set(permits)) == 2
    assert await world.unsettled() == 0


async def _attempted(world: World, count: int) -> bool:
    return len(await world.attempts()) >= count


async def test_every_attempt_has_a_permit_that_was_valid_when_it_began(world: World) -> None:
    partner = await world.partner()
    async with receiving(status(503)) as receiver, dispatching(world):
        await world.endpoint(partner, receiver.url)
        await world.notify(partner, 6, permit=True)
        for count in (6, 12):
            await until(lambda count=count: _attempted(world, count))
            wake(world, minutes=7)
        receiver.answer = status(200)
        wake(world, hours=1)
        await world.states(delivered=6)
    async with world.db.reading() as tx:
        permits = {row.id: row for row in await tx.rows(select(table_of(Permit)))}
    for attempt in await world.attempts():
        permit = permits[attempt.permit_id]
        assert permit.issued_at <= attempt.started_at < permit.expires_at


async def test_a_sender_killed_before_it_recorded_is_followed_by_the_same_id_after_its_lease(world: World) -> None:
    partner = await world.partner()
    async with receiving(status(200)) as receiver:
        await world.endpoint(partner, receiver.url)
        await world.notify(partner, permit=True)  # leased, handed to nobody: as if its process had died
        async with dispatching(world):
            wake(world, seconds=LEASE.total_seconds() - 1)
            await asyncio.sleep(0.1)
            assert receiver.received == []
            wake(world, seconds=2)
            await world.states(delivered=1)
    (delivery,) = await world.deliveries()
    assert [hook.id for hook in receiver.received] == [str(delivery.id)]


async def test_a_failure_from_a_lost_lease_changes_nothing_and_a_success_counts(world: World) -> None:
    partner = await world.partner()
    await world.endpoint(partner, "http://127.0.0.1:9/hook")
    taken: list[Outgoing] = []
    world.deps.handover.take = taken.extend  # type: ignore[assignment]
    await world.notify(partner, permit=True)
    world.clock.advance(LEASE)
    async with world.db.transaction() as tx:
        second = await dispatch.claim(tx, world.deps, began=time.monotonic(), free=8, room={}, most_each=8)
    assert second[0].lease_token != taken[0].lease_token
    failed = Attempt(ok=False, status=500, error_class="status", duration_ms=1)
    async with world.db.transaction() as tx:
        await dispatch.record(tx, world.deps, [Result(taken[0], NOW, failed)])
    (delivery,) = await world.deliveries()
    assert (delivery.state, delivery.lease_token, delivery.failures) == ("queued", second[0].lease_token, 0)
    ok = Attempt(ok=True, status=200, error_class="none", duration_ms=1)
    async with world.db.transaction() as tx:
        await dispatch.record(tx, world.deps, [Result(taken[0], NOW, ok), Result(second[0], NOW, failed)])
    (delivery,) = await world.deliveries()
    assert delivery.state == "delivered"
    assert await world.statuses() == ["sent"]


async def test_a_delivery_frozen_past_its_permit_is_not_sent_and_asks_anew(world: World) -> None:
    partner = await world.partner()
    async with receiving(status(200)) as receiver:
        await world.endpoint(partner, receiver.url)
        taken: list[Outgoing] = []
        world.deps.handover.take = taken.extend  # type: ignore[assignment]
        await world.notify(partner, permit=True)
        async with dispatching(world) as dispatcher:
            stale = Outgoing(**{name: getattr(taken[0], name) for name in Outgoing.__slots__} | {"start_by": 0.0})
            dispatcher.take([stale])
            await world.states(delivered=1)
        assert len(receiver.received) == 1
        (attempt,) = await world.attempts()
        assert attempt.permit_id != stale.permit_id
        assert await world.unsettled() == 0


async def test_what_the_gate_refuses_at_the_second_attempt_is_stopped(world: World) -> None:
    partner = await world.partner()
    async with receiving(status(500)) as receiver, dispatching(world):
        await world.endpoint(partner, receiver.url)
        (onward_id,) = await world.notify(partner, permit=True)
        await until(lambda: _attempted(world, 1))
        await world.withdraw_consent(onward_id)
        receiver.answer = status(200)
        wake(world, seconds=10)
        await world.states(stopped=1)
        assert len(receiver.received) == 1
    (delivery,) = await world.deliveries()
    assert delivery.reason == "consent_withdrawn"
    assert await world.statuses() == ["refused"]
    assert await world.unsettled() == 0


async def test_a_withdrawal_is_told_without_a_permit(world: World) -> None:
    partner = await world.partner()
    async with receiving(status(200)) as receiver, dispatching(world):
        await world.endpoint(partner, receiver.url)
        (onward_id,) = await world.notify(partner, type=WITHDRAWN)
        await world.states(delivered=1)
        assert receiver.received[0].onward_id == onward_id
        assert await world.statuses() == ["ready"]


async def test_an_attempt_under_way_when_it_was_stopped_is_still_recorded(world: World) -> None:
    partner = await world.partner()
    begun, go = asyncio.Event(), asyncio.Event()

    async def answer(_: web.Request) -> web.StreamResponse:
        begun.set()
        await go.wait()
        return web.Response()

    async with receiving(answer) as receiver, dispatching(world):
        await world.endpoint(partner, receiver.url)
        (onward_id,) = await world.notify(partner, permit=True)
        await begun.wait()
        async with world.db.transaction() as tx:
            assert await deliveries.stop(tx, [onward_id]) == {onward_id}
        assert await world.unsettled() == 1
        go.set()
        await world.states(delivered=1)
        assert await world.unsettled() == 0


async def test_gone_pauses_the_endpoint_and_parks_everything_until_it_is_resumed(world: World) -> None:
    partner = await world.partner()
    async with receiving(status(410)) as receiver, dispatching(world):
        made = await world.endpoint(partner, receiver.url)
        await world.notify(partner, permit=True)
        await world.states(parked=1)
        assert [row.status for row in await world.endpoints()] == ["paused"]
        await world.notify(partner, permit=True)
        assert sorted(row.reason for row in await world.deliveries()) == ["endpoint_gone", "endpoint_paused"]
        assert await world.statuses() == ["ready", "ready"]
        receiver.answer = status(200)
        async with world.db.transaction() as tx:
            await resume_endpoint(tx, world.deps, world.callers[partner], made.endpoint.id)
        await world.states(delivered=2)
        assert await world.statuses() == ["sent", "sent"]


async def test_a_redirect_is_not_followed_and_is_retried(world: World) -> None:
    partner = await world.partner()
    async with receiving(status(200)) as canary, receiving(status(301, Location=canary.url)) as receiver:
        async with dispatching(world):
            await world.endpoint(partner, receiver.url)
            await world.notify(partner, permit=True)
            await until(lambda: _attempted(world, 1))
        assert canary.received == []
        (attempt,) = await world.attempts()
        assert (attempt.status, attempt.error_class) == (301, "redirect")
        assert [row.state for row in await world.deliveries()] == ["queued"]


@pytest.mark.parametrize(
    ("asked", "least_s", "most_s"),
    [
        ("120", 120, 120),
        ("1000000000", 3600, 3600),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600, 3600),
        ("-1", 4, 6),
        ("garbage", 4, 6),
        ("Sat, 21 Nov 2026 12:00:00 +99999999999999999999", 4, 6),
    ],
)
async def test_retry_after_is_honoured_within_an_hour(world: World, asked: str, least_s: int, most_s: int) -> None:
    """Row 31 of the fault matrix."""
    partner = await world.partner()
    async with receiving(status(429, Retry_After=asked)) as receiver, dispatching(world):
        await world.endpoint(partner, receiver.url)
        await world.notify(partner, permit=True)
        await until(lambda: _attempted(world, 1))
    (delivery,) = await world.deliveries()
    assert timedelta(seconds=least_s) <= delivery.due_at - NOW <= timedelta(seconds=most_s)


async def test_a_result_is_written_whatever_the_receiver_says_with_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its neighbours are written too, and all are tried again in their time and not by the end of their leases."""

    def choke(value: str | None, _now: datetime) -> float | None:
        if value == "choke":
            raise OverflowError
        return None

    monkeypatch.setattr("services.partners.policy.retry.parse_retry_after", choke)
    good, bad = await world.partner(), await world.partner()
    async with receiving(status(429, Retry_After="choke")) as odd, receiving(status(503)) as plain, dispatching(world):
        await world.endpoint(bad, odd.url)
        await world.endpoint(good, plain.url)
        await world.notify(bad, 2, permit=True)
        await world.notify(good, 2, permit=True)
        await until(lambda: _attempted(world, 4))
    rows = await world.deliveries()
    assert [(row.attempts, row.failures, row.lease_token) for row in rows] == [(1, 1, None)] * 4
    assert {row.due_at - NOW < timedelta(seconds=7) for row in rows} == {True}
    assert await world.unsettled() == 0


async def test_success_counts_when_the_connection_breaks_after_the_headers(world: World) -> None:
    """Row 35 of the fault matrix: once a 2xx has come, it is not sent again."""
    partner = await world.partner()

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        assert request.transport is not None
        request.transport.close()
        return response

    async with receiving(answer) as receiver, dispatching(world):
        await world.endpoint(partner, receiver.url)
        await world.notify(partner, permit=True)
        await world.states(delivered=1)
        wake(world, hours=1)
        await asyncio.sleep(0.1)
        assert len(receiver.received) == 1


async def test_a_reset_before_any_answer_is_a_failure_and_repeats_the_id(world: World) -> None:
    partner = await world.partner()

    async def answer(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with receiving(answer) as receiver, dispatching(world):
        await world.endpoint(partner, receiver.url)
        await world.notify(partner, permit=True)
        await until(lambda: _attempted(world, 1))
        assert (await world.attempts())[0].error_class == "reset"
        receiver.answer = status(200)
        wake(world, seconds=10)
        await world.states(delivered=1)
        assert len({hook.id for hook in receiver.received}) == 1


async def test_an_endpoint_that_drips_is_cut_off_and_does_not_slow_another(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 29 of the fault matrix."""
    monkeypatch.setattr("services.partners.jobs.ATTEMPT_S", 1.5)
    slow_partner, quick_partner = await world.partner(), await world.partner()

    async def drip(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.write(b"HTTP/1.1 200 OK\r\n")
        for _ in range(20):  # headers that never end
            request.transport.write(b"X-Drip: 1\r\n")
            await asyncio.sleep(0.2)
        return web.Response()

    async with receiving(drip) as slow, receiving(status(200)) as quick, dispatching(world):
        await world.endpoint(slow_partner, slow.url)
        await world.endpoint(quick_partner, quick.url)
        await world.notify(slow_partner, 12, permit=True)
        await world.notify(quick_partner, 40, permit=True)
        await world.states(delivered=40)
        assert len(await world.attempts()) == 40
        assert len(slow.received) == 1  # a quarter of what an endpoint may have at once, as it has not answered yet
        await until(lambda: _attempted(world, 41))
        assert {row.error_class for row in await world.attempts() if row.status is None} == {"timeout"}


async def test_a_dead_endpoint_opens_its_breaker_and_burns_no_attempts(world: World) -> None:
    """Row 30 of the fault matrix: while the breaker is open, one probe at a time."""
    partner = await world.partner()
    async with receiving(status(500)) as receiver, dispatching(world):
        await world.endpoint(partner, receiver.url)
        await world.notify(partner, 10)
        await until(lambda: _attempted(world, 10))
        assert [row.openings for row in await world.endpoints()] == [1]
        wake(world, seconds=29)
        await asyncio.sleep(0.1)
        assert len(receiver.received) == 10
        wake(world, seconds=2)
        await until(lambda: _attempted(world, 11))
        await until(lambda: _openings(world, 2))
        await asyncio.sleep(0.1)
        assert len(receiver.received) == 11
        receiver.answer = status(200)
        wake(world, seconds=61)
        await until(lambda: _openings(world, 0))
        wake(world, hours=1)
        await world.states(delivered=10)
    assert len(await world.attempts()) == 21


async def _openings(world: World, count: int) -> bool:
    return [row.openings for row in await world.endpoints()] == [count]


async def test_a_lost_probe_is_followed_by_another(world: World) -> None:
    partner = await world.partner()
    await world.endpoint(partner, "http://127.0.0.1:9/hook")
    async with world.db.transaction() as tx:
        await tx.run(update(table_of(Endpoint)).values(openings=1, open_until=NOW))
    await world.notify(partner, 3)

    async def claimed() -> list[Outgoing]:
        async with world.db.transaction() as tx:
            return await dispatch.claim(tx, world.deps, began=0.0, free=8, room={}, most_each=8)

    assert [outgoing.is_probe for outgoing in await claimed()] == [True]
    assert await claimed() == []
    world.clock.advance(LEASE)
    assert [outgoing.is_probe for outgoing in await claimed()] == [True]


async def test_an_exhausted_delivery_is_parked_and_a_replay_delivers_it(world: World) -> None:
    partner = await world.partner()
    async with receiving(status(500)) as receiver, dispatching(world):
        await world.endpoint(partner, receiver.url)
        await world.notify(partner, permit=True)
        for number in range(1, 11):
            await until(lambda number=number: _attempted(world, number))
            wake(world, hours=30)
        await world.states(parked=1)
        (delivery,) = await world.deliveries()
        assert (delivery.reason, delivery.attempts) == ("exhausted", 10)
        receiver.answer = status(200)
        async with world.db.transaction() as tx:
            assert await deliveries.replay(tx) == 1
        wake(world)
        await world.states(delivered=1)
    assert len({hook.id for hook in receiver.received}) == 1
    assert (await world.attempts())[-1].number == 11


async def test_an_address_that_must_not_be_called_is_parked(world: World) -> None:
    partner = await world.partner()
    await world.endpoint(partner, "http://127.0.0.1:9/hook")
    async with world.db.transaction() as tx:
        await tx.run(update(table_of(Endpoint)).values(url="http://169.254.169.254/latest"))
    async with dispatching(world):
        await world.notify(partner, permit=True)
        await world.states(parked=1)
    assert (await world.deliveries())[0].reason == "address_blocked"


async def test_both_endpoints_of_a_partner_are_told_each_with_its_own_permit(world: World) -> None:
    partner = await world.partner()
    async with receiving(status(200)) as receiver, dispatching(world):
        await world.endpoint(partner, f"{receiver.url}/a")
        await world.endpoint(partner, f"{receiver.url}/b")
        await world.notify(partner, 3, permit=True)
        await world.states(delivered=6)
    assert len({attempt.permit_id for attempt in await world.attempts()}) == 6
    assert len({hook.id for hook in receiver.received}) == 6


async def test_old_and_new_keys_sign_during_a_rotation_and_the_new_alone_after_it(world: World) -> None:
    partner = await world.partner()
    async with receiving(status(500)) as receiver, dispatching(world):
        old = await world.endpoint(partner, receiver.url)
        await world.notify(partner, permit=True)
        await until(lambda: _attempted(world, 1))
        async with world.db.transaction() as tx:
            new = await rotate_secret(tx, world.deps, world.callers[partner], old.endpoint.id)
        wake(world, hours=23)
        await until(lambda: _attempted(world, 2))
        wake(world, hours=2)
        await until(lambda: _attempted(world, 3))
    _, during, after = receiver.received
    for hook, keys in (
        (during, (old.secret, new.secret, old.endpoint.public_key, new.endpoint.public_key)),
        (after, (new.secret, new.endpoint.public_key)),
    ):
        for key in keys:
            verify(hook.headers, hook.body, [key], now=int(hook.headers["webhook-timestamp"]))
    with pytest.raises(WebhookVerificationError):
        verify(after.headers, after.body, [old.secret], now=int(after.headers["webhook-timestamp"]))


@pytest.mark.parametrize("why", ["full", "unreadable"])
@pytest.mark.parametrize("where", ["sqlite", "postgresql"])
async def test_however_many_endpoints_cannot_be_called_another_is_claimed_for(
    request: pytest.FixtureRequest, tmp_path: Path, where: str, why: str
) -> None:
    """More of them than one look at what is due returns, and each has waited longer."""
    given = f"sqlite+aiosqlite:///{tmp_path}/partners.db"
    async with open_world(given if where == "sqlite" else request.getfixturevalue("postgres_url")) as world:
        for _ in range(7):
            partner = await world.partner()
            for number in range(10):
                await world.endpoint(partner, f"http://127.0.0.1:9/{number}")
            await world.notify(partner)
        others = [row.id for row in await world.endpoints()]
        if why == "unreadable":
            async with world.db.transaction() as tx:
                await tx.run(update(table_of(Endpoint)).values(keys=b"\x01damaged"))
        world.clock.advance(timedelta(seconds=1))
        well = await world.partner()
        await world.endpoint(well, "http://127.0.0.1:9/well")
        await world.notify(well)
        room = dict.fromkeys(others, 0) if why == "full" else {}
        async with world.db.transaction() as tx:
            claimed = await dispatch.claim(tx, world.deps, began=time.monotonic(), free=10, room=room, most_each=4)
    assert [each.url for each in claimed] == ["http://127.0.0.1:9/well"]


async def test_unreadable_keys_hold_back_their_own_endpoint_only(world: World) -> None:
    broken, sound = await world.partner(), await world.partner()
    async with receiving(status(200)) as receiver, dispatching(world):
        damaged = await world.endpoint(broken, f"{receiver.url}/broken")
        await world.endpoint(sound, receiver.url)
        async with world.db.transaction() as tx:
            table = table_of(Endpoint)
            await tx.run(update(table).where(table.c.id == damaged.endpoint.id).values(keys=b"\x01damaged"))
        await world.notify(broken, permit=True)
        await world.notify(sound, 2)
        await world.states(delivered=2, queued=1)
        assert await world.unsettled() == 0


async def test_news_for_a_deleted_endpoint_counts_as_waiting_in_the_inbox(world: World) -> None:
    partner = await world.partner()
    made = await world.endpoint(partner, "http://127.0.0.1:9/hook")
    await world.notify(partner, 2)
    await delete_endpoint(world.db, world.callers[partner], made.endpoint.id)
    async with world.db.transaction() as tx:
        await dispatch.keep_house(tx, world.deps)
    assert await world.statuses() == ["sent", "sent"]
    assert {(row.state, row.reason) for row in await world.deliveries()} == {("stopped", "endpoint_deleted")}


async def test_a_backlog_of_one_endpoint_drains_without_waiting_for_the_poll(world: World) -> None:
    partner = await world.partner()
    async with receiving(status(200)) as receiver:
        await world.endpoint(partner, receiver.url)
        await world.notify(partner, 120)
        async with dispatching(world):
            began = time.perf_counter()
            await world.states(delivered=120)
            assert time.perf_counter() - began < 3.0
    assert len({hook.id for hook in receiver.received}) == 120 == len(receiver.received)


async def test_results_are_kept_while_the_database_is_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    partner = await world.partner()
    failures = iter([OSError("away"), TimeoutError("away")])
    record = dispatch.record

    async def sometimes(*arguments: object) -> None:
        for error in failures:
            raise error
        await record(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("services.partners.jobs.record", sometimes)
    async with receiving(status(200)) as receiver, dispatching(world):
        await world.endpoint(partner, receiver.url)
        await world.notify(partner, permit=True)
        await world.states(delivered=1)
        assert len(receiver.received) == 1


async def test_the_trace_goes_along(world: World) -> None:
    partner = await world.partner()
    trace = f"00-{new_id().hex}-00f067aa0ba902b7-01"
    async with receiving(status(200)) as receiver, dispatching(world):
        await world.endpoint(partner, receiver.url)
        token = use_traceparent(trace)
        await world.notify(partner, permit=True)
        reset_traceparent(token)
        await world.states(delivered=1)
        assert receiver.received[0].headers["traceparent"] == trace


async def test_two_processes_share_a_backlog_and_send_nothing_twice(postgres_url: str) -> None:
    async with (
        open_world(postgres_url) as first,
        open_world(postgres_url) as second,
        receiving(status(200)) as receiver,
    ):
        partners = [await first.partner() for _ in range(3)]
        for partner in partners:
            await first.endpoint(partner, receiver.url)
            await first.notify(partner, 60)
        async with dispatching(first), dispatching(second):
            await first.states(delivered=180)
        assert len({hook.id for hook in receiver.received}) == len(receiver.received) == 180
        assert set(await first.statuses()) == {"sent"}
        assert await first.unsettled() == 0


async def test_stopping_in_the_middle_leaves_the_database_usable(world: World) -> None:
    partner = await world.partner()
    async with receiving(status(200)) as receiver:
        await world.endpoint(partner, receiver.url)
        for number in range(10):
            async with asyncio.timeout(10):
                async with dispatching(world):
                    await world.notify(partner, permit=True)
                    await asyncio.sleep(0.002 * number)
        world.clock.advance(LEASE)
        async with dispatching(world):
            await world.states(delivered=10)
    assert set(await world.statuses()) == {"sent"}
