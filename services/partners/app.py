"""The partners service, put together: `uvicorn --factory services.partners.app:create`."""

import hmac

from fastapi import FastAPI

from hubkit.auth import InternalIssuer, InternalVerifier
from hubkit.crypto import Keyring
from hubkit.egress import HttpInternalClient
from hubkit.profiles import ProfileBook
from hubkit.service import Ports, Service
from hubkit.web import new_app
from services.partners import api, consumers, jobs
from services.partners.actions.demonstration import add_demonstration_partners
from services.partners.actions.deps import Deps
from services.partners.settings import PartnersSettings


def create(settings: PartnersSettings | None = None, ports: Ports | None = None) -> FastAPI:
    """Return the application; `settings` come from the environment when they are not given."""
    settings = settings or PartnersSettings.load()
    service = Service("services.partners", settings, ports)
    deps = _deps(settings, service)
    service.messages(consumers.handlers(deps), consumers.PATIENT)
    jobs.install(service, deps)
    if settings.demonstration:

        async def demonstrate() -> None:
            async with service.db.transaction() as tx:
                await add_demonstration_partners(tx, deps.profile_at(tx.now))

        service.on_start(demonstrate)
    app = new_app("Onward partners", lifespan=service.lifespan)
    app.state.deps = deps
    app.state.verifier = InternalVerifier(settings.trusted_keys, audience="partners", clock=service.clock)
    for router in api.ROUTERS:
        app.include_router(router)
    service.add_probes(app)
    return app


def _deps(settings: PartnersSettings, service: Service) -> Deps:
    intake = service.ports.internal.get("intake")
    if intake is None:
        intake = HttpInternalClient(settings.intake_url)
        service.on_stop(intake.aclose)
    return Deps(
        profile_at=ProfileBook.load(settings.profile).current,
        keyring=Keyring.parse(settings.field_keys),
        intake=intake,
        issuer=InternalIssuer("partners", settings.internal_key),
        clock=service.clock,
        public_url=settings.public_url.rstrip("/"),
        cursor_key=hmac.digest(settings.field_keys.encode(), b"onward partners cursors v1", "sha256"),
        allow_private_endpoints=settings.allow_private_endpoints,
        endpoint_concurrency=settings.endpoint_concurrency,
        dispatch_concurrency=settings.dispatch_concurrency,
        acknowledge_working_days=settings.acknowledge_working_days,
        identity=settings.identity(),
    )
