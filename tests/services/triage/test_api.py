"""Triage as a running service: messages in, calls, messages out."""

from datetime import timedelta

import pytest

from hubkit.auth import Caller, InternalIssuer, new_signing_key, route_guards
from hubkit.bus import LocalBus
from hubkit.config import SettingsError
from hubkit.ids import new_id
from hubkit.service import Ports
from services.triage.app import create
from services.triage.settings import TriageSettings
from tests.services.triage.support import Triage, received

CALLS = (
    "judgements", "offers", "contacts", "contacts/{contact_id}/attempts", "contacts/{contact_id}/pause",
    "contacts/{contact_id}/resume", "attempts", "assessments", "choices", "onward-referrals", "leads", "events",
    "surveys", "close", "reopen",
)  # fmt: skip


async def test_a_received_referral_becomes_a_case_that_is_told_and_can_be_read(triage: Triage) -> None:
    referral = received(markers=["vulnerable"], needs=["counselling"])
    await triage.hear(referral)
    case = await triage.case_of(referral)
    (said,) = await triage.said_of("case.opened.v1")
    assert said["subject"] == case["id"]
    assert case["decision"]["profile_version"] == "2024.1"
    assert case["entitlement"] == {"level": "enhanced", "categories": ["vulnerable_or_intimidated"]}
    assert (case["level"], case["markers"], case["needs"]) == (None, ["vulnerable"], ["counselling"])
    assert case["contacts"][0]["due_at"] is None
    assert (case["onward"], case["pathways"], case["repeat_of"]) == ([], [], None)
    assert [entry["type"] for entry in case["timeline"]] == ["triage.decided"]


async def test_a_batch_with_one_message_opens_all_its_cases(triage: Triage) -> None:
    await triage.hear(*(received() for _ in range(30)), received(crime="sexual.rape"))
    assert len(await triage.said_of("case.opened.v1", 30)) == 30
    assert len(await triage.said_of("case.excluded.v1")) == 1


async def test_cases_are_listed_newest_first_in_pages(triage: Triage) -> None:
    referrals = [received() for _ in range(5)]
    for referral in referrals:
        await triage.hear(referral)
    await triage.hear(received(crime="sexual.rape"))
    seen, cursor = [], None
    for _ in range(3):
        params = {"limit": "2", "status": "open", **({"cursor": cursor} if cursor else {})}
        page = (await triage.get("/v1/cases", params=params)).json()
        seen += [item["referral_id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert cursor is None
    assert seen == [str(referral.referral_id) for referral in reversed(referrals)]


async def test_a_cursor_belongs_to_the_caller_it_was_given_to(triage: Triage) -> None:
    await triage.hear(*(received() for _ in range(3)))
    cursor = (await triage.get("/v1/cases", params={"limit": "1"})).json()["next_cursor"]
    other = triage.headers("cases:read", client_id="other")
    answer = await triage.client.get("/v1/cases", params={"cursor": cursor}, headers=other)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")


@pytest.mark.parametrize("query", ["status=odd", "limit=0", "limit=101", "referral_id=1", "limit=1&limit=2"])
async def test_a_wrong_query_is_refused(triage: Triage, query: str) -> None:
    assert (await triage.get(f"/v1/cases?{query}")).status_code in (400, 422)


async def test_an_assessment_needs_the_version_that_was_read_and_known_needs(triage: Triage) -> None:
    referral = received()
    await triage.hear(referral)
    path = f"/v1/cases/{(await triage.case_of(referral))['id']}/assessments"
    headers = triage.headers("cases:write")
    body = {"needs": ["counselling"]}
    assert (await triage.client.post(path, json=body, headers=headers)).status_code == 428
    stale = await triage.client.post(path, json=body, headers={**headers, "if-match": '"7"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "version_mismatch")
    unknown = await triage.client.post(path, json={"needs": ["pigeons"]}, headers={**headers, "if-match": '"1"'})
    (error,) = unknown.json()["errors"]
    assert (unknown.status_code, error["pointer"], error["code"]) == (422, "/needs/0", "unknown_code")
    assert "counselling" in error["detail"]
    done = await triage.client.post(path, json=body, headers={**headers, "if-match": '"1"'})
    assert (done.status_code, done.headers["etag"], done.json()["needs"]) == (201, '"2"', ["counselling"])
    assert (await triage.said_of("case.assessed.v1"))[0]["data"]["version"] == 2
    case = await triage.case_of(referral)
    assert case["timeline"][-1]["codes"]["decided_by"] == "staff"


async def test_the_etag_of_a_case_is_its_version(triage: Triage) -> None:
    referral = received()
    await triage.hear(referral)
    case = await triage.case_of(referral)
    assert (await triage.get(f"/v1/cases/{case['id']}")).headers["etag"] == '"1"'
    await triage.hear(referral.model_copy(update={"version": 2}))
    assert (await triage.get(f"/v1/cases/{case['id']}")).headers["etag"] == '"2"'


async def test_an_explanation_is_in_plain_words(triage: Triage) -> None:
    referral = received(markers=["support_requested"])
    await triage.hear(referral)
    case = await triage.case_of(referral)
    told = (await triage.get(f"/v1/cases/{case['id']}/explanation")).json()
    assert told["summary"][0] == "The hub takes this referral on."
    assert (
        told["rules"][0]["text"]
        == "The hub contacts victims who asked for support or are entitled to an enhanced service."
    )


@pytest.mark.parametrize("path", ["", "/explanation"])
async def test_an_unknown_case_is_not_found(triage: Triage, path: str) -> None:
    answer = await triage.get(f"/v1/cases/{new_id()}{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_every_route_but_probes_and_documentation_has_its_guard() -> None:
    settings = TriageSettings(environment="development", database_url="sqlite+aiosqlite://")
    guards = route_guards(create(settings, Ports(bus=LocalBus())))
    scopes = {route: [guard.scope for guard in found] for route, found in guards.items() if "/v1/" in route}
    assert scopes == {
        "GET /v1/cases": ["cases:read"],
        "GET /v1/cases/{case_id}": ["cases:read"],
        "GET /v1/cases/{case_id}/explanation": ["cases:read"],
        "GET /v1/cases/{case_id}/links": ["cases:read"],
        "POST /v1/cases/{case_id}/links": ["cases:write"],
        **{f"POST /v1/cases/{{case_id}}/{call}": ["cases:write"] for call in CALLS},
    }
    public = {route.removeprefix("GET ") for route, found in guards.items() if not found and route.startswith("GET ")}
    assert public == {"/openapi.json", "/healthz", "/readyz", "/metrics"}


async def test_only_a_fresh_token_of_a_trusted_deployable_with_the_scope_gets_in(triage: Triage) -> None:
    assert (await triage.client.get("/v1/cases")).status_code == 401
    assert (await triage.get("/v1/cases", "onward:read")).status_code == 403
    stranger = InternalIssuer("gateway", new_signing_key(prefix="gateway-"))
    token = stranger.token("triage", Caller("staff", "demo-hub", frozenset({"cases:read"})), triage.clock.now())
    answer = await triage.client.get("/v1/cases", headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 401
    old = triage.headers("cases:read")
    triage.clock.advance(timedelta(minutes=5))
    assert (await triage.client.get("/v1/cases", headers=old)).status_code == 401


async def test_it_is_ready_and_documents_its_calls(triage: Triage) -> None:
    assert (await triage.client.get("/readyz")).json()["status"] == "ready"
    paths = (await triage.client.get("/openapi.json")).json()["paths"]
    read = {"/v1/cases", *(f"/v1/cases/{{case_id}}{part}" for part in ("", "/explanation", "/links"))}
    assert set(paths) == read | {f"/v1/cases/{{case_id}}/{call}" for call in CALLS}


def test_production_refuses_the_development_cursor_key() -> None:
    environ = {"TRIAGE_DATABASE_URL": "postgresql+asyncpg://triage@db/triage"}
    with pytest.raises(SettingsError, match="cursor_key holds development material"):
        TriageSettings.load(environ)
    assert TriageSettings.load({**environ, "TRIAGE_CURSOR_KEY": "k" * 32}).is_production
