"""The words of triage: frozen values that its rules read and make."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from hubkit.contracts.referral import ReferralReceivedV1


class CaseStatus(StrEnum):
    """Whether the hub works on the case."""

    OPEN = "open"
    PENDING = "pending"
    EXCLUDED = "excluded"
    DECLINED = "declined"
    CLOSED = "closed"


class ContactState(StrEnum):
    """What became of a planned contact."""

    PLANNED = "planned"
    SUSPENDED = "suspended"
    DONE = "done"
    REPLACED = "replaced"


class DecisionKind(StrEnum):
    """What a stored decision is about."""

    TRIAGE = "triage"
    ASSESSMENT = "assessment"
    JUDGEMENT = "judgement"
    OFFER = "offer"
    CONTACT = "contact"
    ATTEMPT = "attempt"
    PAUSE = "pause"
    RESUMPTION = "resumption"
    CHOICE = "choice"
    REQUEST = "request"
    REVIEW = "review"
    LEAD = "lead"
    COURT = "court"
    SURVEY = "survey"
    CLOSURE = "closure"
    REOPENING = "reopening"
    CONSENT = "consent"


@dataclass(frozen=True, slots=True)
class Choice:
    """The service that the person chose for a need, out of those that were offered; none chosen yet: None."""

    need: str
    options: tuple[UUID, ...] = ()
    service_id: UUID | None = None
    chosen_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Reviewed:
    """One service that a case under joint review matches."""

    service_id: UUID
    partner_id: UUID
    need: str
    team: str | None = None


@dataclass(frozen=True, slots=True)
class Booking:
    """A contact that staff booked with the person, by the method that was asked for."""

    method: str
    purpose: str


@dataclass(frozen=True, slots=True)
class ConsentSaid:
    """What the person decided on one hop, about all recipients, after the referral was received."""

    decision: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Progress:
    """What staff and the person have done with a case since it was received: facts, as the rules read them.

    `judged_enhanced` is a person's judgement that overrides the rules of entitlement. `review` are the services that a
    case matches which needs one lead; `proposed_leads` what the meeting proposed last.
    """

    judged_enhanced: bool | None = None
    judged_by: str | None = None
    judged_reason: str | None = None
    offer: str | None = None
    offer_at: datetime | None = None
    failed_attempts: int = 0
    was_reached: bool = False
    findings: frozenset[str] = frozenset()
    assessed_needs: tuple[str, ...] | None = None
    assessment_kind: str | None = None
    assessed_by: str | None = None
    assessed_sections: tuple[str, ...] = ()
    requested_needs: Mapping[str, datetime] = field(default_factory=dict)
    requested_methods: tuple[str, ...] = ()
    bookings: tuple[Booking, ...] = ()
    consents: Mapping[str, ConsentSaid] = field(default_factory=dict)
    choices: tuple[Choice, ...] = ()
    review: tuple[Reviewed, ...] = ()
    proposed_leads: tuple[UUID, ...] = ()
    lead_service_id: UUID | None = None
    plea: str | None = None
    hearing_on: date | None = None
    court_event: str | None = None
    court_event_on: date | None = None
    is_survey_due: bool = False
    declined_at: datetime | None = None
    closed_at: datetime | None = None
    closed_reason: str | None = None
    reopened_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """What the rules look at: one referral as codes, and what has been decided about it so far.

    `consents` holds the latest decision for each hop. `offence_age` is the most the person can have been at the time of
    the offence, in whole years, as far as it is known.
    """

    crime: str
    channel: str
    received_at: datetime
    markers: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()
    unit: str | None = None
    role: str = "victim"
    age: int | None = None
    offence_age: int | None = None
    risk_grade: str | None = None
    reported_to_police: bool | None = None
    crime_recorded_at: datetime | None = None
    consents: Mapping[str, str] | None = None
    entitlement: str | None = None
    level: str | None = None
    purpose: str | None = None
    lives_in_area: bool | None = None
    language: str | None = None
    received_by_unit: Mapping[str, datetime] = field(default_factory=dict)
    progress: Progress = Progress()


@dataclass(frozen=True, slots=True)
class UnitDecision:
    """Whether one unit of the hub takes the referral on."""

    outcome: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether the hub takes the referral on. `rules` are the ids of all rules that applied, the deciding one first.

    `basis` is that of the way from the police to the hub; `by_unit` holds the units that decide by themselves, by id;
    `withheld_reason` why the source keeps the data back, where it does.
    """

    outcome: str = "accepted"
    reason: str | None = None
    rules: tuple[str, ...] = ()
    case_status: str | None = None
    expected_route: str | None = None
    basis: str | None = None
    by_unit: Mapping[str, UnitDecision] = field(default_factory=dict)
    withheld_reason: str | None = None

    @property
    def is_accepted(self) -> bool:
        """Whether a case is opened."""
        return self.outcome == "accepted"


@dataclass(frozen=True, slots=True)
class Entitlement:
    """Enhanced or standard rights under the Victims' Code, with the categories that gave them."""

    level: str
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A method of contact that must not be used, and the code of the reason."""

    method: str
    reason: str


@dataclass(frozen=True, slots=True)
class Pause:
    """A time in which the clock of a contact stood still, and the code of the reason; not over yet: `until` None."""

    reason: str
    since: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class PlannedContact:
    """A contact with the person that triage plans.

    `methods` is None where the hub's text names none, and then staff choose, but none of `left_out`. `due_at` is None
    without a deadline; `due_reason` then says why. `pauses` are in the order of time.
    """

    rule_id: str
    unit: str | None
    purpose: str
    by: str | None
    methods: tuple[str, ...] | None
    mode: str | None
    left_out: tuple[LeftOut, ...]
    cautions: tuple[str, ...]
    state: ContactState
    due_at: datetime | None
    due_reason: str | None
    at: datetime | None = None
    clock_start: datetime | None = None
    clock_amount: int | None = None
    clock_unit: str | None = None
    automated: bool = False
    content: tuple[str, ...] = ()
    on_behalf_of: tuple[str, ...] = ()
    method_decided_by: tuple[str, ...] = ()
    ends_with_offer: bool = False
    pauses: tuple[Pause, ...] = ()

    @property
    def is_paused(self) -> bool:
        """Whether its clock stands still because staff said so."""
        return self.state is ContactState.SUSPENDED and bool(self.pauses) and self.pauses[-1].until is None


@dataclass(frozen=True, slots=True)
class Outputs:
    """What triage decides beside acceptance, level, needs and contacts; as the public case shows it, word for word.

    Each is a JSON object with the keys of the public contract, or None where the hub's text says nothing.
    """

    case_status: str | None = None
    triage: dict[str, Any] | None = None
    needs_assessment: dict[str, Any] | None = None
    plan: dict[str, Any] | None = None
    assignment: dict[str, Any] | None = None
    single_point_of_contact: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    opt_in: dict[str, Any] | None = None
    transfer: dict[str, Any] | None = None
    received: dict[str, Any] | None = None
    review: dict[str, Any] | None = None
    case_updates: dict[str, Any] | None = None
    held_needs: tuple[dict[str, Any], ...] = ()
    surveys: tuple[dict[str, Any], ...] = ()
    linked_to_previous: bool = False
    refused_methods: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Triaged:
    """All that triage decides about one referral; the later fields are empty when it is not accepted."""

    decision: Decision
    entitlement: Entitlement | None = None
    level: str | None = None
    needs: tuple[str, ...] = ()
    contacts: tuple[PlannedContact, ...] = ()
    status: CaseStatus = CaseStatus.OPEN
    outputs: Outputs = Outputs()


@dataclass(frozen=True, slots=True)
class Versions:
    """Under which profile and calendar a decision is made."""

    profile: str
    calendar: str


@dataclass(frozen=True, slots=True)
class StoredCase:
    """What triage must know of a case that stands, before it decides again.

    `surveys` are those of its last decision, as the public case shows them.
    """

    id: UUID
    referral: ReferralReceivedV1
    version: int
    status: CaseStatus
    opened_at: datetime | None
    progress: Progress
    surveys: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class CaseChange:
    """A case as it is from now on, after a decision about its referral and its progress.

    `before` is None for a new case. `opened_at` is None while it was never accepted. `kind`, `by` and `details` say
    what happened: `by` is the client that asked for it, None where nobody did.
    """

    decision_id: UUID
    case_id: UUID
    referral: ReferralReceivedV1
    progress: Progress
    triaged: Triaged
    versions: Versions
    opened_at: datetime | None
    before: StoredCase | None = None
    kind: DecisionKind = DecisionKind.TRIAGE
    by: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def version(self) -> int:
        """The version of the case after this change."""
        return self.before.version + 1 if self.before else 1


@dataclass(frozen=True, slots=True)
class StoredContact:
    """A planned contact as it was stored. `message_id` is set once a message was asked for."""

    id: UUID
    case_id: UUID
    contact: PlannedContact
    message_id: UUID | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to reach a person; `contact_id` is None outside a planned contact, `recorded_by` where nobody did."""

    case_id: UUID
    method: str
    outcome: str
    at: datetime
    contact_id: UUID | None = None
    message_id: UUID | None = None
    reason: str | None = None
    recorded_by: str | None = None


@dataclass(frozen=True, slots=True)
class DueMessage:
    """A message that an automated contact consists of."""

    id: UUID
    case_id: UUID
    referral_id: UUID
    purpose: str
    methods: tuple[str, ...]
    mode: str
    content: tuple[str, ...]
    unit: str | None
    language: str | None


@dataclass(frozen=True, slots=True)
class StoredDecision:
    """A decision as it was stored. `decided_by` is None where the rules alone decided."""

    kind: str
    case_version: int
    decision: Decision
    entitlement: Entitlement | None
    level: str | None
    needs: tuple[str, ...]
    versions: Versions
    decided_by: str | None
    decided_at: datetime
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a timeline: what was said, and its codes."""

    type: str
    at: datetime
    codes: dict[str, Any]
