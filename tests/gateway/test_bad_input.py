"""Rows of the bad-input matrix that the gateway decides, some of them at a real server, by a raw connection.

The matrix: reference/reliability.md, section 4. Which test proves which row is listed in the file of this name for
partners.
"""

import asyncio
import contextlib
import json
import logging
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.actions.clients import create_client
from gateway.policy.routes import ROUTES
from hubkit import migrations
from tests.gateway.support import SECRET, URL, Gateway, claims, running, settings, signed, sqlite
from tests.gateway.test_tokens import attacks, encoded
from tests.support.process import die_with_parent, free_port

ID = "019a9c1e-0000-7000-8000-000000000001"
PARTNERS_SCOPES = ["onward:read", "onward:write", "webhooks:manage"]
MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Answer:
    """What came back over a raw connection."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> dict[str, Any]:
        assert self.headers["content-type"] == "application/problem+json"
        found: dict[str, Any] = json.loads(self.body)
        assert found["status"] == self.status
        return found


@dataclass(frozen=True)
class Served:
    """A gateway as a process of its own, with nothing behind it."""

    port: int

    async def say(self, *pieces: bytes) -> list[Answer]:
        """Send bytes as they are and return the answers, up to the end of the connection."""
        answers = []
        async with asyncio.timeout(20), self.connected() as (reader, writer):
            with contextlib.suppress(ConnectionError):
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
            while (answer := await _answer(reader)) is not None:
                answers.append(answer)
        return answers

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield reader, writer
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def ask(self, request_line: str, *headers: str) -> Answer:
        """Send one request without a body and return its answer."""
        lines = [request_line, *(headers or ("Host: hub.example.org",)), "Connection: close", "", ""]
        [answer] = await self.say("\r\n".join(lines).encode("latin-1"))
        return answer


async def _answer(reader: asyncio.StreamReader) -> Answer | None:
    """Return the next answer; None at the end of the connection."""
    try:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:-2])}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Answer(int(lines[0].split(" ")[1]), headers, body)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Run a gateway as an operator does, which trusts a proxy elsewhere and counts three public calls."""
    with serving(tmp_path_factory.mktemp("gateway"), FORWARDED_ALLOW_IPS="192.0.2.1") as served:
        yield served


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Served]:
    """Run a gateway to which no proxy is named."""
    with serving(tmp_path) as alone:
        yield alone


@contextlib.contextmanager
def serving(folder: Path, **variables: str) -> Iterator[Served]:
    port = free_port()
    url = sqlite(folder)
    asyncio.run(migrations.upgrade("gateway", url))
    given = settings(url, public_rate_per_second=0.001, public_rate_burst=3).model_dump(exclude_none=True)
    environment = {f"GATEWAY_{name.upper()}": str(value) for name, value in given.items()}
    environment |= {"PATH": os.environ["PATH"], **variables}
    command = [sys.executable, "-m", "hubkit.serve", "gateway.app:create", "--port", str(port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, preexec_fn=die_with_parent)
    try:
        _await_ready(process, port, folder / "log")
        yield Served(port)
    finally:
        process.terminate()
        process.wait(20)


def _await_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + 60
    while True:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2):
            return
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.05)


# --- 24 to 27: tokens and assertions ---


async def test_row_24_a_token_of_another_key_is_refused_without_a_reason_and_noted(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    kid = gateway.deps.identity.keys.kid
    forged = {name: token for name, token in attacks(gateway).items() if len(token) < 8_000}
    base = {"alg": "Ed25519", "typ": "at+jwt", "kid": kid}
    forged["asks for an extension"] = f"{encoded({**base, 'crit': ['b64'], 'b64': False})}.{encoded({})}.AAAA"
    for name, token in forged.items():
        caplog.clear()
        headers = {"authorization": f"Bearer {token}".encode()}
        answer = await gateway.http.get("/v1/onward-referrals", headers=headers)
        assert (name, answer.status_code, answer.headers["www-authenticate"]) == (name, 401, "Bearer")
        assert answer.json() == {
            "type": "urn:onward:problem:unauthenticated",
            "title": answer.json()["title"],
            "status": 401,
            "detail": answer.json()["title"],
            "code": "unauthenticated",
        }
        [noted] = [record for record in caplog.records if record.msg == "access_refused"]
        assert (name, vars(noted)["code"]) == (name, "unauthenticated")
    assert gateway.service.seen == []


async def test_row_26_a_token_of_a_megabyte_is_refused_and_costs_nothing(served: Served) -> None:
    """More than 64 kB of headers are not even kept; below that the token is measured before anything is done."""
    for length in (MEGABYTE, 20_000, 10_000):
        token = f"Authorization: Bearer {'a' * length}"
        answer = await served.ask("GET /v1/onward-referrals HTTP/1.1", "Host: a", token)
        assert (length, answer.status) == (length, 401 if length == 10_000 else 431)
        assert answer.problem["code"] == ("unauthenticated" if length == 10_000 else "headers_too_large")


async def test_row_26_two_hundred_headers_are_refused(served: Served) -> None:
    answer = await served.ask("GET /v1/onward-referrals HTTP/1.1", "Host: a", *(f"X-{n}: a" for n in range(200)))
    assert (answer.status, answer.problem["code"]) == (431, "headers_too_large")


async def test_row_26_headers_without_end_are_cut_off(served: Served) -> None:
    """Neither a header that goes on for ever nor headers that do are kept: the answer comes before their end."""
    for start, piece in ((b"X: ", b"a" * 65_536), (b"", b"X-A: b\r\n" * 8_192)):
        pieces = [b"GET /v1/onward-referrals HTTP/1.1\r\nHost: a\r\n" + start, *[piece] * 64]
        [answer] = await served.say(*pieces)
        assert (answer.status, answer.problem["code"]) == (431, "headers_too_large")


async def test_row_27_an_assertion_that_brings_its_key_is_an_invalid_client(gateway: Gateway) -> None:
    """The rest of the row: `test_a_wrong_assertion_is_an_invalid_client` and its neighbours in test_tokens.py."""
    header = {"alg": "Ed25519", "kid": "police-1"}
    for more in ({"jwk": {}}, {"jku": "https://a.example.org/"}, {"x5u": "https://a.example.org/"}, {"crit": ["exp"]}):
        good = signed(claims(gateway.clock)).split(".")
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": ".".join([encoded(header | more), *good[1:]]),
        }
        answer = await gateway.http.post("/oauth/token", data=form)
        words = "the client could not be authenticated"
        assert (answer.status_code, answer.json()) == (401, {"error": "invalid_client", "error_description": words})


# --- 28 and 30: what is not the caller's ---


async def test_row_28_ids_that_are_not_there_are_noted_with_the_client_that_tried_them(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    """That another's id and an unknown one have one answer: the test of this row in services/partners."""
    gateway.service.status, gateway.service.answer = 404, b"{}"
    await gateway.http.get(f"/v1/referrals/{ID}", headers=await gateway.bearer())
    [noted] = [vars(record) for record in caplog.records if record.msg == "access_refused"]
    assert (noted["client_id"], noted["route"], noted["code"]) == ("police", "/v1/referrals/{id}", "not_found")
    assert ID not in str(noted)


async def test_row_30_a_partners_token_opens_nothing_of_the_hubs(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    async with gateway.parts.db.transaction() as tx:
        made = await create_client(tx, organisation="partner-one", scopes=PARTNERS_SCOPES)
    bearer = await gateway.bearer(made.id, made.secret)
    closed = [route for route in ROUTES if not route.is_public and route.scope not in PARTNERS_SCOPES]
    assert len(closed) > 50
    for route in closed:
        path = re.sub(r"\{[a-z_]+\}", ID, route.template)
        answer = await gateway.http.request(route.method, path, headers=bearer)
        assert (route, answer.status_code, answer.json()["code"]) == (route, 403, "insufficient_scope")
        noted = vars(caplog.records[-1])
        assert (noted["code"], noted["client_id"]) == ("insufficient_scope", made.id)
    for path in ("/internal/disclosures", "/v1/internal/disclosures", "/admin"):
        assert (await gateway.http.post(path, headers=bearer)).status_code in (404, 405)
    assert gateway.service.seen == []


async def test_row_30_a_method_is_what_the_request_line_says(gateway: Gateway, served: Served) -> None:
    headers = {**await gateway.bearer(), "x-http-method-override": "POST", "x-method-override": "POST"}
    await gateway.http.get(f"/v1/referrals/{ID}?_method=POST", headers=headers)
    [seen] = gateway.service.seen
    assert seen["method"] == "GET"
    assert not {"x-http-method-override", "x-method-override"} & set(seen)
    for path in (
        "/v1/onward-referrals",
        "/v1/webhook-endpoints",
        "/directory/services",
        "/oauth/token",
        "/openapi.json",
    ):
        answer = await served.ask(f"TRACE {path} HTTP/1.1", "Host: a", "X-Secret: canary")
        assert (path, answer.status, answer.problem["code"]) == (path, 405, "method_not_allowed")
        assert b"canary" not in answer.body
    assert (await served.ask("FETCH /v1/onward-referrals HTTP/1.1")).problem["status"] == 400


# --- 42 and 43: the request line, its hosts and paths ---


async def test_row_42_only_a_trusted_proxy_says_who_calls(served: Served, alone: Served) -> None:
    """Four calls from one address are four, whoever they say that they are for; nothing behind answers the others.

    Where no proxy is named, nobody on this machine is one.
    """
    await check_who_calls(served)
    await check_who_calls(alone)


async def check_who_calls(served: Served) -> None:
    statuses = []
    for number in range(4):
        spoofed = (
            f"X-Forwarded-For: 198.51.100.{number}",
            "X-Forwarded-Proto: https",
            f"Forwarded: for=192.0.2.{number}",
        )
        answer = await served.ask("GET /directory/services HTTP/1.1", "Host: a", *spoofed)
        statuses.append((answer.status, answer.problem["code"]))
    assert statuses == [(503, "unavailable")] * 3 + [(429, "rate_limited")]


async def test_row_42_the_hub_is_where_its_settings_say(served: Served) -> None:
    spoofed = ("Host: evil.example.org", "X-Forwarded-Host: evil.example.org", "X-Original-URL: /v1/partners")
    answer = await served.ask("GET /.well-known/oauth-authorization-server HTTP/1.1", *spoofed)
    assert (answer.status, json.loads(answer.body)["issuer"]) == (200, URL)
    assert b"evil" not in answer.body


@pytest.mark.parametrize(
    "line",
    [
        "GET http://hub.example.org/healthz HTTP/1.1",
        "GET https://evil.example.org/v1/onward-referrals HTTP/1.1",
        "GET http:/healthz HTTP/1.1",
        "CONNECT evil.example.org:443 HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "GET healthz HTTP/1.1",
        "GET /healthz HTTP/1.1 x",
        "GET /healthz\xe9 HTTP/1.1",
        "/healthz",
    ],
)
async def test_row_42_a_request_line_names_a_path_and_no_server(served: Served, line: str) -> None:
    answer = await served.ask(line)
    assert (answer.status, answer.problem["code"]) == (400, "bad_request")


@pytest.mark.parametrize("path", ["/healthz", "/oauth/token", "/v1/onward-referrals", "/directory", "/none"])
async def test_row_42_two_hosts_are_refused_everywhere(served: Served, path: str) -> None:
    answer = await served.ask(f"GET {path} HTTP/1.1", "Host: hub.example.org", "Host: evil.example.org")
    assert (answer.status, answer.problem["code"]) == (400, "repeated_header")


@pytest.mark.parametrize(
    "host",
    ["Host:", "Host: a, b", "Host: a b", "Host: evil.example.org/", "Host: a@b", "Host: a:b", "Host: a\xe9", None],
)
async def test_row_42_one_host_is_named_and_it_is_one(served: Served, host: str | None) -> None:
    answer = await served.ask("GET /v1/onward-referrals HTTP/1.1", *([host] if host else ["Accept: */*"]))
    assert (answer.status, answer.problem["code"]) == (400, "invalid_host")


@pytest.mark.parametrize("host", ["hub.example.org", "hub_1:8000", "192.0.2.1:443", "[2001:db8::1]:8000"])
async def test_a_host_may_be_a_name_or_an_address(served: Served, host: str) -> None:
    assert (await served.ask("GET /healthz HTTP/1.1", f"Host: {host}")).status == 200


async def test_row_42_what_is_refused_is_not_taken_for_the_answer_to_another_request(served: Served) -> None:
    good = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    bad = b"GET http://evil.example.org/ HTTP/1.1\r\nHost: a\r\n\r\n"
    assert [answer.status for answer in await served.say(good + bad)] in ([], [200])
    async with served.connected() as (reader, writer):
        writer.write(good)
        first = await _answer(reader)
        writer.write(bad)
        second = await _answer(reader)
    assert first is not None
    assert second is not None
    assert (first.status, second.status, second.problem["code"]) == (200, 400, "bad_request")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/onward-referrals/..%2f..%2finternal/disclosures", 404),
        ("/v1/onward-referrals/%2e%2e/%2e%2e/metrics", 404),
        ("/v1/onward-referrals/../../metrics", 404),
        ("/v1/onward-referrals/..%5cmetrics", 404),
        ("/v1/onward-referrals/%00", 404),
        (f"/v1/onward-referrals/{ID}%00", 404),
        (f"/v1/onward-referrals/{ID}%0d%0aX-A:%20b", 404),
        ("/v1/onward-referrals/%ff", 404),
        ("//v1/onward-referrals", 404),
        ("/v1//onward-referrals", 404),
        ("//evil.example.org/v1/onward-referrals", 404),
        (f"/v1/onward-referrals/{ID}/", 404),
        (f"/v1/onward-referrals/{ID};a=b", 404),
        ("/directory/..%2fmetrics", 404),
        ("/directory//services", 404),
        ("/.well-known/..%2foauth/token", 404),
        ("/oauth%2ftoken", 404),
        ("/" + "a" * 3_000, 414),
        ("/v1/onward-referrals?cursor=" + "a" * 9_000, 414),
        ("/" + "a" * 40_000, 414),
        ("/" + "a" * 70_000, 414),
        ("/" + "a" * MEGABYTE, 414),
    ],
)
async def test_row_43_an_odd_path_is_not_found_and_a_long_one_too_long(served: Served, path: str, status: int) -> None:
    answer = await served.ask(f"GET {path} HTTP/1.1")
    assert answer.status == status
    codes = {404: "not_found", 414: "uri_too_long"}
    assert answer.problem["code"] == codes[status]


# --- 41 and 48: too many calls ---


async def test_row_41_answers_without_number_are_slowed_down(tmp_path: Path) -> None:
    """Those of one partner alone; what else an answer may be wrong in: the tests of this row in services/partners."""
    async with running(sqlite(tmp_path), rate_per_second=10, rate_burst=20) as gateway:
        gateway.service.status = 200
        bearers = []
        for name in ("one", "two"):
            async with gateway.parts.db.transaction() as tx:
                made = await create_client(tx, organisation=name, scopes=PARTNERS_SCOPES)
            bearers.append(await gateway.bearer(made.id, made.secret))
        path = f"/v1/onward-referrals/{ID}/accept"
        answers = [await gateway.http.post(path, headers=bearers[0]) for _ in range(100)]
        statuses = [answer.status_code for answer in answers]
        assert statuses == [200] * 20 + [429] * 80
        assert (answers[-1].json()["code"], int(answers[-1].headers["retry-after"])) == ("rate_limited", 1)
        assert (await gateway.http.post(path, headers=bearers[1])).status_code == 200
    assert len(gateway.service.seen) == 21


async def test_row_48_a_hundred_bad_tokens_lock_nobody_out(gateway: Gateway, caplog: pytest.LogCaptureFixture) -> None:
    """Bad secrets: `test_guessing_a_secret_is_stopped_and_does_not_lock_the_client_out` in test_limits.py."""
    bearer = await gateway.bearer()
    caplog.set_level(logging.WARNING)
    bad = [await gateway.http.get("/v1/onward-referrals", headers={"authorization": "Bearer x"}) for _ in range(100)]
    assert [answer.status_code for answer in bad] == [401] * 60 + [429] * 40
    assert bad[-1].headers["content-type"] == "application/problem+json"
    assert len([record for record in caplog.records if record.msg == "access_refused"]) == 60
    assert (await gateway.http.get(f"/v1/referrals/{ID}", headers=bearer)).status_code == 202
    assert await gateway.token("police", SECRET)
