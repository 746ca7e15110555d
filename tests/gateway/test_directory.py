"""The public directory at the gateway: no token, a rate for each address, readable from every site."""

import json
from base64 import urlsafe_b64decode
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from gateway.model import PUBLIC, SCOPES
from gateway.policy.routes import ROUTES
from gateway.proxy import _origin
from tests.gateway.support import Gateway, running, sqlite


def test_no_client_can_have_the_right_that_the_gateway_lends() -> None:
    assert PUBLIC not in SCOPES
    assert {route.method for route in ROUTES if route.is_public} == {"GET"}
    assert {route.template.split("/")[1] for route in ROUTES if route.is_public} == {"directory"}


async def test_anybody_may_read_it_and_a_token_changes_nothing(gateway: Gateway) -> None:
    gateway.service.status, gateway.service.answer = 200, b"{}"
    gateway.service.headers += [
        (b"cache-control", b"public, max-age=60"),
        (b"etag", b'"a"'),
        (b"content-language", b"cy"),
    ]
    for headers in (
        {},
        {"authorization": "Bearer nonsense"},
        await gateway.bearer("hub", "a-secret-of-a-demonstration-client-hub"),
    ):
        answer = await gateway.http.get("/directory/services?search=a%25", headers=headers)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "*")
        assert answer.headers["cache-control"] == "public, max-age=60"
        assert (answer.headers["etag"], answer.headers["content-language"]) == ('"a"', "cy")
        seen = gateway.service.seen[-1]
        assert (seen["path"], seen["query"]) == ("/directory/services", "search=a%25")
        token = seen["authorization"].removeprefix("Bearer ")
        claims = _claims(token)
        assert (claims["scope"], claims["sub"]) == (PUBLIC, "public")
    for path in ("/directory", "/directory/"):
        assert (await gateway.http.get(path)).status_code == 200
        assert gateway.service.seen[-1]["path"] == path


async def test_what_is_kept_is_asked_for_with_its_tag(gateway: Gateway) -> None:
    gateway.service.status, gateway.service.answer = 304, b""
    answer = await gateway.http.get("/directory/organizations", headers={"if-none-match": '"a"'})
    assert (answer.status_code, answer.content) == (304, b"")
    assert gateway.service.seen[-1]["if-none-match"] == '"a"'


async def test_a_head_is_a_get_of_what_anybody_may_read_alone(gateway: Gateway) -> None:
    gateway.service.status, gateway.service.answer = 200, b'{"name": "x"}'
    answer = await gateway.http.head("/directory/services")
    assert (answer.status_code, answer.headers["content-length"]) == (200, "13")
    assert gateway.service.seen.pop()["method"] == "GET"
    closed = await gateway.http.head("/v1/onward-referrals", headers=await gateway.bearer())
    assert closed.status_code == 405
    assert gateway.service.seen == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/directory/services", 405),
        ("DELETE", "/directory/services/1", 405),
        ("GET", "/directory/services/1/listing", 404),
        ("GET", "/directory/partners", 404),
        ("GET", "/directory/services/..%2f..", 404),
        ("GET", "/directory/services/", 404),
        ("GET", "/directoryservices", 404),
        ("GET", "/v1/services/1/listing", 401),
    ],
)
async def test_nothing_else_is_open(gateway: Gateway, method: str, path: str, status: int) -> None:
    answer = await gateway.http.request(method, path)
    assert answer.status_code == status
    assert gateway.service.seen == []
    if path.startswith("/directory/") and "%" not in path:
        assert answer.headers["access-control-allow-origin"] == "*"


async def test_each_address_has_a_rate_of_its_own(tmp_path: Path) -> None:
    async with running(sqlite(tmp_path), public_rate_per_second=1, public_rate_burst=3) as gateway:
        gateway.service.status = 200

        async def ask(address: str) -> int:
            transport = httpx.ASGITransport(gateway.app, client=(address, 1))
            async with httpx.AsyncClient(transport=transport, base_url="https://hub.example.org") as http:
                answer = await http.get("/directory/services")
                assert ("retry-after" in answer.headers) == (answer.status_code == 429)
                return answer.status_code

        assert [await ask("192.0.2.1") for _ in range(4)] == [200, 200, 200, 429]
        assert await ask("192.0.2.2") == 200
        assert [await ask(f"2001:db8::{number}") for number in range(4)] == [200, 200, 200, 429]
        assert await ask("2001:db8:0:1::1") == 200
        gateway.clock.advance(timedelta(seconds=1))
        assert await ask("192.0.2.1") == 200


def test_an_address_is_counted_by_its_network() -> None:
    assert [_origin({"client": (address, 1)}) for address in ("192.0.2.1", "2001:db8::5", "odd")] == [
        "192.0.2.1", "2001:db8::/64", "odd",
    ]  # fmt: skip
    assert _origin({}) == ""


def _claims(token: str) -> dict[str, object]:
    payload = token.split(".")[1]
    return dict(json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))
