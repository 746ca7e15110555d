"""What passes the gateway, and how it arrives."""

import re

import pytest

from gateway.model import Route
from gateway.policy.routes import ROUTES
from hubkit.auth import InternalIssuer, InternalVerifier
from tests.gateway.support import INTERNAL_KEY, SECRET, Gateway

ID = "019a9c1e-0000-7000-8000-000000000001"


async def test_a_call_arrives_unchanged_with_a_token_for_its_service(gateway: Gateway):
    gateway.service.headers += [(b"location", b"/v1/referrals/1"), (b"x-internal", b"1"), (b"set-cookie", b"a=b")]
    headers = {
        **await gateway.bearer(),
        "idempotency-key": "k-1",
        "content-type": "application/json",
        "x-forwarded-for": "192.0.2.1",
        "x-http-method-override": "DELETE",
    }

    answer = await gateway.http.post("/v1/referrals?a=%20b", content=b'{"a": 1}', headers=headers)

    assert (answer.status_code, answer.content) == (202, b'{"id":"1"}')
    assert answer.headers["location"] == "/v1/referrals/1"
    assert not {"x-internal", "set-cookie"} & set(answer.headers)
    seen = gateway.service.seen[0]
    assert (seen["method"], seen["path"], seen["query"], seen["body"]) == (
        "POST",
        "/v1/referrals",
        "a=%20b",
        b'{"a": 1}',
    )
    assert seen["idempotency-key"] == "k-1"
    assert not {"x-forwarded-for", "x-http-method-override"} & set(seen)
    trusted = InternalIssuer("gateway", INTERNAL_KEY).public_jwks()
    caller = InternalVerifier(trusted, "intake", gateway.clock).verify(seen["authorization"].removeprefix("Bearer "))
    assert (caller.client_id, caller.organisation, caller.issuer) == ("police", "police-one", "gateway")
    assert "referrals:write" in caller.scopes


async def test_the_trace_of_the_caller_goes_on_and_one_begins_where_there_is_none(gateway: Gateway):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = await gateway.bearer()

    await gateway.http.get(f"/v1/referrals/{ID}", headers={**headers, "traceparent": trace})
    await gateway.http.get(f"/v1/referrals/{ID}", headers=headers)

    assert gateway.service.seen[0]["traceparent"] == trace
    assert len(gateway.service.seen[1]["traceparent"]) == 55


GUARDED = [route for route in ROUTES if not route.is_public]


@pytest.mark.parametrize("route", GUARDED, ids=lambda route: f"{route.method} {route.template}")
async def test_every_route_refuses_a_caller_without_token_and_one_without_its_scope(gateway: Gateway, route: Route):
    path = re.sub(r"\{[a-z_]+\}", ID, route.template)
    client, secret = ("police", SECRET) if route.upstream != "intake" else ("hub", SECRET + "-hub")

    missing = await gateway.http.request(route.method, path)
    other = await gateway.http.request(route.method, path, headers=await gateway.bearer(client, secret))

    assert (missing.status_code, missing.json()["code"]) == (401, "unauthenticated")
    assert (other.status_code, other.json()["code"]) == (403, "insufficient_scope")
    assert gateway.service.seen == []


@pytest.mark.parametrize(
    "path",
    [
        "/v1",
        "/v1/",
        "/v1/referral",
        "/v1/referrals/",
        f"/v1/referrals/{ID}/",
        f"/v1/referrals/{ID}/x",
        "/v1/referrals/..%2fcases",
        "/v1/referrals/%2e%2e",
        "/v1/referrals/a%00b",
        "/v1/referrals/a%20b",
        "/v1//referrals",
        "/v1/referrals/" + "a" * 65,
        "/internal/disclosures",
        "/v1/internal/disclosures",
        "/V1/referrals",
        "/docs",
    ],
)
async def test_what_is_not_in_the_route_table_is_not_found(gateway: Gateway, path: str):
    answer = await gateway.http.get(path, headers=await gateway.bearer())

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert gateway.service.seen == []


async def test_a_very_long_path_is_refused(gateway: Gateway):
    assert (await gateway.http.get("/v1/referrals/" + "a" * 3000)).status_code == 414


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "PATCH", "TRACE", "OPTIONS", "HEAD"])
async def test_another_method_is_refused_with_those_allowed(gateway: Gateway, method: str):
    answer = await gateway.http.request(method, "/v1/referrals", headers=await gateway.bearer())

    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert gateway.service.seen == []


async def test_a_body_over_the_limit_is_refused_while_it_is_read(gateway: Gateway):
    sent = 0

    async def endless():
        nonlocal sent
        while True:
            sent += 65536
            yield b"a" * 65536

    announced = await gateway.http.post("/v1/referrals", content=b"a" * 262_145, headers=await gateway.bearer())
    chunked = await gateway.http.post("/v1/referrals", content=endless(), headers=await gateway.bearer())

    assert (announced.status_code, chunked.status_code) == (413, 413)
    assert sent <= 6 * 65536
    assert gateway.service.seen == []


async def test_a_transfer_streams_through_in_pieces(gateway: Gateway):
    async def rows():
        for _ in range(40):
            yield b"a" * 65536

    headers = {**await gateway.bearer(), "content-type": "application/x-ndjson"}
    answer = await gateway.http.post("/v1/transfers", content=rows(), headers=headers)

    assert answer.status_code == 202
    assert len(gateway.service.seen[0]["body"]) == 40 * 65536
    assert max(gateway.service.pieces) == 65536


@pytest.mark.parametrize("name", ["host", "content-type", "idempotency-key", "if-match"])
async def test_a_header_given_twice_is_refused(gateway: Gateway, name: str):
    token = await gateway.token()
    headers = [("authorization", f"Bearer {token}"), (name, "a"), (name, "b")]

    answer = await gateway.http.post("/v1/referrals", content=b"{}", headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (400, "repeated_header")


async def test_too_many_or_too_large_headers_are_refused(gateway: Gateway):
    bearer = await gateway.bearer()
    many = {**bearer, **{f"x-{n}": "a" for n in range(200)}}
    large = {**bearer, "x-large": "a" * 20_000}

    statuses = [(await gateway.http.post("/v1/referrals", headers=headers)).status_code for headers in (many, large)]

    assert statuses == [431, 431]


@pytest.mark.parametrize("status", [200, 400, 404, 409, 412, 422, 428])
async def test_an_answer_of_the_service_is_passed_back(gateway: Gateway, status: int):
    gateway.service.status, gateway.service.answer = status, b'{"code":"x"}'
    gateway.service.headers = [(b"content-type", b"application/problem+json"), (b"etag", b'"3"')]

    answer = await gateway.http.get(f"/v1/referrals/{ID}", headers=await gateway.bearer())

    assert (answer.status_code, answer.headers["etag"], answer.content) == (status, '"3"', b'{"code":"x"}')
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"


async def test_an_answer_without_content_has_no_length(gateway: Gateway):
    gateway.service.status, gateway.service.answer, gateway.service.headers = 204, b"", []

    answer = await gateway.http.get(f"/v1/referrals/{ID}", headers=await gateway.bearer())

    assert answer.status_code == 204
    assert not {"content-length", "content-type"} & set(answer.headers)


@pytest.mark.parametrize("status", [401, 500, 502])
async def test_a_fault_between_deployables_is_not_shown_as_the_clients(gateway: Gateway, status: int):
    gateway.service.status, gateway.service.answer = status, b"Internal details"
    gateway.service.headers = [(b"content-type", b"text/plain")]

    answer = await gateway.http.get(f"/v1/referrals/{ID}", headers=await gateway.bearer())

    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "unavailable", "1")
    assert "details" not in answer.text


async def test_a_query_that_is_not_encoded_is_refused(gateway: Gateway):
    scope = {
        "type": "http",
        "method": "GET",
        "path": f"/v1/referrals/{ID}",
        "raw_path": b"/v1/referrals/1",
        "query_string": b"a=\xff",
        "headers": [(b"authorization", (await gateway.bearer())["authorization"].encode())],
        "client": ("127.0.0.1", 1),
    }
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request"}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    await gateway.app(scope, receive, send)

    assert sent[0]["status"] == 400


async def test_a_websocket_is_closed(gateway: Gateway):
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    path = "/v1/referrals"
    await gateway.app({"type": "websocket", "path": path, "query_string": b"", "headers": []}, receive, send)

    assert [message["type"] for message in sent] == ["websocket.close"]
