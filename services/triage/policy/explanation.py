"""Why it was decided so: plain words from the stored decision, with the texts of the profile's rules."""

from collections.abc import Iterable
from dataclasses import dataclass

from hubkit.contracts.profile import Profile
from services.triage.model import Decision

_OUTCOMES = {
    "accepted": "The hub takes this referral on.",
    "excluded": "The hub does not take this referral on, and nobody contacts the person from here.",
    "out_of_scope": "This referral is outside what the hub does.",
    "not_referred": "This referral should not have reached the hub.",
    "channel_not_active": "The hub did not take referrals by this channel on the day it came.",
    "no_active_profile": "The hub was not working on the day it came.",
    "pending": "The decision waits for something that is still missing.",
    "returned": "The referral went back to its source.",
}

#: Source: Code of Practice for Victims of Crime in England and Wales, 2021.
_CATEGORIES = {
    "most_serious_crime": "They are a victim of one of the most serious crimes, as the Victims' Code names them.",
    "persistently_targeted": "They are persistently targeted, as the Victims' Code puts it.",
    "vulnerable_or_intimidated": "They are vulnerable or intimidated, as the Victims' Code puts it.",
    "judged_enhanced": "A professional judged that they should have enhanced rights.",
}


@dataclass(frozen=True, slots=True)
class RuleText:
    """One rule that applied; without `text` when the profile that is loaded no longer is the one that decided."""

    id: str
    text: str | None
    source: str | None


def sentences(decision: Decision, entitlement: str | None, needs: Iterable[str]) -> list[str]:
    """Return the decision in a few plain sentences."""
    said = [_OUTCOMES.get(decision.outcome, "The hub made a decision.")]
    if decision.reason:
        said.append(f"The reason is: {_plain(decision.reason)}.")
    if decision.expected_route:
        said.append(f"Help is expected to come another way: {_plain(decision.expected_route)}.")
    if entitlement:
        said.append(f"The person has {entitlement} rights under the Victims' Code.")
    listed = ", ".join(_plain(need) for need in needs)
    if listed:
        said.append(f"Needs: {listed}.")
    return said


def rule_texts(decision: Decision, profile: Profile, decided_under: str) -> list[RuleText]:
    """Return the rules that applied, as the profile and the Victims' Code word them."""
    known = {rule.id: rule for rule in profile.rules()} if profile.version == decided_under else {}
    found = []
    for id in decision.rules:
        _, is_code, category = id.partition("victims_code.")
        if is_code:
            found.append(RuleText(id, _CATEGORIES.get(category), "Victims' Code 2021, enhanced rights"))
        else:
            rule = known.get(id)
            found.append(RuleText(id, rule.text if rule else None, rule.source if rule else None))
    return found


def _plain(code: str) -> str:
    return code.replace("_", " ")
