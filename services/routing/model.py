"""The words of routing: a pathway, its candidates, what became of each."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class PathwayStatus(StrEnum):
    """Where the way from a need to a service stands."""

    REQUESTED = "requested"
    AWAITING_CONSENT = "awaiting_consent"
    AWAITING_CHOICE = "awaiting_choice"
    AWAITING_LEAD = "awaiting_lead"
    SIGNPOSTED = "signposted"
    ACCEPTED = "accepted"
    EXHAUSTED = "exhausted"
    NO_CANDIDATE = "no_candidate"
    STOPPED = "stopped"
    LED_ELSEWHERE = "led_elsewhere"
    CLOSED = "closed"


#: Pathways that nobody is left for: a changed directory, agreement or case may revive them.
REVIVABLE = frozenset({PathwayStatus.EXHAUSTED, PathwayStatus.NO_CANDIDATE})

#: Pathways whose service has been asked and has not answered.
PENDING = frozenset({PathwayStatus.REQUESTED, PathwayStatus.AWAITING_CONSENT})

#: Pathways that wait before anybody is asked: for the person's choice, or for the one lead provider.
WAITING = frozenset({PathwayStatus.AWAITING_CHOICE, PathwayStatus.AWAITING_LEAD})

#: The kind of service that takes any need which no other service is there for.
CATCH_ALL = "other"


@dataclass(frozen=True, slots=True)
class Capacity:
    """Whether a service takes people, how many more, and how long they wait; None: not said."""

    open: bool
    places: int | None
    waiting_weeks: int | None
    as_of: datetime

    @property
    def reason(self) -> str | None:
        """The code of why a person would have to wait there, or None."""
        if not self.open or self.places == 0:
            return "no_capacity"
        return "waiting" if self.waiting_weeks else None


@dataclass(frozen=True, slots=True)
class Listing:
    """A support service in the directory, as partners listed it. Empty tuples mean no limit.

    `also` are further kinds of it, and a need that is one of its `teams` goes to that team. It takes no case with a
    marker of `without_marker`.
    """

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
    also: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    route: str = "refer"
    shares: str = "case_data"
    without_marker: tuple[str, ...] = ()
    capacity: Capacity | None = None

    @property
    def needs(self) -> frozenset[str]:
        """The needs that it names as its own."""
        return frozenset({self.kind, *self.also, *self.teams})

    @property
    def only_signposts(self) -> bool:
        """Whether the person is told of it and it is told nothing."""
        return self.route == "signpost" and self.shares == "nothing"

    def team_for(self, need: str) -> str | None:
        """Return the team that a need goes to; None where the service has no team for it."""
        return need if need in self.teams else None


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """What routing knows of a case: codes alone.

    `choices` are the services that the person chose, by need; `reviewed` the services and teams among which one lead
    is to be agreed, as far as triage has been told of them.
    """

    case_id: UUID
    referral_id: UUID
    version: int
    crime_category: str
    age: int | None = None
    area_code: str | None = None
    risk_grade: str | None = None
    is_open: bool = True
    markers: tuple[str, ...] = ()
    choices: Mapping[str, UUID] = field(default_factory=dict)
    lead_service_id: UUID | None = None
    reviewed: frozenset[tuple[UUID, str | None]] = frozenset()


@dataclass(frozen=True, slots=True)
class Candidate:
    """One service in a pathway: whether it may take the person, why not, and what came of asking it.

    Attributes
    ----------
    outcome
        None until it is asked, then `asked`; afterwards a status of the onward referral, or what routing made of it:
        `no_answer` (passed over), `recalled` (taken back, `reasons` say why), `signposted` (the person was told of it);
        `taken_back` is a recall by staff.
    onward_referral_id
        Under which it was asked last.
    heard
        The newest version of that onward referral which changed anything here; older news is passed over.
    team
        Which part of the service it is.
    only_signposted
        Whether it is not asked: the person is told of it.
    """

    service_id: UUID
    partner_id: UUID
    eligible: bool
    reasons: tuple[str, ...] = ()
    outcome: str | None = None
    onward_referral_id: UUID | None = None
    heard: int = 0
    team: str | None = None
    only_signposted: bool = False

    @property
    def place(self) -> tuple[UUID, str | None]:
        """Where it is: the service, and which team of it."""
        return self.service_id, self.team

    @property
    def is_untried(self) -> bool:
        """Whether it may take the person and was not asked yet."""
        return self.eligible and self.outcome is None


@dataclass(frozen=True, slots=True)
class News:
    """What partners says of one onward referral. `answer_due_at` is set where it was told and the hub has a limit.

    So is `chase_due_at`, when it is to be reminded.
    """

    onward_referral_id: UUID
    version: int
    status: str
    changed_at: datetime
    reasons: tuple[str, ...] = ()
    answer_due_at: datetime | None = None
    chase_due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Pathway:
    """The way from one need of one case to a service that takes it. `version` grows with every change that is told.

    `onward_referral_id` is that of the candidate who is asked now, or has accepted; `consented_at` is when partners
    last recorded that the person agrees; `requested_version` is the version of the case at which the need was asked for
    last.
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
    requested_version: int = 0
    chase_due_at: datetime | None = None

    @property
    def current(self) -> Candidate | None:
        """The candidate that is asked, has accepted, or was named to the person."""
        if self.status is PathwayStatus.SIGNPOSTED:
            return next((c for c in self.candidates if c.outcome == "signposted"), None)
        return self.candidate(self.onward_referral_id) if self.onward_referral_id is not None else None

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
        """Return the pathway in a status, as a version more; the clocks for an answer have stopped."""
        return replace(self, status=status, version=self.version + 1, answer_due_at=None, chase_due_at=None)
