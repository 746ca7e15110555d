"""What staff record about a case, by the public calls: what is decided anew, what is told, what is refused."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hubkit.contracts import ReviewOpenedV1
from hubkit.ids import new_id
from tests.services.triage.support import NOW, Triage, profile_file, received, running

HUB = """
sharing: [{hop: police_to_hub, basis: public_task}]
contact_methods: [phone, letter, text]
triage:
  levels:
    - {id: enhanced, when: {entitlement: [enhanced]}, level: enhanced}
    - {id: other, level: other}
contacts:
  - {id: offer, purpose: offer, methods: [phone], within: {amount: 24, unit: hours}, ends_with_offer: true}
  - {id: support, purpose: support_offered, when: {offer: [accepted]}}
  - {id: fallback, purpose: how_to_contact, methods: [letter, text], mode: any, when: {min_failed_attempts: 2}}
  - {id: asked, purpose: handover, when: {requested_needs: [idva]},
     within: {amount: 24, unit: hours, starts: need_requested}}
assessments:
  - {id: detailed, kind: detailed, by: case_manager, when: {findings: [case_manager_required]}}
needs:
  - {id: held, needs: [domestic_abuse], next: community_provision, when: {any_marker: [domestic_abuse]}}
case_updates: {when: {pleas: [not_guilty]}, content: [case_progress]}
re_offer: {case_status: declined_door_open, reopened_status: reopened}
lead_provider: {next_meeting: {area_x: "2026-11-21T10:00:00+00:00"}}
surveys:
  - {id: exit, instrument: exit_survey, trigger: on_leaving, sent_on: case_closed, methods: [text]}
  - {id: during, instrument: survey, trigger: during_service, sent_on: survey_due, methods: [email],
     refused_reason: no_survey_consent}
"""
AGREED = {"hop": "survey", "decision": "given", "recorded_at": NOW}


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Triage]:
    async with running(tmp_path, profile_file(tmp_path, HUB)) as service:
        yield service


def purposes(case: dict[str, Any]) -> list[str]:
    return [contact["purpose"] for contact in case["contacts"]]


def survey(case: dict[str, Any], instrument: str) -> dict[str, Any]:
    (found,) = [survey for survey in case["surveys"] if survey["instrument"] == instrument]
    return dict(found)


async def reviewed(hub: Triage, case: dict[str, Any], count: int = 2) -> list[str]:
    """Put a case under joint review of so many services."""
    services = [{"service_id": new_id(), "partner_id": new_id(), "need": "counselling"} for _ in range(count)]
    review = ReviewOpenedV1.model_validate(
        {
            "case_id": case["id"],
            "referral_id": case["referral_id"],
            "version": case["version"],
            "services": services,
        }
    )
    await hub.hear(review)
    return [str(service["service_id"]) for service in services]


async def read(hub: Triage, case: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = (await hub.get(f"/v1/cases/{case['id']}")).json()
    return answer


async def test_a_case_shows_what_its_hub_says_and_nothing_else(hub: Triage) -> None:
    case = await hub.open_case(markers=["domestic_abuse"])
    assert (case["decision"]["basis"], case["decision"]["by_unit"], case["case_status"]) == ("public_task", None, None)
    assert case["triage"]["level"] == case["level"] == "enhanced"
    assert case["held_needs"] == [{"need": "domestic_abuse", "next": "community_provision"}]
    (contact,) = case["contacts"]
    assert contact["clock"] == {"start": "2026-11-19T08:30:00Z", "amount": 24, "unit": "hours"}
    assert (contact["due_at"], contact["planned_at"]) == ("2026-11-20T08:30:00Z", "2026-11-19T08:30:00Z")
    assert (contact["automated"], contact["at"], contact["unit"]) == (False, None, None)
    assert (case["plan"], case["assignment"], case["review"], case["lead_service_id"]) == (None, None, None, None)
    assert (case["refused_methods"], case["surveys"], case["linked_to_previous"]) == ([], [], False)
    listed = (await hub.get("/v1/cases")).json()["items"]
    assert listed[0]["case_status"] is None


async def test_a_judgement_stands_over_the_rules_and_is_told(hub: Triage) -> None:
    case = await hub.open_case()
    assert case["level"] == "other"
    body = {"enhanced": True, "reason": "lives_alone", "decided_by": "hub_manager"}
    judged = await hub.done(case, "judgements", body)
    assert (judged["level"], judged["entitlement"]["level"], judged["version"]) == ("enhanced", "enhanced", 2)
    assert [contact["id"] for contact in judged["contacts"]] == [contact["id"] for contact in case["contacts"]]
    said = (await hub.said_of("case.triaged.v1"))[0]["data"]
    assert (said["version"], said["entitlement"], said["priority"]) == (2, "enhanced", "enhanced")
    entry = judged["timeline"][-1]
    assert (entry["type"], entry["codes"]["decided_by"]) == ("judgement.decided", "staff")
    assert entry["codes"]["details"]["judged_by"] == "hub_manager"
    back = await hub.done(judged, "judgements", {"enhanced": False, "decided_by": "hub_manager"})
    assert back["level"] == "other"


async def test_the_answer_to_the_offer_ends_the_offer_and_starts_what_follows(hub: Triage) -> None:
    case = await hub.done(await hub.open_case(), "offers", {"answer": "accepted", "at": "2026-11-19T08:00:00+00:00"})
    assert (case["status"], purposes(case)) == ("open", ["support_offered"])
    same = await hub.done(case, "offers", {"answer": "accepted"})
    assert [contact["id"] for contact in same["contacts"]] == [contact["id"] for contact in case["contacts"]]


async def test_who_declined_is_left_in_peace_and_may_opt_in_later(hub: Triage) -> None:
    case = await hub.done(await hub.open_case(), "offers", {"answer": "declined"})
    assert (case["status"], case["case_status"], purposes(case)) == ("declined", "declined_door_open", [])
    said = (await hub.said_of("case.closed.v1"))[0]["data"]
    assert (said["reason"], said["version"]) == ("offer_declined", 2)
    listed = (await hub.get("/v1/cases", params={"status": "declined"})).json()["items"]
    assert listed[0]["case_status"] == "declined_door_open"
    case = await hub.done(case, "offers", {"answer": "accepted"})
    assert (case["status"], case["case_status"], purposes(case)) == ("open", None, ["support_offered"])
    assert (await hub.said_of("case.triaged.v1"))[0]["data"]["version"] == 3


async def test_a_renewed_offer_reopens_the_same_case(hub: Triage) -> None:
    opened = await hub.open_case()
    declined = await hub.done(opened, "offers", {"answer": "declined"})
    again = await hub.done(declined, "reopen", {"by": "officer_in_the_case", "accepted": False})
    assert (again["status"], again["linked_to_previous"]) == ("declined", False)
    case = await hub.done(again, "reopen", {"by": "officer_in_the_case", "accepted": True})
    assert (case["id"], case["status"], case["case_status"]) == (opened["id"], "open", "reopened")
    assert (case["linked_to_previous"], case["decision"]["outcome"]) == (True, "accepted")
    refused = await hub.post(case, "reopen", {"by": "officer_in_the_case", "accepted": True})
    assert (refused.status_code, refused.json()["code"]) == (409, "wrong_state")
    assert refused.json()["detail"] == "This needs a case that is closed or declined; this one is open"


async def test_a_hub_may_not_offer_again(tmp_path: Path) -> None:
    async with running(tmp_path, profile_file(tmp_path, "re_offer: {allowed: false}")) as hub:
        case = await hub.done(await hub.open_case(), "close", {})
        assert (await hub.post(case, "reopen", {"by": "officer", "accepted": True})).json()["code"] == "wrong_state"


async def test_a_contact_is_booked_by_the_methods_that_the_hub_has(hub: Triage) -> None:
    case = await hub.done(await hub.open_case(), "contacts", {"method": "face_to_face"})
    booked = case["contacts"][-1]
    assert (booked["purpose"], booked["methods"], booked["due_at"]) == ("support", ["phone", "letter", "text"], None)
    assert case["refused_methods"] == ["face_to_face"]
    case = await hub.done(case, "contacts", {"method": "phone", "purpose": "court_visit"})
    assert [contact["methods"] for contact in case["contacts"][1:]] == [["phone", "letter", "text"], ["phone"]]
    assert purposes(case)[1:] == ["support", "court_visit"]
    assert case["refused_methods"] == ["face_to_face"]


async def test_a_booked_contact_uses_no_unsafe_method(hub: Triage) -> None:
    opened = await hub.open_case(safe_contact={"text": False})
    case = await hub.done(opened, "contacts", {"method": "text"})
    booked = case["contacts"][-1]
    assert (booked["state"], booked["methods"]) == ("suspended", [])
    assert booked["left_out"] == [{"method": "text", "reason": "said_unsafe"}]


async def test_failed_attempts_bring_the_fallback_and_reaching_the_person_ends_the_contact(hub: Triage) -> None:
    case = await hub.open_case()
    (offer,) = case["contacts"]
    call = f"contacts/{offer['id']}/attempts"
    case = await hub.done(case, call, {"method": "phone", "outcome": "no_answer"})
    assert purposes(case) == ["offer"]
    case = await hub.done(case, "attempts", {"method": "phone", "outcome": "wrong_details"})
    assert purposes(case) == ["offer", "how_to_contact"]
    case = await hub.done(case, call, {"method": "phone", "outcome": "reached", "at": "2026-11-19T08:00:00Z"})
    assert purposes(case) == []
    refused = await hub.post(case, call, {"method": "phone", "outcome": "reached"})
    assert (refused.status_code, refused.json()["detail"]) == (
        409,
        "This needs a contact that waits; this one is done",
    )
    case = await hub.done(case, "judgements", {"enhanced": True, "decided_by": "hub_manager"})
    assert purposes(case) == []  # what is done is never planned again


async def test_an_attempt_needs_a_contact_of_the_same_case(hub: Triage) -> None:
    case, other = await hub.open_case(), await hub.open_case()
    for contact_id in (new_id(), other["contacts"][0]["id"]):
        answer = await hub.post(case, f"contacts/{contact_id}/attempts", {"method": "phone", "outcome": "reached"})
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_an_assessment_may_find_more_than_needs(hub: Triage) -> None:
    case = await hub.open_case(needs=["counselling"])
    body = {"needs": ["idva"], "kind": "initial", "sections": ["impact"], "findings": ["case_manager_required"]}
    answer = await hub.post(case, "assessments", body)
    assert (answer.status_code, answer.json()["needs"]) == (201, ["idva"])
    case = await read(hub, case)
    assert (case["needs"], case["needs_assessment"]["kind"]) == (["idva"], "detailed")
    assert case["timeline"][-1]["codes"]["details"]["findings"] == ["case_manager_required"]
    again = await hub.post(case, "assessments", {"needs": ["advocacy"], "kind": "detailed"})
    assert again.status_code == 201
    assert (await read(hub, case))["needs_assessment"]["kind"] == "detailed"


async def test_the_persons_choice_is_told_once_it_is_made(hub: Triage) -> None:
    case = await hub.open_case(needs=["counselling"])
    options = [str(new_id()), str(new_id())]
    case = await hub.done(case, "choices", {"need": "counselling", "options": options})
    said = (await hub.said_of("case.triaged.v1"))[0]["data"]
    assert said["choices"] == []
    stranger = await hub.post(case, "choices", {"need": "counselling", "service_id": str(new_id())})
    (error,) = stranger.json()["errors"]
    assert (stranger.status_code, error["pointer"], error["code"]) == (422, "/service_id", "not_an_option")
    await hub.done(case, "choices", {"need": "counselling", "service_id": options[1]})
    said = (await hub.said_of("case.triaged.v1", 2))[1]["data"]
    assert [(choice["need"], choice["service_id"]) for choice in said["choices"]] == [("counselling", options[1])]


async def test_a_request_frees_a_need_that_was_held_and_starts_its_clock(hub: Triage) -> None:
    case = await hub.open_case(markers=["domestic_abuse"])
    assert case["needs"] == []
    case = await hub.done(case, "onward-referrals", {"needs": ["domestic_abuse"]})
    assert (case["needs"], case["held_needs"]) == (["domestic_abuse"], [])
    hub.clock.advance(timedelta(hours=4))
    case = await hub.done(case, "onward-referrals", {"needs": ["idva"]})
    assert case["needs"] == ["domestic_abuse", "idva"]
    assert case["contacts"][-1]["clock"]["start"] == "2026-11-19T12:30:00Z"
    said = [found["data"] for found in await hub.said_of("case.triaged.v1", 2)]
    assert [found["requested_needs"] for found in said] == [["domestic_abuse"], ["idva"]]
    case = await hub.done(case, "judgements", {"enhanced": True, "decided_by": "hub_manager"})
    assert (await hub.said_of("case.triaged.v1", 3))[-1]["data"]["requested_needs"] == []  # asked for once


async def test_a_review_waits_for_exactly_one_lead(hub: Triage) -> None:
    opened = await hub.open_case(needs=["counselling"], local_authority_area="area_x")
    early = await hub.post(opened, "leads", {"service_ids": [str(new_id())]})
    assert (early.status_code, early.json()["code"]) == (409, "wrong_state")
    first, second = await reviewed(hub, opened)
    case = await read(hub, opened)
    assert (case["status"], case["decision"]["outcome"]) == ("pending", "pending")
    assert case["decision"]["reason"] == "lead_provider_not_agreed"
    assert (case["review"]["area"], case["review"]["meeting_at"]) == ("area_x", "2026-11-21T10:00:00Z")
    stranger = await hub.post(case, "leads", {"service_ids": [first, str(new_id())]})
    assert [error["pointer"] for error in stranger.json()["errors"]] == ["/service_ids/1"]
    case = await hub.done(case, "leads", {"service_ids": [first, second]})
    assert (case["decision"]["reason"], case["lead_service_id"]) == ("exactly_one_lead_required", None)
    views = [{"service_id": first, "view": "support"}, {"service_id": second, "view": "lead"}]
    case = await hub.done(case, "leads", {"service_ids": [second], "views": views})
    assert (case["status"], case["decision"]["outcome"], case["lead_service_id"]) == ("open", "accepted", second)
    assert case["timeline"][-1]["codes"]["details"]["views"] == views
    said = [found["data"] for found in await hub.said_of("case.triaged.v1", 3)]
    assert [found.get("lead_service_id") for found in said] == [None, None, second]
    await reviewed(hub, case, 3)
    assert (await read(hub, case))["version"] == case["version"]  # it has its lead


async def test_the_same_review_again_changes_nothing_and_another_replaces_it(hub: Triage) -> None:
    case = await hub.open_case(needs=["counselling"])
    await reviewed(hub, case)
    case = await read(hub, case)
    again = {"case_id": case["id"], "referral_id": case["referral_id"], "version": 9}
    same = [
        {name: service[name] for name in ("service_id", "partner_id", "need")} for service in case["review"]["services"]
    ]
    await hub.hear(ReviewOpenedV1.model_validate({**again, "services": list(reversed(same))}))
    assert (await read(hub, case))["version"] == case["version"]
    await reviewed(hub, case, 3)
    assert len((await read(hub, case))["review"]["services"]) == 3


async def test_a_review_of_a_closed_case_is_not_opened(hub: Triage) -> None:
    case = await hub.done(await hub.open_case(), "close", {})
    await reviewed(hub, case)
    assert (await read(hub, case))["version"] == case["version"]


async def test_the_plea_at_the_newest_hearing_starts_updates(hub: Triage) -> None:
    case = await hub.done(await hub.open_case(), "events", {"type": "hearing_listed", "on": "2026-12-01"})
    assert case["case_updates"]["started"] is False
    case = await hub.done(case, "events", {"type": "plea_entered", "plea": "not_guilty", "on": "2026-12-01"})
    assert case["case_updates"] == {"started": True, "content": ["case_progress"]}
    case = await hub.done(case, "events", {"type": "plea_entered", "plea": "guilty", "on": "2026-11-01"})
    assert case["case_updates"]["started"] is True
    case = await hub.done(case, "events", {"type": "plea_entered", "plea": "guilty", "on": "2026-12-05"})
    assert case["case_updates"]["started"] is False


async def test_a_closed_case_sends_its_surveys_once(hub: Triage) -> None:
    opened = await hub.open_case()
    case = await hub.done(opened, "close", {"reason": "support_ended"})
    assert (case["status"], purposes(case)) == ("closed", [])
    assert survey(case, "exit_survey")["sent"] is True
    said = (await hub.said_of("case.closed.v1"))[0]["data"]
    assert (said["reason"], said["version"]) == ("support_ended", 2)
    (asked,) = await hub.said_of("message.requested.v1")
    assert (asked["data"]["purpose"], asked["data"]["methods"]) == ("survey", ["text"])
    assert (asked["data"]["content"], asked["data"]["case_id"]) == (["exit_survey"], opened["id"])
    corrected = received(referral_id=opened["referral_id"], version=2, markers=["vulnerable"])
    await hub.hear(corrected)
    case = await hub.case_of(corrected)
    assert (case["status"], case["version"], survey(case, "exit_survey")["sent"]) == ("closed", 3, True)
    await hub.said_of("case.closed.v1", 2)
    assert len(await hub.said_of("message.requested.v1")) == 1


async def test_a_survey_that_is_due_goes_to_those_who_agreed(hub: Triage) -> None:
    case = await hub.done(await hub.open_case(), "surveys", {})
    assert survey(case, "survey")["reason"] == "no_survey_consent"
    case = await hub.done(await hub.open_case(consents=[AGREED]), "surveys", {"instrument": "survey"})
    assert survey(case, "survey")["sent"] is True
    (asked,) = await hub.said_of("message.requested.v1")
    assert (asked["data"]["case_id"], asked["data"]["content"]) == (case["id"], ["survey"])


async def test_a_late_exclusion_stops_everything_and_keeps_what_was_done(tmp_path: Path) -> None:
    text = HUB + "\nexclusions: [{id: rape, when: {crimes: [sexual.rape]}, reason: rape}]\n"
    async with running(tmp_path, profile_file(tmp_path, text)) as hub:
        opened = await hub.open_case()
        judged = await hub.done(opened, "judgements", {"enhanced": True, "decided_by": "hub_manager"})
        rape = received(referral_id=opened["referral_id"], version=2, crime="sexual.rape")
        await hub.hear(rape)
        case = await read(hub, judged)
        assert (case["status"], case["contacts"], case["triage"]) == ("excluded", [], None)
        assert (await hub.said_of("case.excluded.v1"))[0]["data"]["version"] == 3
        refused = await hub.post(case, "judgements", {"enhanced": False, "decided_by": "hub_manager"})
        assert (refused.status_code, refused.json()["code"]) == (409, "wrong_state")
        await hub.hear(received(referral_id=opened["referral_id"], version=3))
        case = await read(hub, case)
        assert (case["status"], case["level"], purposes(case)) == ("open", "enhanced", ["offer"])


UNITS = """
units: [{id: bureau, decides: true}, {id: support, decides: true}]
channels: [{channel: self_referral, unit: support}, {channel: police_automatic, unit: bureau}]
exclusions:
  - {id: unreported, unit: bureau, when: {reported_to_police: false}, outcome: out_of_scope, reason: crime_not_reported}
contacts: [{id: call, unit: support, within: {amount: 24, unit: hours}}]
"""


async def test_a_case_shows_what_each_unit_decided(tmp_path: Path) -> None:
    async with running(tmp_path, profile_file(tmp_path, UNITS)) as hub:
        crime = {"category": "burglary.residential", "reported_to_police": False}
        case = await hub.open_case(channel="self_referral", crime=crime)
        assert case["decision"]["by_unit"] == {
            "bureau": {"outcome": "out_of_scope", "reason": "crime_not_reported"},
            "support": {"outcome": "accepted", "reason": None},
        }
        assert [(contact["unit"], contact["by"]) for contact in case["contacts"]] == [("support", "support")]


VERSIONS = (
    "{version: v1, valid_to: 2026-11-18, triage: {levels: [{id: old, level: old, text: The old way.}]}}",
    "{version: v2, valid_from: 2026-11-19, triage: {levels: [{id: new, level: new}]}}",
)


async def test_a_case_stays_with_the_version_of_the_day_it_was_received(tmp_path: Path) -> None:
    async with running(tmp_path, profile_file(tmp_path, *VERSIONS)) as hub:
        assert (await hub.open_case())["level"] == "new"
        case = await hub.open_case(received_at=NOW - timedelta(days=1))
        case = await hub.done(case, "judgements", {"enhanced": True, "decided_by": "hub_manager"})
        assert (case["level"], case["decision"]["profile_version"]) == ("old", "v1")
        told = (await hub.get(f"/v1/cases/{case['id']}/explanation")).json()
        assert ("old", "The old way.") in [(rule["id"], rule["text"]) for rule in told["rules"]]


GOOD: dict[str, Any] = {
    "judgements": {"enhanced": True, "decided_by": "hub_manager"},
    "offers": {"answer": "accepted"},
    "contacts": {"method": "phone"},
    "attempts": {"method": "phone", "outcome": "no_answer"},
    "assessments": {"needs": ["idva"]},
    "choices": {"need": "idva"},
    "onward-referrals": {"needs": ["idva"]},
    "leads": {"service_ids": [str(new_id())]},
    "events": {"type": "trial"},
    "surveys": {},
    "close": {},
    "reopen": {"by": "officer", "accepted": True},
}


@pytest.mark.parametrize("call", GOOD)
async def test_every_call_needs_the_version_that_was_read_and_the_right_to_write(hub: Triage, call: str) -> None:
    case = await hub.open_case()
    path = f"/v1/cases/{case['id']}/{call}"
    missing = await hub.client.post(path, json=GOOD[call], headers=hub.headers("cases:write"))
    assert (missing.status_code, missing.json()["code"]) == (428, "precondition_required")
    stale = await hub.post({**case, "version": 7}, call, GOOD[call])
    assert (stale.status_code, stale.json()["code"]) == (412, "version_mismatch")
    unknown = await hub.post({**case, "id": new_id()}, call, GOOD[call])
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
    reader = {**hub.headers("cases:read"), "if-match": '"1"'}
    assert (await hub.client.post(path, json=GOOD[call], headers=reader)).status_code == 403
    assert (await read(hub, case))["version"] == 1


BAD: list[tuple[str, dict[str, Any], str, str]] = [
    ("judgements", {"enhanced": "yes", "decided_by": "x"}, "/enhanced", "wrong_type"),
    ("judgements", {"enhanced": True}, "/decided_by", "missing"),
    ("judgements", {"enhanced": True, "decided_by": "x", "reason": "x" * 41}, "/reason", "too_long"),
    ("judgements", {"enhanced": True, "decided_by": "x", "reason": "Alex told me"}, "/reason", "not_a_code"),
    ("offers", {"answer": "perhaps"}, "/answer", "unknown_code"),
    ("offers", {"answer": "accepted", "at": "2026-11-20T08:30:00Z"}, "/at", "in_future"),
    ("offers", {"answer": "accepted", "at": "yesterday"}, "/at", "not_an_instant"),
    ("contacts", {"method": "pigeon"}, "/method", "unknown_code"),
    ("contacts", {"method": "phone", "purpose": "x" * 41}, "/purpose", "too_long"),
    ("attempts", {"method": "phone", "outcome": "perhaps"}, "/outcome", "unknown_code"),
    ("attempts", {"method": "phone", "outcome": "reached", "at": "2026-11-20T08:30:00Z"}, "/at", "in_future"),
    ("assessments", {"needs": ["idva"], "findings": ["luck"]}, "/findings/0", "unknown_code"),
    ("assessments", {"needs": ["idva"], "more": 1}, "/more", "unknown_field"),
    ("choices", {"need": "luck"}, "/need", "unknown_code"),
    ("choices", {"need": "idva", "options": ["x"]}, "/options/0", "not_an_id"),
    ("onward-referrals", {"needs": []}, "/needs", "too_short"),
    ("leads", {"service_ids": []}, "/service_ids", "too_short"),
    ("events", {"type": "verdict"}, "/type", "unknown_code"),
    ("events", {"type": "plea_entered"}, "/plea", "missing"),
    ("events", {"type": "trial", "plea": "guilty"}, "/plea", "plea_without_hearing"),
    ("events", {"type": "trial", "on": "2026-02-30"}, "/on", "not_a_date"),
    ("surveys", {"instrument": "exit_survey"}, "/instrument", "unknown_code"),
    ("close", {"reason": "Mrs Example moved"}, "/reason", "not_a_code"),
    ("reopen", {"by": "officer"}, "/accepted", "missing"),
]


@pytest.mark.parametrize(("call", "body", "pointer", "code"), BAD)
async def test_bad_input_is_refused_with_its_place(
    hub: Triage, call: str, body: dict[str, Any], pointer: str, code: str
) -> None:
    answer = await hub.post(await hub.open_case(), call, body)
    assert answer.status_code == 422, answer.text
    assert [(error["pointer"], error["code"]) for error in answer.json()["errors"]] == [(pointer, code)]


@pytest.mark.parametrize("call", sorted(GOOD.keys() - {"reopen", "surveys"}))
async def test_a_closed_case_takes_nothing_more(hub: Triage, call: str) -> None:
    case = await hub.done(await hub.open_case(), "close", {})
    answer = await hub.post(case, call, GOOD[call])
    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")
