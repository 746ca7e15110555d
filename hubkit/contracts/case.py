"""What triage says."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from hubkit.contracts.envelope import Contract
from hubkit.contracts.referral import ConsentFacts, Facts


class DecisionFacts(Facts):
    """One decision: what, why, under which version of the profile, by which rules.

    `outcome` is one of accepted, excluded, out_of_scope, not_referred, channel_not_active, no_active_profile, pending,
    returned. `reason` is a code, absent when accepted.
    """

    outcome: str
    reason: str | None = None
    profile_version: str
    rules: tuple[str, ...] = ()


class ChoiceFacts(Facts):
    """The service that the person chose for one need."""

    need: str
    service_id: UUID
    chosen_at: datetime


class CaseOpenedV1(Contract):
    """Triage accepted a referral: all that routing needs to find services and partners needs for the gate.

    Publisher: triage. Consumers: intake, routing, partners. `version` counts the changes of the case. `needs` open a
    pathway each; `requested_needs` are those of them that staff asked for in this change, so that a pathway which
    came to an end is tried again. `lead_service_id` is the one lead provider that was agreed. `changed_in` names the
    fields of the referral that were corrected, each with the version of the referral that did it last.
    """

    TYPE: ClassVar[str] = "case.opened.v1"

    case_id: UUID
    referral_id: UUID
    version: int
    source_organisation: str
    decision: DecisionFacts
    opened_at: datetime
    crime_category: str
    markers: tuple[str, ...] = ()
    role: str = "victim"
    age: int | None = None
    area_code: str | None = None
    risk_grade: str | None = None
    language: str | None = None
    entitlement: str | None = None
    priority: str | None = None
    needs: tuple[str, ...] = ()
    consents: tuple[ConsentFacts, ...] = ()
    requested_needs: tuple[str, ...] = ()
    choices: tuple[ChoiceFacts, ...] = ()
    lead_service_id: UUID | None = None
    local_authority_area: str | None = None
    changed_in: dict[str, int] | None = None


class CaseTriagedV1(CaseOpenedV1):
    """The facts of an open case changed (a corrected referral, a re-triage) and it stays open.

    Publisher: triage. Consumers: intake, routing, partners. The same fields as `case.opened`, all of them new.
    """

    TYPE: ClassVar[str] = "case.triaged.v1"


class CaseExcludedV1(Contract):
    """A referral is not taken on, or an open case turned out to be excluded: nothing goes to anybody, queued or new.

    Publisher: triage. Consumers: intake, routing, partners. `expected_route` says where the person is expected to get
    help instead, when the profile knows.
    """

    TYPE: ClassVar[str] = "case.excluded.v1"

    case_id: UUID
    referral_id: UUID
    version: int
    source_organisation: str
    decision: DecisionFacts
    case_status: str | None = None
    expected_route: str | None = None


class CaseClosedV1(Contract):
    """The hub's work has ended: no new pathway, no new contact. The case may be reopened (`case.triaged`).

    Publisher: triage. Consumers: intake, routing, partners. `reason` is a code.
    """

    TYPE: ClassVar[str] = "case.closed.v1"

    case_id: UUID
    referral_id: UUID
    version: int
    reason: str | None = None
    closed_at: datetime


class ReviewedService(Facts):
    """One service that a case under review matches."""

    service_id: UUID
    partner_id: UUID
    need: str
    team: str | None = None


class ReviewOpenedV1(Contract):
    """A case matches more than one service, and the hub's rule wants one lead: its pathways wait.

    Publisher: routing. Consumer: triage.
    """

    TYPE: ClassVar[str] = "review.opened.v1"

    case_id: UUID
    referral_id: UUID
    version: int
    services: tuple[ReviewedService, ...]


class MessageRequestedV1(Contract):
    """Triage asks intake, which alone knows the person's details, to send a message by one or all of these methods.

    Publisher: triage. Consumer: intake. `purpose`, `content` and `unit` choose the text. Nothing is sent twice for one
    `message_id`.
    """

    TYPE: ClassVar[str] = "message.requested.v1"

    message_id: UUID
    case_id: UUID
    referral_id: UUID
    purpose: str
    methods: tuple[str, ...]
    mode: str = "any"
    content: tuple[str, ...] = ()
    unit: str | None = None
    language: str | None = None


class MessageOutcome(Facts):
    """What became of a message by one method."""

    method: str
    outcome: str
    reason: str | None = None


class MessageSettledV1(Contract):
    """What became of a message, by method: `sent`, `failed`, or `skipped` with the code why.

    Publisher: intake. Consumer: triage.
    """

    TYPE: ClassVar[str] = "message.settled.v1"

    message_id: UUID
    case_id: UUID
    outcomes: tuple[MessageOutcome, ...]
    settled_at: datetime


class CaseAssessedV1(Contract):
    """An assessment with the person found needs: `needs` are all of the case's needs from now on.

    Publisher: triage. Consumers: routing, partners. The rest goes to partners that may have it, so that they need not
    ask again: codes alone, `risk_grade` that of the referral.
    """

    TYPE: ClassVar[str] = "case.assessed.v1"

    case_id: UUID
    referral_id: UUID
    version: int
    needs: tuple[str, ...]
    kind: str | None = None
    assessed_by: str | None = None
    sections: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    risk_grade: str | None = None
    assessed_at: datetime | None = None
