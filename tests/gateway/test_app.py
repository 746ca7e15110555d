"""What the gateway offers, what it needs to start, and how it stands when something is away."""

import json

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import ValidationError
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from gateway.model import PUBLIC, SCOPES
from gateway.policy.routes import ROUTES
from gateway.tables import METADATA
from hubkit import migrations
from hubkit.auth import new_signing_key, route_guards
from hubkit.crypto import new_keyring
from hubkit.errors import UnavailableError
from tests.gateway.support import URL, Gateway, running, settings, sqlite

ID = "019a9c1e-0000-7000-8000-000000000001"
OPEN = (
    "POST /oauth/token",
    "GET /.well-known/jwks.json",
    "GET /.well-known/oauth-authorization-server",
    "GET /openapi.json",
    "GET /healthz",
    "GET /readyz",
    "GET /metrics",
)
GUARDED = """
referrals:write POST /v1/referrals
referrals:read GET /v1/referrals/{id}
transfers:write POST /v1/transfers
transfers:write GET /v1/transfers/{id}
transfers:write GET /v1/transfers/{id}/rows
cases:read GET /v1/cases
cases:read GET /v1/cases/{id}
cases:read GET /v1/cases/{id}/explanation
cases:write POST /v1/cases/{id}/judgements
cases:write POST /v1/cases/{id}/offers
cases:write POST /v1/cases/{id}/contacts
cases:write POST /v1/cases/{id}/contacts/{contact_id}/attempts
cases:write POST /v1/cases/{id}/contacts/{contact_id}/pause
cases:write POST /v1/cases/{id}/contacts/{contact_id}/resume
cases:write POST /v1/cases/{id}/attempts
cases:write POST /v1/cases/{id}/assessments
cases:write POST /v1/cases/{id}/choices
cases:write POST /v1/cases/{id}/onward-referrals
cases:write POST /v1/cases/{id}/leads
cases:write POST /v1/cases/{id}/events
cases:write POST /v1/cases/{id}/surveys
cases:write POST /v1/cases/{id}/close
cases:write POST /v1/cases/{id}/reopen
cases:read GET /v1/cases/{id}/links
cases:write POST /v1/cases/{id}/links
cases:read GET /v1/cases/{id}/disclosures
cases:read GET /v1/cases/{id}/onward-referrals
cases:write POST /v1/cases/{id}/access-requests
cases:read GET /v1/cases/{id}/gate
cases:write PUT /v1/cases/{id}/protection
cases:read GET /v1/cases/{id}/safeguarding-disclosures
cases:write POST /v1/cases/{id}/safeguarding-disclosures
cases:write POST /v1/cases/{id}/safeguarding-disclosures/{decision_id}/approve
cases:read GET /v1/withdrawal-acknowledgements
onward:write POST /v1/onward-referrals/{id}/withdrawal-acknowledgement
directory:write PUT /v1/partners/{id}/kept-from
cases:read GET /v1/cases/{id}/consents
cases:write POST /v1/cases/{id}/consents
cases:read GET /v1/cases/{id}/objections
cases:write POST /v1/cases/{id}/objections
cases:read GET /v1/cases/{id}/information-requests
cases:write POST /v1/cases/{id}/information-requests
cases:write POST /v1/cases/{id}/information-requests/{request_id}/decide
onward:read GET /v1/onward-referrals
onward:read GET /v1/onward-referrals/{id}
onward:read GET /v1/onward-referrals/{id}/actions
onward:read GET /v1/onward-referrals/{id}/amendments
onward:write POST /v1/onward-referrals/{id}/amendments/{number}/acknowledgement
onward:read GET /v1/onward-referrals/{id}/receipts
onward:write POST /v1/onward-referrals/{id}/receive
onward:write POST /v1/onward-referrals/{id}/accept
onward:write POST /v1/onward-referrals/{id}/decline
onward:write POST /v1/onward-referrals/{id}/progress
onward:write POST /v1/onward-referrals/{id}/close
cases:write POST /v1/onward-referrals/{id}/recall
webhooks:manage GET /v1/webhook-endpoints
webhooks:manage POST /v1/webhook-endpoints
webhooks:manage PUT /v1/webhook-endpoints/{id}
webhooks:manage POST /v1/webhook-endpoints/{id}/verify
webhooks:manage DELETE /v1/webhook-endpoints/{id}
webhooks:manage POST /v1/webhook-endpoints/{id}/rotate-secret
webhooks:manage POST /v1/webhook-endpoints/{id}/test
webhooks:manage POST /v1/webhook-endpoints/{id}/resume
webhooks:manage GET /v1/webhook-deliveries
webhooks:manage GET /v1/webhook-deliveries/{id}
webhooks:manage POST /v1/webhook-deliveries/replay
webhooks:manage POST /v1/webhook-deliveries/{id}/replay
agreements:read GET /v1/agreements
agreements:read GET /v1/agreements/forecast
agreements:read GET /v1/agreements/{id}
agreements:read GET /v1/agreements/{id}/versions
agreements:read GET /v1/agreements/{id}/versions/{number}
agreements:write POST /v1/agreements
agreements:write PUT /v1/agreements/{id}
agreements:write POST /v1/agreements/{id}/approve
agreements:write POST /v1/agreements/{id}/suspend
agreements:write POST /v1/agreements/{id}/resume
agreements:write POST /v1/agreements/{id}/end
cases:read GET /v1/partners
directory:write POST /v1/partners
directory:write GET /v1/partners/{id}/webhook-domains
directory:write PUT /v1/partners/{id}/webhook-domains
directory:write POST /v1/partners/{id}/services
cases:read GET /v1/services
directory:write PUT /v1/services/{id}
directory:write GET /v1/services/{id}/listing
directory:write PUT /v1/services/{id}/listing
directory:write GET /v1/partners/{id}/listing
directory:write PUT /v1/partners/{id}/listing
directory:public GET /directory
directory:public GET /directory/
directory:public GET /directory/services
directory:public GET /directory/services/{id}
directory:public GET /directory/service_at_locations
directory:public GET /directory/service_at_locations/{id}
directory:public GET /directory/organizations
directory:public GET /directory/organizations/{id}
directory:public GET /directory/taxonomies
directory:public GET /directory/taxonomies/{id}
directory:public GET /directory/taxonomy_terms
directory:public GET /directory/taxonomy_terms/{id}
onward:read GET /v1/services/{id}/capacity
onward:write PUT /v1/services/{id}/capacity
"""


async def test_these_are_all_routes_and_their_guards(gateway: Gateway):
    assert route_guards(gateway.app) == dict.fromkeys((*OPEN, "* /v1", "* /directory"), ())
    assert [f"{route.scope} {route.method} {route.template}" for route in ROUTES] == GUARDED.split("\n")[1:-1]
    assert {route.scope for route in ROUTES} == {*SCOPES, PUBLIC}


async def test_the_metadata_says_how_to_get_a_token(gateway: Gateway):
    found = (await gateway.http.get("/.well-known/oauth-authorization-server")).json()

    assert (found["issuer"], found["token_endpoint"]) == (URL, f"{URL}/oauth/token")
    assert found["token_endpoint_auth_methods_supported"] == ["private_key_jwt", "client_secret_basic"]


def part() -> dict[str, object]:
    def ok(name: str) -> dict[str, object]:
        return {
            "description": "ok",
            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}},
        }

    identifier = {"name": "referral_id", "in": "path", "required": True, "schema": {"type": "string"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "x", "version": "1"},
        "paths": {
            "/v1/referrals": {"post": {"operationId": "send", "responses": {"202": ok("Answer")}}},
            "/v1/referrals/{referral_id}": {
                "get": {"operationId": "get", "parameters": [identifier], "responses": {"200": ok("Answer")}},
                "delete": {"operationId": "drop", "parameters": [identifier], "responses": {"200": ok("Hidden")}},
            },
            "/internal/disclosures": {"post": {"operationId": "disclose", "responses": {"200": ok("Hidden")}}},
        },
        "components": {
            "schemas": {
                "Answer": {"type": "object", "properties": {"problem": {"$ref": "#/components/schemas/Problem"}}},
                "Problem": {"type": "object", "title": "Another"},
                "Hidden": {"type": "object"},
            }
        },
    }


async def test_the_merged_description_is_openapi_3_1_with_scopes_and_public_calls_alone(gateway: Gateway):
    gateway.service.openapi = part()

    document = (await gateway.http.get("/openapi.json")).json()

    OpenAPIV31SpecValidator(document).validate()
    assert document["openapi"].startswith("3.1")
    assert document["servers"] == [{"url": URL}]
    assert set(document["paths"]) == {
        "/oauth/token",
        "/.well-known/jwks.json",
        "/.well-known/oauth-authorization-server",
        "/v1/referrals",
        "/v1/referrals/{referral_id}",
    }
    assert set(document["paths"]["/v1/referrals/{referral_id}"]) == {"get"}
    assert document["paths"]["/v1/referrals"]["post"]["security"] == [{"onward": ["referrals:write"]}]
    schemas = document["components"]["schemas"]
    assert schemas["Problem"]["title"] == "Problem"
    assert schemas["Answer"]["properties"]["problem"] == {"$ref": "#/components/schemas/IntakeProblem"}
    assert "Hidden" not in schemas
    flow = document["components"]["securitySchemes"]["onward"]["flows"]["clientCredentials"]
    assert flow == {"tokenUrl": f"{URL}/oauth/token", "scopes": dict(SCOPES)}


class Away:
    async def request(self, *_: object, **__: object) -> None:
        raise UnavailableError

    async def aclose(self) -> None:
        pass


async def test_a_service_that_is_away_is_said_so(gateway: Gateway):
    bearer = await gateway.bearer()
    gateway.deps.upstreams["intake"] = Away()  # type: ignore[index]

    referral = await gateway.http.get(f"/v1/referrals/{ID}", headers=bearer)
    description = await gateway.http.get("/openapi.json")

    assert (referral.status_code, referral.headers["retry-after"]) == (503, "1")
    assert (description.status_code, description.json()["code"]) == (503, "unavailable")


async def test_without_its_database_it_still_passes_calls_on(gateway: Gateway, monkeypatch: pytest.MonkeyPatch):
    def away() -> None:
        raise ConnectionRefusedError

    bearer = await gateway.bearer()
    monkeypatch.setattr(gateway.parts.db, "transaction", away)
    monkeypatch.setattr(gateway.parts.db, "reading", away)

    token = await gateway.http.post("/oauth/token", data={"grant_type": "client_credentials"}, auth=("police", "x"))

    assert (await gateway.http.get(f"/v1/referrals/{ID}", headers=bearer)).status_code == 202
    assert token.status_code == 503
    assert (await gateway.http.get("/readyz")).status_code == 503


async def test_migrations_make_exactly_the_tables(database_url: str):
    await migrations.upgrade("gateway", database_url)
    engine = create_async_engine(database_url)

    def difference(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), METADATA))

    async with engine.connect() as connection:
        found = await connection.run_sync(difference)
    await engine.dispose()

    assert found == []


def test_production_refuses_demonstration_clients_and_plain_http(tmp_path):
    good = {
        "environment": "production",
        "demonstration_clients": None,
        "field_keys": new_keyring("a"),
        "internal_key": json.dumps(new_signing_key("gateway-1")),
    }
    assert settings(sqlite(tmp_path), **good).is_production
    for wrong in ({"demonstration_clients": "{}"}, {"public_url": "http://hub.example.org"}, {"public_url": URL + "/"}):
        with pytest.raises(ValidationError):
            settings(sqlite(tmp_path), **{**good, **wrong})


async def test_a_wrong_demonstration_document_stops_the_start_and_is_not_repeated(tmp_path):
    with pytest.raises(ValueError, match="not in the expected form") as raised:
        async with running(sqlite(tmp_path), demonstration_clients='{"clients": {"a": {"client_secret": "hush"}}}'):
            pass

    assert "hush" not in str(raised.value)
