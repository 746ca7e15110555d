"""The door to the services: every call under `/v1` and `/directory` is checked here and passed on, unchanged.

A plain ASGI application, because every referral passes it.
"""

import asyncio
import ipaddress
import logging
import os
from collections.abc import AsyncIterator, Mapping
from time import perf_counter
from typing import Final

from prometheus_client import Histogram
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.actions import Deps
from gateway.model import PUBLIC, Route
from hubkit.auth import Caller
from hubkit.egress import InternalResponse
from hubkit.errors import (
    BadRequestError,
    ForbiddenError,
    HubError,
    NotFoundError,
    RateLimitedError,
    TooLargeError,
    UnauthenticatedError,
    UnavailableError,
)
from hubkit.problems import PROBLEM_MEDIA_TYPE, problem_of, problem_of_status
from hubkit.telemetry import HTTP_SECONDS
from hubkit.web import MAX_BODY_BYTES

_log = logging.getLogger(__name__)

_MAX_HEADERS: Final = 64
_MAX_HEADER_BYTES: Final = 16 * 1024
_BODY_S: Final = 30.0
#: What of a request goes on to the service; each may stand once.
_PASSED: Final = {
    name.encode(): name
    for name in (
        "content-type",
        "content-encoding",
        "accept",
        "idempotency-key",
        "if-match",
        "if-none-match",
        "traceparent",
    )
}
#: What is read here alone; each may stand once.
_READ: Final = frozenset({b"authorization", b"content-length"})
_ONCE: Final = _READ | frozenset(_PASSED)
#: What of a service's answer goes back to the client.
_RETURNED: Final = frozenset({
    "content-type", "location", "etag", "retry-after", "allow", "cache-control", "content-language",
})  # fmt: skip
_BODILESS: Final = frozenset({"GET", "DELETE"})


#: Who calls without a token; the right to read what is public is all that it has.
_ANYBODY: Final = Caller("public", "public", frozenset({PUBLIC}))


class _HeadersTooLargeError(HubError):
    status, code, title = 431, "headers_too_large", "The headers are too large"


class Proxy:
    """Checks token, scope and rate, and hands the call to its service with a token for that service."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._seconds: dict[tuple[str, int], Histogram] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1000})
            return
        started = perf_counter()
        method: str = scope["method"]
        routes = self._deps.routes.find(scope["path"])
        route = routes.get(method) or _headless(method, routes)
        if route is None:
            if routes:
                response = problem_of_status(405, {"Allow": ", ".join(sorted(routes))})
            else:
                response = problem_of(NotFoundError())
            await response(scope, receive, send)
            return
        try:
            answer = await self._pass_on(route, scope, receive)
        except HubError as error:
            response = problem_of(error)
            await response(scope, receive, send)
            status = response.status_code
        else:
            status = answer.status
            await _send(answer, send)
        self._observe(method, status, perf_counter() - started)

    async def _pass_on(self, route: Route, scope: Scope, receive: Receive) -> InternalResponse:
        headers = _headers(scope)
        now = self._deps.clock.now()
        if route.is_public:
            # A token is not looked at: the answer is the same for everybody, and one that is over refuses nobody.
            caller, counted = _ANYBODY, _origin(scope)
        else:
            caller = self._caller(headers.get(b"authorization", b""), scope, now.timestamp())
            _require(route, caller)
            counted = caller.client_id
        wait = self._deps.limits.calls[route.kind].take(counted, now.timestamp())
        if wait:
            raise RateLimitedError(retry_after_s=wait)
        sent = [(name, headers[key].decode("latin-1")) for key, name in _PASSED.items() if key in headers]
        if b"traceparent" not in headers:
            sent.append(("traceparent", _new_traceparent()))
        sent.append(("authorization", f"Bearer {self._deps.internal.token(route.upstream, caller, now)}"))
        body: bytes | AsyncIterator[bytes] | None = None
        if route.is_streamed:
            body = _stream(receive)
        elif route.method not in _BODILESS:
            body = await _read(receive, headers.get(b"content-length", b""))
        try:
            answer = await self._deps.upstreams[route.upstream].request(
                route.method, _target(scope), headers=sent, body=body, timeout_s=route.timeout_s
            )
        except UnavailableError as error:
            raise UnavailableError(retry_after_s=1) from error
        return _checked(answer, route, caller)

    def _caller(self, authorization: bytes, scope: Scope, now_s: float) -> Caller:
        try:
            token = authorization.decode("ascii", "replace")
            if token[:7].lower() != "bearer " or len(token) == 7:
                raise UnauthenticatedError
            caller = self._deps.identity.verifier.verify(token[7:])
            if caller.client_id in self._deps.identity.disabled:
                raise UnauthenticatedError
        except UnauthenticatedError:
            client = scope.get("client")
            wait = self._deps.limits.failures.take(str(client[0]) if client else "", now_s)
            if wait:
                raise RateLimitedError(retry_after_s=wait) from None
            _log.warning("access_refused", extra={"code": "unauthenticated"})
            raise
        return caller

    def _observe(self, method: str, status: int, seconds: float) -> None:
        child = self._seconds.get((method, status))
        if child is None:
            child = self._seconds[method, status] = HTTP_SECONDS.labels("gateway", method, str(status))
        child.observe(seconds)


class OpenToAll:
    """Lets pages of any site read the answers. Source: Open Referral UK, profile compliance, Security."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def opened(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"access-control-allow-origin", b"*")]
            await send(message)

        await self._app(scope, receive, opened)


def _headless(method: str, routes: Mapping[str, Route]) -> Route | None:
    """Return what HEAD asks for where anybody may read; elsewhere a reading is on record, and nobody reads in vain."""
    found = routes.get("GET") if method == "HEAD" else None
    return found if found is not None and found.is_public else None


def _require(route: Route, caller: Caller) -> None:
    try:
        caller.require(route.scope)
    except ForbiddenError as error:
        _note(error.reason, route, caller)
        raise


def _note(code: str, route: Route, caller: Caller) -> None:
    """Log what a client was refused: the path as in the table, without its ids."""
    extra = {"code": code, "client_id": caller.client_id, "method": route.method, "route": route.template}
    _log.warning("access_refused", extra=extra)


def _origin(scope: Scope) -> str:
    """Return the address that a call without a token is counted for: of IPv6 the network that a household has."""
    client = scope.get("client")
    address = str(client[0]) if client else ""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    return address if ip.version == 4 else str(ipaddress.ip_network((int(ip) >> 64 << 64, 64)))


def _headers(scope: Scope) -> dict[bytes, bytes]:
    """Return the headers that mean something here.

    A second one of them is refused: the service might read the other.
    """
    found: dict[bytes, bytes] = {}
    given: list[tuple[bytes, bytes]] = scope["headers"]
    size = 0
    for name, value in given:
        size += len(name) + len(value)
        if name in _ONCE:
            if name in found:
                raise UnauthenticatedError if name == b"authorization" else BadRequestError(code="repeated_header")
            found[name] = value
    if size > _MAX_HEADER_BYTES or len(given) > _MAX_HEADERS:
        raise _HeadersTooLargeError
    return found


def _target(scope: Scope) -> str:
    """Return path and query as they are passed on; what the table has matched needs no encoding."""
    query: bytes = scope["query_string"]
    path: str = scope["path"]
    if not query:
        return path
    if not all(0x21 <= byte <= 0x7E and byte != 0x23 for byte in query):
        raise BadRequestError("The query is not percent-encoded", code="invalid_query")
    return f"{path}?{query.decode('ascii')}"


async def _read(receive: Receive, announced: bytes) -> bytes:
    if announced.isdigit() and (len(announced) > 18 or int(announced) > MAX_BODY_BYTES):
        raise TooLargeError
    try:
        async with asyncio.timeout(_BODY_S):
            return await _read_all(receive)
    except TimeoutError:
        raise BadRequestError("The body came too slowly", code="body_timeout") from None


async def _read_all(receive: Receive) -> bytes:
    content = bytearray()
    async for chunk in _stream(receive):
        content += chunk
        if len(content) > MAX_BODY_BYTES:
            raise TooLargeError
    return bytes(content)


async def _stream(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message: Message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        more = message.get("more_body", False)
        if message.get("body"):
            yield message["body"]


def _checked(answer: InternalResponse, route: Route, caller: Caller) -> InternalResponse:
    """Return the answer, unless it is one between deployables that would mislead the client."""
    is_problem = (answer.header("content-type") or "").startswith(PROBLEM_MEDIA_TYPE)
    if answer.status == 401 or (answer.status >= 500 and not is_problem):
        # A service that does not believe the gateway's own token is a fault of ours, not of the client's token.
        _log.error("bad_answer", extra={"service": str(route.upstream), "status": answer.status})
        raise UnavailableError(retry_after_s=1)
    if answer.status == 404 and not route.is_public:
        # What is not there and what is somebody else's have one answer: many of them are somebody trying ids.
        _note("not_found", route, caller)
    return answer


async def _send(answer: InternalResponse, send: Send) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers if name in _RETURNED]
    if answer.status not in (204, 304):
        headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


def _new_traceparent() -> str:
    random = os.urandom(24).hex()
    return f"00-{random[:32]}-{random[32:]}-01"
