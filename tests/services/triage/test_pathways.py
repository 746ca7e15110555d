"""One word for what became of a pathway, from its own news and those of its onward referrals."""

from typing import Any

import pytest

from hubkit.contracts.profile import Profile
from services.triage.actions.pathways import pathway_views
from services.triage.schemas.views import PathwayView
from tests.services.triage.support import NOW, profile

HUB = profile("sharing: [{hop: hub_to_partner, reasons: {consent_missing: explicit_consent_missing}}]")
PATHWAY = "01920000-0000-7000-8000-000000000001"
ASKED = "01920000-0000-7000-8000-000000000002"
EARLIER = "01920000-0000-7000-8000-000000000003"


def view(hub: Profile, onward: list[dict[str, Any]] | None = None, **codes: Any) -> PathwayView:
    pathway = {"pathway_id": PATHWAY, "need": "counselling", "version": 1, **codes}
    (found,) = pathway_views([pathway], onward or [], hub)
    return found


def news(status: str, id: str = ASKED, **codes: Any) -> dict[str, Any]:
    return {
        "onward_referral_id": id,
        "pathway_id": PATHWAY,
        "status": status,
        "changed_at": NOW.isoformat(),
        "reasons": [],
        **codes,
    }


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("signposted", "signposted"),
        ("awaiting_choice", "pending"),
        ("awaiting_lead", "pending"),
        ("no_candidate", "pending"),
        ("awaiting_consent", "refused"),
        ("exhausted", "refused"),
        ("stopped", "not_needed"),
        ("led_elsewhere", "not_needed"),
        ("requested", None),
    ],
)
def test_a_pathways_own_status_says_it(status: str, outcome: str | None) -> None:
    assert view(HUB, status=status).outcome == outcome


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("ready", "referred"),
        ("sent", "referred"),
        ("accepted", "referred"),
        ("received", "referred"),
        ("in_support", "referred"),
        ("closed", "referred"),
        ("refused", "refused"),
        ("awaiting_consent", "refused"),
        ("declined", None),
    ],
)
def test_of_a_pathway_that_asks_its_onward_referral_says_it(status: str, outcome: str | None) -> None:
    assert view(HUB, [news(status)], status="requested", onward_referral_id=ASKED).outcome == outcome


def test_news_of_a_service_that_was_asked_before_do_not_count() -> None:
    found = view(HUB, [news("refused", EARLIER)], status="requested", onward_referral_id=ASKED)
    assert (found.outcome, found.reason) == (None, None)


def test_a_reason_is_said_in_the_hubs_own_word() -> None:
    refused = [news("refused", reasons=["consent_missing"])]
    found = view(HUB, refused, status="exhausted")
    assert (found.outcome, found.reasons, found.reason) == ("refused", ["consent_missing"], "explicit_consent_missing")
    waits = view(HUB, refused, status="awaiting_choice", reasons=["informed_choice_not_recorded"])
    assert waits.reason == "informed_choice_not_recorded"
