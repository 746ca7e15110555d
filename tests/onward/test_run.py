"""Every hub starts by its profile alone, with partners and clients that fit it, takes a referral, and stops clean."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from hubkit.contracts.profile import Profile
from hubkit.profiles import load_profile
from tests.support.hub import EmbeddedHub, eventually, referral
from tests.support.stack import ROOT

PROFILES = [load_profile(path) for path in sorted((ROOT / "profiles").glob("*.yaml"))]


@pytest.fixture(params=PROFILES, ids=lambda profile: profile.id)
def profile(request: pytest.FixtureRequest) -> Profile:
    found: Profile = request.param
    return found


@pytest.fixture
def hub(profile: Profile) -> Iterator[EmbeddedHub]:
    hub = EmbeddedHub(profile.id)
    yield hub
    hub.close()


def test_twenty_hubs_stand_side_by_side() -> None:
    assert len(PROFILES) == 20


def test_a_hub_starts_takes_a_referral_and_stops(hub: EmbeddedHub, profile: Profile) -> None:
    assert profile.name in hub.logs()["onward"]
    listed = {service["name"] for service in hub.call("hub", "GET", "/v1/services?limit=100").json()["items"]}
    assert listed.issuperset(partner.name for partner in profile.partners)
    assert {partner.kind for partner in profile.partners} <= set(hub.clients)
    for partner in profile.partners:
        assert hub.call(partner.kind, "GET", "/v1/onward-referrals").status_code == 200

    body = referral(markers=["vulnerable", "hate_crime", "needs_identified"])
    body["source"]["channel"] = profile.channels[0].channel
    referral_id = hub.accepted(body)
    case = eventually(lambda: hub.case(referral_id))
    assert case["decision"]["profile_version"] == profile.version
    today = datetime.now(UTC).date()
    if profile.valid_to is None or today <= profile.valid_to:
        assert case["decision"]["outcome"] == "accepted", case["decision"]
    else:
        assert case["decision"]["reason"] == profile.late_reason
    assert hub.stop() == 0
