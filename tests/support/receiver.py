"""A partner's web server for tests: answers its challenge and keeps every other webhook, in its own thread."""

import contextlib
import socket
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import orjson
from typing_extensions import override

from tests.support.process import free_port


@dataclass(frozen=True)
class Received:
    """One webhook as it came."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def event(self) -> dict[str, Any]:
        """The payload."""
        return dict(orjson.loads(self.body))

    @property
    def onward_referral_id(self) -> str:
        """Which onward referral it is about."""
        return str(self.event["data"]["onward_referral_id"])


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    @override
    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing when a client hangs up."""


class Receiver:
    """Listens on a port of its own; `status` is what it answers."""

    def __init__(self, *, status: int = 204, port: int | None = None) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}/hook"
        self.status = status
        self.received: list[Received] = []
        self._connections: set[socket.socket] = set()
        self.up()

    def up(self) -> None:
        """Listen."""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            @override
            def setup(self) -> None:
                super().setup()
                outer._connections.add(self.connection)

            @override
            def finish(self) -> None:
                outer._connections.discard(self.connection)
                super().finish()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {key.lower(): value for key, value in self.headers.items()}
                came = Received(self.path, headers, body)
                is_challenge = came.event.get("type") == "endpoint.verification"
                answer = orjson.dumps({"challenge": came.event["data"]["challenge"]}) if is_challenge else b""
                if not is_challenge:
                    outer.received.append(came)
                self.send_response(200 if is_challenge else outer.status)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            @override
            def log_message(self, *_: object) -> None:
                pass

        self._server = _Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def down(self) -> None:
        """Stop listening and drop every connection, as a server that is switched off; what came stays known."""
        self._server.shutdown()
        self._server.server_close()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def about(self, onward_referral_id: str) -> list[Received]:
        """Return what came for one onward referral, in order."""
        return [one for one in list(self.received) if one.onward_referral_id == onward_referral_id]

    def close(self) -> None:
        """Stop listening."""
        self.down()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
