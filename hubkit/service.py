"""The running frame of a deployable: database, bus, relay, inbox and loops, started and stopped with its web app."""

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field

from fastapi import FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from hubkit import migrations
from hubkit.bus import Bus, RabbitBus
from hubkit.clock import Clock, SystemClock
from hubkit.config import Settings, SettingsError
from hubkit.contracts.envelope import Contract
from hubkit.db import Database
from hubkit.egress import InternalClient
from hubkit.inbox import Handler, Inbox
from hubkit.outbox import Relay
from hubkit.web import new_router

_log = logging.getLogger(__name__)
Loop = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Ports:
    """What the surroundings give a deployable when it does not run alone: a shared bus, a clock, its neighbours.

    `internal` maps a service's name to a client for it; a deployable that finds none makes one from its settings.
    """

    bus: Bus | None = None
    clock: Clock = field(default_factory=SystemClock)
    internal: Mapping[str, InternalClient] = field(default_factory=dict)


class Service:
    """One deployable's parts and their life.

    Parameters
    ----------
    module
        Its package, such as `services.intake`; the last part is its name.
    """

    def __init__(self, module: str, settings: Settings, ports: Ports | None) -> None:
        self.module = module
        self.name = module.rsplit(".", 1)[-1]
        self.settings = settings
        self.ports = ports or Ports()
        self.clock = self.ports.clock
        self.db = Database(settings.database_url, source=self.name, clock=self.clock, pool_size=settings.pool_size)
        self.bus: Bus | None = self.ports.bus
        self._owns_bus = self.bus is None
        self._loops: dict[str, Loop] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._closers: list[Callable[[], Awaitable[None]]] = []
        self._starters: list[Callable[[], Awaitable[None]]] = []

    def messages(self, handlers: Mapping[type[Contract], Handler], patient: Collection[type[Contract]] = ()) -> None:
        """Connect the service to the bus: an outbox with its relay, and an inbox with these handlers.

        `patient` are the contracts whose events may wait a moment for others (see `Inbox`).
        """
        if self.bus is None:
            if self.settings.amqp_url is None:
                raise SettingsError(f"{self.settings.PREFIX}AMQP_URL is needed")
            self.bus = RabbitBus(self.settings.amqp_url, self.name)
        if self._owns_bus:
            self.loop("bus", self.bus.run)
        self.loop("relay", Relay(self.db, self.bus).run)
        self.loop("inbox", Inbox(self.name, self.db, self.bus, handlers, patient).run)

    def loop(self, name: str, run: Loop) -> None:
        """Keep `run` running for as long as the service does; it is started again whenever it ends."""
        self._loops[name] = run

    def on_start(self, action: Callable[[], Awaitable[None]]) -> None:
        """Do `action` once the schema is known to be right, before the first request."""
        self._starters.append(action)

    def on_stop(self, close: Callable[[], Awaitable[None]]) -> None:
        """Call `close` when the service stops, last added first."""
        self._closers.append(close)

    @contextlib.asynccontextmanager
    async def lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        """Start everything, serve, stop everything. Refuses a stale schema and an unsafe database."""
        try:
            await migrations.check_current(self.module, self.settings.database_url)
            if self.settings.is_production:
                await self.db.check_durability()
            await self.db.open()
            for action in self._starters:
                await action()
            self._tasks = [asyncio.create_task(keep_running(self.name, n, run)) for n, run in self._loops.items()]
            yield
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            for close in reversed(self._closers):
                await close()
            await self.db.aclose()

    def add_probes(self, app: FastAPI) -> None:
        """Be `app.state.service`, and add `/healthz` (the process lives), `/readyz` (it can work) and `/metrics`."""
        app.state.service = self
        app.include_router(_probes, include_in_schema=False)

    async def checks(self) -> dict[str, str]:
        """Return what it depends on, each `ok` or `away`."""
        found = {"database": await self._database_state()}
        if self.bus is not None:
            found["bus"] = "ok" if self.bus.is_ready else "away"
        return found

    async def _database_state(self) -> str:
        try:
            async with asyncio.timeout(3):
                await self.db.ping()
        except Exception:
            return "away"
        return "ok"


# Not closures over a service: FastAPI keeps the functions of its routes, and what they hold, in a cache of its own.
_probes = new_router()


@_probes.get("/healthz")
async def _healthz(request: Request) -> dict[str, str]:
    return {"status": "ok", "service": request.app.state.service.name}


@_probes.get("/readyz")
async def _readyz(request: Request, response: Response) -> dict[str, str | dict[str, str]]:
    checks = await request.app.state.service.checks()
    is_ready = all(state == "ok" for state in checks.values())
    response.status_code = 200 if is_ready else 503
    return {"status": "ready" if is_ready else "not_ready", "checks": checks}


@_probes.get("/metrics")
async def _metrics() -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


async def keep_running(service: str, name: str, run: Loop) -> None:
    """Run a loop, and again when it fails, with growing delay; a loop that dies must never die silently."""
    failures = 0
    while True:
        started = asyncio.get_running_loop().time()
        task = asyncio.ensure_future(run())
        try:
            # Waited for, not awaited: a library that cancels our loop from inside must not look like a shutdown.
            await asyncio.wait([task])
        finally:
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        failures = 1 if asyncio.get_running_loop().time() - started > 30 else failures + 1
        error = None if task.cancelled() else task.exception()
        extra = {"service": service, "loop": name, "attempt": failures, "error": _name(error)}
        _log.warning("loop_ended", extra=extra, exc_info=error if failures == 1 else None)
        await asyncio.sleep(min(5.0, 0.2 * 2**failures) * random.uniform(0.5, 1.0))  # noqa: S311 - spread


def _name(error: BaseException | None) -> str:
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    return type(error).__name__ if error is not None else "none"
