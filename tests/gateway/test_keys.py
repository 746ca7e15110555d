"""The keys that sign access tokens, and the clients, in the database."""

import asyncio
import json
from datetime import timedelta

import pytest
from sqlalchemy import text

from gateway.actions.clients import create_client, disable_client, list_clients
from gateway.actions.keys import forget_assertions, refresh_identity, rotate_signing_key
from gateway.app import create
from hubkit.errors import ConflictError, InvalidError, NotFoundError
from tests.gateway.support import DEMONSTRATION, SECRET, Gateway, assertion_form, claims, running, settings, signed
from tests.support.migrated import migrated


async def published(gateway: Gateway) -> list[str]:
    keys = (await gateway.http.get("/.well-known/jwks.json")).json()["keys"]
    return [key["kid"] for key in keys]


async def test_replicas_that_start_together_share_one_key(database_url: str):
    await migrated("gateway", database_url)
    apps = [create(settings(database_url)) for _ in range(3)]
    lives = [app.state.service.lifespan(app) for app in apps]
    await asyncio.gather(*(life.__aenter__() for life in lives))
    try:
        kids = {tuple(key["kid"] for key in app.state.deps.identity.keys.public_jwks()["keys"]) for app in apps}
    finally:
        await asyncio.gather(*(life.__aexit__(None, None, None) for life in lives))

    assert len(kids) == 1
    assert len(next(iter(kids))) == 1


async def test_a_token_survives_a_restart(database_url: str):
    async with running(database_url) as gateway:
        bearer = await gateway.bearer()
    async with running(database_url) as gateway:
        answer = await gateway.http.get("/v1/referrals/1", headers=bearer)

    assert answer.status_code == 202


async def test_a_new_key_is_published_first_then_signs_then_stands_alone(gateway: Gateway):
    first = await published(gateway)
    async with gateway.parts.db.transaction() as tx:
        new = await rotate_signing_key(tx, gateway.deps.keyring)
    seen = []
    for minutes in (0, 3, 10):
        gateway.clock.advance(timedelta(minutes=minutes))
        async with gateway.parts.db.reading() as tx:
            await refresh_identity(tx, gateway.deps)
        seen.append(await published(gateway))

    assert seen == [[*first, new], [new, *first], [new]]


async def test_no_private_key_or_secret_stands_readable_in_the_database(gateway: Gateway):
    async with gateway.parts.db.reading() as tx:
        rows = [*await tx.rows(text("SELECT * FROM signing_key")), *await tx.rows(text("SELECT * FROM client"))]

    stored = repr(rows)
    assert SECRET not in stored
    assert '"d"' not in stored
    assert all(client["private_jwk"]["d"] not in stored for client in DEMONSTRATION["clients"].values())


async def test_a_created_client_can_sign_in_both_ways(database_url: str):
    async with running(database_url) as gateway:
        async with gateway.parts.db.transaction() as tx:
            made = await create_client(tx, organisation="police-two", scopes=["referrals:write"], client_id="two")
        by_secret = await gateway.token("two", made.secret)
        assertion = signed(claims(gateway.clock, iss="two", sub="two"), made.private_jwk)
        by_key = await gateway.http.post("/oauth/token", data=assertion_form(assertion))
        async with gateway.parts.db.reading() as tx:
            known = [client.id for client in await list_clients(tx)]

    assert by_secret
    assert by_key.status_code == 200
    assert known == ["hub", "police", "two"]
    assert made.secret not in repr(made)
    assert made.private_jwk["d"] not in repr(made)


async def test_a_client_needs_known_scopes_a_fit_id_and_a_new_one(gateway: Gateway):
    async with gateway.parts.db.transaction() as tx:
        with pytest.raises(InvalidError):
            await create_client(tx, organisation="a", scopes=["everything"])
        with pytest.raises(InvalidError):
            await create_client(tx, organisation="a b", scopes=[])
        with pytest.raises(ConflictError):
            await create_client(tx, organisation="a", scopes=[], client_id="police")
        with pytest.raises(NotFoundError):
            await disable_client(tx, "nobody")


async def test_demonstration_clients_are_brought_up_to_date_and_stay_disabled(database_url: str):
    async with running(database_url) as gateway, gateway.parts.db.transaction() as tx:
        await disable_client(tx, "hub")
    changed = json.loads(json.dumps(DEMONSTRATION))
    changed["clients"]["police"]["client_secret"] = "another"
    async with running(database_url, demonstration_clients=json.dumps(changed)) as gateway:
        assert await gateway.token("police", "another")
        hub = await gateway.http.post(
            "/oauth/token", data={"grant_type": "client_credentials"}, auth=("hub", SECRET + "-hub")
        )

    assert hub.status_code == 401


async def test_used_assertions_are_forgotten_once_they_have_expired(gateway: Gateway):
    await gateway.http.post("/oauth/token", data=assertion_form(signed(claims(gateway.clock))))
    counts = []
    for seconds in (60, 120):
        gateway.clock.advance(timedelta(seconds=seconds))
        async with gateway.parts.db.transaction() as tx:
            await forget_assertions(tx)
            counts.append((await tx.rows(text("SELECT count(*) FROM assertion_jti")))[0][0])

    assert counts == [1, 0]
