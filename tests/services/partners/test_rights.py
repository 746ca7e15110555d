"""Objections take effect, and victim information requests are kept and decided by the rules of the law."""

import logging
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import text

from hubkit.ids import new_id
from services.partners.actions.account import account_of
from services.partners.model import Status
from tests.services.partners.support import NOW, Running, consent, running

OFFICER = "PC 1234 Robin Officer"
STORY = "whether she spoke of the evening of the third"
REQUEST: dict[str, Any] = {
    "requesting_body": "Test police",
    "officer_reference": OFFICER,
    "written_request_held": True,
    "asked": ["phone", "case_notes"],
    "information": STORY,
    "reason": "the account of a witness differs",
    "line_of_enquiry": "who was there",
    "notified_at": "2026-11-18T09:00:00+00:00",
    "notified_how": "written",
    "counselling": False,
}
BOTH = ("counselling", "idva")


@pytest.fixture
async def hub(url: str, tmp_path: Any) -> Any:
    fence = {"id": "notes", "data": ["case_information"], "must_not_reach": ["force"]}
    async with running(url, tmp_path, {"ring_fences": [fence]}) as made:
        for kind in BOTH:
            await made.add_partner(kind)
        yield made


async def post(hub: Running, case_id: UUID, what: str, body: dict[str, Any], status: int = 201) -> dict[str, Any]:
    answer = await hub.call("POST", f"/v1/cases/{case_id}/{what}", "cases:write", body)
    assert answer.status_code == status, answer.text
    return dict(answer.json())


async def get(hub: Running, case_id: UUID, what: str) -> list[dict[str, Any]]:
    answer = await hub.call("GET", f"/v1/cases/{case_id}/{what}", "cases:read")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


def codes(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return [(fault["pointer"], fault["code"]) for fault in answer["errors"]]


@pytest.mark.parametrize(
    ("to", "stopped"), [("all", BOTH), ("counselling", ("counselling",)), ("partner", ("counselling",))]
)
async def test_an_objection_stops_what_goes_to_those_it_names_and_says_what_went_out(
    hub: Running, to: str, stopped: tuple[str, ...]
) -> None:
    case_id = await hub.open_case(consent(recipients=BOTH))
    made = {kind: await hub.request(case_id, kind) for kind in BOTH}
    read = await hub.call("GET", f"/v1/onward-referrals/{made['counselling']}", "onward:read")
    to = str(hub.partners["counselling"]) if to == "partner" else to

    said = await post(hub, case_id, "objections", {"to": to, "reason": "does_not_want_sharing", "method": "spoken"})

    assert (said["outcome"], said["to"], said["decided_at"]) == ("upheld", to, "2026-11-19T09:00:00Z")
    assert set(said["withdrawn"]) == {str(made[kind]) for kind in stopped}
    assert [each["id"] for each in said["disclosures"]] == [read.json()["disclosure"]["id"]]
    for kind in BOTH:
        is_withdrawn = (await hub.row(made[kind])).status is Status.WITHDRAWN
        assert is_withdrawn == (kind in stopped)
    again = await hub.call("GET", f"/v1/onward-referrals/{made['counselling']}", "onward:read")
    assert (again.status_code, again.json()["code"]) == (403, "consent_refused")
    [kept] = await get(hub, case_id, "objections")
    assert kept["consent_id"] in {each["id"] for each in await get(hub, case_id, "consents")}


async def test_an_objection_counts_under_a_basis_that_needs_no_consent(url: str, tmp_path: Any) -> None:
    async with running(url, tmp_path, {"sharing": [{"hop": "hub_to_partner", "basis": "public_task"}]}) as hub:
        await hub.add_partner("counselling", lawful_basis="public_task")
        case_id = await hub.open_case()
        id = await hub.request(case_id)
        assert (await hub.row(id)).status is Status.SENT
        await post(hub, case_id, "objections", {"to": "all", "reason": "unsafe"})
        assert (await hub.row(id)).reasons == ("consent_refused",)


async def test_an_objection_that_is_refused_on_a_ground_changes_nothing_and_is_kept(hub: Running) -> None:
    case_id = await hub.open_case(consent())
    id = await hub.request(case_id)
    body = {"to": "all", "reason": "other_situation", "refused_on": "safeguarding"}
    answer = await post(hub, case_id, "objections", body, 422)
    assert [code for _, code in codes(answer)] == ["decided_by_missing"]
    await post(hub, case_id, "objections", body | {"decided_by": "dpo"})
    assert (await hub.row(id)).status is Status.SENT
    [kept] = await get(hub, case_id, "objections")
    assert (kept["outcome"], kept["ground"], kept["consent_id"]) == ("refused", "safeguarding", None)
    assert [each["decision"] for each in await get(hub, case_id, "consents")] == ["given"]


async def test_an_objection_to_messages_is_told_to_the_other_services(hub: Running) -> None:
    case_id = await hub.open_case(consent())
    await post(hub, case_id, "objections", {"to": "messages", "reason": "does_not_want_contact"})
    [event] = [each for each in await hub.said(case_id) if each.TYPE == "objection.recorded.v1"]
    assert (event.to, event.outcome, event.referral_id) == ("messages", "upheld", case_id)
    assert [each["decision"] for each in await get(hub, case_id, "consents")] == ["given"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"to": "everybody", "reason": "unsafe"}, 422),
        ({"to": str(UUID(int=9)), "reason": "unsafe"}, 422),
        ({"to": "all", "reason": "none of ours"}, 422),
        ({"to": "all", "reason": "unsafe", "objected_at": (NOW + timedelta(days=1)).isoformat()}, 422),
    ],
)
async def test_what_is_not_an_objection_is_refused_and_changes_nothing(
    hub: Running, body: dict[str, Any], status: int
) -> None:
    case_id = await hub.open_case(consent())
    await post(hub, case_id, "objections", body, status)
    assert await get(hub, case_id, "objections") == []
    assert len(await get(hub, case_id, "consents")) == 1
    await post(hub, new_id(), "objections", {"to": "all", "reason": "unsafe"}, 404)


async def test_a_request_is_kept_sealed_and_decided_once(hub: Running, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    case_id = await hub.open_case(consent())
    made = await post(hub, case_id, "information-requests", REQUEST)
    assert (made["decision"], made["information"], made["everything"]) == (None, STORY, False)
    decide = f"information-requests/{made['id']}/decide"
    released = {"outcome": "released", "fields": ["phone"], "ground": "not_relevant", "decided_by": "dpo"}
    decided = await post(hub, case_id, decide, released, 200)
    assert decided["decision"]["released"] == ["phone"]
    again = await post(hub, case_id, decide, released | {"fields": []}, 409)
    assert again["code"] == "already_decided"

    [listed] = await get(hub, case_id, "information-requests")
    assert (listed["officer_reference"], listed["decision"]["ground"]) == (OFFICER, "not_relevant")
    async with hub.db.reading() as tx:
        [stored] = await tx.rows(text("SELECT * FROM information_request"))
        lines = (await account_of(tx, [case_id])).lines
    assert OFFICER not in str(stored._mapping)
    assert STORY not in str(stored._mapping)
    assert STORY not in caplog.text
    assert OFFICER not in str(lines)
    assert {"information_request", "information_decision"} <= {line.what for line in lines}
    assert await get(hub, case_id, "disclosures") == []


async def test_a_request_for_everything_is_refused_as_it_is_registered(hub: Running) -> None:
    case_id = await hub.open_case(consent())
    made = await post(hub, case_id, "information-requests", REQUEST | {"asked": [], "everything": True})
    assert (made["decision"]["outcome"], made["decision"]["ground"]) == ("refused", "blanket_request")
    decide = f"information-requests/{made['id']}/decide"
    body = {"outcome": "released", "fields": ["phone"], "decided_by": "dpo"}
    assert (await post(hub, case_id, decide, body, 409))["code"] == "already_decided"


@pytest.mark.parametrize(
    ("changes", "decision", "expected"),
    [
        (
            {},
            {"outcome": "released", "fields": []},
            [("/fields", "nothing_released"), ("/ground", "needed_for_the_rest")],
        ),
        ({}, {"outcome": "released", "fields": ["email", "phone", "case_notes"]}, [("/fields", "not_asked_for")]),
        ({}, {"outcome": "refused"}, [("/ground", "needed_with_refusal")]),
        ({}, {"outcome": "refused", "ground": "not_held", "fields": ["phone"]}, [("/fields", "refused_with_fields")]),
        (
            {"written_request_held": False},
            {"outcome": "released", "fields": ["phone", "case_notes"]},
            [("/outcome", "written_request_missing")],
        ),
        (
            {"counselling": True, "asked": ["counselling_notes"]},
            {"outcome": "released", "fields": ["counselling_notes"]},
            [("/outcome", "counselling_presumption")],
        ),
    ],
)  # fmt: skip
async def test_a_decision_against_the_law_is_refused(
    hub: Running, changes: dict[str, Any], decision: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    case_id = await hub.open_case(consent())
    made = await post(hub, case_id, "information-requests", REQUEST | changes)
    body = decision | {"decided_by": "dpo"}
    assert codes(await post(hub, case_id, f"information-requests/{made['id']}/decide", body, 422)) == expected
    [listed] = await get(hub, case_id, "information-requests")
    assert listed["decision"] is None


async def test_counselling_notes_are_released_where_the_presumption_is_rebutted(hub: Running) -> None:
    case_id = await hub.open_case(consent())
    body = REQUEST | {"counselling": True, "asked": ["counselling_notes"], "rebuttal": "nobody else heard it"}
    made = await post(hub, case_id, "information-requests", body)
    decision = {"outcome": "released", "fields": ["counselling_notes"], "decided_by": "dpo"}
    await post(hub, case_id, f"information-requests/{made['id']}/decide", decision, 200)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"asked": []}, "nothing_asked"),
        ({"not_notified_because": "risk_of_harm"}, "notice_unclear"),
        ({"notified_at": None, "notified_how": None}, "notice_unclear"),
        ({"notified_how": None}, "notice_unclear"),
        ({"asked": ["counselling_notes"]}, "counselling_unclear"),
        ({"asked": ["everything there is"]}, "unknown_code"),
        ({"received_at": "2030-01-01T00:00:00+00:00"}, "in_the_future"),
    ],
)
async def test_a_request_that_is_not_whole_is_refused_with_its_fault(
    hub: Running, changes: dict[str, Any], code: str
) -> None:
    case_id = await hub.open_case(consent())
    answer = await post(hub, case_id, "information-requests", REQUEST | changes, 422)
    assert [each for _, each in codes(answer)] == [code]
    assert await get(hub, case_id, "information-requests") == []


async def test_a_ring_fence_answers_as_before_whatever_was_released(hub: Running) -> None:
    case_id = await hub.open_case(consent())
    made = await post(hub, case_id, "information-requests", REQUEST)
    decision = {"outcome": "released", "fields": ["phone", "case_notes"], "decided_by": "dpo"}
    await post(hub, case_id, f"information-requests/{made['id']}/decide", decision, 200)
    asked = await post(hub, case_id, "access-requests", {"requester": "force", "what": "case_information"})
    assert asked["outcome"] == "withheld"


async def test_another_case_and_a_partner_see_no_requests(hub: Running) -> None:
    case_id, other = await hub.open_case(consent()), await hub.open_case(consent())
    made = await post(hub, case_id, "information-requests", REQUEST)
    decision = {"outcome": "refused", "ground": "not_held", "decided_by": "dpo"}
    await post(hub, other, f"information-requests/{made['id']}/decide", decision, 404)
    assert await get(hub, other, "information-requests") == []
    refused = await hub.call("GET", f"/v1/cases/{case_id}/information-requests", "onward:read")
    assert refused.status_code == 403


async def test_the_lines_of_an_account_are_plain_on_every_database(hub: Running) -> None:
    case_id = await hub.open_case(consent())
    id = await hub.request(case_id)
    await hub.call("GET", f"/v1/onward-referrals/{id}", "onward:read")
    async with hub.db.reading() as tx:
        lines = (await account_of(tx, [case_id])).lines
    assert [line.what for line in lines if line.what in ("consent", "disclosure")] == ["consent", "disclosure"]
    assert all(orjson.dumps(dict(line.codes)) for line in lines)
