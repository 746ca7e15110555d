"""Evidence: everything that a hub leaves behind or says, for a search."""

import asyncio
import sqlite3
import threading
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aio_pika
from aio_pika.abc import AbstractIncomingMessage

from hubkit.bus.rabbit import EXCHANGE
from tests.support.hub import EmbeddedHub, FullHub, Hub
from tests.support.receiver import Received
from tests.support.stack import MODULES

Evidence = Iterator[tuple[str, bytes]]


def bytes_of(value: Any) -> bytes:
    """Return a value as bytes that show what it holds."""
    return bytes(value) if isinstance(value, (bytes, bytearray, memoryview)) else str(value).encode()


def tables(hub: Hub) -> Evidence:
    """Yield every value of every column of every table of all databases."""
    for service in MODULES:
        for (table,) in hub.rows(service, _TABLES[hub.is_full]):
            columns = [name for (name,) in hub.rows(service, _COLUMNS[hub.is_full].format(table))]
            quoted = ", ".join(f'"{name}"' for name in columns)
            seen: dict[str, list[bytes]] = {name: [] for name in columns}
            for row in hub.rows(service, f'select {quoted} from "{table}"'):
                for name, value in zip(columns, row, strict=True):
                    if value is not None:
                        seen[name].append(bytes_of(value))
            yield from ((f"{service}.{table}.{name}", b"\n".join(values)) for name, values in seen.items())


_TABLES = {
    True: "select table_name from information_schema.tables where table_schema = 'public' order by 1",
    False: "select name from sqlite_master where type = 'table' order by 1",
}
_COLUMNS = {
    True: "select column_name from information_schema.columns where table_name = '{}' order by ordinal_position",
    False: "select name from pragma_table_info('{}')",
}


def logs(hub: Hub) -> Evidence:
    """Yield what every process has logged."""
    yield from ((f"log of {name}", text.encode()) for name, text in hub.logs().items())


def metrics(hub: Hub) -> Evidence:
    """Yield the metrics of every process."""
    urls = {"gateway": hub.base_url}
    if isinstance(hub, FullHub):
        urls = {name: hub.stack.url(name) for name in MODULES}
    for name, url in urls.items():
        with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:
            yield f"metrics of {name}", answer.read()


def webhooks(received: Iterable[Received]) -> Evidence:
    """Yield path, headers and body of webhooks."""
    for one in received:
        yield "path of a webhook", one.path.encode()
        yield "headers of a webhook", str(one.headers).encode()
        yield "body of a webhook", one.body


def files(hub: Hub) -> Evidence:
    """Yield whole files: of SQLite with its journals, or of PostgreSQL with its write-ahead log and of RabbitMQ."""
    if isinstance(hub, EmbeddedHub):
        places: dict[str, Path] = {"data": hub.folder / "data"}
    else:
        assert isinstance(hub, FullHub)
        places = {server.name: server.folder for server in (hub.stack.postgres, hub.stack.rabbit)}
    for place, folder in places.items():
        for path in sorted(folder.rglob("*")):
            try:
                if path.is_file():
                    yield f"file {place}/{path.relative_to(folder)}", path.read_bytes()
            except FileNotFoundError:
                continue  # servers remove files as they work


class Scratch:
    """Writes to a hub's databases what nobody should; for checking that a search finds it."""

    def __init__(self, hub: Hub, service: str) -> None:
        self._hub = hub
        self._service = service

    def write(self, value: str) -> None:
        """Keep a value in a table of its own."""
        self._run("create table scratch (value text)")
        self._run(f"insert into scratch values ('{value}')")

    def remove(self) -> None:
        """Remove the table."""
        self._run("drop table scratch")

    def _run(self, statement: str) -> None:
        if isinstance(self._hub, EmbeddedHub):
            with sqlite3.connect(self._hub.folder / "data" / f"{self._service}.db", timeout=20) as connection:
                connection.execute(statement)
            connection.close()
        else:
            self._hub.rows(self._service, statement)


class Eavesdropper:
    """Keeps a copy of every message that passes the exchange, through a queue of its own."""

    def __init__(self, url: str) -> None:
        self.bodies: list[tuple[str, bytes]] = []
        self._headers: list[tuple[str, bytes]] = []
        self._url = url
        self._listens, self._may_end = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    @property
    def evidence(self) -> Evidence:
        """Yield headers and bodies."""
        yield from ((f"message {type}", body) for type, body in list(self.bodies))
        yield from ((f"headers of {type}", headers) for type, headers in list(self._headers))

    def publish(self, messages: Iterable[tuple[str, bytes]]) -> None:
        """Say this on the exchange, each under its routing key; one of no event is heard by this listener alone."""
        asyncio.run(self._publish(messages))

    async def _publish(self, messages: Iterable[tuple[str, bytes]]) -> None:
        connection = await aio_pika.connect(self._url)
        async with connection:
            channel = await connection.channel(publisher_confirms=True)
            exchange = await channel.get_exchange(EXCHANGE)
            await asyncio.gather(*(exchange.publish(aio_pika.Message(body), type) for type, body in messages))

    async def _run(self) -> None:
        connection = await aio_pika.connect(self._url)
        async with connection:
            channel = await connection.channel()
            queue = await channel.declare_queue(exclusive=True, auto_delete=True)
            await queue.bind(await channel.get_exchange(EXCHANGE), "#")
            await queue.consume(self._keep, no_ack=True)
            self._listens.set()
            await asyncio.to_thread(self._may_end.wait)

    async def _keep(self, message: AbstractIncomingMessage) -> None:
        self._headers.append((message.routing_key or "", str(message.info()).encode()))
        self.bodies.append((message.routing_key or "", message.body))

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._listens.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._may_end.set()
        self._thread.join(10)
