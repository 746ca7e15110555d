"""Who is asked next, and what news, consent and the end of a case change."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from hubkit.contracts.profile import Routing
from hubkit.ids import new_id
from services.routing.model import Candidate, Pathway, PathwayStatus
from services.routing.policy import candidates
from services.routing.policy import pathways as policy
from tests.services.routing.words import NOW, candidate, facts, listing, news, outcomes, pathway


def begin_again(before: Pathway, fresh: Iterable[Candidate], onward_referral_id: UUID) -> Pathway:
    return policy.ask_next(policy.refreshed(before, fresh), onward_referral_id)


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


SIGNPOST = {"route": "signpost", "shares": "nothing"}


@pytest.mark.parametrize(
    ("service", "is_told"), [(SIGNPOST, False), ({**SIGNPOST, "shares": "referral_data"}, True), ({}, True)]
)
def test_who_is_only_signposted_to_is_not_asked(service: dict[str, Any], is_told: bool) -> None:
    fresh = candidates.order_candidates(facts(), [listing(1, **service), listing(2)], Routing())
    after = policy.ask_next(pathway(*fresh), new_id())
    assert after.status is (PathwayStatus.REQUESTED if is_told else PathwayStatus.SIGNPOSTED)
    assert outcomes(after) == ["asked" if is_told else "signposted", None]
    assert after.current is after.candidates[0]
    assert (after.onward_referral_id is not None) is is_told


def test_who_declines_may_be_followed_by_one_that_is_signposted_to() -> None:
    before = pathway(candidate(1, "asked"), candidate(2, only_signposted=True))
    after = policy.after_news(before, news(1, "declined", "capacity_full"), new_id())
    assert (after.status, after.onward_referral_id, outcomes(after)) == (
        PathwayStatus.SIGNPOSTED, None, ["declined", "signposted"],
    )  # fmt: skip


def test_staff_may_have_everybody_asked_once_more() -> None:
    before = pathway(candidate(1, "declined"), candidate(2, "no_answer"), status=PathwayStatus.EXHAUSTED)
    fresh = candidates.order_candidates(facts(), [listing(1), listing(2)], Routing())
    assert outcomes(policy.refreshed(before, fresh)) == ["declined", "no_answer"]
    assert outcomes(policy.refreshed(before, fresh, afresh=True)) == [None, None]


def test_one_that_is_asked_and_not_listed_any_more_stays_known() -> None:
    after = policy.refreshed(pathway(candidate(1, "asked"), candidate(2)), [candidate(3)])
    assert [(c.service_id.int, c.eligible, c.outcome) for c in after.candidates] == [
        (3, True, None),
        (1, False, "asked"),
    ]


@pytest.mark.parametrize("reason", ["not_chosen", "led_elsewhere", "case_closed"])
def test_one_that_was_taken_back_though_nothing_stood_against_it_may_be_asked_again(reason: str) -> None:
    back = policy.let_go(pathway(candidate(1, "asked")), reason)
    assert (outcomes(back), back.candidates[0].reasons) == (["recalled"], (reason,))
    assert outcomes(begin_again(back, [candidate(1)], new_id())) == ["asked"]


@pytest.mark.parametrize(
    ("status", "outcome", "after"),
    [
        ("requested", "asked", ("stopped", "recalled")),
        ("awaiting_consent", "asked", ("stopped", "recalled")),
        ("awaiting_choice", None, ("stopped", None)),
        ("awaiting_lead", None, ("stopped", None)),
        ("accepted", "accepted", ("accepted", "accepted")),
        ("closed", "accepted", ("closed", "accepted")),
        ("exhausted", "declined", ("exhausted", "declined")),
        ("signposted", "signposted", ("signposted", "signposted")),
        ("led_elsewhere", None, ("led_elsewhere", None)),
    ],
)
def test_closing_a_case_takes_back_what_is_pending(status: str, outcome: str | None, after: tuple[str, str]) -> None:
    before = pathway(candidate(1, outcome), status=PathwayStatus(status))
    closed = policy.close(before)
    assert (closed.status, closed.candidates[0].outcome) == after
    assert (closed.version > before.version) is (closed.status is not before.status)


def test_nobody_comes_after_the_service_that_keeps_the_person_of_a_closed_case() -> None:
    closed = policy.close(pathway(candidate(1, "accepted"), candidate(2), status=PathwayStatus.ACCEPTED))
    ended = policy.after_news(closed, news(1, "withdrawn", "partner_suspended", version=9), new_id())
    assert (ended.status, outcomes(ended)) == (PathwayStatus.EXHAUSTED, ["withdrawn", None])


@pytest.mark.parametrize(
    ("reason", "status", "outcome", "reasons"),
    [
        ("case_closed", "accepted", "accepted", ()),
        ("not_chosen", "stopped", "recalled", ("accepted_elsewhere",)),
        ("led_elsewhere", "stopped", "recalled", ("accepted_elsewhere",)),
        ("accepted_elsewhere", "stopped", "recalled", ("accepted_elsewhere",)),
    ],
)
def test_an_acceptance_that_crossed_its_recall(
    reason: str, status: str, outcome: str, reasons: tuple[str, ...]
) -> None:
    back = policy.let_go(pathway(candidate(1, "asked"), candidate(2)), reason).moved(PathwayStatus.STOPPED)
    after = policy.after_news(back, news(1, "accepted"), new_id())
    assert (after.status, after.candidates[0].outcome, after.candidates[0].reasons) == (status, outcome, reasons)


def test_missing_consent_waits_instead_of_asking_another_until_it_is_sent() -> None:
    before = pathway(candidate(1, "asked"), candidate(2))
    waits = policy.after_news(before, news(1, "awaiting_consent", "consent_missing", version=1), new_id())
    assert waits.status is PathwayStatus.AWAITING_CONSENT
    assert waits.onward_referral_id == before.onward_referral_id
    assert waits.current is not None
    assert waits.current.reasons == ("consent_missing",)
    sent = policy.after_news(waits, news(1, "sent", version=3), new_id())
    assert (sent.status, sent.version, outcomes(sent)) == (PathwayStatus.REQUESTED, 3, ["asked", None])
    assert sent.candidates[0].reasons == ()


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
    fresh = candidates.order_candidates(facts(), [listing(number) for number in range(1, 6)], Routing())
    again = begin_again(before, fresh, new_id())
    assert outcomes(again) == [*asked, "asked"]
    assert again.candidates[1].onward_referral_id == before.candidates[1].onward_referral_id
    assert begin_again(before, fresh[:4], new_id()).status is PathwayStatus.EXHAUSTED


def test_one_that_only_the_gate_refused_is_asked_again_when_the_directory_changes() -> None:
    refused = candidate(1, "refused", reasons=("agreement_expired",), heard=1)
    before = pathway(refused, status=PathwayStatus.EXHAUSTED)
    next_id = new_id()
    again = begin_again(before, candidates.order_candidates(facts(), [listing(1)], Routing()), next_id)
    assert again.candidates == (candidate(1, "asked", onward_referral_id=next_id),)
    assert (again.status, again.onward_referral_id) == (PathwayStatus.REQUESTED, next_id)


def test_a_case_that_is_open_again_begins_with_all_but_those_who_answered() -> None:
    before = pathway(
        candidate(1, "declined"), candidate(2, "withdrawn", reasons=("case_excluded",)), status=PathwayStatus.STOPPED
    )
    fresh = candidates.order_candidates(facts(), [listing(1), listing(2)], Routing())
    assert outcomes(begin_again(before, fresh, new_id())) == ["declined", "asked"]


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
