"""All deployables in one process, calling each other without a network; by default on SQLite, the bus in memory."""

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI

import gateway.app
import services.intake.app
import services.partners.app
import services.routing.app
import services.triage.app
from gateway.settings import GatewaySettings
from hubkit import migrations
from hubkit.bus import LocalBus
from hubkit.clock import Clock, SystemClock
from hubkit.config import Settings
from hubkit.egress import AppInternalClient
from hubkit.service import Ports
from services.intake.settings import IntakeSettings
from services.partners.settings import PartnersSettings
from services.routing.settings import RoutingSettings
from services.triage.settings import TriageSettings

#: Every deployable's package, in the order in which they start.
MODULES = ("services.intake", "services.triage", "services.routing", "services.partners", "gateway")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a composition keeps its data and how it is reached."""

    folder: Path
    base_url: str
    profile: Path

    def database_url(self, module: str) -> str:
        """Return the database of a deployable: a file of its own."""
        return f"sqlite+aiosqlite:///{self.folder / module.rsplit('.', 1)[-1]}.db"


def settings_for(place: Place, secrets: dict[str, Any]) -> dict[str, Settings]:
    """Return the settings of every deployable, by its package, for one machine in development."""

    def base(module: str) -> dict[str, Any]:
        return {
            "environment": "development",
            "database_url": place.database_url(module),
            "profile": str(place.profile),
            "trusted_keys": json.dumps(secrets["trusted_keys"]),
        }

    def field_keys(name: str) -> str:
        return json.dumps(secrets["field_keys"][name])

    def internal_key(name: str) -> str:
        return json.dumps(secrets["internal_keys"][name])

    return {
        "services.intake": IntakeSettings(
            **base("services.intake"),
            field_keys=field_keys("intake"),
            index_key=secrets["index_key"],
            messages_folder=str(place.folder / "messages"),
        ),
        "services.triage": TriageSettings(**base("services.triage")),
        "services.routing": RoutingSettings(**base("services.routing")),
        "services.partners": PartnersSettings(
            **base("services.partners"),
            field_keys=field_keys("partners"),
            internal_key=internal_key("partners"),
            public_url=place.base_url,
            allow_private_endpoints=True,
            demonstration=True,
        ),
        "gateway": GatewaySettings(
            **base("gateway"),
            field_keys=field_keys("gateway"),
            internal_key=internal_key("gateway"),
            public_url=place.base_url,
            demonstration_clients=json.dumps({"base_url": place.base_url, "clients": secrets["clients"]}),
        ),
    }


async def migrate(place: Place) -> None:
    """Bring every deployable's database to its newest migration; returns at once where they stand there."""
    for module in MODULES:
        url = place.database_url(module)
        try:
            await migrations.check_current(module, url)
        except migrations.StaleSchemaError:
            await migrations.upgrade(module, url)


def compose(settings: dict[str, Settings], clock: Clock | None = None) -> FastAPI:
    """Return the gateway's app with all services behind it; they start and stop with it.

    The apps are at `app.state.apps`, by package. Where their settings name a broker, each service has its own bus.
    """
    clock = clock or SystemClock()
    bus = None if settings["services.intake"].amqp_url else LocalBus()
    ports = Ports(bus=bus, clock=clock)
    made: dict[str, FastAPI] = {
        "services.intake": services.intake.app.create(_as(IntakeSettings, settings), ports),
        "services.triage": services.triage.app.create(_as(TriageSettings, settings), ports),
        "services.routing": services.routing.app.create(_as(RoutingSettings, settings), ports),
    }
    intake = {"intake": AppInternalClient(made["services.intake"])}
    partners_ports = Ports(bus=bus, clock=clock, internal=intake)
    made["services.partners"] = services.partners.app.create(_as(PartnersSettings, settings), partners_ports)
    inner = dict(made)
    neighbours = {module.rsplit(".", 1)[-1]: AppInternalClient(app) for module, app in inner.items()}
    edge = gateway.app.create(_as(GatewaySettings, settings), Ports(clock=clock, internal=neighbours))
    made["gateway"] = edge
    edge.state.apps = made
    own = edge.router.lifespan_context

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            for service in inner.values():
                await stack.enter_async_context(service.router.lifespan_context(service))
            await stack.enter_async_context(own(app))
            yield

    edge.router.lifespan_context = lifespan
    return edge


def _as(kind: type[Any], settings: dict[str, Settings]) -> Any:
    return next(value for value in settings.values() if isinstance(value, kind))
