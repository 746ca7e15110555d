"""The gateway, put together."""

import asyncio
from functools import partial

from fastapi import FastAPI
from starlette.routing import Mount, Route

from gateway.actions import Deps
from gateway.actions.clients import seed_demonstration
from gateway.actions.deps import Limits
from gateway.actions.description import Description
from gateway.actions.keys import ensure_signing_key, forget_assertions, refresh_identity
from gateway.api import discovery, tokens
from gateway.clients import upstreams
from gateway.policy.limits import Rate
from gateway.proxy import OpenToAll, Proxy
from gateway.settings import GatewaySettings
from hubkit.auth import InternalIssuer
from hubkit.crypto import Keyring
from hubkit.service import Ports, Service
from hubkit.web import new_app

_REFRESH_S = 5.0
_TITLE = "Onward: a victims' hub"


def create(settings: GatewaySettings | None = None, ports: Ports | None = None) -> FastAPI:
    """Return the gateway's application."""
    settings = settings or GatewaySettings.load()
    service = Service("gateway", settings, ports)
    deps = Deps(
        issuer=settings.public_url,
        clock=service.clock,
        keyring=Keyring.parse(settings.field_keys),
        internal=InternalIssuer("gateway", settings.internal_key),
        upstreams=upstreams(settings, service.ports.internal),
        limits=Limits(
            settings.rate_per_second,
            settings.rate_burst,
            Rate(settings.public_rate_per_second, settings.public_rate_burst),
        ),
    )
    service.on_start(partial(_start, service, settings, deps))
    service.loop("housekeeping", partial(_keep_house, service, deps))
    for name, client in deps.upstreams.items():
        if name not in service.ports.internal:
            service.on_stop(client.aclose)
    app = new_app(_TITLE, lifespan=service.lifespan, openapi_url=None)
    app.include_router(tokens.router)
    app.include_router(discovery.router)
    proxy = Proxy(deps)
    app.router.routes[:0] = [
        Mount("/v1", app=proxy),
        Route("/directory", OpenToAll(proxy), include_in_schema=False),
        Mount("/directory", app=OpenToAll(proxy)),
    ]
    service.add_probes(app)
    app.state.deps = deps
    app.state.description = Description(deps, app.openapi())
    return app


async def _start(service: Service, settings: GatewaySettings, deps: Deps) -> None:
    async with service.db.transaction() as tx:
        await ensure_signing_key(tx, deps.keyring)
        if settings.demonstration_clients is not None:
            await seed_demonstration(tx, settings.demonstration_clients)
    async with service.db.reading() as tx:
        await refresh_identity(tx, deps)


async def _keep_house(service: Service, deps: Deps) -> None:
    """Hear of other processes' keys and of disabled clients, and forget used assertions, for as long as it runs."""
    while True:
        await asyncio.sleep(_REFRESH_S)
        async with service.db.reading() as tx:
            await refresh_identity(tx, deps)
        async with service.db.transaction() as tx:
            await forget_assertions(tx)
