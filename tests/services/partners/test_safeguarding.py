"""Disclosing without consent: a legal ground, a reason, two people, exactly the categories, all of it kept."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from hubkit.contracts.codes import DATA_CATEGORIES
from hubkit.ids import new_id
from services.partners.store import registry
from tests.services.partners.support import Running, consent


def wanted(partners: Running, kind: str = "counselling", **changes: Any) -> dict[str, Any]:
    return {
        "partner": str(partners.partners[kind]),
        "service": str(partners.services[kind]),
        "legal_ground": "safeguarding_of_children",
        "data_categories": ["identity", "risk"],
        "reason": "A child is in danger at home",
        "decided_by": "Robin Lead",
        "person_told": "not_told_unsafe",
    } | changes


async def decide(partners: Running, case_id: UUID, **changes: Any) -> Any:
    path = f"/v1/cases/{case_id}/safeguarding-disclosures"
    return await partners.call("POST", path, "cases:write", wanted(partners, **changes))


async def approve(partners: Running, case_id: UUID, id: str, by: str = "Kim Second") -> Any:
    path = f"/v1/cases/{case_id}/safeguarding-disclosures/{id}/approve"
    return await partners.call("POST", path, "cases:write", {"approved_by": by}, kind="idva")


async def test_two_people_let_exactly_the_named_categories_out_against_a_refusal(partners: Running) -> None:
    case_id = await partners.open_case(consent("refused"))
    pending = (await decide(partners, case_id)).json()
    assert (pending["status"], pending["approved_by"], pending["onward_referral_id"]) == ("pending", None, None)
    assert (await partners.call("GET", "/v1/onward-referrals", "onward:read")).json()["items"] == []
    approved = (await approve(partners, case_id, pending["id"])).json()
    assert (approved["status"], approved["approved_by"]) == ("approved", "Kim Second")
    assert (approved["client_id"], approved["approving_client_id"]) == ("client-counselling", "client-idva")
    onward_id = approved["onward_referral_id"]
    read = (await partners.call("GET", f"/v1/onward-referrals/{onward_id}", "onward:read")).json()
    assert read["disclosure"]["basis"] == "safeguarding"
    assert set(read["disclosure"]["fields"]) == {*DATA_CATEGORIES["identity"], *DATA_CATEGORIES["risk"]}
    [passage] = (await partners.call("GET", f"/v1/cases/{case_id}/disclosures", "cases:read")).json()["items"]
    assert passage["basis"] == "safeguarding"
    ground = passage["safeguarding"]
    assert (ground["legal_ground"], ground["decided_by"], ground["approved_by"], ground["person_told"]) == (
        "safeguarding_of_children", "Robin Lead", "Kim Second", "not_told_unsafe",
    )  # fmt: skip
    [made] = [each for each in await partners.said(UUID(onward_id)) if each.TYPE == "disclosure.made.v1"]
    assert (made.basis, made.agreement_id) == ("safeguarding", partners.agreements["counselling"])
    listed = await partners.call("GET", f"/v1/cases/{case_id}/safeguarding-disclosures", "cases:read")
    assert [each["reason"] for each in listed.json()["items"]] == ["A child is in danger at home"]
    async with partners.db.reading() as tx:
        kept = await tx.rows(text("SELECT * FROM safeguarding_decision"))
    assert "danger" not in repr(kept)


async def test_the_same_person_cannot_approve_however_the_name_is_written(partners: Running) -> None:
    case_id = await partners.open_case(consent("refused"))
    id = (await decide(partners, case_id)).json()["id"]
    for name in ("Robin Lead", "robin  LEAD"):
        answer = await approve(partners, case_id, id, name)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "self_approved")
        assert answer.json()["errors"][0]["pointer"] == "/approved_by"
    assert (await partners.call("GET", "/v1/onward-referrals", "onward:read")).json()["items"] == []


async def test_it_is_approved_once(partners: Running) -> None:
    case_id = await partners.open_case()
    id = (await decide(partners, case_id)).json()["id"]
    assert (await approve(partners, case_id, id)).status_code == 200
    again = await approve(partners, case_id, id)
    assert (again.status_code, again.json()["code"]) == (409, "wrong_state")
    assert len((await partners.call("GET", "/v1/onward-referrals", "onward:read")).json()["items"]) == 1


async def test_without_an_agreement_in_force_the_ground_is_recorded_in_its_place(partners: Running) -> None:
    async with partners.db.transaction() as tx:
        await registry.change_agreement(tx, partners.agreements["counselling"], {"status": "suspended"})
    case_id = await partners.open_case()
    id = (await decide(partners, case_id)).json()["id"]
    onward_id = (await approve(partners, case_id, id)).json()["onward_referral_id"]
    assert (await partners.call("GET", f"/v1/onward-referrals/{onward_id}", "onward:read")).status_code == 200
    [made] = [each for each in await partners.said(UUID(onward_id)) if each.TYPE == "disclosure.made.v1"]
    assert (str(made.agreement_id), made.agreement_version) == (id, 0)


async def test_a_withdrawal_of_consent_does_not_stop_it_and_the_end_of_the_case_does(partners: Running) -> None:
    case_id = await partners.open_case(consent())
    id = (await decide(partners, case_id)).json()["id"]
    onward_id = (await approve(partners, case_id, id)).json()["onward_referral_id"]
    no = {"hop": "hub_to_partner", "decision": "withdrawn"}
    taken = await partners.call("POST", f"/v1/cases/{case_id}/consents", "cases:write", no)
    assert taken.json()["withdrawn"] == []
    assert (await partners.call("GET", f"/v1/onward-referrals/{onward_id}", "onward:read")).status_code == 200
    await partners.exclude(case_id)
    assert (await partners.row(UUID(onward_id))).status == "withdrawn"


async def test_what_the_gate_refuses_is_not_approved(partners: Running) -> None:
    case_id = await partners.open_case()
    id = (await decide(partners, case_id)).json()["id"]
    await partners.exclude(case_id)
    answer = await approve(partners, case_id, id)
    assert (answer.status_code, answer.json()["code"]) == (409, "case_excluded")
    listed = await partners.call("GET", f"/v1/cases/{case_id}/safeguarding-disclosures", "cases:read")
    assert [each["status"] for each in listed.json()["items"]] == ["pending"]


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"legal_ground": "curiosity"}, "/legal_ground", "unknown_code"),
        ({"data_categories": []}, "/data_categories", "too_short"),
        ({"data_categories": ["everything"]}, "/data_categories/0", "unknown_code"),
        ({"reason": " "}, "/reason", "empty"),
        ({"decided_by": ""}, "/decided_by", "empty"),
        ({"service": str(new_id())}, "/service", "unknown_service"),
        ({"approved_by": "Kim Second"}, "/approved_by", "extra_forbidden"),
    ],
)
async def test_a_decision_needs_all_its_parts(
    partners: Running, changes: dict[str, Any], pointer: str, code: str
) -> None:
    case_id = await partners.open_case()
    answer = await decide(partners, case_id, **changes)
    assert answer.status_code == 422, answer.text
    assert pointer in [each["pointer"] for each in answer.json()["errors"]]
    if code not in ("too_short", "extra_forbidden"):
        assert [each["code"] for each in answer.json()["errors"]] == [code]


async def test_another_cases_decision_is_not_found(partners: Running) -> None:
    case_id, other = await partners.open_case(), await partners.open_case()
    id = (await decide(partners, case_id)).json()["id"]
    for where in (other, new_id()):
        assert (await approve(partners, where, id)).status_code == 404
    assert (await decide(partners, new_id())).status_code == 404
