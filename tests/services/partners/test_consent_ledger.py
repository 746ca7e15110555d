"""The consent ledger: who gave what how, what is refused on arrival, and drafts that decide nothing."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text

from hubkit.db import table_of
from services.partners.tables.cases import Consent
from tests.services.partners.support import NOW, Running, consent

GIVEN: dict[str, Any] = {
    "hop": "hub_to_partner",
    "decision": "given",
    "recipients": ["counselling"],
    "data_categories": ["identity"],
    "method": "spoken",
}
HOUR = timedelta(hours=1)


async def record(partners: Running, case_id: UUID, **changes: Any) -> Any:
    return await partners.call("POST", f"/v1/cases/{case_id}/consents", "cases:write", GIVEN | changes)


async def test_everything_about_a_decision_is_kept_and_read(partners: Running) -> None:
    case_id = await partners.open_case(age=14)
    said = {
        "purpose": "support",
        "giver": "parent",
        "giver_note": "Sam Example, mother",
        "capacity": "presumed",
        "competence": "gillick_not_met",
        "language": "cy",
        "interpreter": "professional",
        "wording_version": "2026-03",
        "taken_by": "staff-17",
        "expires_at": "2027-01-01T00:00:00Z",
    }
    answer = await record(partners, case_id, **said)
    assert answer.status_code == 201, answer.text
    listed = (await partners.call("GET", f"/v1/cases/{case_id}/consents", "cases:read")).json()["items"]
    for body in (answer.json(), listed[0]):
        assert {name: body[name] for name in said} == said
        assert (body["best_interests"], body["draft"]) == (False, False)
    async with partners.db.reading() as tx:
        [row] = await tx.rows(select(table_of(Consent)))
        everything = await tx.rows(text("SELECT * FROM consent"))
    assert b"Sam" not in row.giver_note
    assert "Sam" not in repr(everything)


@pytest.mark.parametrize(
    ("case", "changes", "pointer", "code"),
    [
        ({}, {"recorded_at": (NOW + HOUR).isoformat()}, "/recorded_at", "in_the_future"),
        ({}, {"expires_at": NOW.isoformat()}, "/expires_at", "expired_on_arrival"),
        ({}, {"recorded_at": (NOW - 3 * HOUR).isoformat(), "expires_at": (NOW - HOUR).isoformat()},
         "/expires_at", "expired_on_arrival"),
        ({"age": 15}, {}, "/competence", "competence_missing"),
        ({"age": 15}, {"competence": "gillick_not_met"}, "/competence", "competence_missing"),
        ({"age": None, "markers": ("child",)}, {}, "/competence", "competence_missing"),
        ({"age": 15}, {"giver": "attorney"}, "/giver", "giver_not_entitled"),
        ({"age": 16}, {"giver": "parent"}, "/giver", "giver_not_entitled"),
        ({}, {"giver": "self", "capacity": "assessed_lacks"}, "/giver", "capacity_lacking"),
        ({"age": 40}, {"giver": "attorney"}, "/capacity", "capacity_not_assessed"),
        ({"age": 40}, {"giver": "court_deputy", "capacity": "assessed_lacks"},
         "/best_interests", "best_interests_missing"),
    ],
)  # fmt: skip
async def test_bad_consents_are_refused_or_kept_as_drafts_when_asked(
    partners: Running, case: dict[str, Any], changes: dict[str, Any], pointer: str, code: str
) -> None:
    """Row 31 of the bad-input matrix."""
    case_id = await partners.open_case(**case)
    onward_id = await partners.request(case_id)
    assert (await partners.row(onward_id)).status == "awaiting_consent"
    answer = await record(partners, case_id, **changes)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"], answer.json()["errors"][0]["code"]) == (
        422, pointer, code,
    )  # fmt: skip
    path = f"/v1/cases/{case_id}/consents"
    assert (await partners.call("GET", path, "cases:read")).json()["items"] == []
    said = await partners.said(case_id)
    draft = await record(partners, case_id, draft=True, **changes)
    assert (draft.status_code, draft.json()["draft"], draft.json()["withdrawn"]) == (201, True, [])
    assert [(each["pointer"], each["code"]) for each in draft.json()["faults"]] == [(pointer, code)]
    assert [each["draft"] for each in (await partners.call("GET", path, "cases:read")).json()["items"]] == [True]
    assert (await partners.row(onward_id)).status == "awaiting_consent"
    assert await partners.said(case_id) == said


async def test_a_draft_without_a_fault_decides_nothing_either(partners: Running) -> None:
    case_id = await partners.open_case()
    onward_id = await partners.request(case_id)
    assert (await record(partners, case_id, draft=True)).json()["faults"] == []
    assert (await partners.row(onward_id)).status == "awaiting_consent"
    assert (await record(partners, case_id)).status_code == 201
    assert (await partners.row(onward_id)).status == "sent"
    await record(partners, case_id, decision="withdrawn", draft=True)
    assert (await partners.row(onward_id)).status == "sent"


@pytest.mark.parametrize(
    ("case", "changes"),
    [
        ({"age": 15}, {"competence": "gillick_assessed"}),
        ({"age": 15}, {"giver": "parent"}),
        ({"age": 16}, {}),
        ({"age": 40}, {"giver": "attorney", "capacity": "assessed_lacks", "best_interests": True}),
    ],
)
async def test_a_consent_from_who_can_give_it_goes_out(
    partners: Running, case: dict[str, Any], changes: dict[str, Any]
) -> None:
    case_id = await partners.open_case(**case)
    onward_id = await partners.request(case_id)
    assert (await record(partners, case_id, **changes)).status_code == 201
    assert (await partners.row(onward_id)).status == "sent"


async def test_a_childs_consent_that_came_with_the_referral_waits_until_competence_is_recorded(
    partners: Running,
) -> None:
    case_id = await partners.open_case(consent(), age=15)
    onward_id = await partners.request(case_id)
    row = await partners.row(onward_id)
    assert (row.status, row.reasons) == ("awaiting_consent", ("competence_missing",))
    await record(partners, case_id, competence="gillick_assessed")
    assert (await partners.row(onward_id)).status == "sent"


async def test_taking_back_is_as_easy_as_giving(partners: Running) -> None:
    case_id = await partners.open_case(consent(), age=15)
    for decision in ("refused", "withdrawn"):
        taken = await record(partners, case_id, decision=decision, giver="self", capacity="assessed_lacks")
        assert taken.status_code == 201


async def test_that_nobody_asked_is_recorded_and_changes_nothing(partners: Running) -> None:
    case_id = await partners.open_case(consent())
    onward_id = await partners.request(case_id)
    answer = await record(partners, case_id, decision="not_asked", data_categories=[])
    assert (answer.status_code, answer.json()["withdrawn"]) == (201, [])
    about_another = await record(partners, case_id, decision="refused", purpose="hate_crime_report")
    assert about_another.status_code == 201
    assert (await partners.row(onward_id)).status == "sent"
    assert await partners.said(case_id) == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"giver": "neighbour"}, "unknown_code"),
        ({"capacity": "none"}, "unknown_code"),
        ({"competence": "clever"}, "unknown_code"),
        ({"interpreter": "cousin"}, "unknown_code"),
        ({"purpose": "marketing"}, "unknown_code"),
        ({"decision": "maybe"}, "unknown_code"),
        ({"language": "English"}, "not_a_language"),
        ({"giver_note": "a\u202eb"}, "bidi_control"),
        ({"taken_by": "Alex Example"}, "not_a_code"),
    ],
)
async def test_unknown_words_are_refused(partners: Running, changes: dict[str, Any], code: str) -> None:
    case_id = await partners.open_case()
    answer = await record(partners, case_id, **changes)
    assert answer.status_code == 422
    assert [each["code"] for each in answer.json()["errors"]] == [code]


async def test_staff_hear_whether_a_decision_stands(partners: Running) -> None:
    """A withdrawal entered with a time before the consent takes nothing back, and must not look as if it had."""
    case_id = await partners.open_case()
    onward_id = await partners.request(case_id)
    earlier = (NOW - HOUR).isoformat()
    assert (await record(partners, case_id)).json()["stands"] is True
    late = (await record(partners, case_id, decision="withdrawn", recorded_at=earlier)).json()
    assert (late["stands"], late["withdrawn"]) == (False, [])
    assert (await partners.row(onward_id)).status == "sent"
    for changes, stands in (
        ({"decision": "withdrawn", "recorded_at": earlier, "recipients": ["counselling", "idva"]}, True),
        ({"decision": "not_asked"}, False),
        ({"draft": True}, False),
        ({"hop": "police_to_hub", "recipients": []}, True),
        ({"recipients": []}, True),
        ({"decision": "withdrawn"}, True),
    ):
        assert (await record(partners, case_id, **changes)).json()["stands"] is stands, changes
    assert (await partners.row(onward_id)).status == "withdrawn"
