"""Why it was decided so: plain words from the stored decision, with the texts of the profile's rules."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from hubkit.contracts.profile import Profile
from services.triage.model import Decision, Progress

_NOTHING_DONE = Progress()
_NO_OUTPUTS: Mapping[str, Any] = MappingProxyType({})

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


def sentences(
    decision: Decision,
    entitlement: str | None,
    needs: Iterable[str],
    progress: Progress = _NOTHING_DONE,
    outputs: Mapping[str, Any] = _NO_OUTPUTS,
) -> list[str]:
    """Return the decision, and what has been done since, in a few plain sentences.

    Parameters
    ----------
    outputs
        What else was decided, by the names of `model.Outputs`; what is missing was not decided.
    """
    return [
        *_of_decision(decision, outputs),
        *_of_review(progress, outputs),
        *_of_rights(entitlement, progress),
        *_of_needs(needs, progress, outputs),
        *_of_answers(progress, outputs),
        *_of_ends(progress, outputs),
    ]


def _of_decision(decision: Decision, outputs: Mapping[str, Any]) -> Iterator[str]:
    yield _OUTCOMES.get(decision.outcome, "The hub made a decision.")
    if decision.reason:
        yield f"The reason is: {_plain(decision.reason)}."
    for unit, found in decision.by_unit.items():
        takes = "takes it on" if found.outcome == "accepted" else "does not take it on"
        yield f"The unit {_plain(unit)} {takes}{f': {_plain(found.reason)}' if found.reason else ''}."
    if decision.expected_route:
        yield f"Help is expected to come another way: {_plain(decision.expected_route)}."
    if (outputs.get("received") or {}).get("outcome") == "withheld":
        yield "The police keep the details back."


def _of_review(progress: Progress, outputs: Mapping[str, Any]) -> Iterator[str]:
    review = outputs.get("review")
    if progress.lead_service_id is not None:
        yield "One service was agreed to lead."
    elif review:
        yield f"It matches {len(review['services'])} services, and a meeting agrees which one of them leads."
        if review.get("meeting_at"):
            yield f"That meeting is on {review['meeting_at'][:10]}."


def _of_rights(entitlement: str | None, progress: Progress) -> Iterator[str]:
    if entitlement:
        yield f"The person has {entitlement} rights under the Victims' Code."
    if entitlement and progress.judged_enhanced is not None:
        by = _plain(progress.judged_by or "somebody")
        yield f"That was judged by {by}, and the judgement stands over the rules."


def _of_needs(needs: Iterable[str], progress: Progress, outputs: Mapping[str, Any]) -> Iterator[str]:
    level = (outputs.get("triage") or {}).get("level")
    if level:
        yield f"The hub's level for this case is: {_plain(level)}."
    if progress.assessed_needs is not None:
        yield "The needs are those that an assessment with the person found."
    yield from _listed("Needs", needs)
    held = outputs.get("held_needs") or ()
    yield from _listed("Needs that the hub works on itself first", [item["need"] for item in held])
    yield from _listed("Staff asked for referrals for", progress.requested_needs)


def _of_answers(progress: Progress, outputs: Mapping[str, Any]) -> Iterator[str]:
    if progress.offer is not None:
        yield f"The person {progress.offer} the hub's offer of support."
    if progress.was_reached:
        yield "The person was reached."
    if progress.failed_attempts:
        yield f"Attempts to reach the person that failed: {progress.failed_attempts}."
    yield from _listed("The hub does not have these ways of contact", outputs.get("refused_methods") or ())
    if progress.court_event is not None:
        yield f"The newest event at court was: {_plain(progress.court_event)}."
    if progress.plea is not None:
        yield f"The plea at the newest hearing was {_plain(progress.plea)}."


def _of_ends(progress: Progress, outputs: Mapping[str, Any]) -> Iterator[str]:
    if progress.closed_at is not None:
        yield "The hub's work on this case has ended."
    elif progress.reopened_at is not None:
        yield "The case was opened again after it had ended."
    for survey in outputs.get("surveys") or ():
        if survey["sent"]:
            yield f"Sent to the person: {_plain(survey['instrument'])}."
        elif survey["reason"]:
            yield f"Not sent to the person: {_plain(survey['instrument'])}; {_plain(survey['reason'])}."


def _listed(title: str, codes: Iterable[str]) -> Iterator[str]:
    listed = ", ".join(_plain(code) for code in codes)
    if listed:
        yield f"{title}: {listed}."


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
