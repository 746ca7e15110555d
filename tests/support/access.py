"""Databases and virtual hosts on a server for tests, be it a private one or one that the environment names."""

import asyncio
import base64
import json
import socket
import urllib.parse
import urllib.request
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import asyncpg

T = TypeVar("T")


def finish(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end in a loop and thread of its own, so that sync and async tests can both call it."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


@dataclass(frozen=True)
class Databases:
    """The databases of one PostgreSQL server.

    Attributes
    ----------
    url
        `postgresql://user:password@host:port/database` of someone who may make databases.
    """

    url: str

    def address(self, database: str, driver: str = "+asyncpg") -> str:
        """Return the URL of a database, for SQLAlchemy unless `driver` is empty."""
        parts = urllib.parse.urlsplit(self.url)
        return f"postgresql{driver}://{parts.netloc}/{database}"

    def execute(self, statement: str, database: str | None = None) -> list[tuple[Any, ...]]:
        """Run one statement outside a transaction and return its rows."""
        address = self.address(database, driver="") if database else self.url
        return finish(self._execute(address, statement))

    def create_database(self, name: str, template: str = "template1") -> str:
        """Make a database, empty or as `template` is, and return its SQLAlchemy URL (`postgresql+asyncpg://…`)."""
        # Copied as files, as before PostgreSQL 15: page by page through the write-ahead log takes three times as long.
        [(version,)] = self.execute("SHOW server_version_num")
        how = " STRATEGY file_copy" if int(version) >= 150_000 else ""
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"{how}')
        return self.address(name)

    def drop_database(self, name: str) -> None:
        """Remove a database and end whoever is connected to it."""
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def answers(self) -> bool:
        """Whether a query is answered. Raises `OSError` when nothing listens."""
        try:
            return self.execute("SELECT 1") == [(1,)]
        except asyncpg.CannotConnectNowError:
            return False

    @staticmethod
    async def _execute(address: str, statement: str) -> list[tuple[Any, ...]]:
        connection = await asyncpg.connect(address, ssl=False, timeout=30)
        try:
            return [tuple(row) for row in await connection.fetch(statement)]
        finally:
            await connection.close()


@dataclass(frozen=True)
class Broker:
    """The virtual hosts of one RabbitMQ server.

    Attributes
    ----------
    url
        `amqp://user:password@host:port/` of an administrator.
    management
        Address of its management API; None when it has none.
    """

    url: str
    management: str | None = None

    def address(self, vhost: str) -> str:
        """Return the AMQP URL of a virtual host."""
        parts = urllib.parse.urlsplit(self.url)
        return f"amqp://{parts.netloc}/{urllib.parse.quote(vhost, safe='')}"

    def create_vhost(self, name: str) -> str:
        """Make an empty virtual host that the administrator may use, and return its AMQP URL."""
        self.api("PUT", f"/api/vhosts/{name}")
        return self.address(name)

    def drop_vhost(self, name: str) -> None:
        """Remove a virtual host with all its queues and connections."""
        self.api("DELETE", f"/api/vhosts/{name}")

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """Call the management API and return its JSON, None for an empty answer."""
        assert self.management, "this RabbitMQ server was started without its management API"
        parts = urllib.parse.urlsplit(self.url)
        credentials = base64.b64encode(f"{parts.username}:{parts.password}".encode()).decode()
        request = urllib.request.Request(
            self.management + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Basic {credentials}"},
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            text = response.read()
        return json.loads(text) if text else None

    def answers(self) -> bool:
        """Whether the broker greets an AMQP client. Raises `OSError` when nothing listens."""
        parts = urllib.parse.urlsplit(self.url)
        with socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 5672), 2) as client:
            client.settimeout(2)
            client.sendall(b"AMQP\x00\x00\x09\x01")
            if client.recv(1) != b"\x01":  # a method frame: Connection.Start
                return False
        return self.management is None or self.api("GET", "/api/whoami") is not None
