"""Wires the triage service."""

from fastapi import FastAPI

from hubkit.auth import InternalVerifier
from hubkit.profiles import load_profile
from hubkit.service import Ports, Service
from hubkit.web import new_app
from services.triage import api, consumers
from services.triage.actions.deps import Deps
from services.triage.settings import TriageSettings


def create(settings: TriageSettings | None = None, ports: Ports | None = None) -> FastAPI:
    """Return the triage service's app."""
    settings = settings or TriageSettings.load()
    service = Service("services.triage", settings, ports)
    deps = Deps.of(load_profile(settings.profile))
    service.messages(consumers.handlers(deps), consumers.PATIENT)
    app = new_app("Onward triage", lifespan=service.lifespan)
    app.state.service = service
    app.state.deps = deps
    app.state.cursor_key = settings.cursor_key.encode()
    app.state.verifier = InternalVerifier(settings.trusted_keys, "triage", service.clock)
    app.include_router(api.router)
    service.add_probes(app)
    return app
