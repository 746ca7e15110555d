"""The HTTP door: who may, what is answered, and the journey of one onward referral."""

import asyncio
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from hubkit.auth import route_guards
from hubkit.contracts import AgreementChangedV1, ConsentRecordedV1, ConsentWithdrawnV1
from hubkit.ids import new_id
from services.partners.actions.permits import permits_for, settle_permits
from services.partners.model import DECLINE_REASONS
from services.partners.store import registry
from tests.services.partners.support import Running, consent
from tests.services.partners.test_onward import add_endpoint, deliveries

GIVEN = {
    "hop": "hub_to_partner",
    "decision": "given",
    "recipients": ["counselling"],
    "data_categories": ["identity", "contact"],
    "method": "spoken",
}
WITHDRAWN = {"hop": "hub_to_partner", "decision": "withdrawn", "recipients": ["counselling"]}
#: Less than the person gave before: the rest is taken back by it.
LESS = WITHDRAWN | {"decision": "given", "data_categories": ["needs"], "method": "spoken"}


def test_every_public_route_has_a_guard(partners: Running) -> None:
    assert partners.app is not None
    guards = {route: found for route, found in route_guards(partners.app).items() if " /v1/" in route}
    assert len(guards) >= 14
    assert [route for route, found in guards.items() if not found] == []


async def test_a_partner_reads_accepts_and_closes(partners: Running) -> None:
    onward_id = await partners.request(await partners.open_case(consent()))
    path = f"/v1/onward-referrals/{onward_id}"
    listed = await partners.call("GET", "/v1/onward-referrals", "onward:read")
    assert [item["id"] for item in listed.json()["items"]] == [str(onward_id)]
    read = await partners.call("GET", path, "onward:read")
    assert (read.status_code, read.headers["etag"]) == (200, '"3"')
    body = read.json()
    assert (body["status"], body["kind"], body["version"]) == ("received", "counselling", 3)
    assert body["disclosure"]["fields"]["given_name"] == "Alex"
    assert body["disclosure"]["basis"] == "consent"
    assert body["sent_at"] == "2026-11-19T09:00:00Z"
    accepted = await partners.call("POST", f"{path}/accept", "onward:write", if_match='"3"')
    assert (accepted.status_code, accepted.json()["status"], accepted.headers["etag"]) == (200, "accepted", '"4"')
    begun = await partners.call("POST", f"{path}/progress", "onward:write", if_match='"4"')
    assert begun.json()["status"] == "in_support"
    closed = await partners.call("POST", f"{path}/close", "onward:write", {"outcome": "completed"}, if_match='"5"')
    assert (closed.json()["status"], closed.json()["outcome"]) == ("closed", "completed")
    said = [(each.TYPE, getattr(each, "status", None)) for each in await partners.said(onward_id)]
    assert said == [
        ("onward_referral.sent.v1", "sent"),
        ("onward_referral.received.v1", "received"),
        ("disclosure.made.v1", None),
        ("onward_referral.accepted.v1", "accepted"),
        ("onward_referral.accepted.v1", "in_support"),
        ("onward_referral.closed.v1", "closed"),
    ]
    assert (await partners.call("GET", path, "onward:read")).json()["code"] == "closed"


async def test_a_partner_declines_with_coded_reasons(partners: Running) -> None:
    onward_id = await partners.request(await partners.open_case(consent()))
    path = f"/v1/onward-referrals/{onward_id}/decline"
    unknown = await partners.call("POST", path, "onward:write", {"reasons": ["mood"]}, if_match='"2"')
    assert (unknown.status_code, unknown.json()["errors"][0]["code"]) == (422, "unknown_code")
    none = await partners.call("POST", path, "onward:write", {"reasons": []}, if_match='"2"')
    assert none.status_code == 422
    declined = await partners.call("POST", path, "onward:write", {"reasons": ["capacity_full"]}, if_match='"2"')
    assert (declined.json()["status"], declined.json()["reasons"]) == ("declined", ["capacity_full"])
    assert (await partners.said(onward_id))[-1].reasons == ("capacity_full",)


async def test_if_match_is_needed_and_must_be_right(partners: Running) -> None:
    onward_id = await partners.request(await partners.open_case(consent()))
    path = f"/v1/onward-referrals/{onward_id}/accept"
    assert (await partners.call("POST", path, "onward:write")).status_code == 428
    assert (await partners.call("POST", path, "onward:write", if_match='"1"')).status_code == 412
    assert (await partners.call("POST", path, "onward:write", if_match='"2"')).status_code == 200
    again = await partners.call("POST", path, "onward:write", if_match='"3"')
    assert (again.status_code, again.json()["code"]) == (409, "wrong_state")


async def test_the_same_answer_again_changes_nothing_and_another_one_is_too_late(partners: Running) -> None:
    onward_id = await partners.request(await partners.open_case(consent()))
    path = f"/v1/onward-referrals/{onward_id}"
    reasons = {"reasons": ["capacity_full"]}
    first = await partners.call("POST", f"{path}/decline", "onward:write", reasons, if_match='"2"')
    again = await partners.call("POST", f"{path}/decline", "onward:write", reasons, if_match='"2"')
    assert (again.status_code, again.json()) == (200, first.json())
    other = {"reasons": ["outside_area"]}
    for move, body in (("decline", other), ("accept", None)):
        late = await partners.call("POST", f"{path}/{move}", "onward:write", body, if_match='"2"')
        assert late.status_code == 412
    assert [each.status for each in await partners.said(onward_id)] == ["sent", "declined"]


async def test_a_partner_says_that_it_arrived_as_often_as_it_likes(partners: Running) -> None:
    onward_id = await partners.request(await partners.open_case(consent()))
    path = f"/v1/onward-referrals/{onward_id}"
    for _ in range(2):
        arrived = await partners.call("POST", f"{path}/receive", "onward:write")
        assert (arrived.status_code, arrived.json()["status"], arrived.headers["etag"]) == (200, "received", '"3"')
    await partners.call("POST", f"{path}/decline", "onward:write", {"reasons": ["capacity_full"]}, if_match='"3"')
    late = await partners.call("POST", f"{path}/receive", "onward:write")
    assert (late.status_code, late.json()["code"]) == (409, "wrong_state")
    assert [each.status for each in await partners.said(onward_id)] == ["sent", "received", "declined"]
    stranger = await partners.call("POST", f"{path}/receive", "onward:write", kind="idva")
    assert stranger.status_code == 404


async def test_staff_take_back_what_a_partner_has_accepted(partners: Running) -> None:
    await add_endpoint(partners)
    onward_id = await partners.request(await partners.open_case(consent()))
    path = f"/v1/onward-referrals/{onward_id}"
    await partners.call("POST", f"{path}/accept", "onward:write", if_match='"1"')
    assert (await partners.call("POST", f"{path}/recall", "onward:write", {"reason": "not_needed"})).status_code == 403
    unknown = await partners.call("POST", f"{path}/recall", "cases:write", {"reason": "no_answer"})
    assert (unknown.status_code, unknown.json()["errors"][0]["code"]) == (422, "unknown_code")
    for _ in range(2):
        recalled = await partners.call("POST", f"{path}/recall", "cases:write", {"reason": "unsafe_for_person"})
        assert (recalled.status_code, recalled.json()["status"], recalled.json()["version"]) == (200, "recalled", 4)
    said = (await partners.said(onward_id))[-1]
    assert (said.TYPE, said.status, said.reasons) == (
        "onward_referral.withdrawn.v1", "recalled", ("unsafe_for_person",)
    )  # fmt: skip
    assert (onward_id, "onward_referral.withdrawn") in [(row[0], row[1]) for row in await deliveries(partners)]
    refused = await partners.call("GET", path, "onward:read")
    assert (refused.status_code, refused.json()["code"]) == (403, "unsafe_for_person")
    actions = (await partners.call("GET", f"{path}/actions", "onward:read onward:write")).json()
    assert actions["reasons"] == [{"code": "unsafe_for_person", "text": "it would not be safe for the person"}]
    assert {each["allowed"] for each in actions["actions"]} == {False}


async def test_what_has_ended_is_not_recalled(partners: Running) -> None:
    onward_id = await partners.request(await partners.open_case(consent()))
    path = f"/v1/onward-referrals/{onward_id}"
    await partners.call("POST", f"{path}/decline", "onward:write", {"reasons": ["capacity_full"]}, if_match='"2"')
    late = await partners.call("POST", f"{path}/recall", "cases:write", {"reason": "not_needed"})
    assert (late.status_code, late.json()["code"]) == (409, "wrong_state")
    missing = await partners.call(
        "POST", f"/v1/onward-referrals/{new_id()}/recall", "cases:write", {"reason": "not_needed"}
    )
    assert missing.status_code == 404


async def test_an_answer_may_come_before_the_webhooks_own_answer_is_written(partners: Running) -> None:
    await add_endpoint(partners)
    partners.deps.handover.take = lambda _leased: None
    onward_id = await partners.request(await partners.open_case(consent()))
    path = f"/v1/onward-referrals/{onward_id}"
    actions = await partners.call("GET", f"{path}/actions", "onward:read onward:write")
    assert (actions.headers["etag"], actions.json()["actions"][0]["allowed"]) == ('"1"', True)
    answer = await partners.call("POST", f"{path}/accept", "onward:write", if_match='"1"')
    assert (answer.status_code, answer.json()["status"], answer.json()["version"]) == (200, "accepted", 3)
    assert [each.status for each in await partners.said(onward_id)] == ["sent", "accepted"]


async def test_ten_answers_at_once_are_one(partners: Running) -> None:
    onward_id = await partners.request(await partners.open_case(consent()))
    path = f"/v1/onward-referrals/{onward_id}/accept"
    answers = await asyncio.gather(*(partners.call("POST", path, "onward:write", if_match='"2"') for _ in range(10)))
    assert {(answer.status_code, answer.json()["version"]) for answer in answers} == {(200, 3)}
    assert [each.status for each in await partners.said(onward_id)] == ["sent", "accepted"]


async def test_actions_say_what_may_be_done_now_and_why_not_the_rest(partners: Running) -> None:
    onward_id = await partners.request(await partners.open_case(consent()))
    path = f"/v1/onward-referrals/{onward_id}/actions"
    answer = await partners.call("GET", path, "onward:read onward:write")
    assert answer.headers["etag"] == '"2"'
    assert [(each["name"], each["allowed"], each["reasons"]) for each in answer.json()["actions"]] == [
        ("receive", True, []),
        ("accept", True, []),
        ("decline", True, []),
        ("progress", False, ["wrong_state"]),
        ("close", False, ["wrong_state"]),
        ("read", True, []),
    ]
    without = (await partners.call("GET", path, "onward:read")).json()["actions"]
    assert without[1] == {"name": "accept", "allowed": False, "reasons": ["insufficient_scope"], "options": []}
    decline = next(each for each in answer.json()["actions"] if each["name"] == "decline")
    assert {"code": "capacity_full", "text": "it has no room"} in decline["options"]
    assert {each["code"] for each in decline["options"]} == set(DECLINE_REASONS)


async def test_a_partner_sees_why_it_may_not_read_now_without_trying(partners: Running) -> None:
    """What is agreed has changed since it was sent; a reading would be refused with the same codes."""
    case_id = await partners.open_case(consent())
    onward_id = await partners.request(case_id)
    path = f"/v1/onward-referrals/{onward_id}"

    async def reasons() -> list[str]:
        read = (await partners.call("GET", f"{path}/actions", "onward:read onward:write")).json()["actions"][-1]
        assert (read["name"], read["allowed"]) == ("read", read["reasons"] == [])
        refused = await partners.call("GET", path, "onward:read")
        assert read["reasons"] == [each["code"] for each in refused.json().get("errors", [])]
        return list(read["reasons"])

    async def agree(**terms: Any) -> list[str]:
        async with partners.db.transaction() as tx:
            await registry.change_agreement(tx, partners.agreements["counselling"], terms)
        return await reasons()

    assert await reasons() == []
    assert await agree(status="suspended") == ["agreement_suspended"]
    assert await agree(status="active", ends_on=date(2026, 11, 18)) == ["agreement_expired"]
    assert await agree(ends_on=None, crimes_excluded=["burglary"]) == ["crime_type_excluded"]
    assert await agree(crimes_excluded=[]) == []
    await partners.call("POST", f"/v1/cases/{case_id}/consents", "cases:write", WITHDRAWN)
    assert await reasons() == ["consent_withdrawn"]


async def test_another_partners_onward_referral_does_not_exist(partners: Running) -> None:
    onward_id = await partners.request(await partners.open_case(consent()))
    path = f"/v1/onward-referrals/{onward_id}"
    for method, where, scope in [
        ("GET", path, "onward:read"),
        ("GET", f"{path}/actions", "onward:read"),
        ("POST", f"{path}/accept", "onward:write"),
    ]:
        answer = await partners.call(method, where, scope, kind="idva", if_match='"2"')
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert (await partners.call("GET", "/v1/onward-referrals", "onward:read", kind="idva")).json()["items"] == []
    assert (await partners.call("GET", "/v1/onward-referrals", "onward:read", kind="nobody")).json()["items"] == []


async def test_without_the_scope_nothing_is_answered(partners: Running) -> None:
    onward_id = await partners.request(await partners.open_case(consent()))
    answer = await partners.call("GET", f"/v1/onward-referrals/{onward_id}", "onward:write")
    assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")
    assert partners.intake.asked == []


async def test_lists_go_on_by_cursor_and_a_cursor_belongs_to_its_client(partners: Running) -> None:
    ids = [str(await partners.request(await partners.open_case(consent()))) for _ in range(3)]
    first = (await partners.call("GET", "/v1/onward-referrals?limit=2", "onward:read")).json()
    cursor = first["next_cursor"]
    second = (await partners.call("GET", f"/v1/onward-referrals?limit=2&cursor={cursor}", "onward:read")).json()
    assert [item["id"] for item in first["items"] + second["items"]] == ids
    assert second["next_cursor"] is None
    other = await partners.call("GET", f"/v1/onward-referrals?cursor={cursor}", "onward:read", kind="idva")
    assert (other.status_code, other.json()["code"]) == (400, "invalid_cursor")
    by_status = await partners.call("GET", "/v1/onward-referrals?status=accepted", "onward:read")
    assert by_status.json()["items"] == []


async def test_recording_consent_sends_what_waited(partners: Running) -> None:
    case_id = await partners.open_case()
    onward_id = await partners.request(case_id)
    missing = await partners.call("GET", f"/v1/onward-referrals/{onward_id}", "onward:read")
    assert missing.status_code == 404
    answer = await partners.call("POST", f"/v1/cases/{case_id}/consents", "cases:write", GIVEN)
    assert answer.status_code == 201
    assert answer.json()["recorded_at"] == "2026-11-19T09:00:00Z"
    assert (await partners.call("GET", f"/v1/onward-referrals/{onward_id}", "onward:read")).status_code == 200
    [recorded] = await partners.said(case_id)
    assert isinstance(recorded, ConsentRecordedV1)
    assert str(recorded.consent_id) == answer.json()["id"]
    listed = (await partners.call("GET", f"/v1/cases/{case_id}/consents", "cases:read")).json()["items"]
    assert [(each["id"], each["decision"]) for each in listed] == [(answer.json()["id"], "given")]


async def test_withdrawal_answers_what_went_out_and_tells_the_partner(partners: Running) -> None:
    await add_endpoint(partners)
    partners.deps.handover.take = lambda _leased: None
    case_id = await partners.open_case(consent())
    onward_id = await partners.request(case_id)
    disclosed = (await partners.call("GET", f"/v1/onward-referrals/{onward_id}", "onward:read")).json()["disclosure"]
    # The delivery's permit is not settled by anybody: the answer waits until it has expired.
    partners.clock.advance(timedelta(seconds=21))
    answer = await partners.call("POST", f"/v1/cases/{case_id}/consents", "cases:write", WITHDRAWN)
    body = answer.json()
    assert answer.status_code == 201
    assert body["withdrawn"] == [str(onward_id)]
    assert [each["id"] for each in body["disclosures"]] == [disclosed["id"]]
    assert [each["onward_referral_id"] for each in body["deliveries"]] == [str(onward_id)]
    refused = await partners.call("GET", f"/v1/onward-referrals/{onward_id}", "onward:read")
    assert (refused.status_code, refused.json()["code"]) == (403, "consent_withdrawn")
    assert (onward_id, "onward_referral.withdrawn") in [(row[0], row[1]) for row in await deliveries(partners)]
    assert isinstance((await partners.said(case_id))[-1], ConsentWithdrawnV1)


@pytest.mark.parametrize("said", [WITHDRAWN, LESS], ids=["withdrawn", "less"])
async def test_what_takes_away_is_answered_once_running_attempts_are_over(
    partners: Running, said: dict[str, Any]
) -> None:
    case_id = await partners.open_case(consent())
    onward_id = await partners.request(case_id)
    async with partners.db.transaction() as tx:
        permit_id = (await permits_for(tx, partners.deps, [onward_id]))[onward_id].permit_id
    assert permit_id is not None
    withdrawing = asyncio.create_task(partners.call("POST", f"/v1/cases/{case_id}/consents", "cases:write", said))
    done, _ = await asyncio.wait([withdrawing], timeout=0.3)
    assert not done
    async with partners.db.transaction() as tx:
        assert (await permits_for(tx, partners.deps, [onward_id]))[onward_id].allowed is (said is LESS)
        await settle_permits(tx, [permit_id])
    assert (await withdrawing).status_code == 201


async def test_a_withdrawal_for_one_recipient_leaves_the_other(partners: Running) -> None:
    case_id = await partners.open_case(consent(recipients=("counselling", "idva")))
    counselling, idva = await partners.request(case_id), await partners.request(case_id, "idva")
    answer = await partners.call("POST", f"/v1/cases/{case_id}/consents", "cases:write", WITHDRAWN)
    assert answer.json()["withdrawn"] == [str(counselling)]
    assert (await partners.row(idva)).status == "sent"


async def test_a_refusal_ends_what_waited(partners: Running) -> None:
    case_id = await partners.open_case()
    onward_id = await partners.request(case_id)
    refused = {**WITHDRAWN, "decision": "refused"}
    assert (await partners.call("POST", f"/v1/cases/{case_id}/consents", "cases:write", refused)).status_code == 201
    row = await partners.row(onward_id)
    assert (row.status, row.reasons) == ("refused", ("consent_refused",))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"hop": "anywhere"}, "unknown_code"),
        ({"decision": "maybe"}, "unknown_code"),
        ({"recipients": ["somebody"]}, "unknown_recipient"),
        ({"data_categories": ["shoe_size"]}, "unknown_code"),
        ({"data_categories": []}, "data_categories_missing"),
        ({"method": "telepathy"}, "unknown_code"),
        ({"recorded_at": "2026-11-19T09:05:01+00:00"}, "in_the_future"),
        ({"recorded_at": "yesterday"}, "not_an_instant"),
        ({"verified": True}, "unknown_field"),
    ],
)
async def test_a_consent_that_is_wrong_is_refused_with_its_code(
    partners: Running, change: dict[str, object], code: str
) -> None:
    case_id = await partners.open_case()
    answer = await partners.call("POST", f"/v1/cases/{case_id}/consents", "cases:write", {**GIVEN, **change})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, code)
    assert (await partners.call("GET", f"/v1/cases/{case_id}/consents", "cases:read")).json()["items"] == []


async def test_a_clock_slightly_ahead_counts_as_now(partners: Running) -> None:
    case_id = await partners.open_case()
    body = {**GIVEN, "recorded_at": "2026-11-19T09:04:59+00:00"}
    answer = await partners.call("POST", f"/v1/cases/{case_id}/consents", "cases:write", body)
    assert answer.json()["recorded_at"] == "2026-11-19T09:00:00Z"


async def test_an_unknown_case_is_not_found(partners: Running) -> None:
    for method, scope, body in (("POST", "cases:write", GIVEN), ("GET", "cases:read", None)):
        answer = await partners.call(method, f"/v1/cases/{new_id()}/consents", scope, body)
        assert answer.status_code == 404


async def test_an_agreement_that_is_suspended_refuses_and_says_so(partners: Running) -> None:
    onward_id = await partners.request(await partners.open_case(consent()))
    agreement_id = partners.agreements["counselling"]
    path = f"/v1/agreements/{agreement_id}"
    found = await partners.call("GET", path, "agreements:read")
    assert (found.json()["status"], found.headers["etag"]) == ("active", '"1"')
    terms = {"status": "suspended", "starts_on": "2026-01-01", "ends_on": None}
    assert (await partners.call("PUT", path, "agreements:write", terms)).status_code == 428
    changed = await partners.call("PUT", path, "agreements:write", terms, if_match='"1"')
    assert (changed.status_code, changed.json()["version"], changed.headers["etag"]) == (200, 2, '"2"')
    assert (await partners.call("PUT", path, "agreements:write", terms, if_match='"1"')).status_code == 412
    refused = await partners.call("GET", f"/v1/onward-referrals/{onward_id}", "onward:read")
    assert (refused.status_code, refused.json()["code"]) == (403, "agreement_suspended")
    [said] = await partners.said(agreement_id)
    assert isinstance(said, AgreementChangedV1)
    assert (said.version, said.status) == (2, "suspended")


async def test_an_agreement_does_not_end_before_it_starts(partners: Running) -> None:
    path = f"/v1/agreements/{partners.agreements['counselling']}"
    terms = {"status": "active", "starts_on": "2026-02-01", "ends_on": "2026-01-31"}
    answer = await partners.call("PUT", path, "agreements:write", terms, if_match='"1"')
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "ends_before_start")
    assert (await partners.call("GET", f"/v1/agreements/{new_id()}", "agreements:read")).status_code == 404


async def test_partners_and_agreements_are_listed(partners: Running) -> None:
    listed = (await partners.call("GET", "/v1/partners?limit=1", "cases:read")).json()
    assert [each["organisation"] for each in listed["items"]] == ["org-counselling"]
    assert listed["next_cursor"]
    agreements = (await partners.call("GET", "/v1/agreements", "agreements:read")).json()["items"]
    assert [UUID(each["id"]) for each in agreements] == [
        partners.agreements["counselling"],
        partners.agreements["idva"],
    ]
    assert agreements[0]["starts_on"] == "2026-01-01"
