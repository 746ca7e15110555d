"""Which service is asked, and when the next one is."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from hubkit.contracts.profile import Routing
from hubkit.ids import new_id
from services.routing import policy
from services.routing.model import Candidate, CaseFacts, Listing, News, Pathway, PathwayStatus

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)


def facts(**changes: Any) -> CaseFacts:
    known = CaseFacts(new_id(), new_id(), 1, "burglary.residential", 36, "E07000008", None)
    return replace(known, **changes)


def listing(number: int = 1, **changes: Any) -> Listing:
    made = Listing(UUID(int=number), UUID(int=1000 + number), "counselling", "active")
    return replace(made, **changes)


def pathway(*candidates: Candidate, **changes: Any) -> Pathway:
    """Return a pathway whose asked or accepted candidate, if it has one, is the one that it waits for."""
    current = next((c.onward_referral_id for c in candidates if c.outcome in ("asked", "accepted")), None)
    made = Pathway(new_id(), new_id(), new_id(), "counselling", PathwayStatus.REQUESTED, 1, candidates, current)
    return replace(made, **changes)


def candidate(number: int, outcome: str | None = None, *, eligible: bool = True, **changes: Any) -> Candidate:
    onward_referral_id = UUID(int=2000 + number) if outcome else None
    made = Candidate(UUID(int=number), UUID(int=1000 + number), eligible, (), outcome, onward_referral_id)
    return replace(made, **changes)


def news(number: int, status: str, *reasons: str, version: int = 3, **changes: Any) -> News:
    """Return news of the onward referral under which a candidate was asked."""
    return replace(News(UUID(int=2000 + number), version, status, NOW, reasons), **changes)


def outcomes(of: Pathway) -> list[str | None]:
    return [each.outcome for each in of.candidates]


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
    before = pathway(candidate(1, "asked"), candidate(2))
    after = policy.after_news(before, news(1, "declined", "capacity_full"), next_id)
    assert (after.onward_referral_id, after.candidates[1].onward_referral_id) == (next_id, next_id)
    assert outcomes(after) == ["declined", "asked"]
    assert after.candidates[0].reasons == ("capacity_full",)


def test_pathway_says_when_nobody_is_left() -> None:
    before = pathway(candidate(1, "asked"), candidate(2, eligible=False))
    after = policy.after_news(before, news(1, "refused", "agreement_expired"), new_id())
    assert (after.status, after.onward_referral_id) == (PathwayStatus.EXHAUSTED, None)
    assert policy.ask_next(pathway(candidate(1, eligible=False)), new_id()).status is PathwayStatus.NO_CANDIDATE


def test_missing_consent_waits_instead_of_asking_another_until_it_is_sent() -> None:
    before = pathway(candidate(1, "asked"), candidate(2))
    waits = policy.after_news(before, news(1, "awaiting_consent", "consent_missing", version=1), new_id())
    assert waits.status is PathwayStatus.AWAITING_CONSENT
    assert waits.onward_referral_id == before.onward_referral_id
    sent = policy.after_news(waits, news(1, "sent", version=3), new_id())
    assert (sent.status, sent.version, outcomes(sent)) == (PathwayStatus.REQUESTED, 3, ["asked", None])


@pytest.mark.parametrize("reason", ["consent_withdrawn", "consent_refused", "case_excluded"])
@pytest.mark.parametrize(("outcome", "status"), [("asked", "requested"), ("accepted", "accepted")])
def test_withdrawal_by_the_person_or_the_hub_stops_the_pathway(outcome: str, status: str, reason: str) -> None:
    before = pathway(candidate(1, outcome), candidate(2), status=PathwayStatus(status))
    after = policy.after_news(before, news(1, "withdrawn", reason), new_id())
    assert after.status is PathwayStatus.STOPPED
    assert outcomes(after) == ["withdrawn", None]


def test_sent_starts_the_clock_and_acceptance_ends_it() -> None:
    before = pathway(candidate(1, "asked"))
    sent = policy.after_news(before, news(1, "sent", version=2, answer_due_at=NOW), new_id())
    accepted = policy.after_news(sent, news(1, "accepted", version=3), new_id())
    assert (sent.answer_due_at, accepted.answer_due_at) == (NOW, None)
    assert (accepted.status, outcomes(accepted)) == (PathwayStatus.ACCEPTED, ["accepted"])
    # That the clock runs is nothing to tell others; that the person is helped is.
    assert (sent.version, accepted.version) == (before.version, before.version + 1)


def test_progress_of_the_partner_leaves_the_pathway_accepted() -> None:
    before = pathway(candidate(1, "accepted", heard=3), candidate(2), status=PathwayStatus.ACCEPTED)
    after = policy.after_news(before, news(1, "in_support", version=4), new_id())
    assert (after.status, after.version, outcomes(after)) == (PathwayStatus.ACCEPTED, 1, ["accepted", None])
    closed = policy.after_news(after, news(1, "closed", version=5), new_id())
    assert (closed.status, outcomes(closed)) == (PathwayStatus.CLOSED, ["accepted", None])


def test_support_that_was_heard_of_before_the_acceptance_is_acceptance() -> None:
    before = pathway(candidate(1, "asked"))
    assert policy.after_news(before, news(1, "in_support", version=4), new_id()).status is PathwayStatus.ACCEPTED


@pytest.mark.parametrize(("status", "version"), [("sent", 2), ("awaiting_consent", 1), ("accepted", 3)])
def test_news_of_an_older_or_the_same_version_changes_nothing(status: str, version: int) -> None:
    before = pathway(candidate(1, "accepted", heard=3), status=PathwayStatus.ACCEPTED)
    assert policy.after_news(before, news(1, status, version=version, answer_due_at=NOW), new_id()) is before


def test_news_of_an_onward_referral_that_is_not_the_pathways_changes_nothing() -> None:
    before = pathway(candidate(1, "asked"))
    assert policy.after_news(before, news(7, "accepted"), new_id()) is before


@pytest.mark.parametrize("status", ["sent", "accepted", "awaiting_consent"])
def test_a_stopped_pathway_stays_stopped_whatever_is_under_way(status: str) -> None:
    before = pathway(candidate(1, "asked"), candidate(2), status=PathwayStatus.STOPPED)
    after = policy.after_news(before, news(1, status, answer_due_at=NOW), new_id())
    assert (after.status, after.version, after.answer_due_at) == (PathwayStatus.STOPPED, 1, None)
    declined = policy.after_news(before, news(1, "declined", "capacity_full"), new_id())
    assert (declined.status, outcomes(declined)) == (PathwayStatus.STOPPED, ["declined", None])


def test_nobody_who_answered_or_did_not_is_asked_again_when_the_directory_changes() -> None:
    asked = ("declined", "no_answer", "withdrawn", "recalled")
    before = pathway(
        *(candidate(number, outcome) for number, outcome in enumerate(asked, 1)), status=PathwayStatus.EXHAUSTED
    )
    fresh = policy.order_candidates(facts(), [listing(number) for number in range(1, 6)], Routing())
    again = policy.begin_again(before, fresh, new_id())
    assert outcomes(again) == [*asked, "asked"]
    assert again.candidates[1].onward_referral_id == before.candidates[1].onward_referral_id
    assert policy.begin_again(before, fresh[:4], new_id()).status is PathwayStatus.EXHAUSTED


def test_one_that_only_the_gate_refused_is_asked_again_when_the_directory_changes() -> None:
    refused = candidate(1, "refused", reasons=("agreement_expired",), heard=1)
    before = pathway(refused, status=PathwayStatus.EXHAUSTED)
    next_id = new_id()
    again = policy.begin_again(before, policy.order_candidates(facts(), [listing(1)], Routing()), next_id)
    assert again.candidates == (candidate(1, "asked", onward_referral_id=next_id),)
    assert (again.status, again.onward_referral_id) == (PathwayStatus.REQUESTED, next_id)


def test_a_case_that_is_open_again_begins_with_all_but_those_who_answered() -> None:
    before = pathway(
        candidate(1, "declined"), candidate(2, "withdrawn", reasons=("case_excluded",)), status=PathwayStatus.STOPPED
    )
    fresh = policy.order_candidates(facts(), [listing(1), listing(2)], Routing())
    assert outcomes(policy.begin_again(before, fresh, new_id())) == ["declined", "asked"]


def test_late_acceptance_takes_the_person_and_recalls_the_one_asked_meanwhile() -> None:
    passed_over = policy.pass_over(pathway(candidate(1, "asked"), candidate(2)), UUID(int=2002))
    assert outcomes(passed_over) == ["no_answer", "asked"]
    after = policy.after_news(passed_over, news(1, "accepted"), new_id())
    assert (after.status, after.onward_referral_id) == (PathwayStatus.ACCEPTED, UUID(int=2001))
    assert outcomes(after) == ["accepted", "recalled"]
    assert after.candidates[1].reasons == ("accepted_elsewhere",)
    # What partners says of the recall, and an acceptance that had crossed it, change nothing.
    for status in ("withdrawn", "accepted"):
        told = policy.after_news(after, news(2, status, "accepted_elsewhere"), new_id())
        assert (told.status, told.version, outcomes(told)) == (after.status, after.version, outcomes(after))


def test_late_acceptance_after_another_has_accepted_is_recalled_itself() -> None:
    before = pathway(candidate(1, "no_answer"), candidate(2, "accepted"), status=PathwayStatus.ACCEPTED)
    after = policy.after_news(before, news(1, "accepted"), new_id())
    assert (after.status, after.onward_referral_id) == (PathwayStatus.ACCEPTED, before.onward_referral_id)
    assert outcomes(after) == ["recalled", "accepted"]


def test_late_acceptance_when_nobody_was_left_is_taken() -> None:
    before = policy.pass_over(pathway(candidate(1, "asked")), new_id())
    assert before.status is PathwayStatus.EXHAUSTED
    assert policy.after_news(before, news(1, "accepted"), new_id()).status is PathwayStatus.ACCEPTED


@pytest.mark.parametrize("recipients", [(), ("counselling",), (str(UUID(int=1001)), "isva")])
def test_consent_given_again_asks_the_same_candidate_again(recipients: tuple[str, ...]) -> None:
    withdrawn = candidate(1, "withdrawn", reasons=("consent_withdrawn",), heard=4)
    before = pathway(withdrawn, candidate(2), status=PathwayStatus.STOPPED)
    next_id = new_id()
    after = policy.after_consent(before, recipients, NOW, next_id)
    assert (after.status, after.onward_referral_id, after.consented_at) == (PathwayStatus.REQUESTED, next_id, NOW)
    assert after.candidates[0] == candidate(1, "asked", onward_referral_id=next_id)


def test_consent_for_somebody_else_opens_nothing() -> None:
    before = pathway(candidate(1, "withdrawn", reasons=("consent_withdrawn",)), status=PathwayStatus.STOPPED)
    assert policy.after_consent(before, ("isva", str(new_id())), NOW, new_id()) is before


def test_consent_for_one_service_that_was_not_asked_yet_asks_that_one() -> None:
    withdrawn = candidate(1, "withdrawn", reasons=("consent_withdrawn",))
    before = pathway(withdrawn, candidate(2), status=PathwayStatus.STOPPED)
    assert outcomes(policy.after_consent(before, (str(UUID(int=1002)),), NOW, new_id())) == ["withdrawn", "asked"]


@pytest.mark.parametrize(("status", "reason"), [("stopped", "case_excluded"), ("accepted", "consent_withdrawn")])
def test_consent_opens_only_what_had_stopped_for_want_of_it(status: str, reason: str) -> None:
    before = pathway(candidate(1, "withdrawn", reasons=(reason,)), status=PathwayStatus(status))
    after = policy.after_consent(before, (), NOW, new_id())
    assert (after.status, after.version) == (before.status, before.version)


def test_withdrawal_that_is_heard_of_after_the_new_consent_does_not_stop_the_pathway() -> None:
    before = policy.after_consent(pathway(candidate(1, "asked"), candidate(2)), (), NOW, new_id())
    earlier = news(1, "withdrawn", "consent_withdrawn", changed_at=NOW - timedelta(seconds=1))
    assert outcomes(policy.after_news(before, earlier, new_id())) == ["asked", None]
    later = replace(earlier, changed_at=NOW + timedelta(seconds=1))
    assert policy.after_news(before, later, new_id()).status is PathwayStatus.STOPPED
