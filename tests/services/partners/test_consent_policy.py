"""What a decision needs to be recorded, which ones others hear of, and whose word stands over whose."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.partners.policy.consent import (
    About,
    Consent,
    faults,
    is_about_sharing,
    newest,
    objections,
    recording_faults,
)
from services.partners.policy.protections import Giver

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
AHEAD = timedelta(minutes=5)
MOMENT = timedelta(microseconds=1)
CONSENT = Consent(
    id=UUID(int=1),
    hop="hub_to_partner",
    decision="given",
    recipients=frozenset({"counselling"}),
    data_categories=frozenset({"identity"}),
    method="spoken",
    recorded_at=NOW,
    expires_at=None,
)
ABOUT = About("hub_to_partner", frozenset({"counselling"}), NOW, child=False)
COMPETENT = Giver("self", competence="gillick_assessed")


def recording(consent: Consent, *, child: bool = False) -> list[tuple[str, str, str]]:
    return list(recording_faults(consent, now=NOW, ahead=AHEAD, child=child))


def test_clocks_of_callers_may_be_a_little_ahead() -> None:
    assert recording(replace(CONSENT, recorded_at=NOW + AHEAD)) == []
    late = replace(CONSENT, recorded_at=NOW + AHEAD + MOMENT)
    future = ("recorded_at", "in_the_future", "must not be in the future")
    assert recording(late) == [future]
    assert recording(replace(late, decision="withdrawn")) == [future]


def test_what_is_given_lasts_beyond_its_recording() -> None:
    expired = [("expires_at", "expired_on_arrival", "must not have passed when it is recorded")]
    assert recording(replace(CONSENT, expires_at=NOW)) == expired
    assert recording(replace(CONSENT, expires_at=NOW + MOMENT)) == []
    ahead = replace(CONSENT, recorded_at=NOW + AHEAD, expires_at=NOW + AHEAD)
    assert recording(ahead) == expired
    assert recording(replace(ahead, expires_at=NOW + AHEAD + MOMENT)) == []
    earlier = replace(CONSENT, recorded_at=NOW - AHEAD, expires_at=NOW - MOMENT)
    assert recording(earlier) == expired


@pytest.mark.parametrize(
    ("child", "by", "expected"),
    [
        (True, Giver(), ("competence", "competence_missing",
                         "a child under 16 needs gillick_assessed, or a parent as giver")),
        (False, Giver("parent"), ("giver", "giver_not_entitled", "cannot give this person's consent")),
        (False, Giver(capacity="assessed_lacks"),
         ("giver", "capacity_lacking", "must be an attorney or court_deputy where capacity is lacking")),
        (False, Giver("attorney"),
         ("capacity", "capacity_not_assessed", "must be assessed_lacks where somebody else gives the consent")),
        (False, Giver("attorney", "assessed_lacks"),
         ("best_interests", "best_interests_missing", "must be recorded where capacity is lacking")),
    ],
)  # fmt: skip
def test_who_cannot_give_is_told_what_mends_it(child: bool, by: Giver, expected: tuple[str, str, str]) -> None:
    assert recording(replace(CONSENT, by=by), child=child) == [expected]


def test_all_that_is_wrong_is_said_at_once() -> None:
    wrong = replace(CONSENT, recorded_at=NOW + 2 * AHEAD, expires_at=NOW, by=Giver("parent"))
    assert [code for _, code, _ in recording(wrong)] == ["in_the_future", "expired_on_arrival", "giver_not_entitled"]


@pytest.mark.parametrize("decision", ["refused", "withdrawn", "not_asked"])
def test_to_refuse_and_to_take_back_needs_no_proof(decision: str) -> None:
    said = replace(CONSENT, decision=decision, expires_at=NOW - AHEAD, by=Giver("neighbour", "assessed_lacks"))
    assert recording(said) == []
    assert recording(said, child=True) == []


def test_others_hear_of_what_somebody_decided_about_support() -> None:
    for decision in ("given", "refused", "withdrawn"):
        assert is_about_sharing(decision, None)
        assert is_about_sharing(decision, "support")
        assert not is_about_sharing(decision, "hate_crime_report")
    assert not is_about_sharing("not_asked", None)
    assert not is_about_sharing("not_asked", "support")


def test_of_two_objections_the_withdrawal_is_said() -> None:
    refused, withdrawn = replace(CONSENT, decision="refused"), replace(CONSENT, decision="withdrawn")
    assert objections([refused, withdrawn]) == ["consent_withdrawn"]
    assert objections([refused]) == ["consent_refused"]
    assert objections([CONSENT]) == []


def test_the_newest_of_several_decisions_are_all_of_its_moment() -> None:
    before = replace(CONSENT, id=UUID(int=2), recorded_at=NOW - AHEAD)
    beside = replace(CONSENT, id=UUID(int=3))
    assert newest([before, CONSENT, beside], ABOUT) == [CONSENT, beside]
    assert newest([], ABOUT) == []


def test_what_takes_away_counts_at_once_though_it_claims_to_be_from_the_future() -> None:
    for decision in ("refused", "withdrawn"):
        ahead = replace(CONSENT, decision=decision, recorded_at=NOW + AHEAD)
        assert faults([CONSENT, ahead], ABOUT, explicit=False) == [f"consent_{decision}"]


def test_a_childs_no_stands_over_a_parents_yes_but_not_over_their_own() -> None:
    child = replace(ABOUT, child=True)
    no = replace(CONSENT, decision="refused", by=COMPETENT, recorded_at=NOW - 2 * AHEAD)
    parents = replace(CONSENT, id=UUID(int=2), by=Giver("parent"))
    assert faults([no, parents], child, explicit=False) == ["consent_refused"]
    own = replace(CONSENT, id=UUID(int=3), by=Giver())
    assert faults([no, own], child, explicit=False) == ["competence_missing"]
    # grown up since, the person gives without any assessment
    assert faults([no, own], ABOUT, explicit=False) == []


def test_a_childs_no_that_they_replaced_stands_over_nobody() -> None:
    child = replace(ABOUT, child=True)
    no = replace(CONSENT, decision="refused", by=COMPETENT, recorded_at=NOW - 2 * AHEAD)
    yes = replace(no, id=UUID(int=2), decision="given", recorded_at=NOW - AHEAD)
    parents = replace(CONSENT, id=UUID(int=3), by=Giver("parent"))
    assert faults([no, yes, parents], child, explicit=False) == []
    both = replace(yes, recorded_at=no.recorded_at)
    assert faults([no, both, parents], child, explicit=False) == ["consent_refused"]


def test_a_no_of_somebody_else_or_without_competence_overrules_no_parent() -> None:
    child = replace(ABOUT, child=True)
    parents = replace(CONSENT, id=UUID(int=3), by=Giver("parent"))
    for by in (Giver(), Giver("self", competence="gillick_not_met"), Giver("parent", competence="gillick_assessed")):
        no = replace(CONSENT, decision="refused", by=by, recorded_at=NOW - AHEAD)
        assert faults([no, parents], child, explicit=False) == []


def test_explicit_consent_is_spoken_or_written_and_any_other_only_not_implied() -> None:
    for method in ("spoken", "written", "online"):
        assert faults([replace(CONSENT, method=method)], ABOUT, explicit=True) == []
    for method in ("implied", None, "unheard_of"):
        assert faults([replace(CONSENT, method=method)], ABOUT, explicit=True) == ["consent_missing"]
    assert faults([replace(CONSENT, method="implied")], ABOUT, explicit=False) == ["consent_missing"]
    assert faults([replace(CONSENT, method=None)], ABOUT, explicit=False) == []


@pytest.mark.parametrize(
    ("hop", "asked", "decision", "counts"),
    [
        ("hub_to_partner", "hub_to_partner", "given", True),
        ("hub_to_hub", "hub_to_hub", "given", True),
        ("hub_to_partner", "hub_to_hub", "given", False),
        ("hub_to_partner", "hub_to_hub", "refused", True),
        ("hub_to_partner", "hub_to_hub", "withdrawn", True),
        ("hub_to_hub", "hub_to_partner", "given", False),
        ("hub_to_hub", "hub_to_partner", "refused", False),
        ("police_to_hub", "hub_to_hub", "refused", False),
        ("police_to_hub", "hub_to_partner", "withdrawn", False),
    ],
)
def test_a_no_to_partners_is_one_to_another_hub_and_nothing_else_is_about_another_hop(
    hop: str, asked: str, decision: str, counts: bool
) -> None:
    said = replace(CONSENT, hop=hop, decision=decision)
    assert newest([said], replace(ABOUT, hop=asked)) == ([said] if counts else [])


PARTNER = str(UUID(int=77))


@pytest.mark.parametrize(
    ("said", "stands"),
    [
        # A yes to the kind, or to all, leaves a no to this partner alone; one that names it takes it back.
        ([("refused", {PARTNER}), ("given", {"counselling"})], "refused"),
        ([("withdrawn", {PARTNER}), ("given", set())], "withdrawn"),
        ([("refused", {PARTNER}), ("given", {"counselling", PARTNER})], "given"),
        ([("refused", {PARTNER}), ("given", {PARTNER}), ("given", {"counselling"})], "given"),
        ([("given", {PARTNER}), ("refused", {PARTNER}), ("given", {"counselling"})], "refused"),
        # A no to more is later, and says no too.
        ([("refused", {PARTNER}), ("withdrawn", {"counselling"})], "withdrawn"),
        ([("given", {PARTNER}), ("refused", {"counselling"})], "refused"),
        # About another partner, and between kind and all, the newest counts.
        ([("refused", {str(UUID(int=78))}), ("given", {"counselling"})], "given"),
        ([("refused", {"counselling"}), ("given", set())], "given"),
        ([("refused", set()), ("given", {"counselling"})], "given"),
    ],
)
def test_a_yes_to_many_does_not_take_back_a_no_to_one_partner(said: list[tuple[str, set[str]]], stands: str) -> None:
    decisions = [
        replace(CONSENT, decision=decision, recipients=frozenset(names), recorded_at=NOW - AHEAD + number * MOMENT)
        for number, (decision, names) in enumerate(said)
    ]
    about = replace(ABOUT, recipient=frozenset({"counselling", PARTNER}))
    assert [each.decision for each in newest(decisions, about)] == [stands]
