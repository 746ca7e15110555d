"""Decisions in plain words."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

import pytest

from services.triage.model import Progress, Reviewed, Triaged
from services.triage.policy.explanation import sentences
from tests.services.triage.facts import NOW, with_profile

SERVICES = tuple(Reviewed(UUID(int=n), UUID(int=10 + n), "idva") for n in (1, 2))


def told(text: str, done: Progress | None = None, **facts: Any) -> list[str]:
    done = done or Progress()
    triaged: Triaged = with_profile(text, done, **facts)
    rights = triaged.entitlement.level if triaged.entitlement else None
    return sentences(triaged.decision, rights, triaged.needs, done, asdict(triaged.outputs))


def test_little_is_said_where_little_happened() -> None:
    assert told("{}") == [
        "The hub takes this referral on.",
        "The person has standard rights under the Victims' Code.",
    ]


def test_units_are_told_apart() -> None:
    text = """
    units: [{id: victim_bureau, decides: true}, {id: charity, decides: true}]
    channels: [{channel: police_automatic}]
    exclusions: [{id: x, unit: victim_bureau, outcome: out_of_scope, reason: crime_not_reported, when: {}}]
    """
    assert told(text)[1:3] == [
        "The unit victim bureau does not take it on: crime not reported.",
        "The unit charity takes it on.",
    ]


def test_what_the_police_keep_back_is_told() -> None:
    text = "exclusions: [{id: x, reason: no_consent, withheld_reason: no_consent, when: {}}]"
    assert "The police keep the details back." in told(text)
    assert "The police keep the details back." not in told("{}")


REVIEW = 'lead_provider: {next_meeting: {area_x: "2026-11-24T10:00:00+00:00"}}'


def test_a_review_is_told_until_one_service_leads() -> None:
    waiting = told(REVIEW, Progress(review=SERVICES), local_authority_area="area_x")
    assert waiting[:4] == [
        "The decision waits for something that is still missing.",
        "The reason is: lead provider not agreed.",
        "It matches 2 services, and a meeting agrees which one of them leads.",
        "That meeting is on 2026-11-24.",
    ]
    agreed = told(REVIEW, Progress(review=SERVICES, lead_service_id=UUID(int=1)))
    assert agreed[:2] == ["The hub takes this referral on.", "One service was agreed to lead."]


@pytest.mark.parametrize(
    ("text", "done", "sentence"),
    [
        (
            "{}",
            {"judged_enhanced": True, "judged_by": "hub_manager"},
            "That was judged by hub manager, and the judgement stands over the rules.",
        ),
        ("{}", {"offer": "declined"}, "The person declined the hub's offer of support."),
        ("{}", {"failed_attempts": 3}, "Attempts to reach the person that failed: 3."),
        ("{}", {"assessed_needs": ("idva",)}, "The needs are those that an assessment with the person found."),
        ("{}", {"requested_needs": {"mental_health": NOW}}, "Staff asked for referrals for: mental health."),
        (
            "contact_methods: [phone]",
            {"requested_methods": ("face_to_face",)},
            "The hub does not have these ways of contact: face to face.",
        ),
        ("{}", {"court_event": "hearing_listed"}, "The newest event at court was: hearing listed."),
        ("{}", {"plea": "not_guilty"}, "The plea at the newest hearing was not guilty."),
        ("{}", {"closed_at": NOW}, "The hub's work on this case has ended."),
        ("{}", {"reopened_at": NOW}, "The case was opened again after it had ended."),
        (
            "triage: {levels: [{id: l, level: high_need}]}",
            {},
            "The hub's level for this case is: high need.",
        ),
        (
            "needs: [{id: n, needs: [domestic_abuse], next: community}]",
            {},
            "Needs that the hub works on itself first: domestic abuse.",
        ),
        (
            "surveys: [{id: s, instrument: exit_survey, sent_on: case_closed}]",
            {"closed_at": NOW},
            "Sent to the person: exit survey.",
        ),
        (
            "surveys: [{id: s, instrument: exit_survey, sent_on: case_closed, refused_reason: no_survey_consent}]",
            {"closed_at": NOW},
            "Not sent to the person: exit survey; no survey consent.",
        ),
    ],
)
def test_what_happened_since_is_told(text: str, done: dict[str, Any], sentence: str) -> None:
    assert sentence in told(text, Progress(**done))
    if done:
        assert sentence not in told(text)
