"""Wires the triage service."""

from functools import partial

from fastapi import FastAPI

from hubkit.auth import InternalVerifier
from hubkit.profiles import ProfileBook
from hubkit.service import Ports, Service
from hubkit.web import new_app
from services.triage import consumers, jobs
from services.triage.actions.deps import Deps
from services.triage.api import ROUTERS
from services.triage.settings import TriageSettings


def create(settings: TriageSettings | None = None, ports: Ports | None = None) -> FastAPI:
    """Return the triage service's app."""
    settings = settings or TriageSettings.load()
    service = Service("services.triage", settings, ports)
    deps = Deps(ProfileBook.load(settings.profile))
    service.messages(consumers.handlers(deps), consumers.PATIENT)
    service.loop("messages", partial(jobs.ask_for_messages, service.db))
    app = new_app("Onward triage", lifespan=service.lifespan)
    app.state.deps = deps
    app.state.cursor_key = settings.cursor_key.encode()
    app.state.verifier = InternalVerifier(settings.trusted_keys, "triage", service.clock)
    for router in ROUTERS:
        app.include_router(router)
    service.add_probes(app)
    return app
