"""Who may decide for the person, and what of a person is kept back from whom, whatever is agreed and consented to.

Each rule is pure and says where it comes from. They only take away: none of them lets anything out.

Sources: the facts on consent, capacity and confidentiality (reference `domain.md`), section 5: Gillick competence for
children, the Mental Capacity Act 2005 from 16 on, the Sexual Offences (Amendment) Act 1992 for anonymity, with the
victims of trafficking and of female genital mutilation; section 7: independent domestic violence advisers plan safety;
section 8: where domestic abuse, stalking or honour is concerned and the safety is not known, no letter; section 16:
refuge addresses never leave; section 19: restriction of single cases, ring-fences.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from hubkit.contracts.codes import DATA_CATEGORIES

#: The Mental Capacity Act 2005 begins at this age; below it Gillick competence decides.
CAPACITY_FROM_AGE: Final = 16

_ACT_FOR_OTHERS: Final = frozenset({"attorney", "court_deputy"})
_ANONYMOUS_CRIMES: Final = frozenset({"violence.modern_slavery", "violence.fgm_forced_marriage"})
_ANONYMOUS_MARKERS: Final = frozenset({"sexual_violence", "child_sexual_abuse", "child_exploitation"})
#: Kinds of service whose work includes the victims of these crimes: advisers and therapy for them, support through the
#: courts, safeguarding, and services for victims of every crime.
_TAKES_ANONYMOUS: Final = frozenset({
    "isva", "sexual_violence", "idva", "domestic_abuse", "modern_slavery", "serious_violence", "counselling",
    "mental_health", "children_young_people", "advocacy", "witness_care", "witness_service", "safeguarding",
    "multi_crime", "adult_victims", "hub",
})  # fmt: skip
_IDENTIFYING: Final = (*DATA_CATEGORIES["identity"], *DATA_CATEGORIES["contact"])

_UNSAFE_AT_HOME_MARKERS: Final = frozenset({
    "domestic_abuse", "da_risk_high", "da_risk_medium", "da_risk_standard", "at_risk_da", "intimate_partner",
})  # fmt: skip
_UNSAFE_AT_HOME_CRIMES: Final = frozenset({
    "stalking_harassment.stalking", "stalking_harassment.coercive_control", "violence.fgm_forced_marriage",
})  # fmt: skip
#: Kinds of service that plan the person's safety where they live.
_PLANS_SAFETY: Final = frozenset({"idva", "domestic_abuse", "stalking", "modern_slavery", "safeguarding"})


@dataclass(frozen=True, slots=True)
class Protection:
    """What staff set for one case. `restricted_to` names the only partners that may be told; None: not restricted.

    `safe_address`: where the person lives must not be known, as in a refuge.
    """

    restricted_to: frozenset[UUID] | None = None
    safe_address: bool = False


@dataclass(frozen=True, slots=True)
class Giver:
    """Who decided, and what was found out about whether they can. None is the person, of whom nothing is recorded."""

    giver: str | None = None
    capacity: str | None = None
    competence: str | None = None
    best_interests: bool = False


def is_child(age: int | None, markers: Collection[str]) -> bool:
    """Return whether competence has to be shown; somebody marked a child whose age is not known counts as one."""
    return "child" in markers if age is None else age < CAPACITY_FROM_AGE


def giver_faults(by: Giver, *, child: bool) -> list[str]:
    """Return why this decision to share does not count.

    A child decides when found competent, else a parent does. From 16 on capacity is presumed and nobody else decides;
    for those who were found to lack it, an attorney or deputy does, with a record of best interests.
    """
    giver = by.giver or "self"
    if child:
        if giver == "self":
            return [] if by.competence == "gillick_assessed" else ["competence_missing"]
        return [] if giver == "parent" else ["giver_not_entitled"]
    if giver == "self":
        return ["capacity_lacking"] if by.capacity == "assessed_lacks" else []
    if giver not in _ACT_FOR_OTHERS:
        return ["giver_not_entitled"]
    if by.capacity != "assessed_lacks":
        return ["capacity_not_assessed"]
    return [] if by.best_interests else ["best_interests_missing"]


def protected_fields(
    purpose: str, crime_category: str | None, markers: Collection[str], *, safe_address: bool
) -> dict[str, str]:
    """Return the fields that a service of the kind `purpose` is never given of such a case, each with the reason."""
    found: dict[str, str] = {}
    if safe_address or (purpose not in _PLANS_SAFETY and _is_unsafe_at_home(crime_category, markers)):
        found["address"] = "address_protected"
    if purpose not in _TAKES_ANONYMOUS and _is_anonymous(crime_category, markers):
        found |= dict.fromkeys(_IDENTIFYING, "anonymity_protected")
    return found


def pair_fault(source: str | None, recipient: str, kept_from: Collection[str]) -> str | None:
    """Return why what came from one organisation does not go to another: a fence between the two, or back to itself.

    `kept_from` are the organisations from which nothing reaches the recipient.
    """
    if source is None or source not in kept_from:
        return None
    return "back_flow" if source == recipient else "ring_fenced"


def _is_anonymous(crime_category: str | None, markers: Collection[str]) -> bool:
    crime = crime_category or ""
    by_crime = crime.split(".")[0] == "sexual" or crime in _ANONYMOUS_CRIMES
    return by_crime or not _ANONYMOUS_MARKERS.isdisjoint(markers)


def _is_unsafe_at_home(crime_category: str | None, markers: Collection[str]) -> bool:
    return crime_category in _UNSAFE_AT_HOME_CRIMES or not _UNSAFE_AT_HOME_MARKERS.isdisjoint(markers)
