"""Another profile, other behaviour: a changed line in YAML changes what the hub does, without a line of code."""

from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID

import pytest

from hubkit.contracts.profile import Profile
from hubkit.profiles import load_profile
from services.partners.policy import gate
from services.routing.model import Listing
from services.routing.policy.candidates import order_candidates
from services.triage.model import Triaged
from services.triage.policy.rulebook import Rulebook
from services.triage.policy.triage import decide
from tests.services.routing.words import facts
from tests.services.triage.facts import received

FRIDAY = datetime(2026, 6, 5, 15, 0, tzinfo=UTC)
HUB = """\
id: small
name: Small Hub
version: "1"
channels: [{channel: police_automatic}]
exclusions:
- {id: left_to_others, reason: left_to_others, when: {crimes: [damage.arson]}}
contacts:
- {id: call, methods: [phone], mode: all, within: {amount: 2, unit: working_days}}
sharing:
- {hop: hub_to_partner, basis: consent}
routing: {commissioned_first: true}
partners:
- {name: one, kind: counselling, commissioned: true, preference: 10}
- {name: two, kind: counselling, commissioned: true, preference: 20}
- {name: three, kind: counselling, commissioned: false, location: in_house, preference: 1}
"""


@pytest.fixture
def hub(tmp_path: Path) -> "Hub":
    return Hub(tmp_path / "small.yaml")


class Hub:
    """A hub of the profile above, with other words in it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._text = HUB

    def change(self, old: str, new: str) -> "Hub":
        assert self._text.count(old) == 1
        self._text = self._text.replace(old, new)
        return self

    @property
    def profile(self) -> Profile:
        self._path.write_text(self._text, encoding="utf-8")
        return load_profile(self._path)

    def triaged(self, crime: str = "burglary.residential") -> Triaged:
        return decide(Rulebook.of(self.profile), received(received_at=FRIDAY, crime=crime), FRIDAY)

    def due(self) -> datetime | None:
        [contact] = self.triaged().contacts
        return contact.due_at

    def asked(self) -> list[str]:
        """Return the names of the services in the order in which they are asked for counselling."""
        profile = self.profile
        listings = {
            UUID(int=number): Listing(
                service_id=UUID(int=number),
                partner_id=UUID(int=number),
                kind=partner.kind,
                status="active",
                location=partner.location,
                commissioned=partner.commissioned,
                preference=partner.preference,
            )
            for number, partner in enumerate(profile.partners)
        }
        found = order_candidates(facts(), listings.values(), profile.routing)
        return [profile.partners[candidate.service_id.int].name for candidate in found]

    def verdict(self, *decisions: str) -> tuple[str, ...]:
        """Return why a partner with an agreement is told nothing; empty when it is told."""
        categories = frozenset({"identity", "contact"})
        agreement = gate.Agreement(
            id=UUID(int=1),
            version=1,
            status="active",
            starts_on=date(2026, 1, 1),
            ends_on=None,
            lawful_basis="agreement_in_place",
            purposes=frozenset({"counselling"}),
            data_categories=categories,
            crimes_excluded=frozenset(),
        )
        consents = tuple(
            gate.Consent(UUID(int=2), "hub_to_partner", decision, frozenset(), categories, "spoken", FRIDAY, None)
            for decision in decisions
        )
        question = gate.Question(
            hop="hub_to_partner",
            purpose="counselling",
            case_status="open",
            crime_category="burglary.residential",
            partner=gate.Partner(UUID(int=3), is_active=True, ring_fenced=False, agreements=(agreement,)),
            shares="case_data",
            is_told=False,
            consents=consents,
            hop_basis=self.profile.basis_for("hub_to_partner"),
            now=FRIDAY,
            today=FRIDAY.date(),
        )
        found = gate.decide(question)
        return found.reasons if isinstance(found, gate.Refused) else ()


def test_a_deadline(hub: Hub) -> None:
    assert hub.due() == datetime(2026, 6, 9, 22, 59, 59, tzinfo=UTC)
    assert hub.change("amount: 2", "amount: 1").due() == datetime(2026, 6, 8, 22, 59, 59, tzinfo=UTC)
    assert hub.change("working_days", "hours").due() == datetime(2026, 6, 5, 16, 0, tzinfo=UTC)
    assert hub.change(", within: {amount: 1, unit: hours}", "").due() is None


def test_an_exclusion(hub: Hub) -> None:
    assert hub.triaged("damage.arson").decision.reason == "left_to_others"
    hub.change("[damage.arson]", "[fraud]")
    assert hub.triaged("damage.arson").decision.outcome == "accepted"
    assert hub.triaged("fraud.banking").decision.outcome == "excluded"


def test_the_order_of_partners(hub: Hub) -> None:
    assert hub.asked() == ["one", "two", "three"]
    assert hub.change("preference: 20", "preference: 5").asked() == ["two", "one", "three"]
    assert hub.change("commissioned_first: true", "prefer_locations: [in_house]").asked() == ["three", "two", "one"]


def test_a_basis_of_sharing(hub: Hub) -> None:
    assert hub.verdict() == ("consent_missing",)
    assert hub.verdict("given") == ()
    assert hub.change("basis: consent", "basis: agreement_in_place").verdict() == ()
    assert hub.verdict("withdrawn") == ("consent_withdrawn",)
    assert hub.change("basis: agreement_in_place", "basis: explicit_consent").verdict() == ("consent_missing",)
