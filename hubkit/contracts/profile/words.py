"""Conditions and clocks in plain words, as a commissioner reads them."""

from collections.abc import Callable, Collection, Iterable
from typing import Any

from hubkit.contracts.profile.conditions import Condition, ConsentIs
from hubkit.contracts.profile.time import Within

_ACRONYMS = {
    "idva": "IDVA", "isva": "ISVA", "asb": "ASB", "da": "DA", "sv": "SV", "lgbtq": "LGBTQ", "oic": "OIC",
}  # fmt: skip
_HOPS = {
    "police_to_hub": "passing data from the police to the hub",
    "hub_to_partner": "passing data from the hub to partners",
    "hub_to_hub": "passing data from the hub to another hub",
    "survey": "surveys",
    "case_study": "telling their story",
}
_STARTS = {
    "referral_received": "receiving the referral",
    "crime_recorded": "the crime being recorded",
    "case_opened": "the case being opened",
    "offer_accepted": "the offer being accepted",
    "need_requested": "the need being asked for",
}


def plain(code: object) -> str:
    """Return a code as words: `da_risk_high` is "DA risk high", `sexual.rape` is "sexual: rape"."""
    if isinstance(code, bool):
        return "yes" if code else "no"
    words = str(code).replace(".", ": ", 1) if _is_code(code) else str(code)
    return " ".join(_ACRONYMS.get(word, word) for word in words.replace("_", " ").split(" "))


def _is_code(code: object) -> bool:
    return isinstance(code, str) and code.replace("_", "").replace(".", "", 1).isalpha() and code.islower()


def listed(codes: Iterable[object], last: str = "or") -> str:
    """Return codes as words: "a, b or c"."""
    words = [plain(code) for code in codes]
    return f" {last} ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def clock(within: Within) -> str:
    """Return a time limit as words."""
    unit = within.unit.replace("_", " ").removesuffix("s" if within.amount == 1 else "")
    return f"{within.amount} {unit} of {_STARTS[within.starts]}"


def holds(condition: Condition) -> str:
    """Return when a condition holds, or "always"."""
    said = [words(getattr(condition, name)) for name, words in _FIELDS.items() if _is_given(getattr(condition, name))]
    return ", and ".join(said) or "always"


def _is_given(value: object) -> bool:
    return value not in (None, ())


def _parts(conditions: Collection[Condition]) -> str:
    if len(conditions) == 1:
        return "; ".join(holds(condition) for condition in conditions)
    return "; ".join(f"({number}) {holds(condition)}" for number, condition in enumerate(conditions, 1))


def _either(yes: str, no: str) -> Callable[[bool], str]:
    return lambda value: yes if value else no


def _consents(consents: Collection[ConsentIs]) -> str:
    said = [f"the person's word on {_HOPS[consent.hop]} is {listed(consent.decisions)}" for consent in consents]
    return ", and ".join(said)


def _crimes(crimes: Collection[str]) -> str:
    named = [plain(crime) if "." in crime else f"any of the group {plain(crime)}" for crime in crimes]
    return f"the crime is {listed(named)}"


#: For each field of a condition: its words, given its value.
_FIELDS: dict[str, Callable[[Any], str]] = {
    "crimes": _crimes,
    "any_marker": lambda codes: f"it is marked {listed(codes)}",
    "all_markers": lambda codes: f"it is marked {listed(codes, 'and')}",
    "no_marker": lambda codes: f"it is not marked {listed(codes)}",
    "channels": lambda codes: f"it came by {listed(codes)}",
    "units": lambda codes: f"it came to {listed(codes)}",
    "roles": lambda codes: f"the person is a {listed(codes)}",
    "purposes": lambda codes: f"it was sent for {listed(codes)}",
    "risk_grades": lambda codes: f"the risk is graded {listed(codes)}",
    "entitlement": lambda codes: f"the person's rights under the Victims' Code are {listed(codes)}",
    "levels": lambda codes: f"the case is on level {listed(codes)}",
    "needs": lambda codes: f"there is a need of {listed(codes)}",
    "has_needs": _either("there is any need", "there is no need"),
    "consents": _consents,
    "min_age": lambda years: f"the person is {years} or older",
    "max_age": lambda years: f"the person is {years} or younger",
    "reported_to_police": _either("the crime was reported to the police", "the crime was not reported to the police"),
    "lives_in_area": _either("the person lives in the hub's area", "the person lives elsewhere"),
    "recording_time_known": _either(
        "the time when the crime was recorded is known", "the time when the crime was recorded is not known"
    ),
    "languages_other_than": lambda codes: f"the person speaks another language than {listed(codes)}",
    "offer": lambda codes: f"the person has {listed(codes)} the hub's offer",
    "judged_enhanced": _either("staff judged the person enhanced", "staff judged the person not enhanced"),
    "findings": lambda codes: f"an assessment found {listed(codes)}",
    "assessed": _either("there was an assessment", "there was no assessment yet"),
    "assessed_needs": lambda codes: f"an assessment found a need of {listed(codes)}",
    "requested_needs": lambda codes: f"staff asked for a referral for {listed(codes)}",
    "requested_methods": lambda codes: f"the person asked for contact by {listed(codes)}",
    "min_failed_attempts": lambda count: f"{count} or more attempts at contact have failed",
    "spoken_with": _either("the hub was in direct contact with the person", "there was no direct contact yet"),
    "pleas": lambda codes: f"the plea at the newest hearing was {listed(codes)}",
    "court_events": lambda codes: f"the newest event at court was {listed(codes)}",
    "any_of": lambda parts: f"{'at least one of these: ' if len(parts) > 1 else ''}{_parts(parts)}",
    "none_of": lambda parts: f"none of these: {_parts(parts)}",
}
