"""Calls from one deployable to another: over HTTP, or straight into an application of the same process."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import unquote

import aiohttp
from starlette.types import ASGIApp
from yarl import URL

from hubkit.egress.session import Reuse, new_session
from hubkit.errors import UnavailableError

HeaderSource = Mapping[str, str] | Iterable[tuple[str, str]]
Body = bytes | AsyncIterator[bytes] | None
_MAX_RESPONSE: Final = 8 * 1024 * 1024
_TOO_LARGE: Final = "The answer of another part of the system was too large"
# Shorter than the five seconds after which uvicorn closes an idle connection, so that stale ones are rare.
_KEEPALIVE_S: Final = 4.0


@dataclass(frozen=True, slots=True)
class InternalResponse:
    """A complete answer; header names in lower case, in the order they came."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the first header of this name."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key == wanted), None)


class InternalClient(Protocol):
    """How a deployable reaches another one."""

    async def request(
        self, method: str, path: str, *, headers: HeaderSource = (), body: Body = None, timeout_s: float = 10.0
    ) -> InternalResponse:
        """Send one request and return the whole answer, whatever its status.

        Parameters
        ----------
        path
            Begins with `/`; already percent-encoded; includes the query.
        body
            An iterator is streamed, never held.
        timeout_s
            For everything together, to the last byte of the answer.

        Raises
        ------
        UnavailableError
            When no whole answer came in time, or it is larger than 8 MiB. What the body iterator raises passes through.
        """
        ...

    async def aclose(self) -> None:
        """Close what is open."""
        ...


class HttpInternalClient:
    """Over HTTP, with one pool of connections; makes it at the first request.

    Parameters
    ----------
    base_url
        Scheme, host and port of the deployable, or of a provider that the operator has chosen.
    connections
        The most that are open at once.
    """

    def __init__(self, base_url: str, *, connections: int = 64) -> None:
        self._base = base_url.rstrip("/")
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None

    async def request(
        self, method: str, path: str, *, headers: HeaderSource = (), body: Body = None, timeout_s: float = 10.0
    ) -> InternalResponse:
        """Send one request; see `InternalClient`."""
        url = URL(self._base + _checked(path), encoded=True)
        sent = _pairs(headers)
        source = body if body is None or isinstance(body, bytes) else _Source(body)
        try:
            async with asyncio.timeout(timeout_s):
                return await self._send(method, url, sent, source)
        except (TimeoutError, aiohttp.ClientError, OSError, RuntimeError) as error:  # uvloop's is RuntimeError
            if isinstance(source, _Source) and source.failure is not None:
                raise source.failure from None
            raise UnavailableError from error

    async def aclose(self) -> None:
        """Close the pool."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _send(
        self, method: str, url: URL, headers: list[tuple[str, str]], body: "bytes | _Source | None"
    ) -> InternalResponse:
        reuse = Reuse()
        try:
            return await self._once(method, url, headers, body, reuse)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            # The other side closed an idle connection just as it was taken. Whether it saw the request is unknown, so
            # only one that it would answer alike twice is sent again. (aiohttp itself does so for GET, PUT, DELETE.)
            repeatable = any(name.lower() == "idempotency-key" for name, _ in headers)
            if not reuse.reused or not repeatable or isinstance(body, _Source):
                raise
            return await self._once(method, url, headers, body, Reuse())

    async def _once(
        self, method: str, url: URL, headers: list[tuple[str, str]], body: "bytes | _Source | None", reuse: Reuse
    ) -> InternalResponse:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=_KEEPALIVE_S)
            # The deadline is the caller's `asyncio.timeout`; aiohttp's own would round it up.
            self._session = new_session(connector, aiohttp.ClientTimeout(total=None, sock_connect=5.0))
        async with self._session.request(
            method,
            url,
            headers=headers,
            data=body,
            allow_redirects=False,
            skip_auto_headers=("Content-Type",),  # what the caller did not say is not said for it
            trace_request_ctx=reuse,
        ) as response:
            content = bytearray()
            while chunk := await response.content.read(_MAX_RESPONSE + 1 - len(content)):
                content += chunk
                if len(content) > _MAX_RESPONSE:
                    response.close()
                    raise UnavailableError(_TOO_LARGE)
            names = tuple((name.lower(), value) for name, value in response.headers.items())
            return InternalResponse(response.status, names, bytes(content))


class _Source:
    """A streamed body that remembers what its iterator raised, which aiohttp would wrap beyond recognition."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self.failure: Exception | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._chunks:
                yield chunk
        except Exception as error:
            self.failure = error
            raise


class AppInternalClient:
    """Straight into an ASGI application in the same process and event loop: for the one-machine composition and tests.

    The application reads a streamed body at its own pace, one piece at a time.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def request(
        self, method: str, path: str, *, headers: HeaderSource = (), body: Body = None, timeout_s: float = 10.0
    ) -> InternalResponse:
        """Send one request; see `InternalClient`."""
        exchange = _Exchange(body)
        # In a task of its own, so that context variables which the application sets do not leak to the caller.
        task = asyncio.ensure_future(
            self._app(_scope(method, _checked(path), headers, body), exchange.receive, exchange.send)
        )
        failure: Exception | None = None
        try:
            async with asyncio.timeout(timeout_s):
                await task
        except Exception as error:
            failure = error
        if exchange.failure is not None:
            raise exchange.failure
        # A server error handler answers first and raises then: the answer is what a network client would see.
        if not exchange.complete:
            raise UnavailableError from failure
        return exchange.response()

    async def aclose(self) -> None:
        """Nothing is open."""


class _Exchange:
    """The application's two ends of one request."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self._status = 0
        self._headers: tuple[tuple[str, str], ...] = ()
        self._content = bytearray()
        self._done = asyncio.Event()
        self._sent = False
        self.failure: Exception | None = None

    @property
    def complete(self) -> bool:
        return self._done.is_set()

    async def receive(self) -> dict[str, Any]:
        if self._sent:
            await self._done.wait()
            return {"type": "http.disconnect"}
        if self._body is None or isinstance(self._body, bytes):
            self._sent = True
            return {"type": "http.request", "body": self._body or b"", "more_body": False}
        try:
            chunk = await anext(self._body, None)
        except Exception as error:
            self.failure = error
            raise
        self._sent = chunk is None
        return {"type": "http.request", "body": chunk or b"", "more_body": chunk is not None}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = tuple((k.decode("latin-1").lower(), v.decode("latin-1")) for k, v in message["headers"])
        elif message["type"] == "http.response.body":
            self._content += message.get("body", b"")
            if len(self._content) > _MAX_RESPONSE:
                raise UnavailableError(_TOO_LARGE)
            if not message.get("more_body", False):
                self._done.set()

    def response(self) -> InternalResponse:
        return InternalResponse(self._status, self._headers, bytes(self._content))


def _scope(method: str, path: str, headers: HeaderSource, body: Body) -> dict[str, Any]:
    raw_path, _, query = path.partition("?")
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in _pairs(headers)]
    names = {name for name, _ in raw}
    if b"host" not in names:
        raw.insert(0, (b"host", b"internal"))
    if isinstance(body, bytes) and b"content-length" not in names:
        raw.append((b"content-length", str(len(body)).encode()))
    return {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1",
        "method": method, "scheme": "http", "path": unquote(raw_path), "raw_path": raw_path.encode("ascii"),
        "query_string": query.encode("ascii"), "root_path": "", "headers": raw,
        "client": ("127.0.0.1", 0), "server": ("internal", 80), "state": {},
    }  # fmt: skip


def _pairs(headers: HeaderSource) -> list[tuple[str, str]]:
    return list(headers.items() if isinstance(headers, Mapping) else headers)


def _checked(path: str) -> str:
    if not path.startswith("/") or not path.isascii() or not path.isprintable() or " " in path or "#" in path:
        raise ValueError("an internal path begins with '/' and is percent-encoded")
    return path
