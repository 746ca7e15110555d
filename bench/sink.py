"""The partners: one process that takes every webhook, notes when it came, and answers 204.

`POST /<name>` is a webhook. What has come in is asked for afterwards, so that nothing is parsed while the clock runs:
`GET /<name>` answers how many webhooks have come; `PUT /<name>` with the endpoint's secret as its body checks every
signature, answers `{"came": [[nanoseconds, onward referral id], …], "forged": n}` and forgets them. The challenge of a
new endpoint is answered and not counted. The time is
CLOCK_MONOTONIC, the same for all processes of a machine.
"""

import argparse
import asyncio
import time
from typing import Any, cast

import orjson
import uvloop
from typing_extensions import override

from hubkit.webhooks import WebhookVerificationError, verify

_NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"
Came = list[tuple[int, bytes, bytes]]


class Sink(asyncio.Protocol):
    """One connection. A parser of its own, because the partner's cost is none of the hub's."""

    came: dict[bytes, Came] = {}  # noqa: RUF012 - one for all connections

    def __init__(self) -> None:
        self._transport: asyncio.WriteTransport | None = None
        self._buffer = b""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's is one in all but name

    @override
    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end]
            length = _content_length(head)
            if len(self._buffer) < end + 4 + length:
                return
            body = self._buffer[end + 4 : end + 4 + length]
            self._buffer = self._buffer[end + 4 + length :]
            assert self._transport is not None
            self._transport.write(self._answer(now, head, body))

    def _answer(self, now: int, head: bytes, body: bytes) -> bytes:
        method, target, _ = head.split(b" ", 2)
        came = self.came.setdefault(target, [])
        if method == b"POST" and b'"endpoint.verification"' in body:
            said = orjson.dumps({"challenge": orjson.loads(body)["data"]["challenge"]})
        elif method == b"POST":
            came.append((now, head, body))
            return _NO_CONTENT
        elif method == b"PUT":
            said = orjson.dumps(_report(came, body.decode()))
            self.came[target] = []
        else:
            said = str(len(came)).encode()
        return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(said), said)


def _content_length(head: bytes) -> int:
    start = head.lower().find(b"\r\ncontent-length:")
    return int(head[start + 17 :].split(b"\r\n", 1)[0]) if start >= 0 else 0


def _report(came: Came, secret: str) -> dict[str, Any]:
    forged = 0
    now = int(time.time())
    for _, head, body in came:
        lines = (line.partition(": ") for line in head.decode().split("\r\n")[1:])
        try:
            verify({name: value for name, _, value in lines}, body, [secret], now=now, tolerance_s=3600)
        except WebhookVerificationError:
            forged += 1
    ids = [[moment, orjson.loads(body)["data"]["onward_referral_id"]] for moment, _, body in came]
    return {"came": ids, "forged": forged}


async def serve(port: int) -> None:
    """Listen until cancelled."""
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", port)
    await server.serve_forever()


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    uvloop.run(serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
