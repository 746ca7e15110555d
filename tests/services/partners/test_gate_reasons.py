"""Why each field is kept back, and what the gate's answer stands on: agreement, consent, or a decision of two."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from hubkit.contracts.codes import DATA_CATEGORIES
from services.partners.policy.gate import Allowed, Question, Refused, Safeguarding, decide, explain
from services.partners.policy.protections import Protection
from tests.services.partners.test_gate import AGREEMENT, CONSENT, PARTNER_ID, TODAY, consent, question, reasons

FIELDS = tuple(name for names in DATA_CATEGORIES.values() for name in names)
GROUND = Safeguarding(UUID(int=50), PARTNER_ID, frozenset({"identity", "risk"}), is_approved=True)


def of(*categories: str) -> tuple[str, ...]:
    return tuple(name for category in categories for name in DATA_CATEGORIES[category])


def withheld(asked: Question) -> dict[str, str]:
    return dict(explain(asked).withheld)


def test_each_field_says_whether_agreement_or_consent_keeps_it_back() -> None:
    assert withheld(question()) == {
        **dict.fromkeys(of("contact", "crime", "risk"), "not_in_consent"),
        **dict.fromkeys(of("narrative", "assessment"), "not_in_agreement"),
    }


def test_a_field_that_the_agreement_does_not_name_stays() -> None:
    asked = question(agreement={"fields": frozenset({"given_name", "needs", "phone"})})
    verdict = decide(asked)
    assert isinstance(verdict, Allowed)
    assert verdict.fields == ("given_name", "needs")
    reason = withheld(asked)
    assert {name for name in of("identity", "needs") if reason.get(name) == "not_in_agreement"} == {
        "family_name", "date_of_birth", "language", "role", "markers",
    }  # fmt: skip
    assert reason["phone"] == "not_in_consent"


def test_with_nothing_shared_every_field_says_so() -> None:
    assert withheld(question(shares="nothing")) == dict.fromkeys(FIELDS, "not_in_service")


def test_without_an_agreement_every_field_says_the_first_reason() -> None:
    assert withheld(question(partner={"agreements": ()})) == dict.fromkeys(FIELDS, "agreement_missing")
    suspended = question(partner={"agreements": (), "is_active": False})
    assert withheld(suspended) == dict.fromkeys(FIELDS, "partner_suspended")


def test_a_field_that_is_refused_with_all_others_keeps_its_own_reason() -> None:
    asked = question(consents=(consent(decision="refused"),))
    explained = explain(asked)
    assert explained.verdict == Refused(("consent_refused",))
    own = dict.fromkeys(of("narrative", "assessment"), "not_in_agreement")
    covered = dict.fromkeys(of("needs"), "consent_refused")
    assert own.items() | covered.items() <= explained.withheld.items()
    assert set(explained.withheld) == set(FIELDS)


def test_of_two_reasons_the_first_is_said_where_a_field_has_none_of_its_own() -> None:
    asked = question(case_status="excluded", partner={"is_active": False})
    assert reasons(asked) == ("case_excluded", "partner_suspended")
    assert {withheld(asked)[name] for name in of("identity", "needs")} == {"case_excluded"}


def test_a_consent_narrows_nothing_where_the_basis_is_none() -> None:
    asked = question(agreement={"lawful_basis": "public_task"}, hop_basis="public_task")
    verdict = decide(asked)
    assert isinstance(verdict, Allowed)
    assert (verdict.fields, verdict.consent_ids) == (of("identity", "contact", "crime", "needs", "risk"), ())


def test_a_decision_of_two_stands_alone_where_no_agreement_is_in_force() -> None:
    expected = Allowed(of("identity", "risk"), "safeguarding", GROUND.id, 0, (), safeguarding_id=GROUND.id)
    for changes in ({"partner": {"agreements": ()}}, {"agreement": {"ends_on": TODAY - timedelta(days=1)}}):
        asked = question(safeguarding=GROUND, **changes)
        assert decide(asked) == expected
        left = of("contact", "crime", "needs", "narrative", "assessment")
        assert withheld(asked) == dict.fromkeys(left, "not_in_decision")


def test_all_that_stands_against_a_decision_of_two_is_said() -> None:
    asked = question(
        safeguarding=replace(GROUND, is_approved=False),
        case_status=None,
        partner={"is_active": False, "id": UUID(int=8)},
    )
    assert reasons(asked) == ("case_excluded", "partner_suspended", "safeguarding_not_approved")
    nothing = question(safeguarding=replace(GROUND, data_categories=frozenset()), case_status="excluded")
    assert reasons(nothing) == ("case_excluded", "data_category_not_covered")


def test_a_persons_objection_is_heard_without_agreement_or_partner() -> None:
    no = consent(decision="refused")
    assert reasons(question(partner={"agreements": ()}, consents=(no,))) == ("agreement_missing", "consent_refused")
    assert reasons(replace(question(consents=(no,)), partner=None)) == ("agreement_missing", "consent_refused")


def test_a_decision_about_one_partner_by_its_id_is_about_no_other() -> None:
    named = frozenset({str(PARTNER_ID)})
    no = consent(id=UUID(int=9), decision="withdrawn", recipients=named, recorded_at=CONSENT.recorded_at + timedelta(1))
    later = replace(question(consents=(CONSENT, no)), now=no.recorded_at)
    assert reasons(later) == ("consent_withdrawn",)
    other = question(consents=(CONSENT, no), partner={"id": UUID(int=8)})
    assert isinstance(decide(other), Allowed)


@pytest.mark.parametrize("basis", ["explicit_consent", "consent", "victim_agreement", "consent_obtained_by_police"])
def test_under_every_basis_that_is_a_consent_somebody_has_to_give_it(basis: str) -> None:
    asked: dict[str, Any] = {"agreement": {"lawful_basis": basis}, "hop_basis": basis}
    assert reasons(question(**asked, consents=())) == ("consent_missing",)
    verdict = decide(question(**asked))
    assert isinstance(verdict, Allowed)
    assert (verdict.basis, verdict.consent_ids) == (basis, (CONSENT.id,))


@pytest.mark.parametrize(
    "basis", ["implied_opt_out", "public_task", "joint_controller", "controller_internal", "agreement_in_place"]
)
def test_under_every_other_basis_nobody_has_to(basis: str) -> None:
    verdict = decide(question(agreement={"lawful_basis": basis}, hop_basis=basis, consents=()))
    assert isinstance(verdict, Allowed)
    assert verdict.basis == basis


def test_of_two_agreements_alike_the_same_one_is_taken_every_time() -> None:
    twin = replace(AGREEMENT, id=UUID(int=0))
    for agreements in ((twin, AGREEMENT), (AGREEMENT, twin)):
        verdict = decide(question(partner={"agreements": agreements}))
        assert isinstance(verdict, Allowed)
        assert verdict.agreement_id == twin.id


def test_a_refuge_is_kept_back_beside_what_keeps_the_person_anonymous() -> None:
    asked = question(
        purpose="fraud",
        crime_category="sexual.rape",
        protection=Protection(safe_address=True),
        agreement={"purposes": frozenset({"fraud"}), "data_categories": frozenset(DATA_CATEGORIES)},
        consents=(consent(recipients=frozenset(), data_categories=frozenset(DATA_CATEGORIES)),),
    )
    assert withheld(asked) == dict.fromkeys(of("identity", "contact"), "anonymity_protected")
