"""The gate: each reason at its boundary, and the promise that nothing is allowed without its grounds."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubkit.contracts.codes import DATA_CATEGORIES
from services.partners.policy.gate import (
    Agreement,
    Allowed,
    Consent,
    Partner,
    Question,
    Refused,
    Safeguarding,
    decide,
    stricter,
)

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
TODAY = NOW.date()
PARTNER_ID = UUID(int=7)
AGREEMENT = Agreement(
    id=UUID(int=1),
    version=3,
    status="active",
    lawful_basis="consent",
    purposes=frozenset({"counselling"}),
    data_categories=frozenset({"identity", "contact", "crime", "needs", "risk"}),
    crimes_excluded=frozenset(),
    starts_on=date(2026, 1, 1),
    ends_on=None,
)
CONSENT = Consent(
    id=UUID(int=2),
    hop="hub_to_partner",
    decision="given",
    recipients=frozenset({"counselling"}),
    data_categories=frozenset({"identity", "needs"}),
    method="spoken",
    recorded_at=NOW - timedelta(days=1),
    expires_at=None,
)
LATER = NOW - timedelta(hours=1)


def question(**changes: Any) -> Question:
    """Return a question that is allowed unless `changes` say otherwise."""
    agreement = replace(AGREEMENT, **changes.pop("agreement", {}))
    partner = Partner(PARTNER_ID, is_active=True, ring_fenced=False, agreements=(agreement,))
    asked = Question(
        hop="hub_to_partner",
        purpose="counselling",
        case_status="open",
        crime_category="burglary.residential",
        partner=replace(partner, **changes.pop("partner", {})),
        shares="case_data",
        is_told=False,
        consents=(CONSENT,),
        hop_basis="agreement_in_place",
        now=NOW,
        today=TODAY,
    )
    return replace(asked, **changes)


def consent(**changes: Any) -> Consent:
    return replace(CONSENT, **changes)


def reasons(asked: Question) -> tuple[str, ...]:
    verdict = decide(asked)
    assert isinstance(verdict, Refused)
    return verdict.reasons


def test_agreement_and_consent_that_cover_it_allow_it() -> None:
    assert decide(question()) == Allowed(
        fields=(*DATA_CATEGORIES["identity"], *DATA_CATEGORIES["needs"]),
        basis="consent",
        agreement_id=AGREEMENT.id,
        agreement_version=3,
        consent_ids=(CONSENT.id,),
    )


def test_a_yes_says_how_its_agreement_lets_webhooks_go() -> None:
    found = [decide(question(agreement={"delivery": delivery})) for delivery in ("full", "thin")]
    assert [verdict.delivery for verdict in found if isinstance(verdict, Allowed)] == ["full", "thin"]


def test_on_safeguarding_webhooks_go_as_an_agreement_in_force_says_and_thin_without_one() -> None:
    ground = Safeguarding(UUID(int=9), PARTNER_ID, frozenset({"identity"}), is_approved=True)
    full = decide(question(agreement={"delivery": "full"}, safeguarding=ground, consents=()))
    ended = decide(question(agreement={"delivery": "full", "status": "ended"}, safeguarding=ground, consents=()))
    assert isinstance(full, Allowed)
    assert (full.agreement_version, full.delivery) == (3, "full")
    assert isinstance(ended, Allowed)
    assert (ended.agreement_version, ended.delivery) == (0, "thin")


def test_a_closed_case_is_refused_to_whom_had_not_been_told_before() -> None:
    assert reasons(question(case_status="closed")) == ("case_closed",)
    assert isinstance(decide(question(case_status="closed", is_told=True)), Allowed)
    for status in ("excluded", None):
        assert reasons(question(case_status=status, is_told=True)) == ("case_excluded",)


def test_a_service_with_which_nothing_is_shared_gets_nothing() -> None:
    assert reasons(question(shares="nothing")) == ("data_category_not_covered",)
    verdict = decide(question(shares="referral_data"))
    assert isinstance(verdict, Allowed)
    assert verdict.what == "referral_data"


def test_an_excluded_case_is_refused() -> None:
    assert reasons(question(case_status="excluded")) == ("case_excluded",)


def test_a_ring_fence_stands_whatever_is_agreed() -> None:
    assert reasons(question(partner={"ring_fenced": True})) == ("ring_fenced",)


def test_a_suspended_partner_is_refused() -> None:
    assert reasons(question(partner={"is_active": False})) == ("partner_suspended",)


def test_no_partner_and_no_agreement_are_refused() -> None:
    assert reasons(question(partner={"agreements": ()})) == ("agreement_missing",)
    assert reasons(replace(question(), partner=None)) == ("agreement_missing",)


def test_an_agreement_begins_on_its_first_day() -> None:
    assert reasons(question(agreement={"starts_on": TODAY + timedelta(days=1)})) == ("agreement_not_started",)
    assert isinstance(decide(question(agreement={"starts_on": TODAY})), Allowed)


def test_an_agreement_in_draft_has_not_started() -> None:
    assert reasons(question(agreement={"status": "draft"})) == ("agreement_not_started",)


def test_an_agreement_ends_after_its_last_day() -> None:
    assert isinstance(decide(question(agreement={"ends_on": TODAY})), Allowed)
    assert reasons(question(agreement={"ends_on": TODAY - timedelta(days=1)})) == ("agreement_expired",)
    assert reasons(question(agreement={"status": "ended"})) == ("agreement_expired",)


def test_a_suspended_agreement_is_refused() -> None:
    assert reasons(question(agreement={"status": "suspended"})) == ("agreement_suspended",)


def test_another_purpose_is_not_covered() -> None:
    assert reasons(question(agreement={"purposes": frozenset({"idva"})})) == ("purpose_not_covered",)
    assert reasons(question(agreement={"purposes": frozenset()})) == ("purpose_not_covered",)


@pytest.mark.parametrize("excluded", ["burglary", "burglary.residential"])
def test_an_excluded_crime_is_refused_by_category_and_by_group(excluded: str) -> None:
    assert reasons(question(agreement={"crimes_excluded": frozenset({excluded})})) == ("crime_type_excluded",)


def test_another_crime_of_the_group_is_not_excluded_and_an_unknown_one_is() -> None:
    only_business = {"crimes_excluded": frozenset({"burglary.business_community"})}
    assert isinstance(decide(question(agreement=only_business)), Allowed)
    assert reasons(question(agreement=only_business, crime_category=None)) == ("crime_type_excluded",)


def test_no_consent_is_missing() -> None:
    assert reasons(question(consents=())) == ("consent_missing",)


def test_consent_to_another_recipient_or_hop_is_missing() -> None:
    assert reasons(question(consents=(consent(recipients=frozenset({"idva"})),))) == ("consent_missing",)
    assert reasons(question(consents=(consent(hop="police_to_hub"),))) == ("consent_missing",)


@pytest.mark.parametrize("recipients", [(), ("counselling",), (str(PARTNER_ID),), ("idva", "counselling")])
def test_a_recipient_is_named_by_kind_by_id_or_not_at_all(recipients: tuple[str, ...]) -> None:
    assert isinstance(decide(question(consents=(consent(recipients=frozenset(recipients)),))), Allowed)


def test_a_question_that_was_not_asked_gives_nothing_and_takes_nothing() -> None:
    not_asked = consent(decision="not_asked", recorded_at=LATER)
    assert reasons(question(consents=(not_asked,))) == ("consent_missing",)
    assert isinstance(decide(question(consents=(CONSENT, not_asked))), Allowed)


def test_consent_is_valid_until_just_before_it_expires() -> None:
    assert isinstance(decide(question(consents=(consent(expires_at=NOW + timedelta(microseconds=1)),))), Allowed)
    assert reasons(question(consents=(consent(expires_at=NOW),))) == ("consent_expired",)


def test_consent_from_the_future_gives_nothing_yet() -> None:
    assert isinstance(decide(question(consents=(consent(recorded_at=NOW),))), Allowed)
    ahead = consent(recorded_at=NOW + timedelta(microseconds=1))
    assert reasons(question(consents=(ahead,))) == ("consent_missing",)


@pytest.mark.parametrize(("decision", "code"), [("refused", "consent_refused"), ("withdrawn", "consent_withdrawn")])
def test_the_newest_decision_replaces_the_ones_before(decision: str, code: str) -> None:
    later = consent(id=UUID(int=9), decision=decision, recorded_at=LATER)
    assert reasons(question(consents=(later, CONSENT))) == (code,)
    again = consent(id=UUID(int=10), recorded_at=NOW)
    assert isinstance(decide(question(consents=(again, later, CONSENT))), Allowed)


def test_a_decision_about_all_takes_back_what_was_given_to_one() -> None:
    later = consent(decision="withdrawn", recipients=frozenset(), recorded_at=LATER)
    assert reasons(question(consents=(CONSENT, later))) == ("consent_withdrawn",)


def test_a_decision_about_another_recipient_leaves_this_one() -> None:
    later = consent(decision="withdrawn", recipients=frozenset({"idva"}), recorded_at=LATER)
    assert isinstance(decide(question(consents=(CONSENT, later))), Allowed)


def test_of_decisions_at_one_moment_the_refusal_counts() -> None:
    assert reasons(question(consents=(CONSENT, consent(decision="refused")))) == ("consent_refused",)


def test_two_consents_at_one_moment_cover_what_both_cover() -> None:
    verdict = decide(question(consents=(CONSENT, consent(id=UUID(int=3), data_categories=frozenset({"needs"})))))
    assert isinstance(verdict, Allowed)
    assert verdict.fields == DATA_CATEGORIES["needs"]


def test_explicit_consent_needs_an_express_statement() -> None:
    for method in ("implied", None):
        asked = question(hop_basis="explicit_consent", consents=(consent(method=method),))
        assert reasons(asked) == ("consent_missing",)
    assert isinstance(decide(question(hop_basis="explicit_consent")), Allowed)


def test_silence_is_never_consent() -> None:
    assert reasons(question(consents=(consent(method="implied"),))) == ("consent_missing",)
    assert isinstance(decide(question(consents=(consent(method=None),))), Allowed)


@pytest.mark.parametrize("basis", ["implied_opt_out", "public_task", "joint_controller", "agreement_in_place"])
def test_without_a_consent_basis_the_agreement_alone_allows_and_an_objection_stops(basis: str) -> None:
    agreement = {"lawful_basis": basis}
    verdict = decide(question(agreement=agreement, hop_basis=basis, consents=()))
    assert isinstance(verdict, Allowed)
    assert (verdict.basis, verdict.consent_ids) == (basis, ())
    assert verdict.fields == tuple(
        name
        for category, names in DATA_CATEGORIES.items()
        if category not in ("narrative", "assessment")
        for name in names
    )
    for decision in ("refused", "withdrawn"):
        asked = question(agreement=agreement, hop_basis=basis, consents=(consent(decision=decision),))
        assert reasons(asked) == (f"consent_{decision}",)


def test_nothing_that_both_cover_is_refused() -> None:
    only_risk = consent(data_categories=frozenset({"narrative"}))
    assert reasons(question(consents=(only_risk,))) == ("data_category_not_covered",)
    assert reasons(question(consents=(consent(data_categories=frozenset()),))) == ("data_category_not_covered",)
    assert reasons(question(agreement={"data_categories": frozenset()})) == ("data_category_not_covered",)


def test_every_reason_is_listed() -> None:
    asked = question(
        case_status=None,
        partner={"is_active": False, "agreements": (replace(AGREEMENT, status="suspended", purposes=frozenset()),)},
        consents=(),
    )
    expected = ("case_excluded", "partner_suspended", "agreement_suspended", "purpose_not_covered", "consent_missing")
    assert reasons(asked) == expected


def test_of_several_agreements_the_one_in_force_is_taken_and_of_those_the_newest() -> None:
    ended = replace(AGREEMENT, id=UUID(int=20), ends_on=TODAY - timedelta(days=1), starts_on=date(2026, 6, 1))
    newer = replace(AGREEMENT, id=UUID(int=21), starts_on=date(2026, 3, 1))
    verdict = decide(question(partner={"agreements": (ended, AGREEMENT, newer)}))
    assert isinstance(verdict, Allowed)
    assert verdict.agreement_id == newer.id


@pytest.mark.parametrize(
    ("hop", "agreed", "expected"),
    [
        ("agreement_in_place", "consent", "consent"),
        ("explicit_consent", "public_task", "explicit_consent"),
        ("implied_opt_out", "public_task", "implied_opt_out"),
        (None, "public_task", "public_task"),
        ("consent", None, "consent"),
        (None, None, "explicit_consent"),
        ("anything", "public_task", "explicit_consent"),
    ],
)
def test_the_stricter_basis_counts(hop: str | None, agreed: str | None, expected: str) -> None:
    assert stricter(hop, agreed) == expected


moments = st.integers(-3, 3).map(lambda hours: NOW + timedelta(hours=hours))
days = st.integers(-2, 2).map(lambda n: TODAY + timedelta(days=n))
categories = st.frozensets(st.sampled_from([*DATA_CATEGORIES, "unknown"]))
bases = st.sampled_from([None, "consent", "explicit_consent", "implied_opt_out", "public_task", "unheard_of"])
kinds = st.sampled_from(["counselling", "idva"])
consents = st.builds(
    Consent,
    id=st.uuids(),
    hop=st.sampled_from(["hub_to_partner", "police_to_hub"]),
    decision=st.sampled_from(["given", "given", "refused", "withdrawn", "not_asked", "unheard_of"]),
    recipients=st.frozensets(st.sampled_from(["counselling", "idva", str(PARTNER_ID)])),
    data_categories=categories,
    method=st.sampled_from([None, "spoken", "implied"]),
    recorded_at=moments,
    expires_at=st.none() | moments,
)
agreements = st.builds(
    Agreement,
    id=st.uuids(),
    version=st.integers(1, 9),
    status=st.sampled_from(["active", "active", "draft", "suspended", "ended", "unheard_of"]),
    lawful_basis=bases,
    purposes=st.frozensets(kinds),
    data_categories=categories,
    crimes_excluded=st.frozensets(st.sampled_from(["burglary", "sexual.rape"])),
    starts_on=days,
    ends_on=st.none() | days,
)
questions = st.builds(
    Question,
    hop=st.just("hub_to_partner"),
    purpose=kinds,
    case_status=st.sampled_from(["open", "open", "closed", "excluded", "unheard_of", None]),
    crime_category=st.sampled_from([None, "burglary.residential", "sexual.rape"]),
    partner=st.none()
    | st.builds(
        Partner,
        id=st.just(PARTNER_ID),
        is_active=st.sampled_from([True, True, False]),
        ring_fenced=st.sampled_from([False, False, True]),
        agreements=st.lists(agreements, max_size=3).map(tuple),
    ),
    shares=st.sampled_from(["case_data", "referral_data", "nothing", "unheard_of"]),
    is_told=st.booleans(),
    consents=st.lists(consents, max_size=4).map(tuple),
    hop_basis=bases,
    now=st.just(NOW),
    today=st.just(TODAY),
)


@given(questions)
def test_nothing_is_allowed_without_a_valid_agreement_and_where_needed_a_valid_consent(asked: Question) -> None:
    verdict = decide(asked)
    if isinstance(verdict, Refused):
        assert verdict.reasons
        return
    assert asked.case_status == "open" or (asked.case_status == "closed" and asked.is_told)
    assert verdict.what == asked.shares
    assert asked.shares in ("case_data", "referral_data")
    assert asked.partner is not None
    assert asked.partner.is_active
    assert not asked.partner.ring_fenced
    [agreement] = [each for each in asked.partner.agreements if each.id == verdict.agreement_id]
    assert agreement.status == "active"
    assert agreement.starts_on <= TODAY <= (agreement.ends_on or TODAY)
    assert asked.purpose in agreement.purposes
    covered = agreement.data_categories
    if verdict.basis in ("consent", "explicit_consent"):
        given_ones = [each for each in asked.consents if each.id in verdict.consent_ids]
        assert given_ones
        for each in given_ones:
            assert (each.hop, each.decision) == ("hub_to_partner", "given")
            assert each.recorded_at <= NOW
            assert each.expires_at is None or each.expires_at > NOW
            assert not each.recipients or each.recipients & {asked.purpose, str(PARTNER_ID)}
            assert each.method != "implied"
            covered &= each.data_categories
    newest_given = max((c.recorded_at for c in asked.consents if c.decision == "given"), default=NOW)
    for each in asked.consents:
        if each.decision in ("refused", "withdrawn") and each.hop == "hub_to_partner" and not each.recipients:
            assert each.recorded_at < newest_given
    assert verdict.fields
    assert set(verdict.fields) <= {
        name for category in covered & DATA_CATEGORIES.keys() for name in DATA_CATEGORIES[category]
    }
