"""The webhook routes: a partner manages its own endpoints and sees its own deliveries, and nobody else's."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest
from joserfc.jwk import ECKey
from sqlalchemy import update

from hubkit.auth import InternalIssuer, InternalVerifier, new_signing_key
from hubkit.db import table_of
from hubkit.ids import new_id
from hubkit.web import new_app
from services.partners.api.webhooks import router
from services.partners.tables.delivery import Delivery, Endpoint
from tests.services.partners.delivery_support import World, dispatching, open_world, receiving, status, until

PAIR = ECKey.generate_key("P-256")
PUBLIC: dict[str, Any] = PAIR.as_dict(private=False) | {"kid": "k1", "use": "enc"}
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
        """Register an endpoint; it stays pending."""
        answer = await self.call("POST", "/v1/webhook-endpoints", {"url": url})
        assert answer.status_code == 201
        found: dict[str, Any] = answer.json()
        return found

    async def verified(self) -> dict[str, Any]:
        """Register an endpoint and take it as verified; its challenge is not among the deliveries."""
        made = (await self.world.endpoint(self.partner, "http://127.0.0.1:9/hook")).endpoint
        return {"id": str(made.id)}


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
    assert (made["status"], made["types"]) == ("pending", None)
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


async def test_an_encryption_key_is_kept_in_its_normal_form_and_replaced_or_dropped_by_a_change(client: Client) -> None:
    made = await client.register()
    assert (made["encryption_key"], made["mutual_tls"]) == (None, False)
    path = f"/v1/webhook-endpoints/{made['id']}"
    body = {"url": made["url"], "encryption_key": PUBLIC | {"x5c": ["MIIB"]}}
    changed = (await client.call("PUT", path, body)).json()
    assert changed["encryption_key"] == PUBLIC | {"alg": "ECDH-ES+A256KW"}
    assert changed["status"] == "pending"
    (row,) = await client.world.endpoints()
    assert row.encryption_key == changed["encryption_key"]
    answer = await client.call("POST", "/v1/webhook-endpoints", body | {"url": "http://127.0.0.1:9/other"})
    assert (answer.status_code, answer.json()["encryption_key"]) == (201, changed["encryption_key"])
    assert (await client.call("PUT", path, {"url": made["url"]})).json()["encryption_key"] is None


async def test_a_private_key_is_refused_kept_nowhere_and_not_repeated(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    made = await client.register()
    private = PAIR.as_dict(private=True) | {"kid": "k1", "use": "enc"}
    body = {"url": "http://127.0.0.1:9/hook", "encryption_key": private}
    for method, path in (("POST", "/v1/webhook-endpoints"), ("PUT", f"/v1/webhook-endpoints/{made['id']}")):
        answer = await client.call(method, path, body)
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
        [fault] = answer.json()["errors"]
        assert (fault["pointer"], fault["code"]) == ("/encryption_key", "private_key")
        assert private["d"] not in answer.text + caplog.text
    (row,) = await client.world.endpoints()
    assert row.encryption_key is None
    # A body that is wrong elsewhere too says nothing of the key either.
    answer = await client.call("POST", "/v1/webhook-endpoints", body | {"surplus": 1})
    assert answer.status_code == 422
    assert private["d"] not in answer.text + caplog.text


@pytest.mark.parametrize(
    ("key", "pointer", "code"),
    [
        ({"use": "sig"}, "/encryption_key/use", "use_not_enc"),
        ({"kid": None}, "/encryption_key/kid", "key_id_missing"),
        ({"crv": "secp256k1"}, "/encryption_key/kty", "key_type_not_allowed"),
    ],
)
async def test_another_key_is_refused_with_its_place(
    client: Client, key: dict[str, Any], pointer: str, code: str
) -> None:
    body = {"url": "http://127.0.0.1:9/hook", "encryption_key": PUBLIC | key}
    answer = await client.call("POST", "/v1/webhook-endpoints", body)
    assert answer.status_code == 422
    assert [(each["pointer"], each["code"]) for each in answer.json()["errors"]] == [(pointer, code)]
    assert await client.world.endpoints() == []


async def test_mutual_tls_is_refused_while_the_hub_has_no_certificate(client: Client) -> None:
    body = {"url": "http://127.0.0.1:9/hook", "mutual_tls": True}
    answer = await client.call("POST", "/v1/webhook-endpoints", body)
    assert answer.status_code == 422
    assert [(each["pointer"], each["code"]) for each in answer.json()["errors"]] == [
        ("/mutual_tls", "no_client_certificate")
    ]
    assert await client.world.endpoints() == []


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
        ("POST", "/v1/webhook-endpoints/{endpoint}/verify"),
        ("POST", "/v1/webhook-endpoints/{endpoint}/test"),
        ("PUT", "/v1/webhook-endpoints/{endpoint}"),
        ("GET", "/v1/webhook-deliveries/{delivery}"),
        ("POST", "/v1/webhook-deliveries/{delivery}/replay"),
    ],
)
async def test_what_belongs_to_another_partner_is_not_there(
    client: Client, other: Client, method: str, path: str
) -> None:
    made = await client.verified()
    await client.world.notify(client.partner)
    (delivery,) = await client.world.deliveries()
    body = {"url": "http://127.0.0.1:9/mine"} if method == "PUT" else {} if path.endswith("verify") else None
    answer = await other.call(method, path.format(endpoint=made["id"], delivery=delivery.id), body)
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
    await client.verified()
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
    await client.verified()
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
    made = await client.verified()
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


async def test_a_delivery_shows_its_attempts_and_deliveries_are_found_by_what_they_are_of(client: Client) -> None:
    made = await client.verified()
    world = client.world
    first, second = await world.notify(client.partner, 2)
    world.clock.advance(timedelta(minutes=5))
    (third,) = await world.notify(client.partner)
    async with dispatching(world):
        await until(lambda: _attempted(world, 3))
    found = (await client.call("GET", f"/v1/webhook-deliveries?onward_referral_id={second}")).json()["items"]
    assert [row["onward_referral_id"] for row in found] == [str(second)]
    shown = (await client.call("GET", f"/v1/webhook-deliveries/{found[0]['id']}")).json()
    assert (shown["state"], shown["last_error"], len(shown["made"])) == ("queued", "refused", 1)
    assert shown["made"][0] | {"duration_ms": 0} == {
        "number": 1, "started_at": "2026-11-21T12:05:00Z", "duration_ms": 0, "status": None, "error_class": "refused",
        "payload": "thin", "thin_because": None,
    }  # fmt: skip
    since = "2026-11-21T12:05:00%2B00:00"
    for query, expected in (
        (f"since={since}", [third]),
        (f"endpoint_id={made['id']}", [first, second, third]),
        (f"endpoint_id={first}", []),
        ("state=parked", []),
    ):
        items = (await client.call("GET", f"/v1/webhook-deliveries?{query}")).json()["items"]
        assert [row["onward_referral_id"] for row in items] == [str(each) for each in expected], query
    assert (await client.call("GET", "/v1/webhook-deliveries?since=yesterday")).status_code == 422


async def _attempted(world: World, count: int) -> bool:
    return len(await world.attempts()) >= count


async def test_many_are_replayed_since_a_moment_through_todays_gate(client: Client) -> None:
    made = await client.verified()
    world = client.world
    await world.notify(client.partner, 2)
    world.clock.advance(timedelta(hours=1))
    kept, refused = await world.notify(client.partner), await world.notify(client.partner)
    async with world.db.transaction() as tx:
        await tx.run(update(table_of(Delivery)).values(state="delivered"))
        await tx.run(
            update(table_of(Delivery)).where(table_of(Delivery).c.onward_referral_id == kept[0]).values(state="parked")
        )
    path, body = "/v1/webhook-deliveries/replay", {"since": "2026-11-21T13:00:00+00:00", "endpoint_id": made["id"]}
    assert (await client.call("POST", path, body)).json() == {"queued": 1}
    assert (await client.call("POST", path, {**body, "states": ["parked", "delivered"]})).json() == {"queued": 1}
    await world.withdraw_consent(refused[0])
    async with dispatching(world):
        await until(lambda: _attempted(world, 1))
        await world.states(stopped=1, delivered=2, queued=1)
    assert len(await world.attempts()) == 1
    for wrong in ({}, {**body, "states": ["queued"]}, {**body, "states": []}, {**body, "since": "2026-11-21T13:00:00"}):
        assert (await client.call("POST", path, wrong)).status_code == 422
    async with world.db.transaction() as tx:
        await tx.run(update(table_of(Endpoint)).values(status="pending"))
    answer = await client.call("POST", path, body)
    assert (answer.status_code, answer.json()["code"]) == (409, "endpoint_not_active")


async def test_nobody_replays_or_sees_what_is_anothers(client: Client, other: Client) -> None:
    made = await client.verified()
    await client.world.notify(client.partner)
    async with client.world.db.transaction() as tx:
        await tx.run(update(table_of(Delivery)).values(state="parked"))
    body = {"since": "2026-11-21T00:00:00+00:00"}
    assert (await other.call("POST", "/v1/webhook-deliveries/replay", body)).json() == {"queued": 0}
    answer = await other.call("POST", "/v1/webhook-deliveries/replay", {**body, "endpoint_id": made["id"]})
    assert answer.status_code == 404


async def test_a_test_event_goes_to_an_active_endpoint_and_concerns_nobody(client: Client) -> None:
    async with receiving(status(200)) as receiver, dispatching(client.world):
        made = await client.register(receiver.url)
        path = f"/v1/webhook-endpoints/{made['id']}/test"
        early = await client.call("POST", path)
        assert (early.status_code, early.json()["code"]) == (409, "endpoint_not_active")
        await until(lambda: _attempted(client.world, 1))
        word = orjson.loads(receiver.received[0].body)["data"]["challenge"]
        verified = await client.call("POST", f"/v1/webhook-endpoints/{made['id']}/verify", {"challenge": word})
        assert verified.json()["status"] == "active"
        for _ in range(2):
            sent = await client.call("POST", path)
            assert (sent.status_code, sent.json()["type"], sent.json()["onward_referral_id"]) == (
                202, "endpoint.test", None,
            )  # fmt: skip
        await client.world.states(delivered=3)
    assert orjson.loads(receiver.received[2].body)["data"] == {"endpoint_id": made["id"]}


WRONG = ["ok.example", "127.0.0.1", "a.example:22", "a.example/a", "a.example:443", "*.example.org"]


async def test_a_partner_is_held_to_its_domains(client: Client) -> None:
    path = f"/v1/partners/{client.partner}/webhook-domains"
    set_ = await client.call("PUT", path, {"domains": ["Partner.example", "xn--bcher-kva.example"]}, "directory:write")
    assert set_.json() == {"domains": ["partner.example", "xn--bcher-kva.example"]}
    assert (await client.call("GET", path, scope="directory:write")).json() == set_.json()
    assert (await client.call("PUT", path, {"domains": []})).status_code == 403
    for host, expected in (
        ("partner.example", 201), ("hooks.partner.example", 201),
        ("evilpartner.example", 422), ("partner.example.evil.example", 422), ("other.example", 422),
    ):  # fmt: skip
        answer = await client.call("POST", "/v1/webhook-endpoints", {"url": f"https://{host}/hook"})
        assert answer.status_code == expected, host
        if expected == 422:
            assert answer.json()["errors"][0]["code"] == "domain_not_allowed"
    made = (await client.call("GET", "/v1/webhook-endpoints")).json()["items"][0]
    moved = await client.call("PUT", f"/v1/webhook-endpoints/{made['id']}", {"url": "https://other.example/hook"})
    assert moved.json()["errors"][0] == {
        "pointer": "/url", "code": "domain_not_allowed",
        "detail": "The host is not under a domain that was agreed with you",
    }  # fmt: skip
    wrong = await client.call("PUT", path, {"domains": WRONG}, "directory:write")
    found = [(each["pointer"], each["code"]) for each in wrong.json()["errors"]]
    assert found == [
        ("/domains/1", "ip_address_not_allowed"),
        ("/domains/2", "port_not_allowed"),
        *((f"/domains/{n}", "host_invalid") for n in (3, 4, 5)),
    ]


async def test_the_hub_is_no_partners_address(client: Client) -> None:
    client.world.deps = replace(client.world.deps, allow_private_endpoints=False)
    client.http._transport.app.state.deps = client.world.deps  # type: ignore[attr-defined]
    answer = await client.call("POST", "/v1/webhook-endpoints", {"url": "https://hub.example.org/v1/referrals"})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "own_address")
