"""Sending webhooks to partners' servers, which may be slow, broken or hostile."""

import asyncio
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import aiohttp
from yarl import URL

from hubkit.egress.addresses import AddressGuard, blocked_addresses, check_webhook_url
from hubkit.egress.names import Resolver
from hubkit.egress.session import Reuse, new_session
from hubkit.errors import InvalidError

ErrorClass = Literal["none", "dns", "refused", "reset", "tls", "timeout", "redirect", "too_large", "blocked", "status"]
_READ_BYTES: Final = 64 * 1024
_KEPT_BYTES: Final = 4096
_CONNECT_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of one sending.

    `ok` means that a 2xx status line and headers arrived, whatever happened to the body. `error_class` is `none` then,
    `status` for another status, `redirect` for 3xx (never followed), `reset` also for an answer that is not HTTP, `tls`
    also for a handshake that is reset (some servers refuse a version of TLS so), `too_large` for oversized headers,
    `blocked` for an address or URL that must not be called.
    `retry_after` and `body_excerpt` (at most 4,096 bytes) are as the partner sent them: not to be trusted.
    """

    ok: bool
    status: int | None
    error_class: ErrorClass
    duration_ms: int
    retry_after: str | None = None
    body_excerpt: bytes = b""


class WebhookClient:
    """Sends webhooks over one pool of connections; makes it at the first sending.

    Parameters
    ----------
    allow_http, allow_private
        Development only; see `check_webhook_url` and `AddressGuard`.
    connections
        The most that are open at once.
    tls
        Other trust than the system's (a private authority).
    identity
        Returns the context that presents the hub's certificate, for sendings that ask for it.
    """

    def __init__(
        self,
        *,
        allow_http: bool = False,
        allow_private: bool = False,
        connections: int = 64,
        tls: ssl.SSLContext | None = None,
        identity: Callable[[], ssl.SSLContext] | None = None,
    ) -> None:
        self._allow_http = allow_http
        self._allow_private = allow_private
        self._connections = connections
        self._tls = tls
        self._identity = identity
        self._session: aiohttp.ClientSession | None = None
        self._resolver: Resolver | None = None

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, *, total_s: float = 15.0, mutual_tls: bool = False
    ) -> Attempt:
        """Send `body` once and say what became of it; never raises for what the other side does.

        Parameters
        ----------
        total_s
            For everything together: look-up, connection, sending and reading.
        mutual_tls
            Present the hub's certificate; without one nothing is sent, and the failure is `tls`.
        """
        began = time.perf_counter()
        answer = _Answer()
        try:
            target = check_webhook_url(url, allow_http=self._allow_http, allow_private=self._allow_private)
        except InvalidError:
            return answer.attempt("blocked", began)
        seen: list[str] = []
        token = blocked_addresses.set(seen)
        try:
            async with asyncio.timeout(total_s):
                reached = _Reached(URL(target, encoded=True), self._presenting() if mutual_tls else True)
                await self._send(reached, headers, body, answer)
        except (
            TimeoutError,
            aiohttp.ClientError,
            OSError,
            ValueError,
            RuntimeError,
        ) as error:  # uvloop's is RuntimeError
            return answer.attempt("blocked" if seen else _class_of(error), began)
        finally:
            blocked_addresses.reset(token)
        return answer.attempt("none", began)

    async def aclose(self) -> None:
        """Close the pool."""
        if self._session is not None:
            await self._session.close()
            self._session = None
        if self._resolver is not None:
            await self._resolver.close()
            self._resolver = None

    def _presenting(self) -> ssl.SSLContext:
        if self._identity is None:
            raise ssl.SSLError("there is no certificate to present")
        return self._identity()

    async def _send(self, to: "_Reached", headers: Mapping[str, str], body: bytes, answer: "_Answer") -> None:
        reuse = Reuse()
        try:
            await self._once(to, headers, body, answer, reuse)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            # An idle connection that was closed as we took it. The receiver knows a repetition by its webhook-id.
            if not reuse.reused or answer.status is not None:
                raise
            await self._once(to, headers, body, answer, Reuse())

    async def _once(
        self, to: "_Reached", headers: Mapping[str, str], body: bytes, answer: "_Answer", reuse: Reuse
    ) -> None:
        session = self._opened()
        async with session.post(
            to.url, headers=headers, data=body, ssl=to.tls, allow_redirects=False, trace_request_ctx=reuse
        ) as response:
            answer.status = response.status
            answer.retry_after = response.headers.get("Retry-After", "")[:64] or None
            # Read a little, so that an ordinary connection can be used again; a longer answer closes it.
            left = _READ_BYTES
            while left > 0 and (chunk := await response.content.read(min(left, 16 * 1024))):
                left -= len(chunk)
                answer.excerpt += chunk[: _KEPT_BYTES - len(answer.excerpt)]
            if left <= 0:
                response.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._resolver = Resolver(self._connections)
            connector = aiohttp.TCPConnector(
                limit=self._connections,
                resolver=self._resolver,
                ssl=self._tls if self._tls is not None else True,
                socket_factory=AddressGuard(allow_private=self._allow_private),
            )
            self._session = new_session(
                connector, aiohttp.ClientTimeout(total=None, connect=None, sock_connect=_CONNECT_S)
            )
        return self._session


@dataclass(frozen=True, slots=True)
class _Reached:
    """Where to, and with which context; True is that of the pool. aiohttp keeps the connections of each apart."""

    url: URL
    tls: ssl.SSLContext | bool


class _Answer:
    """What has arrived so far; it outlives the failure that cut the rest off."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.retry_after: str | None = None
        self.excerpt = b""

    def attempt(self, failure: ErrorClass, began: float) -> Attempt:
        # The status counts once it has arrived: a 2xx is a success although the body was cut off.
        outcome = failure if self.status is None else _class_of_status(self.status)
        duration_ms = round((time.perf_counter() - began) * 1000)
        return Attempt(outcome == "none", self.status, outcome, duration_ms, self.retry_after, self.excerpt)


def _class_of_status(status: int) -> ErrorClass:
    if 200 <= status < 300:
        return "none"
    return "redirect" if 300 <= status < 400 else "status"


_CLASSES: Final[tuple[tuple[type[Exception], ErrorClass], ...]] = (
    (TimeoutError, "timeout"),
    (aiohttp.ClientConnectorDNSError, "dns"),
    (aiohttp.ClientSSLError, "tls"),
    (ssl.SSLError, "tls"),
    (aiohttp.ClientConnectorError, "refused"),
    (aiohttp.InvalidURL, "blocked"),
)


def _class_of(error: Exception) -> ErrorClass:
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, ConnectionResetError):
        return "tls"  # without TLS, a connection that does not come about is refused and not reset
    if isinstance(error, aiohttp.ClientResponseError) and _is_oversized(error):
        return "too_large"
    return next((name for kind, name in _CLASSES if isinstance(error, kind)), "reset")


def _is_oversized(error: aiohttp.ClientResponseError) -> bool:
    # aiohttp tells of too many headers, and of too long ones in part, by its message alone.
    return isinstance(error.__cause__, aiohttp.http_exceptions.LineTooLong) or any(
        words in error.message for words in ("bytes", "Too many headers")
    )
