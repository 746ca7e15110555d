"""The words of intake."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Outcome(StrEnum):
    """What became of one referral that arrived."""

    ACCEPTED = "accepted"
    UPDATED = "updated"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"


class TransferStatus(StrEnum):
    """How far a transfer has come. An incomplete one broke off; the rows before the break stand."""

    RECEIVING = "receiving"
    COMPLETED = "completed"
    INCOMPLETE = "incomplete"


#: The status of a referral that triage has not decided yet; afterwards it is the decision's outcome.
RECEIVED = "received"


@dataclass(frozen=True, slots=True)
class Registered:
    """What registering one referral came to. `version` is 1 for a new one."""

    referral_id: UUID
    outcome: Outcome
    version: int


@dataclass(frozen=True, slots=True)
class Stored:
    """What a correction is compared with: the version that stands, and the digest of its content."""

    version: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Step:
    """What one of several arrivals of the same referral does to it."""

    outcome: Outcome
    version: int


@dataclass(frozen=True, slots=True)
class PersonKeys:
    """Blind indexes by which the same person is found again; None where too little is known."""

    identity: UUID | None
    phone: UUID | None
    email: UUID | None


#: Why a person is not deleted although the profile would have it.
HOLD_REASONS = frozenset({"live_prosecution", "complaint", "civil_claim", "safeguarding_review", "inquiry"})


class SendState(StrEnum):
    """How far a message has come by one method."""

    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Sending:
    """A message by one method. `attempts` counts those that were begun; `receipt` is the messenger's name for it."""

    method: str
    due_at: datetime
    state: SendState = SendState.WAITING
    reason: str | None = None
    attempts: int = 0
    receipt: str | None = None
