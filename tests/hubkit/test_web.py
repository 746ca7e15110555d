"""The bad-input matrix through a small application: rows 1 to 18, 34 and 43, and what goes out."""

import gzip
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote
from uuid import UUID

import httpx
import pytest
import sqlalchemy.exc
from fastapi import APIRouter, Query, Request
from openapi_spec_validator import validate
from pydantic import Field
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from hubkit.errors import ConflictError, FieldError, InvalidError, RateLimitedError, UnauthenticatedError
from hubkit.fields import Code, Id, Instant, LocalDate, StrictModel, code_of, text
from hubkit.paging import DEFAULT_LIMIT, Limit, Page
from hubkit.web import (
    EdgeMiddleware,
    HubApp,
    OrjsonResponse,
    body_limit,
    etag,
    if_match_version,
    new_app,
    new_router,
    read_body,
)

SECRET = "Zebedee"
ID = "0192f1e4-7a30-7cc4-9a57-0b8f5ed0c1a2"


class Person(StrictModel):
    name: Annotated[str, text(20)]
    age: int | None = Field(None, ge=0, le=130)


class Letter(StrictModel):
    person: Person
    at: Instant | None = None
    on: LocalDate | None = None
    ref: Id | None = None
    urgent: bool | None = None
    score: float | None = None
    channel: Annotated[str, code_of(["fax", "post"], "channel")] | None = None
    tags: list[Code] = Field(default_factory=list, max_length=3)
    anything: Any = None


router = new_router("/v1", tags=["sample"])


@router.post("/letters", status_code=202)
async def write(letter: Letter) -> Letter:
    return letter


@router.post("/large")
@body_limit(1000)
async def write_large(letter: Letter) -> dict[str, str]:
    return {"name": letter.person.name}


@router.post("/optional")
async def write_optional(letter: Letter | None = None) -> dict[str, bool]:
    return {"given": letter is not None}


@router.post("/streams")
async def stream(request: Request) -> dict[str, int]:
    return {"size": len(await read_body(request, 2_000_000))}


@router.get("/letters")
async def listing(
    limit: Limit = DEFAULT_LIMIT, tag: Annotated[list[str] | None, Query()] = None, flag: bool = False
) -> Page[int]:
    return Page(items=[limit, len(tag or [])])


@router.get("/letters/{letter_id}")
async def read(letter_id: Id, request: Request) -> OrjsonResponse:
    return OrjsonResponse({"id": letter_id}, headers={"ETag": etag(3), "Cache-Control": "private"})


@router.get("/plain/{letter_id}")
async def plain(letter_id: UUID) -> Any:
    return {"id": letter_id}


@router.put("/letters/{letter_id}")
async def change(letter_id: Id, request: Request) -> dict[str, int]:
    return {"version": if_match_version(request)}


class OddError(Exception):
    pass


class AsyncpgError(Exception):
    sqlstate = "57P01"


FAILURES: dict[str, Exception] = {
    "odd": OddError(SECRET),
    "value": ValueError(SECRET),
    "conflict": ConflictError(code="wrong_state"),
    "rate": RateLimitedError(retry_after_s=2.1),
    "token": UnauthenticatedError(),
    "fields": InvalidError(errors=[FieldError("/a", "b", "c")]),
    "refused": ConnectionRefusedError(SECRET),
    "timeout": TimeoutError(SECRET),
    "pool": sqlalchemy.exc.TimeoutError(SECRET),
    "operational": sqlalchemy.exc.OperationalError(SECRET, None, Exception(SECRET)),
    "interface": sqlalchemy.exc.InterfaceError(SECRET, None, Exception(SECRET)),
    "shutdown": AsyncpgError(SECRET),
    "wrapped": sqlalchemy.exc.DBAPIError(SECRET, None, AsyncpgError(SECRET)),
    "integrity": sqlalchemy.exc.IntegrityError(SECRET, None, Exception(SECRET)),
}


@router.get("/failures/{kind}")
async def fail(kind: str) -> None:
    raise FAILURES[kind]


@router.get("/unfinished")
async def unfinished() -> StreamingResponse:
    async def parts() -> AsyncIterator[bytes]:
        yield b"a"
        raise OddError(SECRET)

    return StreamingResponse(parts())


@pytest.fixture
def app() -> HubApp:
    app = new_app("Sample")
    app.include_router(router)

    @app.post("/direct")
    async def direct(letter: Letter) -> dict[str, str]:
        return {"name": letter.person.name}

    return app


@pytest.fixture
async def client(app: HubApp) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sample") as client:
        yield client


async def _post(client: httpx.AsyncClient, raw: bytes, path: str = "/v1/letters", **headers: str) -> httpx.Response:
    sent = {"content-type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return await client.post(path, content=raw, headers=sent)


def _problem(response: httpx.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert SECRET not in response.text
    body: dict[str, Any] = response.json()
    assert body["type"] == f"urn:onward:problem:{body['code']}"
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    return body


def _places(body: dict[str, Any]) -> list[tuple[str, str]]:
    assert all(error["detail"] for error in body["errors"])
    return [(error["pointer"], error["code"]) for error in body["errors"]]


def _letter(**more: Any) -> bytes:
    return json.dumps({"person": {"name": "Alex"}, **more}).encode()


async def test_a_good_letter_is_read_and_answered(client: httpx.AsyncClient) -> None:
    response = await _post(client, _letter(at="2026-11-19T09:12:00+01:00", ref=ID))
    assert response.status_code == 202
    assert response.headers["content-type"] == "application/json"
    assert response.json()["at"] == "2026-11-19T08:12:00Z"
    assert response.json()["ref"] == ID


@pytest.mark.parametrize("path", ["/v1/letters", "/direct"])
@pytest.mark.parametrize(
    ("raw", "pointer", "code"),
    [
        (b'{"anything": NaN, "x": "Zebedee"}', "/anything", "not_a_number"),
        (b'{"score": 1e400}', "/score", "not_a_number"),
        (b'{"person": {"name": "Zebedee\\ud800"}}', "/person/name", "lone_surrogate"),
        (b'{"person": {"name": "Zebedee\\u0000"}}', "/person/name", "nul_character"),
        (b'{"person": {"name": "Zebedee", "name": "Zebedee"}}', "/person/name", "duplicate_key"),
        (b'{"anything": ' + b"[" * 900 + b"]" * 900 + b"}", "", "too_deep"),
        (b"[" * 100_000, "", "too_deep"),
        (b'{"anything": 9223372036854775808}', "/anything", "integer_out_of_range"),
        (b'{"person": {"age": ' + b"9" * 5000 + b"}}", "/person/age", "integer_out_of_range"),
        (_letter(extra=SECRET), "/extra", "unknown_field"),
        (_letter(**{"Zebedee Zebra": 1}), "/*", "unknown_field"),
        (b'{"person": {"name": "Alex", "age": "5"}}', "/person/age", "wrong_type"),
        (b'{"person": {"name": "Alex", "age": 5.0}}', "/person/age", "wrong_type"),
        (b'{"person": {"name": "Alex", "age": 131}}', "/person/age", "out_of_range"),
        (b'{"person": {"age": 5}}', "/person/name", "missing"),
        (b'{"person": "Zebedee"}', "/person", "not_an_object"),
        (_letter(urgent="yes"), "/urgent", "wrong_type"),
        (_letter(urgent=1), "/urgent", "wrong_type"),
        (_letter(at="2026-11-19T08:12:00"), "/at", "not_an_instant"),
        (_letter(at=1763539920), "/at", "not_an_instant"),
        (_letter(at="1763539920"), "/at", "not_an_instant"),
        (_letter(on="2026-11-19T00:00:00Z"), "/on", "not_a_date"),
        (_letter(ref=f"{{{ID}}}"), "/ref", "not_an_id"),
        (_letter(ref=SECRET), "/ref", "not_an_id"),
        (_letter(channel=SECRET), "/channel", "unknown_code"),
        (_letter(tags=SECRET), "/tags", "not_a_list"),
        (_letter(tags=["a", "b", SECRET + " x"]), "/tags/2", "not_a_code"),
        (_letter(tags=["a"] * 4), "/tags", "too_long"),
        (_letter(person={"name": SECRET + "\u202e"}), "/person/name", "bidi_control"),
        (_letter(person={"name": SECRET + "\u200b"}), "/person/name", "invisible_character"),
        (_letter(person={"name": SECRET + "\u0335" * 12}), "/person/name", "too_many_marks"),
        (_letter(person={"name": "a" + "\u0335" * 10_000}), "/person/name", "too_long"),
        (_letter(person={"name": SECRET * 20}), "/person/name", "too_long"),
        (b"", "", "body_missing"),
        (b"null", "", "not_an_object"),
        (b"[]", "", "not_an_object"),
        (b'"Zebedee"', "", "not_an_object"),
        (b"5", "", "not_an_object"),
    ],
)
async def test_a_wrong_body_is_422_with_place_and_code_and_never_echoed(
    client: httpx.AsyncClient, path: str, raw: bytes, pointer: str, code: str
) -> None:
    body = _problem(await _post(client, raw, path), 422)
    assert body["code"] == "invalid"
    assert _places(body) == [(pointer, code)]


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b'{"person": "\xff"}', "not_utf8"),
        (b"\xef\xbb\xbf" + _letter(), "not_utf8"),
        (_letter().decode().encode("utf-16"), "not_utf8"),
        (b'{"person": Zebedee}', "malformed_json"),
        (b"{", "malformed_json"),
    ],
)
async def test_a_body_that_cannot_be_read_is_400(client: httpx.AsyncClient, raw: bytes, code: str) -> None:
    assert _problem(await _post(client, raw), 400)["code"] == code


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "application/json;charset=latin-1",
        "application/jsonx",
        "application/problem+json",
        "",
        SECRET,
    ],
)
async def test_another_content_type_is_415(client: httpx.AsyncClient, content_type: str) -> None:
    _problem(await _post(client, _letter(), content_type=content_type), 415)


async def test_a_missing_content_type_is_415(client: httpx.AsyncClient) -> None:
    request = client.build_request("POST", "/v1/letters", content=_letter())
    request.headers.pop("content-type", None)
    _problem(await client.send(request), 415)


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", 'application/json;charset="UTF-8"', "Application/JSON"]
)
async def test_json_in_utf8_is_read(client: httpx.AsyncClient, content_type: str) -> None:
    assert (await _post(client, _letter(), content_type=content_type)).status_code == 202


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "identity, gzip"])
async def test_a_compressed_body_is_415(client: httpx.AsyncClient, encoding: str) -> None:
    body = _problem(await _post(client, gzip.compress(_letter()), content_encoding=encoding), 415)
    assert body["code"] == "unsupported_content_encoding"


async def test_a_body_over_the_limit_is_413_by_its_length(client: httpx.AsyncClient) -> None:
    _problem(await _post(client, b" " * 20_000_000), 413)
    _problem(await _post(client, b"{}", content_length="9" * 30), 413)


@pytest.mark.parametrize("headers", [{}, {"content_length": "10"}])
async def test_reading_stops_at_the_limit_whatever_was_announced(app: HubApp, headers: dict[str, str]) -> None:
    pulled = 0

    async def receive() -> Message:
        nonlocal pulled
        pulled += 1
        return {"type": "http.request", "body": b"x" * 64 * 1024, "more_body": True}

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    raw = [(b"content-type", b"application/json")]
    raw += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    await app(_scope("/v1/letters", "POST", raw), receive, send)
    assert sent[0]["status"] == 413
    assert pulled == 5


def _scope(path: str, method: str = "GET", headers: list[tuple[bytes, bytes]] | None = None) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"sample"), *(headers or [])],
        "server": ("sample", 80),
        "client": ("192.0.2.1", 1),
    }


async def test_the_limit_is_exact_and_a_route_may_set_its_own(client: httpx.AsyncClient) -> None:
    letter = _letter()
    assert (await _post(client, letter + b" " * (256 * 1024 - len(letter)))).status_code == 202
    _problem(await _post(client, letter + b" " * (256 * 1024 + 1 - len(letter))), 413)
    assert (await _post(client, letter, "/v1/large")).status_code == 200
    _problem(await _post(client, letter + b" " * 1000, "/v1/large"), 413)


async def test_a_route_that_streams_reads_any_type_up_to_its_own_limit(client: httpx.AsyncClient) -> None:
    response = await _post(client, b"x" * 1_000_000, "/v1/streams", content_type="text/csv")
    assert response.json() == {"size": 1_000_000}
    _problem(await _post(client, b"x" * 2_000_001, "/v1/streams", content_type="text/csv"), 413)


async def test_an_optional_body_may_be_left_out(client: httpx.AsyncClient) -> None:
    assert (await client.post("/v1/optional")).json() == {"given": False}
    assert (await _post(client, _letter(), "/v1/optional")).json() == {"given": True}
    for said in ("application/octet-stream", "application/x-www-form-urlencoded", "text/plain"):
        assert (await _post(client, b"", "/v1/optional", content_type=said)).json() == {"given": False}


@pytest.mark.parametrize("query", ["limit=1&limit=2", "flag=true&flag=true", "unknown=1&unknown=2", "limit=&limit="])
async def test_a_repeated_scalar_parameter_is_400(client: httpx.AsyncClient, query: str) -> None:
    assert _problem(await client.get(f"/v1/letters?{query}"), 400)["code"] == "repeated_parameter"


@pytest.mark.parametrize("query", ["sort=name", "Limit=1", "limit=1&%00=2", "limit[]=1", "=1"])
async def test_a_parameter_that_a_list_does_not_know_is_422(client: httpx.AsyncClient, query: str) -> None:
    [fault] = _problem(await client.get(f"/v1/letters?{query}"), 422)["errors"]
    assert (fault["pointer"][0], fault["code"]) == ("?", "unknown_field")


async def test_a_call_without_parameters_does_not_look_at_any(client: httpx.AsyncClient) -> None:
    assert (await client.post("/v1/optional?cache=no")).status_code == 200


@pytest.mark.parametrize("query", ["tag=%ff", "tag=%ed%a0%80", "%ff=a", "sort=%c0%af"])
async def test_a_query_that_is_not_utf_8_is_400(client: httpx.AsyncClient, query: str) -> None:
    assert _problem(await client.get(f"/v1/letters?{query}"), 400)["code"] == "invalid_query"


async def test_a_list_parameter_may_repeat(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/letters?limit=7&tag=a&tag=b")).json() == {"items": [7, 2], "next_cursor": None}
    assert (await client.get("/v1/letters")).json()["items"] == [50, 0]


@pytest.mark.parametrize("limit", ["1" + "0" * 21, "1_000", "1_0", "%2B5", "0", "101", "-1", "5.0", "", SECRET])
async def test_a_limit_is_digits_from_one_to_a_hundred(client: httpx.AsyncClient, limit: str) -> None:
    body = _problem(await client.get(f"/v1/letters?limit={limit}"), 422)
    assert _places(body) == [("?limit", "out_of_range")]


async def test_a_wrong_path_parameter_is_named_and_not_echoed(client: httpx.AsyncClient) -> None:
    assert _places(_problem(await client.get(f"/v1/letters/{SECRET}"), 422)) == [("{letter_id}", "not_an_id")]
    assert _places(_problem(await client.get(f"/v1/plain/{SECRET}"), 422)) == [("{letter_id}", "invalid_value")]


@pytest.mark.parametrize(
    "path",
    [
        "//v1/letters",
        "/v1//letters",
        "/v1/letters/%00",
        "/v1/letters/%0a",
        "/v1/x/..%2fletters",
        "/v1/x/%2e%2e/letters",
        "/v1/..%5cletters",
        "/v1%2Fletters",
        "/v1/./letters",
        "/v1/letters/",
        "/docs",
        "/redoc",
        f"/{SECRET}",
    ],
)
async def test_an_odd_path_is_404(app: HubApp, path: str) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = _scope(path)
    scope["path"] = unquote(path)
    await app(scope, receive, send)
    assert sent[0]["status"] == 404
    assert (b"content-type", b"application/problem+json") in sent[0]["headers"]
    assert SECRET.encode() not in sent[1]["body"]


async def test_a_very_long_address_is_414(client: httpx.AsyncClient) -> None:
    assert _problem(await client.get("/" + "x" * 3000), 414)["code"] == "uri_too_long"
    _problem(await client.get("/v1/letters?x=" + "x" * 9000), 414)


async def test_another_method_is_405_with_the_allowed_ones(client: httpx.AsyncClient) -> None:
    response = await client.delete("/v1/streams")
    assert _problem(response, 405)["code"] == "method_not_allowed"
    assert response.headers["allow"] == "POST"
    _problem(await client.request("TRACE", "/v1/streams"), 405)


@pytest.mark.parametrize("kind", ["odd", "value", "integrity"])
async def test_a_surprise_is_500_and_logged_without_values(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    assert _problem(await client.get(f"/v1/failures/{kind}"), 500)["code"] == "internal_error"
    [record] = [record for record in caplog.records if record.name == "hubkit.web"]
    assert record.levelno == logging.ERROR
    assert record.exc_info is None
    assert SECRET not in caplog.text
    assert type(FAILURES[kind]).__name__ in caplog.text
    assert f"{Path(__file__).name}:" in caplog.text


@pytest.mark.parametrize("kind", ["refused", "timeout", "pool", "operational", "interface", "shutdown", "wrapped"])
async def test_a_dependency_that_is_away_is_503_with_retry_after(client: httpx.AsyncClient, kind: str) -> None:
    response = await client.get(f"/v1/failures/{kind}")
    assert _problem(response, 503)["code"] == "unavailable"
    assert response.headers["retry-after"] == "1"


async def test_our_errors_keep_their_code_headers_and_places(client: httpx.AsyncClient) -> None:
    assert _problem(await client.get("/v1/failures/conflict"), 409)["code"] == "wrong_state"
    assert (await client.get("/v1/failures/rate")).headers["retry-after"] == "3"
    assert (await client.get("/v1/failures/token")).headers["www-authenticate"] == "Bearer"
    assert _places(_problem(await client.get("/v1/failures/fields"), 422)) == [("/a", "b")]


async def test_an_error_after_the_start_raises_nothing_and_ends_unfinished(
    app: HubApp, caplog: pytest.LogCaptureFixture
) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(_scope("/v1/unfinished"), receive, send)
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert sent[-1]["more_body"] is True
    assert SECRET not in caplog.text


async def test_a_caller_who_hangs_up_is_not_an_error(app: HubApp, caplog: pytest.LogCaptureFixture) -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        raise AssertionError(message)

    await app(_scope("/v1/letters", "POST", [(b"content-type", b"application/json")]), receive, send)
    assert not caplog.records


async def test_every_response_has_the_security_headers_and_may_set_its_own(client: httpx.AsyncClient) -> None:
    for path, caching in (("/v1/letters", "no-store"), (f"/v1/letters/{ID}", "private"), ("/none", "no-store")):
        headers = (await client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers.get_list("cache-control") == [caching]


async def test_ids_are_written_as_text_with_and_without_a_model(client: httpx.AsyncClient) -> None:
    assert (await client.get(f"/v1/letters/{ID}")).json() == {"id": ID}
    assert (await client.get(f"/v1/plain/{ID}")).json() == {"id": ID}


async def test_if_match_is_one_strong_tag(client: httpx.AsyncClient) -> None:
    path = f"/v1/letters/{ID}"
    assert (await client.put(path, headers={"if-match": etag(12)})).json() == {"version": 12}
    assert _problem(await client.put(path), 428)["code"] == "precondition_required"
    for tag in ("3", 'W/"3"', "*", '"3", "4"', '""', '"x"', '"-1"', '"', "", '"' + "9" * 40 + '"', f'"{SECRET}"'):
        body = _problem(await client.put(path, headers={"if-match": tag}), 400)
        assert body["code"] == "invalid_if_match"


async def test_the_openapi_document_is_valid_and_says_problem(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    validate(document)
    assert document["openapi"].startswith("3.1")
    assert "HTTPValidationError" not in json.dumps(document)
    operation = document["paths"]["/v1/letters"]["post"]
    assert operation["responses"]["default"] == {"$ref": "#/components/responses/Problem"}
    assert operation["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Letter"}
    [limit] = [p for p in document["paths"]["/v1/letters"]["get"]["parameters"] if p["name"] == "limit"]
    assert limit["schema"]["maximum"] == 100
    assert (await client.get("/openapi.json")).json() == document


def test_a_router_with_lax_routes_is_not_taken(app: HubApp) -> None:
    lax = APIRouter()

    @lax.post("/lax")
    async def write_lax(letter: Letter) -> None: ...

    nested = new_router("/nested")
    nested.include_router(lax)
    for given in (lax, nested):
        with pytest.raises(TypeError):
            app.include_router(given)


async def test_a_nested_router_stays_strict(app: HubApp, client: httpx.AsyncClient) -> None:
    outer = new_router("/outer")
    outer.include_router(router)
    app.include_router(outer)
    _problem(await _post(client, b'{"person": {"name": "a", "name": "b"}}', "/outer/v1/letters"), 422)
    _problem(await _post(client, _letter() + b" " * 1000, "/outer/v1/large"), 413)


async def test_a_lifespan_passes_through() -> None:
    seen: list[str] = []

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        seen.append("started")
        yield

    app = new_app("Sample", lifespan=lifespan)
    async with app.router.lifespan_context(app):
        assert seen == ["started"]
    passed: list[str] = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        passed.append(scope["type"])

    async def receive() -> Message:
        return {"type": "lifespan.startup"}

    async def send(message: Message) -> None: ...

    await EdgeMiddleware(inner)({"type": "lifespan"}, receive, send)
    assert passed == ["lifespan"]
