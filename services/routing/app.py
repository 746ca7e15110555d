"""Wires the routing service."""

from functools import partial

from fastapi import FastAPI

from hubkit.profiles import Prepared, ProfileBook
from hubkit.service import Ports, Service
from hubkit.web import new_app
from services.routing import consumers, jobs
from services.routing.actions.deps import Deps, Rules
from services.routing.settings import RoutingSettings


def create(settings: RoutingSettings | None = None, ports: Ports | None = None) -> FastAPI:
    """Return the routing service's app; it has no public calls, only its probes."""
    settings = settings or RoutingSettings.load()
    service = Service("services.routing", settings, ports)
    deps = Deps(Prepared(ProfileBook.load(settings.profile), Rules.of).current)
    service.messages(consumers.handlers(deps), consumers.PATIENT)
    service.loop("unanswered", partial(jobs.pass_over_unanswered, service.db, deps))
    app = new_app("Onward routing", lifespan=service.lifespan)
    service.add_probes(app)
    return app
