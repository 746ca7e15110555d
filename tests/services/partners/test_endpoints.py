"""The webhook routes: a partner manages its own endpoints and sees its own deliveries, and nobody else's."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import update

from hubkit.auth import InternalIssuer, InternalVerifier, new_signing_key
from hubkit.db import table_of
from hubkit.ids import new_id
from hubkit.web import new_app
from services.partners.api.webhooks import router
from services.partners.tables.delivery import Delivery, Endpoint
from tests.services.partners.delivery_support import World, open_world

ISSUER = InternalIssuer("gateway", new_signing_key(prefix="gateway-"))


@dataclass
class Client:
    """One partner's client."""

    world: World
    http: httpx.AsyncClient
    partner: UUID

    async def call(self, method: str, path: str, body: Any = None, scope: str = "webhooks:manage") -> httpx.Response:
        caller = replace(self.world.callers[self.partner], scopes=frozenset({scope}))
        token = ISSUER.token("partners", caller, self.world.clock.now())
        headers = {"authorization": f"Bearer {token}"}
        return await self.http.request(method, path, json=body, headers=headers)

    async def register(self, url: str = "http://127.0.0.1:9/hook") -> dict[str, Any]:
        answer = await self.call("POST", "/v1/webhook-endpoints", {"url": url})
        assert answer.status_code == 201
        found: dict[str, Any] = answer.json()
        return found


@pytest.fixture
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with open_world(f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('partners')}/partners.db") as world:
        yield world


@pytest.fixture
async def http(world: World) -> AsyncIterator[httpx.AsyncClient]:
    app = new_app("partners")
    app.state.service = SimpleNamespace(db=world.db)
    app.state.deps = world.deps
    app.state.verifier = InternalVerifier(ISSUER.public_jwks(), "partners", world.clock)
    app.include_router(router)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://partners") as client:
        yield client


@pytest.fixture
async def client(world: World, http: httpx.AsyncClient) -> Client:
    return Client(world, http, await world.partner())


@pytest.fixture
async def other(world: World, http: httpx.AsyncClient) -> Client:
    return Client(world, http, await world.partner())


async def test_registering_shows_the_secret_once(client: Client) -> None:
    made = await client.register("http://127.0.0.1:9/hook")
    assert made["secret"].startswith("whsec_")
    assert made["public_key"].startswith("whpk_")
    assert (made["status"], made["types"]) == ("active", None)
    listed = (await client.call("GET", "/v1/webhook-endpoints")).json()["items"]
    assert [row["id"] for row in listed] == [made["id"]]
    assert "secret" not in listed[0]


async def test_secrets_are_sealed_in_the_database(client: Client) -> None:
    made = await client.register()
    (row,) = await client.world.endpoints()
    assert made["secret"].encode() not in row.keys
    assert b"whs" not in row.keys


async def test_only_known_types_can_be_asked_for(client: Client) -> None:
    body = {"url": "http://127.0.0.1:9/hook", "types": ["onward_referral.sent", "onward_referral.sent"]}
    answer = await client.call("POST", "/v1/webhook-endpoints", body)
    assert answer.json()["types"] == ["onward_referral.sent"]
    refused = await client.call("POST", "/v1/webhook-endpoints", {**body, "types": ["person.created"]})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["code"] == "unknown_code"
    assert (await client.call("POST", "/v1/webhook-endpoints", {**body, "types": []})).status_code == 422


@pytest.mark.parametrize(
    "url",
    ["ftp://hooks.example.org/", "http://user@hooks.example.org/", "http://10.0.0.1/", "http://2130706433/", "x", ""],
)
async def test_a_url_that_must_not_be_called_is_refused_with_its_place(client: Client, url: str) -> None:
    answer = await client.call("POST", "/v1/webhook-endpoints", {"url": url})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/url"
    assert await client.world.endpoints() == []


@pytest.mark.parametrize("extra", [{"secret": "whsec_mine"}, {"status": "active"}, {"partner_id": str(new_id())}])
async def test_fields_that_belong_to_the_hub_are_refused(client: Client, extra: dict[str, str]) -> None:
    body = {"url": "http://127.0.0.1:9/hook", **extra}
    assert (await client.call("POST", "/v1/webhook-endpoints", body)).status_code == 422


async def test_an_eleventh_endpoint_is_refused(client: Client) -> None:
    for number in range(10):
        await client.register(f"http://127.0.0.1:9/{number}")
    answer = await client.call("POST", "/v1/webhook-endpoints", {"url": "http://127.0.0.1:9/hook"})
    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_endpoints")


async def test_rotating_gives_new_keys_and_says_how_long_the_old_ones_sign(client: Client) -> None:
    made = await client.register()
    rotated = (await client.call("POST", f"/v1/webhook-endpoints/{made['id']}/rotate-secret")).json()
    assert rotated["secret"] != made["secret"]
    assert rotated["public_key"] != made["public_key"]
    assert rotated["previous_keys_sign_until"] == "2026-11-22T12:00:00Z"


async def test_a_deleted_endpoint_is_gone(client: Client) -> None:
    made = await client.register()
    assert (await client.call("DELETE", f"/v1/webhook-endpoints/{made['id']}")).status_code == 204
    assert (await client.call("GET", "/v1/webhook-endpoints")).json()["items"] == []
    assert (await client.call("DELETE", f"/v1/webhook-endpoints/{made['id']}")).status_code == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/webhook-endpoints/{endpoint}/rotate-secret"),
        ("POST", "/v1/webhook-endpoints/{endpoint}/resume"),
        ("DELETE", "/v1/webhook-endpoints/{endpoint}"),
        ("POST", "/v1/webhook-deliveries/{delivery}/replay"),
    ],
)
async def test_what_belongs_to_another_partner_is_not_there(
    client: Client, other: Client, method: str, path: str
) -> None:
    made = await client.register()
    await client.world.notify(client.partner)
    (delivery,) = await client.world.deliveries()
    answer = await other.call(method, path.format(endpoint=made["id"], delivery=delivery.id))
    assert answer.status_code == 404
    assert (await other.call("GET", "/v1/webhook-endpoints")).json()["items"] == []
    assert (await other.call("GET", "/v1/webhook-deliveries")).json()["items"] == []


async def test_another_scope_or_no_partner_is_forbidden(client: Client) -> None:
    assert (await client.call("GET", "/v1/webhook-endpoints", scope="onward:read")).status_code == 403
    client.world.callers[client.partner] = replace(client.world.callers[client.partner], organisation="police")
    answer = await client.call("GET", "/v1/webhook-endpoints")
    assert (answer.status_code, answer.json()["code"]) == (403, "not_a_partner")
    assert (await client.http.get("/v1/webhook-endpoints")).status_code == 401


async def test_deliveries_are_listed_in_pages_and_by_state(client: Client) -> None:
    await client.register()
    await client.world.notify(client.partner, 5)
    seen: list[str] = []
    query = "limit=2"
    while True:
        found = (await client.call("GET", f"/v1/webhook-deliveries?{query}")).json()
        seen += [row["id"] for row in found["items"]]
        if found["next_cursor"] is None:
            break
        query = f"limit=2&cursor={found['next_cursor']}"
    assert seen == [str(row.id) for row in await client.world.deliveries()]
    assert (await client.call("GET", "/v1/webhook-deliveries?state=parked")).json()["items"] == []
    assert (await client.call("GET", "/v1/webhook-deliveries?state=lost")).status_code == 422
    assert (await client.call("GET", "/v1/webhook-deliveries?cursor=made-up")).status_code == 400


async def test_a_parked_delivery_can_be_replayed_and_a_queued_one_not(client: Client) -> None:
    await client.register()
    await client.world.notify(client.partner)
    (delivery,) = await client.world.deliveries()
    path = f"/v1/webhook-deliveries/{delivery.id}/replay"
    refused = await client.call("POST", path)
    assert (refused.status_code, refused.json()["code"]) == (409, "wrong_state")
    async with client.world.db.transaction() as tx:
        await tx.run(update(table_of(Delivery)).values(state="parked", reason="exhausted", failures=10))
    replayed = await client.call("POST", path)
    assert (replayed.status_code, replayed.json()["state"], replayed.json()["reason"]) == (202, "queued", None)
    assert (await client.world.deliveries())[0].failures == 0


async def test_nothing_is_replayed_to_a_paused_endpoint_until_it_is_resumed(client: Client) -> None:
    made = await client.register()
    await client.world.notify(client.partner)
    (delivery,) = await client.world.deliveries()
    async with client.world.db.transaction() as tx:
        await tx.run(update(table_of(Endpoint)).values(status="paused", reason="gone", openings=3))
        await tx.run(update(table_of(Delivery)).values(state="parked", reason="endpoint_paused"))
    refused = await client.call("POST", f"/v1/webhook-deliveries/{delivery.id}/replay")
    assert (refused.status_code, refused.json()["code"]) == (409, "endpoint_not_active")
    shown = (await client.call("GET", "/v1/webhook-endpoints")).json()["items"][0]
    assert (shown["status"], shown["reason"]) == ("paused", "gone")
    resumed = await client.call("POST", f"/v1/webhook-endpoints/{made['id']}/resume")
    assert (resumed.json()["status"], resumed.json()["reason"]) == ("active", None)
    assert [row.state for row in await client.world.deliveries()] == ["queued"]
    assert [row.openings for row in await client.world.endpoints()] == [0]
