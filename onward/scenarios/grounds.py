"""Where worlds stand: in files on this machine, or on a PostgreSQL server and a RabbitMQ broker."""

import asyncio
import contextlib
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlsplit

import aio_pika
import asyncpg
from typing_extensions import override

from hubkit import migrations
from hubkit.bus import queue_name
from hubkit.clock import SteeredClock
from hubkit.config import Settings
from hubkit.contracts import CONSUMERS
from onward import composition, development
from onward.scenarios.book import ScenarioError
from onward.scenarios.world import World

_BASE_URL: Final = "http://hub"
_READY_S: Final = 30.0
_EMPTY_TABLES: Final = """
DO $$ BEGIN EXECUTE (
    SELECT 'TRUNCATE ' || string_agg(quote_ident(tablename), ', ') FROM pg_tables
    WHERE schemaname = 'public' AND tablename <> 'alembic_version'
); END $$
"""


class Grounds:
    """Files on this machine: each world gets copies of databases that were migrated once, and the bus in memory."""

    def __init__(self) -> None:
        self._folder = Path()
        self._secrets: dict[str, Any] = {}
        self._count = 0
        self._is_prepared = False

    async def __aenter__(self) -> Self:
        self._folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="onward-scenarios-"))
        self._secrets = development.new_secrets()
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    @property
    def folder(self) -> Path:
        """A folder for what a world needs beside its databases."""
        return self._folder

    @contextlib.asynccontextmanager
    async def world(self, profile: Path, at: datetime) -> AsyncIterator[World]:
        """Start a hub with a profile, its clock at `at`; it is gone at the end of the block."""
        if not self._is_prepared:
            await self._prepare()
            self._is_prepared = True
        self._count += 1
        folder = self._folder / f"world-{self._count}"
        clock = SteeredClock(at)
        async with self._databases(folder) as settings_of:
            settings = settings_of(composition.Place(folder, _BASE_URL, profile), self._secrets)
            app = composition.compose(settings, clock)
            async with app.router.lifespan_context(app):
                await self._wait_for_bus(app)
                world = World(app, self._secrets["clients"], clock)
                try:
                    await world.rest()
                    yield world
                finally:
                    await world.aclose()

    async def _prepare(self) -> None:
        template = self._folder / "template"
        await asyncio.to_thread(template.mkdir)
        await composition.migrate(composition.Place(template, _BASE_URL, Path()))

    @contextlib.asynccontextmanager
    async def _databases(self, folder: Path) -> AsyncIterator[Any]:
        await asyncio.to_thread(shutil.copytree, self._folder / "template", folder)
        try:
            yield composition.settings_for
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def _wait_for_bus(self, app: Any) -> None:
        """Nothing to wait for."""


class ServerGrounds(Grounds):
    """A PostgreSQL server and a RabbitMQ virtual host: databases of this run's own, empty for each world as the queues.

    One world at a time.

    Parameters
    ----------
    database_url
        `postgresql://…` of somebody who may make databases. Those made are dropped again; no other is touched.
    amqp_url
        `amqp://…` of a virtual host that no hub uses: its queues of the hub's names are emptied.
    """

    def __init__(self, database_url: str, amqp_url: str) -> None:
        super().__init__()
        self._server = database_url.replace("postgresql+asyncpg:", "postgresql:", 1)
        self._amqp_url = amqp_url
        self._name = f"onward_scenarios_{secrets.token_hex(4)}"

    @override
    async def __aexit__(self, *error: object) -> None:
        await super().__aexit__(*error)
        await self._run(f'DROP DATABASE IF EXISTS "{self._database(m)}" WITH (FORCE)' for m in composition.MODULES)

    @override
    async def _prepare(self) -> None:
        await self._run(f'CREATE DATABASE "{self._database(module)}"' for module in composition.MODULES)
        for module in composition.MODULES:
            await migrations.upgrade(module, self._url(module))

    @contextlib.asynccontextmanager
    @override
    async def _databases(self, folder: Path) -> AsyncIterator[Any]:
        await asyncio.gather(self._empty_queues(), *(self._empty_tables(module) for module in composition.MODULES))

        def settings_of(place: composition.Place, secrets: dict[str, Any]) -> dict[str, Settings]:
            return {
                module: settings.model_copy(
                    update={"database_url": self._url(module), "amqp_url": self._amqp_url, "pool_size": 4}
                )
                for module, settings in composition.settings_for(place, secrets).items()
            }

        yield settings_of

    @override
    async def _wait_for_bus(self, app: Any) -> None:
        buses = [each.state.service.bus for each in app.state.apps.values() if each.state.service.bus is not None]
        try:
            async with asyncio.timeout(_READY_S):
                while not all(bus.is_ready for bus in buses):  # noqa: ASYNC110 - a bus has a flag, not an event
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise ScenarioError("the broker does not answer") from None

    def _database(self, module: str) -> str:
        return f"{self._name}_{module.rsplit('.', 1)[-1]}"

    def _url(self, module: str) -> str:
        server = urlsplit(self._server)
        return server._replace(scheme="postgresql+asyncpg", path=f"/{self._database(module)}").geturl()

    async def _run(self, statements: Iterable[str], database: str | None = None) -> None:
        connection = await asyncpg.connect(self._server, timeout=30, **({"database": database} if database else {}))
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    async def _empty_tables(self, module: str) -> None:
        await self._run([_EMPTY_TABLES], self._database(module))

    async def _empty_queues(self) -> None:
        names = [
            queue_name(consumer, contract.TYPE) for contract, consumers in CONSUMERS.items() for consumer in consumers
        ]
        async with await aio_pika.connect(self._amqp_url, timeout=10) as connection:
            channel = await connection.channel()
            for name in names:
                try:
                    await (await channel.declare_queue(name, passive=True)).purge()
                except aio_pika.exceptions.ChannelNotFoundEntity:
                    channel = (
                        await connection.channel()
                    )  # there is no such queue, and the broker has closed the channel
