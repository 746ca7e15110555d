"""Wires the routing service."""

from functools import partial
from zoneinfo import ZoneInfo

from fastapi import FastAPI

from hubkit.deadlines import WorkingCalendar
from hubkit.profiles import load_profile
from hubkit.service import Ports, Service
from hubkit.web import new_app
from services.routing import consumers, jobs
from services.routing.actions import Deps
from services.routing.settings import RoutingSettings


def create(settings: RoutingSettings | None = None, ports: Ports | None = None) -> FastAPI:
    """Return the routing service's app; it has no public calls, only its probes."""
    settings = settings or RoutingSettings.load()
    service = Service("services.routing", settings, ports)
    profile = load_profile(settings.profile)
    deps = Deps(profile, WorkingCalendar(profile.calendar, ZoneInfo(profile.timezone)))
    service.messages(consumers.handlers(deps), consumers.PATIENT)
    if deps.profile.routing.answer_within is not None:
        service.loop("unanswered", partial(jobs.pass_over_unanswered, service.db))
    app = new_app("Onward routing", lifespan=service.lifespan)
    app.state.service = service
    service.add_probes(app)
    return app
