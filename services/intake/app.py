"""Wires the intake service."""

from functools import partial

from fastapi import FastAPI

from hubkit.auth import InternalVerifier
from hubkit.batch import BatchWriter
from hubkit.db import Tx
from hubkit.errors import HubError
from hubkit.profiles import load_profile
from hubkit.service import Ports, Service
from hubkit.web import new_app
from services.intake import api, consumers, jobs
from services.intake.actions.deps import Deps
from services.intake.actions.register import Register, register_referrals
from services.intake.model import Registered
from services.intake.settings import IntakeSettings


def create(settings: IntakeSettings | None = None, ports: Ports | None = None) -> FastAPI:
    """Return the intake service's app."""
    settings = settings or IntakeSettings.load()
    service = Service("services.intake", settings, ports)
    deps = Deps.of(load_profile(settings.profile), settings.field_keys, settings.index_key)

    async def register(tx: Tx, commands: list[Register]) -> list[Registered | HubError]:
        return await register_referrals(tx, deps, commands)

    writer = BatchWriter(service.db, register)
    service.messages(consumers.handlers(), consumers.PATIENT)
    service.loop("writer", writer.run)
    service.loop("keys", partial(jobs.forget_keys, service.db))
    app = new_app("Onward intake", lifespan=service.lifespan)
    app.state.service, app.state.deps, app.state.writer = service, deps, writer
    app.state.verifier = InternalVerifier(settings.trusted_keys, service.name, service.clock)
    app.state.transfer_limit_bytes = settings.transfer_limit_bytes
    app.include_router(api.router)
    service.add_probes(app)
    return app
