"""No endpoint is told of a person before it has answered its challenge, nor after its URL has changed."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import orjson
import pytest
from aiohttp import web
from sqlalchemy import update

from hubkit.db import table_of
from hubkit.errors import ConflictError, InvalidError
from hubkit.webhooks import verify
from services.partners.actions.dispatch import keep_house
from services.partners.actions.endpoints import change_endpoint, resume_endpoint, verify_endpoint
from services.partners.policy.payloads import is_echo
from services.partners.tables.delivery import Endpoint
from tests.services.partners.delivery_support import Receiver, World, dispatching, open_world, receiving, status, until


@pytest.fixture(params=["sqlite", "postgresql"])
async def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    url = (
        f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('partners')}/partners.db"
        if request.param == "sqlite"
        else request.getfixturevalue("migrated_postgres_url")("services.partners")
    )
    async with open_world(url) as world:
        yield world


async def echo(request: web.Request) -> web.StreamResponse:
    """Answer a challenge with it, and everything else with 204."""
    event = orjson.loads(await request.read())
    if event["type"] != "endpoint.verification":
        return web.Response(status=204)
    return web.json_response({"challenge": event["data"]["challenge"]})


def types(receiver: Receiver) -> list[str]:
    return [orjson.loads(each.body)["type"] for each in receiver.received]


async def is_active(world: World) -> bool:
    return all(row.status == "active" for row in await world.endpoints())


async def confirm(world: World, partner: Any, challenge: str | None) -> str:
    (endpoint,) = await world.endpoints()
    async with world.db.transaction() as tx:
        row = await verify_endpoint(tx, world.deps, world.callers[partner], endpoint.id, challenge)
        return str(row.status)


async def test_an_endpoint_that_echoes_its_signed_challenge_is_verified_and_then_told(world: World) -> None:
    partner = await world.partner()
    async with receiving(echo) as receiver, dispatching(world):
        made = await world.endpoint(partner, receiver.url, pending=True)
        assert made.endpoint.status == "pending"
        await until(lambda: is_active(world))
        (challenge,) = receiver.received
        now = int(world.clock.now().timestamp())
        for key in (made.secret, made.endpoint.public_key):
            assert verify(challenge.headers, challenge.body, [key], now=now) == challenge.id
        await world.notify(partner, permit=True)
        await world.states(delivered=2)
    assert types(receiver) == ["endpoint.verification", "onward_referral.sent"]
    (endpoint,) = await world.endpoints()
    assert (endpoint.challenge, endpoint.verified_at) == (None, world.clock.now())


async def test_a_referral_waits_for_verification_in_the_inbox_and_goes_out_after_it(world: World) -> None:
    partner = await world.partner()
    async with receiving(status(204)) as receiver, dispatching(world):
        await world.endpoint(partner, receiver.url, pending=True)
        await world.states(delivered=1)
        await world.notify(partner, permit=True)
        async with world.db.transaction() as tx:
            await keep_house(tx, world.deps)
        assert await world.statuses() == ["sent"]
        await asyncio.sleep(0.3)
        assert types(receiver) == ["endpoint.verification"]
        assert [row.state for row in await world.deliveries()] == ["delivered", "queued"]
        word = orjson.loads(receiver.received[0].body)["data"]["challenge"]
        assert await confirm(world, partner, word) == "active"
        await world.states(delivered=2)
    assert types(receiver) == ["endpoint.verification", "onward_referral.sent"]


async def test_a_wrong_or_replaced_challenge_verifies_nothing(world: World) -> None:
    partner = await world.partner()
    async with receiving(status(204)) as receiver, dispatching(world):
        await world.endpoint(partner, receiver.url, pending=True)
        await world.states(delivered=1)
        first = orjson.loads(receiver.received[0].body)["data"]["challenge"]
        assert await confirm(world, partner, None) == "pending"
        await world.states(delivered=2)
        second = orjson.loads(receiver.received[1].body)["data"]["challenge"]
        for wrong in (first, "", second[:-1], second + "é"):
            with pytest.raises(InvalidError) as refused:
                await confirm(world, partner, wrong)
            assert (refused.value.errors[0].pointer, refused.value.errors[0].code) == ("/challenge", "wrong_challenge")
        assert await confirm(world, partner, second) == "active"
        assert await confirm(world, partner, first) == "active"  # there is nothing left to verify


async def test_a_challenge_is_repeated_until_the_receiver_knows_its_secret(world: World) -> None:
    partner = await world.partner()
    async with receiving(status(401)) as receiver, dispatching(world):
        await world.endpoint(partner, receiver.url, pending=True)
        await until(lambda: _failed(world))
        receiver.answer = echo
        world.clock.advance(timedelta(seconds=2))
        world.deps.handover.take(())
        await until(lambda: is_active(world))
    assert receiver.received[0].id == receiver.received[1].id


async def _failed(world: World) -> bool:
    return bool(await world.attempts())


async def test_a_changed_url_is_told_nothing_before_it_is_verified_and_the_old_one_no_more(world: World) -> None:
    """Row 47 of the fault matrix."""
    partner = await world.partner()
    async with receiving(echo) as old, receiving(status(503)) as new, dispatching(world):
        made = await world.endpoint(partner, old.url)
        row = await change_endpoint(
            world.db, world.deps, world.callers[partner], made.endpoint.id, new.url, ["onward_referral.sent"]
        )
        assert (row.status, row.url, row.types) == ("pending", new.url, ["onward_referral.sent"])
        await world.notify(partner, permit=True)
        await until(lambda: _failed(world))
        assert (types(old), types(new)) == ([], ["endpoint.verification"])
        with pytest.raises(ConflictError, match="challenge"):
            async with world.db.transaction() as tx:
                await resume_endpoint(tx, world.deps, world.callers[partner], made.endpoint.id)
        new.answer = echo
        world.clock.advance(timedelta(seconds=2))
        world.deps.handover.take(())
        await world.states(delivered=2)
    assert types(old) == []
    assert types(new)[-1] == "onward_referral.sent"


async def test_a_change_is_answered_when_no_attempt_at_the_old_url_is_under_way(world: World) -> None:
    partner = await world.partner()
    ended: list[str] = []
    begun = asyncio.Event()

    async def slow(_: web.Request) -> web.StreamResponse:
        begun.set()
        await asyncio.sleep(0.5)
        ended.append("attempt")
        return web.Response()

    async with receiving(slow) as old, receiving(echo) as new, dispatching(world):
        made = await world.endpoint(partner, old.url)
        await world.notify(partner, permit=True)
        await begun.wait()
        await change_endpoint(world.db, world.deps, world.callers[partner], made.endpoint.id, new.url, None)
        ended.append("answer")
    assert ended == ["attempt", "answer"]


async def test_other_types_at_the_same_url_need_no_verification(world: World) -> None:
    partner = await world.partner()
    made = await world.endpoint(partner, "http://127.0.0.1:9/hook")
    changed = await change_endpoint(
        world.db, world.deps, world.callers[partner], made.endpoint.id, made.endpoint.url, ["onward_referral.withdrawn"]
    )
    assert (changed.status, changed.types) == ("active", ["onward_referral.withdrawn"])


async def test_what_was_parked_at_a_dead_url_goes_to_the_new_one(world: World) -> None:
    partner = await world.partner()
    async with receiving(status(410)) as old, receiving(echo) as new, dispatching(world):
        made = await world.endpoint(partner, old.url)
        await world.notify(partner, permit=True)
        await world.states(parked=1)
        await change_endpoint(world.db, world.deps, world.callers[partner], made.endpoint.id, new.url, None)
        await world.states(delivered=2)
    assert types(new) == ["endpoint.verification", "onward_referral.sent"]


async def test_a_verified_endpoint_is_not_undone_by_a_late_gone_from_its_old_url(world: World) -> None:
    partner = await world.partner()
    begun = asyncio.Event()

    async def gone(_: web.Request) -> web.StreamResponse:
        begun.set()
        await asyncio.sleep(0.3)
        return web.Response(status=410)

    async with receiving(gone) as old, dispatching(world):
        await world.endpoint(partner, old.url)
        await world.notify(partner, permit=True)
        await begun.wait()
        async with world.db.transaction() as tx:
            await tx.run(update(table_of(Endpoint)).values(url="http://127.0.0.1:9/new"))
        await until(lambda: _failed(world))
    (endpoint,) = await world.endpoints()
    assert endpoint.status == "active"


@pytest.mark.parametrize(
    "answer", [b"", b"null", b"[]", b'{"challenge": null}', b'{"challenge": "x"}', b"\xff", b'{"challenge": 1}', b'"c"']
)
def test_only_the_challenge_is_an_echo(answer: bytes) -> None:
    assert not is_echo(answer, "c")
    assert not is_echo(answer, None)
    assert is_echo(b'{"challenge": "c", "more": 1}', "c")
