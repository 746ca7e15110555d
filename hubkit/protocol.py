"""HTTP/1.1 as uvicorn and httptools read it, with bounds: what no application should have to see ends here."""

import asyncio
from typing import Final

from starlette.responses import Response
from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from hubkit.problems import problem, problem_of_status

#: Of request line and headers together, beyond what came with their first bytes. httptools knows no limit.
MAX_HEAD_BYTES: Final = 64 * 1024
#: Of the address in the request line; what is shorter is measured by `EdgeMiddleware`. httptools reads up to 64 kB.
MAX_TARGET_BYTES: Final = 32 * 1024
#: How long a connection may take to say what it wants. uvicorn itself limits only the time between two requests.
HEAD_S: Final = 30.0
_LINGER_S: Final = 2.0


class BoundedProtocol(HttpToolsProtocol):
    """Refuses a head without end, in bytes or time, and a request line that names a server; says so as a problem.

    A request line with a whole address (RFC 9112 section 3.2.2) is for proxies, and could name another host than
    the `Host` header: nobody sends one to us in earnest.
    """

    url = b""
    _is_in_head = False
    _is_refused = False
    _head_bytes = 0
    _awaited_since: float | None = None
    _watch: asyncio.TimerHandle | None = None

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._awaited_since = self.loop.time()
        self._watch = self.loop.call_later(HEAD_S, self._look)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def _look(self) -> None:
        """End a connection whose head does not come to its end; one timer each, so that a request costs none."""
        if self._awaited_since is not None and self.loop.time() - self._awaited_since >= HEAD_S:
            if self._is_in_head:
                self._refuse(problem(408, "request_timeout", "The request came too slowly"))
            else:
                self.transport.close()
        else:
            self._watch = self.loop.call_later(HEAD_S, self._look)

    @override
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_in_head, self._head_bytes, self._awaited_since = True, 0, self.loop.time()

    @override
    def on_headers_complete(self) -> None:
        self._is_in_head, self._awaited_since = False, None
        if len(self.url) > MAX_TARGET_BYTES:
            raise ValueError("the address is too long")
        if not self.url.startswith(b"/"):
            raise ValueError("the request line names a server")  # uvicorn answers with `send_400_response`
        super().on_headers_complete()

    @override
    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        has_begun = self._is_in_head
        super().data_received(data)
        if self._awaited_since is None and getattr(self.cycle, "response_complete", True):
            self._awaited_since = self.loop.time()  # bytes that begin no request end uvicorn's own wait for one
        if has_begun and self._is_in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(problem(431, "headers_too_large", "The headers are too large"))

    @override
    def send_400_response(self, msg: str) -> None:
        self._refuse(problem_of_status(400))

    def _refuse(self, response: Response) -> None:
        """Answer and end the connection, with a moment for what is on its way: an abrupt end would undo the answer."""
        self._is_refused = True
        if len(self.url) > MAX_TARGET_BYTES:  # whatever else is wrong with it
            response = problem(414, "uri_too_long", "The address is too long")
        if not getattr(self.cycle, "response_complete", True):  # there is no cycle before the first request
            self.transport.close()  # an answer now would be taken for that to the request before
            return
        headers = [*response.raw_headers, (b"connection", b"close")]
        head = b"".join(b"%b: %b\r\n" % header for header in headers)
        self.transport.write(STATUS_LINE[response.status_code] + head + b"\r\n" + bytes(response.body))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(_LINGER_S, self.transport.abort)
