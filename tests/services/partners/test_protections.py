"""What is kept back whatever is agreed: each rule at its boundary, and the promises that hold for every question."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubkit.contracts.codes import DATA_CATEGORIES, KINDS, MARKERS
from services.partners.model import CAPACITIES, COMPETENCES, GIVERS
from services.partners.policy.gate import Allowed, Question, Refused, Safeguarding, decide, explain
from services.partners.policy.protections import (
    Giver,
    Protection,
    giver_faults,
    is_child,
    pair_fault,
    protected_fields,
)
from tests.services.partners.test_gate import (
    AGREEMENT,
    CONSENT,
    LATER,
    NOW,
    PARTNER_ID,
    TODAY,
    consent,
    question,
    questions,
    reasons,
)

IDENTIFYING = {*DATA_CATEGORIES["identity"], *DATA_CATEGORIES["contact"]}
ALL = frozenset(DATA_CATEGORIES)


def wide(**changes: Any) -> Question:
    """Return a question to which agreement and consent cover everything."""
    given_all = consent(data_categories=ALL, **changes.pop("consent", {}))
    purpose = changes.get("purpose", "counselling")
    agreement = {"data_categories": ALL, "purposes": frozenset({purpose})} | changes.pop("agreement", {})
    return question(
        agreement=agreement,
        **{"consents": (replace(given_all, recipients=frozenset({purpose})),)} | changes,
    )


def shared(asked: Question) -> set[str]:
    verdict = decide(asked)
    assert isinstance(verdict, Allowed)
    return set(verdict.fields)


@pytest.mark.parametrize(
    ("age", "markers", "expected"),
    [(15, (), True), (16, (), False), (0, (), True), (None, (), False), (None, ("child",), True),
     (16, ("child",), False), (None, ("young_person",), False)],
)  # fmt: skip
def test_who_counts_as_a_child(age: int | None, markers: tuple[str, ...], expected: bool) -> None:
    assert is_child(age, markers) is expected


@pytest.mark.parametrize(
    ("child", "by", "expected"),
    [
        (True, Giver(), ["competence_missing"]),
        (True, Giver("self", competence="gillick_not_met"), ["competence_missing"]),
        (True, Giver("self", competence="gillick_assessed"), []),
        (True, Giver(competence="gillick_assessed"), []),
        (True, Giver("parent"), []),
        (True, Giver("attorney", "assessed_lacks", best_interests=True), ["giver_not_entitled"]),
        (True, Giver("court_deputy", "assessed_lacks", best_interests=True), ["giver_not_entitled"]),
        (False, Giver(), []),
        (False, Giver("self", "presumed"), []),
        (False, Giver("self", "assessed_has"), []),
        (False, Giver("self", "assessed_lacks", best_interests=True), ["capacity_lacking"]),
        (False, Giver(None, "assessed_lacks"), ["capacity_lacking"]),
        (False, Giver("parent"), ["giver_not_entitled"]),
        (False, Giver("neighbour", "assessed_lacks", best_interests=True), ["giver_not_entitled"]),
        (False, Giver("attorney"), ["capacity_not_assessed"]),
        (False, Giver("attorney", "assessed_has", best_interests=True), ["capacity_not_assessed"]),
        (False, Giver("attorney", "assessed_lacks"), ["best_interests_missing"]),
        (False, Giver("attorney", "assessed_lacks", best_interests=True), []),
        (False, Giver("court_deputy", "assessed_lacks", best_interests=True), []),
    ],
)
def test_who_can_give_a_consent(child: bool, by: Giver, expected: list[str]) -> None:
    assert giver_faults(by, child=child) == expected


def test_a_childs_consent_counts_with_competence_and_a_parents_in_its_place() -> None:
    assert reasons(question(age=15)) == ("competence_missing",)
    for by in (Giver("self", competence="gillick_assessed"), Giver("parent")):
        assert isinstance(decide(question(age=15, consents=(consent(by=by),))), Allowed)
    assert isinstance(decide(question(age=16)), Allowed)
    assert reasons(question(age=16, consents=(consent(by=Giver("parent")),))) == ("giver_not_entitled",)


def test_a_competent_childs_no_stands_against_a_later_yes_of_a_parent() -> None:
    competent = Giver("self", competence="gillick_assessed")
    for decision in ("refused", "withdrawn"):
        no = consent(decision=decision, by=competent)
        parents = consent(id=UUID(int=9), by=Giver("parent"), recorded_at=LATER)
        assert reasons(question(age=14, consents=(no, parents))) == (f"consent_{decision}",)
        own = consent(id=UUID(int=10), by=competent, recorded_at=NOW)
        assert isinstance(decide(question(age=14, consents=(no, parents, own))), Allowed)
        unassessed = replace(no, by=Giver("self"))
        assert isinstance(decide(question(age=14, consents=(unassessed, parents))), Allowed)


def test_a_parent_takes_back_what_a_competent_child_gave() -> None:
    yes = consent(by=Giver("self", competence="gillick_assessed"))
    no = consent(id=UUID(int=9), decision="withdrawn", by=Giver("parent"), recorded_at=LATER)
    assert reasons(question(age=14, consents=(yes, no))) == ("consent_withdrawn",)


def test_every_consent_of_one_moment_is_given_by_somebody_who_can() -> None:
    wrong = consent(id=UUID(int=9), by=Giver("parent"))
    assert reasons(question(consents=(CONSENT, wrong))) == ("giver_not_entitled",)
    both = (replace(wrong, by=Giver("attorney")), wrong)
    assert reasons(question(consents=both)) == ("capacity_not_assessed", "giver_not_entitled")


def test_competence_matters_only_where_the_basis_is_a_consent() -> None:
    agreed = {"lawful_basis": "public_task"}
    assert isinstance(decide(question(age=9, agreement=agreed, hop_basis="public_task", consents=())), Allowed)


def test_a_decision_about_another_purpose_says_nothing() -> None:
    assert isinstance(decide(question(consents=(consent(purpose="support"),))), Allowed)
    assert reasons(question(consents=(consent(purpose="hate_crime_report"),))) == ("consent_missing",)
    other = consent(decision="withdrawn", purpose="hate_crime_report", recorded_at=LATER)
    assert isinstance(decide(question(consents=(CONSENT, other))), Allowed)


def test_a_restricted_case_reaches_the_named_partners_alone() -> None:
    for named in (frozenset[UUID](), frozenset({UUID(int=8)})):
        assert reasons(question(protection=Protection(named))) == ("case_restricted",)
    assert isinstance(decide(question(protection=Protection(frozenset({PARTNER_ID, UUID(int=8)})))), Allowed)
    assert isinstance(decide(question(protection=Protection())), Allowed)


def test_a_fence_stands_between_two_organisations_and_against_back_flow() -> None:
    apart = {"organisation": "them", "kept_from": frozenset({"police", "them"})}
    assert reasons(question(partner=apart, source="police")) == ("ring_fenced",)
    assert reasons(question(partner=apart, source="them")) == ("back_flow",)
    assert isinstance(decide(question(partner=apart, source="agency")), Allowed)
    assert isinstance(decide(question(partner=apart, source=None)), Allowed)
    assert reasons(question(partner=apart | {"ring_fenced": True}, source="police")) == ("ring_fenced",)
    assert reasons(question(partner=apart | {"ring_fenced": True}, source="them")) == ("back_flow", "ring_fenced")
    assert pair_fault("police", "them", ()) is None


@pytest.mark.parametrize(
    "unsafe",
    [{"markers": frozenset({"domestic_abuse"})}, {"markers": frozenset({"da_risk_high", "vulnerable"})},
     {"crime_category": "stalking_harassment.stalking"}, {"crime_category": "stalking_harassment.coercive_control"}],
)  # fmt: skip
def test_the_address_of_the_unsafe_goes_only_to_who_plans_their_safety(unsafe: dict[str, Any]) -> None:
    assert shared(wide()) == {name for names in DATA_CATEGORIES.values() for name in names}
    assert "address" not in shared(wide(**unsafe))
    assert explain(wide(**unsafe)).withheld == {"address": "address_protected"}
    for kind in ("idva", "domestic_abuse", "stalking", "safeguarding"):
        assert "address" in shared(wide(purpose=kind, **unsafe))
        refuge = Protection(safe_address=True)
        assert "address" not in shared(wide(purpose=kind, protection=refuge, **unsafe))


@pytest.mark.parametrize(
    "anonymous",
    [{"crime_category": "sexual.rape"}, {"crime_category": "violence.modern_slavery"},
     {"markers": frozenset({"sexual_violence"})}, {"markers": frozenset({"child_sexual_abuse"})}],
)  # fmt: skip
def test_who_must_stay_anonymous_is_named_only_to_services_that_take_such_cases(anonymous: dict[str, Any]) -> None:
    assert not shared(wide(purpose="fraud", **anonymous)) & IDENTIFYING
    assert shared(wide(purpose="isva", **anonymous)) >= IDENTIFYING
    only_identity = wide(purpose="fraud", agreement={"data_categories": frozenset({"identity"})}, **anonymous)
    assert reasons(only_identity) == ("anonymity_protected",)


def test_other_crimes_and_unknown_ones_keep_nobody_anonymous() -> None:
    for crime in ("burglary.residential", "violence.strangulation", None):
        assert protected_fields("fraud", crime, (), safe_address=False) == {}


GROUND = Safeguarding(UUID(int=50), PARTNER_ID, frozenset({"identity", "risk"}), is_approved=True)


def test_safeguarding_lets_exactly_its_categories_out_without_consent() -> None:
    refused = consent(decision="refused")
    verdict = decide(question(consents=(refused,), safeguarding=GROUND))
    assert verdict == Allowed(
        (*DATA_CATEGORIES["identity"], *DATA_CATEGORIES["risk"]),
        "safeguarding",
        AGREEMENT.id,
        3,
        (),
        safeguarding_id=GROUND.id,
    )
    assert explain(question(safeguarding=GROUND)).withheld["address"] == "not_in_decision"
    # An agreement with fewer fields takes nothing from what two people decided, and is no reason here.
    explained = explain(question(safeguarding=GROUND, agreement={"fields": frozenset({"needs"})}))
    assert isinstance(explained.verdict, Allowed)
    assert explained.withheld.keys() & set(explained.verdict.fields) == set()
    assert set(explained.withheld.values()) == {"not_in_decision"}


@pytest.mark.parametrize("agreement", [{"status": "ended"}, {"purposes": frozenset()}, None])
def test_without_an_agreement_in_force_the_decision_stands_in_its_place(agreement: dict[str, Any] | None) -> None:
    asked = question(safeguarding=GROUND, **({"partner": {"agreements": ()}} if agreement is None else {}))
    if agreement is not None:
        asked = question(safeguarding=GROUND, agreement=agreement)
    verdict = decide(asked)
    assert isinstance(verdict, Allowed)
    assert (verdict.basis, verdict.agreement_id, verdict.agreement_version) == ("safeguarding", GROUND.id, 0)


def test_of_several_agreements_in_force_safeguarding_stands_on_the_newest() -> None:
    newer = replace(AGREEMENT, id=UUID(int=21), starts_on=TODAY)
    ended = replace(AGREEMENT, id=UUID(int=22), status="ended")
    verdict = decide(question(partner={"agreements": (AGREEMENT, newer, ended)}, safeguarding=GROUND))
    assert isinstance(verdict, Allowed)
    assert verdict.agreement_id == newer.id


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"safeguarding": replace(GROUND, is_approved=False)}, "safeguarding_not_approved"),
        ({"safeguarding": replace(GROUND, partner_id=UUID(int=8))}, "safeguarding_not_approved"),
        ({"safeguarding": GROUND, "partner": None}, "safeguarding_not_approved"),
        ({"safeguarding": replace(GROUND, data_categories=frozenset({"unheard_of"}))}, "data_category_not_covered"),
        ({"safeguarding": GROUND, "case_status": "excluded"}, "case_excluded"),
    ],
)
def test_safeguarding_is_refused(changes: dict[str, Any], code: str) -> None:
    assert decide(replace(question(), **changes)) == Refused((code,))


def test_safeguarding_reaches_no_suspended_or_fenced_partner_and_passes_a_restriction() -> None:
    assert reasons(question(safeguarding=GROUND, partner={"is_active": False})) == ("partner_suspended",)
    assert reasons(question(safeguarding=GROUND, partner={"ring_fenced": True})) == ("ring_fenced",)
    asked = question(safeguarding=GROUND, protection=Protection(frozenset(), safe_address=True))
    assert isinstance(decide(asked), Allowed)


markers = st.frozensets(st.sampled_from(sorted(MARKERS)), max_size=3)
givers = st.builds(
    Giver,
    giver=st.none() | st.sampled_from([*sorted(GIVERS), "unheard_of"]),
    capacity=st.none() | st.sampled_from(sorted(CAPACITIES)),
    competence=st.none() | st.sampled_from(sorted(COMPETENCES)),
    best_interests=st.booleans(),
)
grounds = st.none() | st.builds(
    Safeguarding,
    id=st.uuids(),
    partner_id=st.sampled_from([PARTNER_ID, UUID(int=8)]),
    data_categories=st.frozensets(st.sampled_from([*DATA_CATEGORIES, "unknown"])),
    is_approved=st.booleans(),
)


@st.composite
def protected_questions(draw: st.DrawFn) -> Question:
    """Return questions of which everything is drawn that a protection looks at."""
    asked = draw(questions)
    consents = tuple(
        replace(each, by=draw(givers), purpose=draw(st.sampled_from([None, "support", "hate_crime_report"])))
        for each in asked.consents
    )
    partner = asked.partner and replace(
        asked.partner,
        organisation="them",
        kept_from=draw(st.frozensets(st.sampled_from(["police", "them"]))),
    )
    return replace(
        asked,
        consents=consents,
        partner=partner,
        markers=draw(markers),
        age=draw(st.none() | st.integers(0, 99)),
        source=draw(st.sampled_from([None, "police", "them", "agency"])),
        protection=Protection(
            draw(st.none() | st.frozensets(st.sampled_from([PARTNER_ID, UUID(int=8)]))), draw(st.booleans())
        ),
        safeguarding=draw(grounds),
        crime_category=draw(st.sampled_from([None, "burglary.residential", "sexual.rape", "violence.modern_slavery"])),
    )


@given(protected_questions())
def test_nothing_passes_a_protection(asked: Question) -> None:
    verdict = decide(asked)
    explained = explain(asked)
    assert explained.verdict == verdict
    every = {name for names in DATA_CATEGORIES.values() for name in names}
    shared = set(verdict.fields) if isinstance(verdict, Allowed) else set()
    assert set(explained.withheld) == every - shared
    assert all(explained.withheld.values())
    if isinstance(verdict, Refused):
        assert verdict.reasons
        return
    assert asked.partner is not None
    assert asked.source not in asked.partner.kept_from
    assert asked.partner.is_active
    assert not asked.partner.ring_fenced
    if asked.safeguarding is not None:
        assert asked.safeguarding.is_approved
        assert asked.safeguarding.partner_id == asked.partner.id
        covered = asked.safeguarding.data_categories & DATA_CATEGORIES.keys()
        assert shared == {name for category in covered for name in DATA_CATEGORIES[category]}
        assert (verdict.basis, verdict.consent_ids) == ("safeguarding", ())
        return
    assert verdict.basis != "safeguarding"
    named = asked.protection.restricted_to
    assert named is None or PARTNER_ID in named
    assert not asked.protection.safe_address or "address" not in shared
    if asked.crime_category in ("sexual.rape", "violence.modern_slavery") and asked.purpose == "fraud":
        assert not shared & IDENTIFYING
    for each in asked.consents:
        if each.id in verdict.consent_ids:
            assert each.purpose != "hate_crime_report"
            assert giver_faults(each.by, child=is_child(asked.age, asked.markers)) == []


@given(protected_questions(), st.sampled_from(sorted(KINDS)))
def test_no_kind_of_service_is_given_a_safe_address(asked: Question, kind: str) -> None:
    asked = replace(asked, purpose=kind, protection=Protection(None, safe_address=True), safeguarding=None)
    verdict = decide(asked)
    assert isinstance(verdict, Refused) or "address" not in verdict.fields


@given(protected_questions())
def test_staff_protect_only_by_taking_away(asked: Question) -> None:
    asked = replace(asked, safeguarding=None)
    open_to_all = decide(replace(asked, protection=Protection()))
    verdict = decide(asked)
    if isinstance(verdict, Allowed):
        assert isinstance(open_to_all, Allowed)
        assert set(verdict.fields) <= set(open_to_all.fields)


@given(protected_questions(), st.integers(0, 60))
def test_an_objection_is_never_outlived_by_waiting(asked: Question, minutes: int) -> None:
    """Time alone turns no refusal on the person's word into a yes."""
    no = consent(decision="withdrawn", recipients=frozenset(), recorded_at=NOW + timedelta(hours=4))
    asked = replace(asked, safeguarding=None, consents=(*asked.consents, no), now=NOW + timedelta(minutes=minutes))
    assert isinstance(decide(asked), Refused)
