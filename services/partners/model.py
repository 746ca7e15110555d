"""The words of partners: states, codes, and what the gate answers."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

#: The webhook types that a partner's endpoint may ask for.
SENT = "onward_referral.sent"
WITHDRAWN = "onward_referral.withdrawn"
NOTICE_TYPES = (SENT, WITHDRAWN)


class Status(StrEnum):
    """Where an onward referral stands."""

    AWAITING_CONSENT = "awaiting_consent"
    REFUSED = "refused"
    READY = "ready"
    SENT = "sent"
    ACCEPTED = "accepted"
    IN_SUPPORT = "in_support"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class GateResult:
    """The gate's answer for one onward referral: allowed with the permit for one attempt, or refused with codes."""

    allowed: bool
    reasons: tuple[str, ...] = ()
    permit_id: UUID | None = None
