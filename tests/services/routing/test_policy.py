"""Which service is asked, and when the next one is."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from hubkit.contracts.profile import Routing
from hubkit.ids import new_id
from services.routing import policy
from services.routing.model import Candidate, CaseFacts, Listing, Pathway, PathwayStatus

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)


def facts(**changes: Any) -> CaseFacts:
    known = CaseFacts(new_id(), new_id(), 1, "burglary.residential", 36, "E07000008", None)
    return replace(known, **changes)


def listing(number: int = 1, **changes: Any) -> Listing:
    made = Listing(UUID(int=number), UUID(int=1000 + number), "counselling", "active")
    return replace(made, **changes)


def pathway(*candidates: Candidate, **changes: Any) -> Pathway:
    made = Pathway(new_id(), new_id(), new_id(), "counselling", PathwayStatus.REQUESTED, 1, candidates)
    return replace(made, **changes)


def candidate(number: int, outcome: str | None = None, *, eligible: bool = True) -> Candidate:
    return Candidate(UUID(int=number), UUID(int=1000 + number), eligible, (), outcome)


@pytest.mark.parametrize(
    ("case", "service", "reasons"),
    [
        ({}, {}, ()),
        ({}, {"status": "suspended"}, ("service_not_active",)),
        ({}, {"areas": ("E07000009",)}, ("outside_area",)),
        ({"area_code": None}, {"areas": ("E07000009",)}, ()),
        ({"age": 17}, {"min_age": 18}, ("below_minimum_age",)),
        ({"age": 18}, {"min_age": 18}, ()),
        ({"age": 25}, {"max_age": 25}, ()),
        ({"age": 26}, {"max_age": 25}, ("above_maximum_age",)),
        ({"age": None}, {"min_age": 18, "max_age": 25}, ()),
        ({}, {"crimes": ("sexual",)}, ("crime_not_taken",)),
        ({}, {"crimes": ("burglary",)}, ()),
        ({}, {"crimes": ("burglary.residential",)}, ()),
        ({"risk_grade": "standard"}, {"risk_grades": ("high",)}, ("risk_not_taken",)),
        ({"risk_grade": None}, {"risk_grades": ("high",)}, ()),
    ],
)
def test_service_is_eligible_unless_its_criteria_say_no(
    case: dict[str, Any], service: dict[str, Any], reasons: tuple[str, ...]
) -> None:
    assert policy.why_not(facts(**case), listing(**service)) == reasons


def test_commissioned_services_come_first_only_where_the_profile_says_so() -> None:
    services = [listing(1, commissioned=False, preference=1), listing(2, commissioned=True, preference=9)]
    by_rule = policy.order_candidates(facts(), services, Routing(commissioned_first=True))
    silent = policy.order_candidates(facts(), services, Routing())
    assert [c.service_id.int for c in by_rule] == [2, 1]
    assert [c.service_id.int for c in silent] == [1, 2]


def test_ineligible_services_are_listed_last_with_their_reason() -> None:
    services = [listing(1, min_age=60), listing(2, preference=500)]
    first, second = policy.order_candidates(facts(), services, Routing())
    assert (first.service_id.int, second.service_id.int, second.reasons) == (2, 1, ("below_minimum_age",))


def test_same_facts_always_give_the_same_order() -> None:
    services = [listing(n) for n in range(9, 0, -1)]
    ordered = policy.order_candidates(facts(), services, Routing())
    assert [c.service_id.int for c in ordered] == list(range(1, 10))


def test_decline_asks_the_next_candidate() -> None:
    next_id = new_id()
    before = pathway(candidate(1, "asked"), candidate(2), onward_referral_id=new_id())
    after = policy.after_news(before, "declined", ("capacity_full",), answer_due_at=None, next_id=next_id)
    assert after.onward_referral_id == next_id
    assert [c.outcome for c in after.candidates] == ["declined", "asked"]
    assert after.candidates[0].reasons == ("capacity_full",)


def test_pathway_says_when_nobody_is_left() -> None:
    before = pathway(candidate(1, "asked"), candidate(2, eligible=False), onward_referral_id=new_id())
    after = policy.after_news(before, "refused", ("agreement_expired",), answer_due_at=None, next_id=new_id())
    assert (after.status, after.onward_referral_id) == (PathwayStatus.EXHAUSTED, None)
    assert policy.ask_next(pathway(candidate(1, eligible=False)), new_id()).status is PathwayStatus.NO_CANDIDATE


def test_missing_consent_waits_instead_of_asking_another() -> None:
    before = pathway(candidate(1, "asked"), candidate(2), onward_referral_id=new_id())
    after = policy.after_news(before, "awaiting_consent", ("consent_missing",), answer_due_at=None, next_id=new_id())
    assert after.status is PathwayStatus.AWAITING_CONSENT
    assert after.onward_referral_id == before.onward_referral_id


@pytest.mark.parametrize("reason", ["consent_withdrawn", "consent_refused", "case_excluded"])
def test_withdrawal_by_the_person_or_the_hub_stops_the_pathway(reason: str) -> None:
    before = pathway(candidate(1, "asked"), candidate(2), onward_referral_id=new_id())
    after = policy.after_news(before, "withdrawn", (reason,), answer_due_at=None, next_id=new_id())
    assert after.status is PathwayStatus.STOPPED
    assert [c.outcome for c in after.candidates] == ["withdrawn", None]


def test_sent_starts_the_clock_and_acceptance_ends_it() -> None:
    before = pathway(candidate(1, "asked"), onward_referral_id=new_id())
    sent = policy.after_news(before, "sent", (), answer_due_at=NOW, next_id=new_id())
    accepted = policy.after_news(sent, "accepted", (), answer_due_at=NOW, next_id=new_id())
    assert (sent.answer_due_at, accepted.answer_due_at) == (NOW, None)
    assert (accepted.status, accepted.version) == (PathwayStatus.ACCEPTED, before.version + 2)
