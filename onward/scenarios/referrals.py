"""Referrals in the words of a scenario, as the bodies that the hub's public contract takes. Pure."""

import re
import secrets
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

from hubkit.contracts import codes
from hubkit.contracts.profile import Profile
from onward.scenarios.book import ScenarioError
from onward.scenarios.vocabulary import as_list

#: How a decision is written: what was decided, and how it was said.
_DECISIONS: Final = {
    "explicit": ("given", "spoken"),
    "implied": ("given", "implied"),
    "opted_out": ("refused", None),
}
#: How a referral can name a unit.
_ADDRESS: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]*")
#: Scenarios say nothing of safety: the person has said that every way is safe, so that the hub's own rules show.
_SAFE: Final = {"phone": True, "text": True, "voicemail": True, "email": True, "letter": True}
#: What the person agreed to share where a scenario says nothing: everything, with everybody, expressly.
SHARING: Final = "hub_to_partner"


def consent(hop: str, word: str, at: datetime) -> dict[str, Any]:
    """Return one decision of the person."""
    decision, method = _DECISIONS.get(word, (word, None))
    shared = sorted(codes.DATA_CATEGORIES) if hop == SHARING and decision == "given" else []
    return {
        "hop": hop,
        "decision": decision,
        "recipients": [],
        "data_categories": shared,
        "method": method,
        "recorded_at": at.isoformat(),
    }


#: From this age on nobody asks whether a young person is competent to consent.
_CONSENTS_FROM_AGE: Final = 16


def referral(facts: Mapping[str, Any], at: datetime, purpose: str | None = None) -> dict[str, Any]:
    """Return the body of a referral that is sent at `at`.

    Parameters
    ----------
    facts
        With the keys of a scenario's referral; `needs` too.
    """
    consents = {SHARING: "explicit", **(facts.get("consents") or {})}
    body = {
        "source": _source(facts),
        "crime": {
            "category": facts.get("crime", "non_crime.unknown"),
            "recorded_at": facts.get("recorded_at"),
            "reported_to_police": facts.get("reported_to_police"),
        },
        "person": _person(facts),
        "safe_contact": dict(_SAFE),
        "markers": list(as_list(facts.get("markers"))),
        "needs": [need for need in as_list(facts.get("needs")) if need in codes.KINDS],
        "consents": [consent(hop, word, at) for hop, word in consents.items() if word is not None],
        "received_at": facts.get("received_at") or at.isoformat(),
        "purpose": purpose,
    }
    return {key: value for key, value in body.items() if value is not None}


def is_child(body: Mapping[str, Any], on: date) -> bool:
    """Whether the person of a referral is marked a child, or younger than a child's consent counts without more."""
    person = body["person"]
    age = person.get("age")
    if age is None and person.get("date_of_birth") is not None:
        born = date.fromisoformat(str(person["date_of_birth"]))
        age = on.year - born.year - ((on.month, on.day) < (born.month, born.day))
    return "child" in body["markers"] or (age is not None and int(age) < _CONSENTS_FROM_AGE)


def _source(facts: Mapping[str, Any]) -> dict[str, Any]:
    by_unit: Mapping[str, Any] = facts.get("received_at_by_unit") or {}
    receipts = [{"unit": unit, "received_at": at} for unit, at in by_unit.items() if at]
    source = {
        "channel": facts.get("source"),
        "reference": f"SCENARIO-{secrets.token_hex(8)}",
        "unit": facts.get("unit"),
        "from": facts.get("from"),
        "intake_method": facts.get("intake_method"),
        "received_by_unit": receipts or None,
    }
    return {key: value for key, value in source.items() if value is not None}


def _person(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return an invented person, somebody else each time, who can be reached in every way."""
    token = secrets.token_hex(4)
    person = {
        "given_name": "Sam",
        "family_name": f"Scenario {token}",
        "date_of_birth": facts.get("date_of_birth"),
        "age": facts.get("victim_age"),
        "address": {"lines": [f"{int(token, 16) % 900 + 1} Example Street"], "postcode": "ZZ99 9ZZ"},
        "phone": f"07700 {secrets.randbelow(900_000) + 100_000}",
        "email": f"{token}@example.org",
        "language": facts.get("language"),
        "preferred_method": facts.get("preferred_contact"),
        "lives_in_area": facts.get("lives_in_area"),
        "local_authority_area": facts.get("local_authority_area"),
    }
    return {key: value for key, value in person.items() if value is not None}


def unit_of(profile: Profile, name: str | None) -> str | None:
    """Return the id of the unit that a scenario names, or None where no referral can be addressed to it.

    Raises
    ------
    ScenarioError
        When the hub's profile does not speak of it at all.
    """
    if name is None:
        return None
    wanted = _plain(name)
    for unit in profile.units:
        if wanted in (_plain(unit.id), _plain(unit.name or "")):
            return unit.id if _ADDRESS.fullmatch(unit.id) else None
    if wanted not in _plain(profile.model_dump_json()):
        raise ScenarioError(f"unknown unit {name}")
    return None


def _plain(name: str) -> str:
    return name.casefold().replace(" ", "_")
