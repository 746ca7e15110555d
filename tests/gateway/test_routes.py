"""The route table and the services say the same: every public call is answered, with the scope that is asked for."""

import pytest
from fastapi import FastAPI

import services.intake.api
import services.partners.api
import services.triage.api
from gateway.model import Upstream
from gateway.policy.routes import ROUTES, shape
from hubkit.auth import route_guards

ROUTERS = {
    Upstream.INTAKE: [services.intake.api.router],
    Upstream.TRIAGE: list(services.triage.api.ROUTERS),
    Upstream.PARTNERS: list(services.partners.api.ROUTERS),
}


@pytest.mark.parametrize("upstream", ROUTERS)
def test_the_gateway_passes_on_exactly_what_each_service_answers(upstream: Upstream):
    app = FastAPI()
    for router in ROUTERS[upstream]:
        app.include_router(router)
    calls = ((*name.split(" ", 1), guards) for name, guards in route_guards(app).items())
    answered = {(method, shape(path)): [guard.scope for guard in guards] for method, path, guards in calls}

    public = {call: scopes for call, scopes in answered.items() if call[1].startswith(("/v1/", "/directory"))}
    wanted = {(route.method, shape(route.template)): [route.scope] for route in ROUTES if route.upstream is upstream}
    assert public == wanted
