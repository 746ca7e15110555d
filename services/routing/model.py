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


#: Pathways that nobody is left for: a changed directory, agreement or case may revive them.
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
    """One service in a pathway: whether it may take the person, why not, and what came of asking it.

    Attributes
    ----------
    outcome
        None until it is asked, then `asked`; afterwards a status of the onward referral, or what routing made of it:
        `no_answer` (passed over), `recalled` (another service had the person).
    onward_referral_id
        Under which it was asked last.
    heard
        The newest version of that onward referral which changed anything here; older news is passed over.
    """

    service_id: UUID
    partner_id: UUID
    eligible: bool
    reasons: tuple[str, ...] = ()
    outcome: str | None = None
    onward_referral_id: UUID | None = None
    heard: int = 0


@dataclass(frozen=True, slots=True)
class News:
    """What partners says of one onward referral. `answer_due_at` is set where it was sent and the hub has a limit."""

    onward_referral_id: UUID
    version: int
    status: str
    changed_at: datetime
    reasons: tuple[str, ...] = ()
    answer_due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Pathway:
    """The way from one need of one case to a service that takes it. `version` grows with every change that is told.

    `onward_referral_id` is that of the candidate who is asked now, or has accepted; `consented_at` is when partners
    last recorded that the person agrees.
    """

    id: UUID
    case_id: UUID
    referral_id: UUID
    need: str
    status: PathwayStatus
    version: int
    candidates: tuple[Candidate, ...] = field(default=())
    onward_referral_id: UUID | None = None
    answer_due_at: datetime | None = None
    consented_at: datetime | None = None

    @property
    def asked(self) -> Candidate | None:
        """The candidate that is being asked now."""
        return next((candidate for candidate in self.candidates if candidate.outcome == "asked"), None)

    def candidate(self, onward_referral_id: UUID) -> Candidate | None:
        """Return the candidate that was asked under this id last."""
        return next((c for c in self.candidates if c.onward_referral_id == onward_referral_id), None)

    def with_candidate(self, changed: Candidate) -> "Pathway":
        """Return the pathway with one candidate changed; its service says which."""
        candidates = tuple(changed if c.service_id == changed.service_id else c for c in self.candidates)
        return replace(self, candidates=candidates)

    def moved(self, status: PathwayStatus) -> "Pathway":
        """Return the pathway in a status, as a version more; the clock for an answer has stopped."""
        return replace(self, status=status, version=self.version + 1, answer_due_at=None)
