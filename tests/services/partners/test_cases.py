"""What staff see of sharing in a case, and what is decided when somebody asks for access."""

from typing import Any
from uuid import UUID

import pytest

from hubkit.ids import new_id
from services.partners.actions import disclose
from services.partners.store import cases
from tests.services.partners.support import Running, World, caller, consent, recomputed, running

HUB: dict[str, Any] = {
    "units": [{"id": "helpers"}],
    "sharing": [
        {"hop": "hub_to_partner", "basis": "explicit_consent", "reasons": {"consent_missing": "nobody_asked"}},
        {"hop": "case_study", "basis": "consent", "reasons": {"consent_missing": "no_permission"}},
    ],
    "routing": {"tells_of_others": True},
    "ring_fences": [
        {"id": "support", "data": ["support_provision"], "held_by": "helpers", "must_not_reach": ["force"]},
        {"id": "notes", "data": ["case_information"], "must_not_reach": ["force"], "reason": "fenced",
         "exceptions": ["safeguarding_risk"]},
        {"id": "all_notes", "data": ["case_information"], "must_not_reach": ["press"]},
    ],
}  # fmt: skip
GROUND = {
    "ground": "safeguarding_risk",
    "reason": "A child at home is at risk",
    "decided_by": "manager-1",
    "approved_by": "manager-2",
}
BOTH = ("counselling", "idva")


@pytest.fixture
async def hub(url: str, tmp_path: Any) -> Any:
    async with running(url, tmp_path, HUB) as made:
        for kind in BOTH:
            await made.add_partner(kind)
        yield made


async def get(hub: Running, case_id: UUID, what: str) -> list[dict[str, Any]]:
    answer = await hub.call("GET", f"/v1/cases/{case_id}/{what}", "cases:read")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def ask(hub: Running, case_id: UUID, **body: Any) -> Any:
    return await hub.call("POST", f"/v1/cases/{case_id}/access-requests", "cases:write", body)


async def test_staff_see_to_whom_a_case_was_referred_and_what_went_out(hub: Running) -> None:
    case_id = await hub.open_case(consent(recipients=BOTH))
    counselling, idva = [await hub.request(case_id, kind) for kind in BOTH]
    referred = await get(hub, case_id, "onward-referrals")
    assert [(each["need"], each["status"], each["outcome"], each["basis"]) for each in referred] == [
        ("counselling", "sent", "referred", "explicit_consent"),
        ("idva", "sent", "referred", "explicit_consent"),
    ]
    assert referred[0]["service"]["name"] == "Test counselling service"
    assert [each["told_about"] for each in referred] == [["Test idva service"], ["Test counselling service"]]
    assert await get(hub, case_id, "disclosures") == []
    read = await hub.call("GET", f"/v1/onward-referrals/{counselling}", "onward:read")
    [released] = await get(hub, case_id, "disclosures")
    assert released == {
        "id": read.json()["disclosure"]["id"],
        "from": "hub",
        "to": {
            "role": "partner",
            "name": "Test counselling service",
            "organisation": "Test counselling",
            "service_id": str(hub.services["counselling"]),
        },
        "what": "case_data",
        "outcome": "released",
        "basis": "explicit_consent",
        "reason": None,
        "reasons": [],
        "at": "2026-11-19T09:00:00Z",
        "onward_referral_id": str(counselling),
        "delivery_id": None,
        "acknowledgement": None,
        "safeguarding": None,
    }
    assert str(idva) != released["onward_referral_id"]


async def test_what_is_withheld_is_said_in_the_hubs_own_words(hub: Running) -> None:
    case_id = await hub.open_case()
    path = f"/v1/services/{hub.services['counselling']}"
    await hub.call("PUT", path, "directory:write", {"location": "external"}, if_match='"1"')
    onward_id = await hub.request(case_id)
    [referred] = await get(hub, case_id, "onward-referrals")
    assert (referred["outcome"], referred["reason"], referred["basis"]) == ("refused", "nobody_asked", None)
    assert referred["told_about"] == []
    [withheld] = await get(hub, case_id, "disclosures")
    assert (withheld["outcome"], withheld["reason"], withheld["reasons"]) == (
        "withheld",
        "nobody_asked",
        ["nobody_asked"],
    )
    assert (withheld["to"]["role"], withheld["onward_referral_id"]) == ("external_provider", str(onward_id))


async def test_what_a_signposted_service_gets_is_called_so(hub: Running) -> None:
    case_id = await hub.open_case(consent())
    path = f"/v1/services/{hub.services['counselling']}"
    changes = {"route": "signpost", "shares": "referral_data"}
    await hub.call("PUT", path, "directory:write", changes, if_match='"1"')
    onward_id = await hub.request(case_id)
    await hub.call("GET", f"/v1/onward-referrals/{onward_id}", "onward:read")
    assert [each["outcome"] for each in await get(hub, case_id, "onward-referrals")] == ["signposted"]
    assert [each["what"] for each in await get(hub, case_id, "disclosures")] == ["referral_data"]


async def test_a_partner_is_told_which_others_help_and_it_is_part_of_the_disclosure(hub: Running) -> None:
    case_id = await hub.open_case(consent(recipients=BOTH))
    counselling, _ = [await hub.request(case_id, kind) for kind in BOTH]
    body = (await hub.call("GET", f"/v1/onward-referrals/{counselling}", "onward:read")).json()
    assert body["other_services"] == ["Test idva service"]
    assert recomputed(body) == body["disclosure"]["hash"]
    assert (await hub.said(counselling))[-1].fields[-1] == "other_services"
    assert "other_services" not in body["disclosure"]["fields"]


async def test_without_the_needs_a_partner_is_not_told_of_others(hub: Running) -> None:
    case_id = await hub.open_case(consent(recipients=BOTH, data_categories=("identity",)))
    counselling, _ = [await hub.request(case_id, kind) for kind in BOTH]
    body = (await hub.call("GET", f"/v1/onward-referrals/{counselling}", "onward:read")).json()
    assert body["other_services"] == []
    assert "other_services" not in (await hub.said(counselling))[-1].fields


async def test_a_hub_that_does_not_tell_of_others_does_not(world: World) -> None:
    await world.add_partner("idva")
    case_id = await world.open_case(consent(recipients=BOTH))
    counselling, _ = [await world.request(case_id, kind) for kind in BOTH]
    read = await disclose.read_onward_referral(world.db, world.deps, caller(), counselling)
    assert read.other_services == ()


async def test_lists_of_a_case_go_on_by_cursor(hub: Running) -> None:
    case_id = await hub.open_case(consent(recipients=BOTH))
    ids = [str(await hub.request(case_id, kind)) for kind in BOTH]
    for onward_id, kind in zip(ids, BOTH, strict=True):
        await hub.call("GET", f"/v1/onward-referrals/{onward_id}", "onward:read", kind=kind)
    await ask(hub, case_id, requester="force", what="support_provision")
    for what, count in (("onward-referrals", 2), ("disclosures", 3)):
        found, cursor = [], ""
        while cursor is not None:
            path = f"/v1/cases/{case_id}/{what}?limit=1{cursor}"
            page = (await hub.call("GET", path, "cases:read")).json()
            found += page["items"]
            cursor = f"&cursor={page['next_cursor']}" if page["next_cursor"] else None
        assert [each["id"] for each in found] == [each["id"] for each in await get(hub, case_id, what)]
        assert len(found) == count


async def test_a_ring_fence_withholds_and_is_recorded(hub: Running) -> None:
    case_id = await hub.open_case()
    answer = await ask(hub, case_id, requester="force", what="support_provision")
    assert answer.status_code == 201
    assert {name: answer.json()[name] for name in ("from", "to", "what", "outcome", "reason", "basis")} == {
        "from": "helpers",
        "to": "force",
        "what": "support_provision",
        "outcome": "withheld",
        "reason": "ring_fenced",
        "basis": None,
    }
    [recorded] = await get(hub, case_id, "disclosures")
    assert (recorded["id"], recorded["from"], recorded["to"]["name"]) == (answer.json()["id"], "helpers", "force")
    assert (recorded["outcome"], recorded["reason"]) == ("withheld", "ring_fenced")


async def test_a_ground_opens_the_fences_that_name_it_and_no_other(hub: Running) -> None:
    case_id = await hub.open_case()
    notes = await ask(hub, case_id, requester="force", what="case_information", **GROUND)
    assert (notes.json()["outcome"], notes.json()["reason"]) == ("released", "safeguarding_risk")
    other = await ask(hub, case_id, requester="force", what="case_information", **GROUND | {"ground": "court_order"})
    assert (other.json()["outcome"], other.json()["reason"]) == ("withheld", "fenced")
    never = await ask(hub, case_id, requester="force", what="support_provision", **GROUND)
    assert (never.json()["outcome"], never.json()["reason"]) == ("withheld", "ring_fenced")
    press = await ask(hub, case_id, requester="press", what="case_information", **GROUND)
    assert press.json()["outcome"] == "withheld"


async def test_without_a_fence_there_is_no_agreement_either(hub: Running) -> None:
    case_id = await hub.open_case(consent())
    for what in ("case_data", "referral_data", "case_management_system"):
        answer = (await ask(hub, case_id, requester="somebody", what=what, **GROUND)).json()
        assert (answer["from"], answer["outcome"], answer["reason"]) == ("hub", "withheld", "agreement_missing")


@pytest.mark.parametrize(
    ("change", "pointers", "code"),
    [
        ({"reason": None, "approved_by": None}, ["/reason", "/approved_by"], "needed_with_ground"),
        ({"decided_by": None}, ["/decided_by"], "needed_with_ground"),
        ({"approved_by": "MANAGER-1"}, ["/approved_by"], "same_person"),
        ({"ground": "curiosity"}, ["/ground"], "unknown_code"),
    ],
)
async def test_a_ground_needs_two_people_and_a_reason(
    hub: Running, change: dict[str, Any], pointers: list[str], code: str
) -> None:
    case_id = await hub.open_case()
    answer = await ask(hub, case_id, requester="force", what="case_information", **GROUND | change)
    assert answer.status_code == 422
    assert [(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]] == [(p, code) for p in pointers]
    assert await get(hub, case_id, "disclosures") == []


async def test_a_story_is_told_with_the_persons_consent_alone(hub: Running) -> None:
    given = consent(hop="case_study", recipients=(), data_categories=())
    told, silent = await hub.open_case(given), await hub.open_case(consent())
    released = (await ask(hub, told, requester="reader", what="case_study")).json()
    assert (released["from"], released["outcome"], released["basis"]) == ("hub", "released", "consent")
    withheld = (await ask(hub, silent, requester="reader", what="case_study")).json()
    assert (withheld["outcome"], withheld["reason"], withheld["basis"]) == ("withheld", "no_permission", None)
    withdrawn = {"hop": "case_study", "decision": "withdrawn"}
    assert (await hub.call("POST", f"/v1/cases/{told}/consents", "cases:write", withdrawn)).status_code == 201
    again = (await ask(hub, told, requester="reader", what="case_study")).json()
    assert (again["outcome"], again["reason"]) == ("withheld", "consent_withdrawn")


@pytest.mark.parametrize("hop", ["survey", "case_study"])
async def test_consents_that_share_nothing_need_no_data_categories(hub: Running, hop: str) -> None:
    case_id = await hub.open_case()
    body = {"hop": hop, "decision": "given", "method": "spoken"}
    assert (await hub.call("POST", f"/v1/cases/{case_id}/consents", "cases:write", body)).status_code == 201
    [kept] = await get(hub, case_id, "consents")
    assert (kept["hop"], kept["data_categories"]) == (hop, [])


async def test_the_explanation_of_a_ground_is_sealed(hub: Running) -> None:
    case_id = await hub.open_case()
    made = (await ask(hub, case_id, requester="force", what="case_information", **GROUND)).json()
    async with hub.db.reading() as tx:
        [row] = await cases.access_requests_in(tx, case_id, None, 10)
    assert row.explanation is not None
    assert b"child" not in row.explanation
    opened = hub.deps.keyring.record("access_request", UUID(made["id"])).open("explanation", row.explanation)
    assert opened == GROUND["reason"].encode()
    assert (row.decided_by, row.approved_by, row.client_id) == ("manager-1", "manager-2", "client-counselling")


async def test_an_unknown_case_is_not_found_and_scopes_are_asked_for(hub: Running) -> None:
    body = {"requester": "force", "what": "case_data"}
    for method, what, scope in (
        ("GET", "onward-referrals", "cases:read"),
        ("GET", "disclosures", "cases:read"),
        ("POST", "access-requests", "cases:write"),
    ):
        sent = body if method == "POST" else None
        path = f"/v1/cases/{new_id()}/{what}"
        assert (await hub.call(method, path, scope, sent)).status_code == 404
        assert (await hub.call(method, path, "onward:read", sent)).status_code == 403
