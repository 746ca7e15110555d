"""Whether data of a case goes to somebody who asks for it, and is not a partner that the person was referred to.

Nothing does, but for two cases. A ring-fence of the hub's profile names grounds on which it is opened, and staff state
one of them. Or the person decided about this very use of their data, as of a case study, and gave it. Nothing is
disclosed by the answer itself: it is what staff go by, and it is kept.

Sources: a hub's own text for its ring-fences (`ring_fences` of its profile); design.md section 5 for who must stand
behind an exception; UK GDPR articles 4(11) and 7 for consent.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from hubkit.contracts.codes import HOPS
from hubkit.contracts.profile import RingFence

_HUB: Final = "hub"


@dataclass(frozen=True, slots=True)
class Access:
    """Who asks for what. `ground` is a code of `codes.ACCESS_GROUNDS`, when staff state one."""

    requester: str
    what: str
    ground: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What was decided: released or withheld, by whom the data is held, and why.

    `reason` is the ground on which a ring-fence was opened, or the code why not. `basis` is the lawful basis, where the
    person's decision gave it.
    """

    outcome: str
    held_by: str
    reason: str | None
    basis: str | None = None


def decide(access: Access, fences: Iterable[RingFence], consent_faults: Sequence[str] | None, basis: str) -> Answer:
    """Return whether it is released.

    Parameters
    ----------
    consent_faults
        Why the person's decisions about this use do not give it; empty when they do, None when it is no such use.
    basis
        The lawful basis of such a use.
    """
    standing = [each for each in fences if access.what in each.data and access.requester in each.must_not_reach]
    closed = [fence for fence in standing if access.ground not in fence.exceptions]
    if closed:
        return Answer("withheld", closed[0].held_by, closed[0].reason)
    if standing:
        return Answer("released", standing[0].held_by, access.ground)
    if consent_faults is None:
        return Answer("withheld", _HUB, "agreement_missing")
    return Answer("withheld", _HUB, consent_faults[0]) if consent_faults else Answer("released", _HUB, None, basis)


def is_persons_to_decide(what: str) -> bool:
    """Return whether the person's decision on a hop of this name is all that this use needs."""
    return what in HOPS
