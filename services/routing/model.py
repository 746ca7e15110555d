"""The words of routing: a pathway, its candidates, what became of each."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class PathwayStatus(StrEnum):
    """Where the way from a need to a service stands."""

    REQUESTED = "requested"
    AWAITING_CONSENT = "awaiting_consent"
    ACCEPTED = "accepted"
    EXHAUSTED = "exhausted"
    NO_CANDIDATE = "no_candidate"
    STOPPED = "stopped"
    CLOSED = "closed"


#: Pathways that a changed directory or agreement may revive.
REVIVABLE = frozenset({PathwayStatus.EXHAUSTED, PathwayStatus.NO_CANDIDATE})


@dataclass(frozen=True, slots=True)
class Listing:
    """A support service in the directory, as partners listed it. Empty tuples mean no limit."""

    service_id: UUID
    partner_id: UUID
    kind: str
    status: str
    areas: tuple[str, ...] = ()
    crimes: tuple[str, ...] = ()
    risk_grades: tuple[str, ...] = ()
    min_age: int | None = None
    max_age: int | None = None
    location: str | None = None
    commissioned: bool | None = None
    preference: int = 100


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """What routing knows of a case: codes alone."""

    case_id: UUID
    referral_id: UUID
    version: int
    crime_category: str
    age: int | None = None
    area_code: str | None = None
    risk_grade: str | None = None
    is_open: bool = True


@dataclass(frozen=True, slots=True)
class Candidate:
    """One service in a pathway: whether it may take the person, why not, and what came of asking it."""

    service_id: UUID
    partner_id: UUID
    eligible: bool
    reasons: tuple[str, ...] = ()
    outcome: str | None = None


@dataclass(frozen=True, slots=True)
class Pathway:
    """The way from one need of one case to a service that takes it. `version` grows with every change."""

    id: UUID
    case_id: UUID
    referral_id: UUID
    need: str
    status: PathwayStatus
    version: int
    candidates: tuple[Candidate, ...] = field(default=())
    onward_referral_id: UUID | None = None
    answer_due_at: datetime | None = None

    @property
    def asked(self) -> Candidate | None:
        """The candidate that is being asked now."""
        return next((candidate for candidate in self.candidates if candidate.outcome == "asked"), None)

    def with_outcome(self, outcome: str, reasons: tuple[str, ...] = ()) -> "Pathway":
        """Return the pathway with the asked candidate's outcome noted."""
        noted = tuple(
            replace(candidate, outcome=outcome, reasons=reasons) if candidate.outcome == "asked" else candidate
            for candidate in self.candidates
        )
        return replace(self, candidates=noted)
