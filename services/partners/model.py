"""The words of partners: states, codes, and the values that its rooms hand to each other."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

#: The webhook types that a partner's endpoint may ask for.
SENT = "onward_referral.sent"
WITHDRAWN = "onward_referral.withdrawn"
NOTICE_TYPES = (SENT, WITHDRAWN)

PARTNER_STATUSES = frozenset({"active", "suspended"})
AGREEMENT_STATUSES = frozenset({"draft", "active", "suspended", "ended"})

#: Why a partner does not take a person on.
DECLINE_REASONS = frozenset({
    "capacity_full", "outside_area", "outside_criteria", "already_supported", "duplicate", "no_contact_details",
    "wrong_contact_details", "unsafe_to_contact", "contact_inappropriate", "person_declined", "not_reached", "deceased",
})  # fmt: skip
#: How a partner's work with a person ended.
OUTCOMES = frozenset({
    "completed", "partly_completed", "person_ended", "not_reached", "moved_away", "passed_on", "deceased",
})  # fmt: skip


class Status(StrEnum):
    """Where an onward referral stands. `requested` is the beginning and never stored: the gate answers at once."""

    REQUESTED = "requested"
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
class Onward:
    """One onward referral as it is stored."""

    id: UUID
    pathway_id: UUID
    case_id: UUID
    referral_id: UUID
    kind: str
    partner_id: UUID
    service_id: UUID
    status: Status
    version: int
    reasons: tuple[str, ...]
    outcome: str | None
    created_at: datetime
    changed_at: datetime
    ready_at: datetime | None
    sent_at: datetime | None


@dataclass(frozen=True, slots=True)
class GateResult:
    """The gate's answer for one onward referral: allowed with the permit for one attempt, or refused with codes."""

    allowed: bool
    reasons: tuple[str, ...] = ()
    permit_id: UUID | None = None
