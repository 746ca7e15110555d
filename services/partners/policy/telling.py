"""How onward referrals are told of in the hub's words, and to whom else."""

from collections.abc import Collection, Iterable, Mapping
from typing import Final
from uuid import UUID

from hubkit.contracts.profile import Profile
from services.partners.model import Onward, Status
from services.partners.policy.transitions import OPEN_TO_PARTNER

_HOP: Final = "hub_to_partner"
#: What is not shared with a partner because the gate did not allow it.
WITHHELD: Final = frozenset({Status.REFUSED, Status.AWAITING_CONSENT})
_REFERRED: Final = OPEN_TO_PARTNER | {Status.CLOSED}
#: The fields that are about the same as who else helps the person.
_ABOUT_NEEDS: Final = "needs"


def outcome_of(status: Status, route: str) -> str:
    """Return what became of an onward referral in one word: referred, signposted or refused.

    Where the person is told of a service and data goes to it all the same, the word is signposted.
    """
    if status not in _REFERRED:
        return "refused"
    return "signposted" if route == "signpost" else "referred"


def in_hubs_words(profile: Profile, reasons: Iterable[str]) -> tuple[str, ...]:
    """Return reasons of the gate in the hub's own words, each once."""
    return tuple(dict.fromkeys(profile.reason_for(_HOP, reason) for reason in reasons))


def role_of(location: str | None) -> str:
    """Return what a service is to the hub."""
    return "external_provider" if location == "external" else "partner"


def others(row: Onward, all_of_case: Iterable[Onward], names: Mapping[UUID, str]) -> tuple[str, ...]:
    """Return the names of the other services that help the person, or are being asked, each once."""
    live = (each for each in all_of_case if each.id != row.id and each.status in OPEN_TO_PARTNER)
    found = (names[each.service_id] for each in live if each.service_id != row.service_id and each.service_id in names)
    return tuple(dict.fromkeys(found))


def may_know_of_others(profile: Profile, fields: Collection[str]) -> bool:
    """Return whether a partner that is given these fields is told which other services help the person.

    Their names say what else the person needs, and so go only where the needs may.
    """
    return profile.routing.tells_of_others and _ABOUT_NEEDS in fields
