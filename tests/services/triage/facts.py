"""Referrals and profiles for the tests of the rules."""

from datetime import UTC, datetime
from typing import Any

import yaml

from hubkit.contracts import ReferralReceivedV1
from hubkit.contracts.profile import Profile
from hubkit.ids import new_id
from services.triage.model import Progress, Triaged
from services.triage.policy.rulebook import Rulebook
from services.triage.policy.triage import decide

NOW = datetime(2026, 11, 19, 8, 30, tzinfo=UTC)
CAMBRIDGESHIRE = "profiles/cambridgeshire.yaml"


def received(**changes: Any) -> ReferralReceivedV1:
    """Return a burglary that needs nothing; `crime` may be a category alone."""
    crime = changes.pop("crime", "burglary.residential")
    facts = {
        "referral_id": new_id(),
        "version": 1,
        "source_organisation": "demo-police",
        "channel": "police_automatic",
        "received_at": NOW,
        "crime": {"category": crime} if isinstance(crime, str) else crime,
        "age": 36,
        **changes,
    }
    return ReferralReceivedV1.model_validate(facts)


def profile(text: str) -> Profile:
    """Return a profile with police and self-referral channels, a service for any need, and what `text` adds in YAML."""
    channels = [{"channel": name} for name in ("police_automatic", "police_case_by_case", "self_referral")]
    document = {
        "id": "test",
        "name": "Test Hub",
        "version": "t1",
        "channels": channels,
        "partners": [{"name": "any", "kind": "other"}],
        **(yaml.safe_load(text) or {}),
    }
    return Profile.model_validate(document)


def with_profile(text: str, done: Progress | None = None, **facts: Any) -> Triaged:
    """Return what a profile decides about a referral after what was done with it."""
    return decide(Rulebook.of(profile(text)), received(**facts), NOW, done or Progress())
