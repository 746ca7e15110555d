"""The police systems: one process that posts referrals and notes when each was sent and answered.

It reads one `Order` as JSON from standard input and prints one `Done`. Requests are made before the clock starts and
written as bytes, so that the generator takes as little of the machine as it can.
"""

import asyncio
import secrets
import sys
import time
import urllib.parse
from collections.abc import Sequence
from typing import Literal, Self, cast

import uvloop
from pydantic import BaseModel, ConfigDict
from typing_extensions import override

from bench.bodies import bodies

CONNECTIONS = 64
_ANSWER_S = 900.0


class Order(BaseModel):
    """What to do.

    `closed` keeps 64 requests under way; `open` sends `rate` a second, whatever comes back; `transfer` sends all as one
    NDJSON transfer.
    """

    model_config = ConfigDict(frozen=True)

    mode: Literal["closed", "open", "transfer"]
    url: str
    token: str
    run: str
    count: int
    rate: float = 20


class Done(BaseModel):
    """What was done: for each request when it was sent and answered (CLOCK_MONOTONIC, ns), its status and id."""

    model_config = ConfigDict(frozen=True)

    sent: list[int]
    answered: list[int]
    statuses: list[int]
    ids: list[str | None]


class Connection(asyncio.Protocol):
    """One keep-alive connection, one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._writable = asyncio.Event()
        self._writable.set()

    @classmethod
    async def open(cls, url: str) -> Self:
        """Connect."""
        parts = urllib.parse.urlsplit(url)
        host, port = parts.hostname or "127.0.0.1", parts.port or 80
        _, connection = await asyncio.get_running_loop().create_connection(cls, host, port)
        return connection

    async def post(self, chunks: Sequence[bytes]) -> tuple[int, bytes]:
        """Send a whole request and return the status and body of its answer.

        Raises
        ------
        ConnectionError
            When the connection closes first.
        """
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        for chunk in chunks:
            await self._writable.wait()
            self._transport.write(chunk)
        async with asyncio.timeout(_ANSWER_S):
            return await self._answer

    def close(self) -> None:
        """Close it."""
        if self._transport is not None:
            self._transport.close()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._writable.set()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError("closed before the answer"))

    @override
    def pause_writing(self) -> None:
        self._writable.clear()

    @override
    def resume_writing(self) -> None:
        self._writable.set()

    @override
    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0 or self._answer is None or self._answer.done():
            return
        start = self._buffer[:end].lower().find(b"\r\ncontent-length:")
        length = int(self._buffer[start + 17 :].split(b"\r\n", 1)[0]) if start >= 0 else 0
        if len(self._buffer) >= end + 4 + length:
            status, body = int(self._buffer[9:12]), self._buffer[end + 4 : end + 4 + length]
            self._buffer = self._buffer[end + 4 + length :]
            self._answer.set_result((status, body))


class _Log:
    def __init__(self, count: int) -> None:
        self.sent, self.answered, self.statuses = [0] * count, [0] * count, [0] * count
        self.ids: list[str | None] = [None] * count

    async def post(self, connection: Connection, number: int, chunks: Sequence[bytes]) -> None:
        self.sent[number] = time.monotonic_ns()
        status, body = await connection.post(chunks)
        self.answered[number] = time.monotonic_ns()
        self.statuses[number] = status
        if status == 202:
            self.ids[number] = body.partition(b'"id":')[2].split(b'"')[1].decode()

    def done(self) -> Done:
        return Done(sent=self.sent, answered=self.answered, statuses=self.statuses, ids=self.ids)


def _head(order: Order, path: str, media_type: str) -> str:
    host = urllib.parse.urlsplit(order.url).netloc
    return (
        f"POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: {media_type}\r\nauthorization: Bearer {order.token}\r\n"
    )


def _requests(order: Order) -> list[bytes]:
    head = _head(order, "/v1/referrals", "application/json")
    return [
        (
            f"{head}idempotency-key: {order.run}-{number}\r\n"
            f"traceparent: 00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        ).encode()
        + body
        for number, body in enumerate(bodies(order.run, order.count))
    ]


async def _closed(order: Order, log: _Log) -> None:
    requests = _requests(order)
    connections = [await Connection.open(order.url) for _ in range(min(CONNECTIONS, order.count))]
    numbers = iter(range(order.count))

    async def work(connection: Connection) -> None:
        for number in numbers:
            await log.post(connection, number, [requests[number]])
        connection.close()

    async with asyncio.TaskGroup() as group:
        for connection in connections:
            group.create_task(work(connection))


async def _open(order: Order, log: _Log) -> None:
    requests = _requests(order)
    idle = [await Connection.open(order.url) for _ in range(CONNECTIONS)]
    began = time.monotonic()

    async def one(number: int) -> None:
        connection = idle.pop() if idle else await Connection.open(order.url)
        await log.post(connection, number, [requests[number]])
        idle.append(connection)

    async with asyncio.TaskGroup() as group:
        for number in range(order.count):
            await asyncio.sleep(max(0.0, began + number / order.rate - time.monotonic()))
            group.create_task(one(number))
    for connection in idle:
        connection.close()


async def _transfer(order: Order, log: _Log) -> None:
    lines = list(bodies(order.run, order.count))
    length = sum(len(line) + 1 for line in lines)
    head = f"{_head(order, '/v1/transfers', 'application/x-ndjson')}content-length: {length}\r\n\r\n"
    chunks = [b"\n".join(lines[start : start + 32]) + b"\n" for start in range(0, len(lines), 32)]
    connection = await Connection.open(order.url)
    await log.post(connection, 0, [head.encode(), *chunks])
    connection.close()


async def fulfil(order: Order) -> Done:
    """Do what is ordered."""
    log = _Log(1 if order.mode == "transfer" else order.count)
    await {"closed": _closed, "open": _open, "transfer": _transfer}[order.mode](order, log)
    return log.done()


def main() -> None:
    """Do one order."""
    order = Order.model_validate_json(sys.stdin.buffer.read())
    sys.stdout.write(uvloop.run(fulfil(order)).model_dump_json())


if __name__ == "__main__":
    main()
