"""What staff read of cases."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class View(BaseModel):
    """Base of the answers."""

    model_config = ConfigDict(frozen=True)


class AssessmentView(View):
    """A stored assessment, and the version of the case that it made."""

    id: UUID
    case_id: UUID
    version: int
    needs: list[str]
    recorded_at: datetime


class CaseSummary(View):
    """A case in a list. `case_status` is the hub's own word, `due_at` the earliest deadline of a planned contact."""

    id: UUID
    referral_id: UUID
    status: str
    case_status: str | None
    version: int
    outcome: str
    reason: str | None
    entitlement: str | None
    level: str | None
    crime_category: str
    needs: list[str]
    received_at: datetime
    opened_at: datetime | None
    due_at: datetime | None


class UnitDecisionView(View):
    """Whether one unit of the hub takes the referral on."""

    outcome: str
    reason: str | None


class DecisionView(View):
    """The decision that stands. `rules` are the ids of all rules that applied.

    `basis` is that of the way from the police to the hub. `by_unit` is null where no unit decides by itself.
    """

    outcome: str
    reason: str | None
    rules: tuple[str, ...]
    profile_version: str
    calendar_version: str
    case_status: str | None
    expected_route: str | None
    basis: str | None
    by_unit: dict[str, UnitDecisionView] | None
    decided_at: datetime


class EntitlementView(View):
    """Rights under the Victims' Code, with the categories that gave enhanced ones."""

    level: str
    categories: list[str]


class LeftOutView(View):
    """A method that must not be used."""

    method: str
    reason: str


class ClockView(View):
    """The clock of a deadline, from when it started."""

    start: datetime
    amount: int
    unit: str


class PauseView(View):
    """A time in which the clock of a contact stood still; `to` null: it still does."""

    reason: str
    from_: Annotated[datetime, Field(alias="from")]
    to: datetime | None


class ContactView(View):
    """A planned contact. `methods` null: staff choose, but none of `left_out`. `due_at` null: `due_reason` says why.

    `at` is when an automated contact is to happen; null: as soon as it is planned. The clock does not
    count the time of `pauses`.
    """

    id: UUID
    unit: str | None
    purpose: str
    by: str | None
    methods: list[str] | None
    mode: str | None
    left_out: list[LeftOutView]
    cautions: list[str]
    state: str
    due_at: datetime | None
    due_reason: str | None
    clock: ClockView | None
    pauses: list[PauseView]
    at: datetime | None
    automated: bool
    content: list[str]
    on_behalf_of: list[str]
    method_decided_by: list[str]
    rule_id: str
    profile_version: str
    calendar_version: str
    planned_at: datetime


class OnwardView(View):
    """An onward referral of the case, as its latest news says."""

    id: UUID
    kind: str
    partner_id: UUID
    status: str
    reasons: list[str]
    version: int
    changed_at: datetime


class CandidateView(View):
    """A service that was considered for a need."""

    service_id: UUID
    partner_id: UUID
    eligible: bool
    reasons: list[str]


class PathwayView(View):
    """The way from one need to a service.

    `outcome` is referred, refused, pending, signposted or not_needed; null until the gate has answered. `reason` is the
    hub's own word for the first of `reasons`. `service_id` is the service that is asked, has accepted or was named.
    """

    id: UUID
    need: str
    status: str
    outcome: str | None
    reason: str | None
    reasons: list[str]
    service_id: UUID | None
    partner_id: UUID | None
    team: str | None
    onward_referral_id: UUID | None
    changed_at: datetime | None
    candidates: list[CandidateView]


class EntryView(View):
    """One entry of the timeline; `codes` depends on its type."""

    type: str
    at: datetime
    codes: dict[str, Any]


class CaseView(View):
    """A case with all that was decided and happened.

    What the hub's text says nothing about is null or empty. `case_status` is the hub's own word. `contacts` are those
    that wait; `refused_methods` were asked for, and the hub does not have them. `received` is the disclosure by which
    the police's data came or was kept back.
    """

    id: UUID
    referral_id: UUID
    status: str
    case_status: str | None
    version: int
    decision: DecisionView
    entitlement: EntitlementView | None
    level: str | None
    markers: list[str]
    crime_category: str
    needs: list[str]
    held_needs: list[dict[str, Any]]
    received_at: datetime
    opened_at: datetime | None
    repeat_of: UUID | None
    linked_to_previous: bool
    triage: dict[str, Any] | None
    transfer: dict[str, Any] | None
    received: dict[str, Any] | None
    contacts: list[ContactView]
    refused_methods: list[str]
    needs_assessment: dict[str, Any] | None
    plan: dict[str, Any] | None
    assignment: dict[str, Any] | None
    single_point_of_contact: str | None
    attributes: dict[str, Any]
    opt_in: dict[str, Any] | None
    review: dict[str, Any] | None
    lead_service_id: UUID | None
    case_updates: dict[str, Any] | None
    surveys: list[dict[str, Any]]
    onward: list[OnwardView]
    pathways: list[PathwayView]
    timeline: list[EntryView]


class RuleView(View):
    """A rule that applied, in words; `text` is null when the loaded profile no longer is the one that decided."""

    id: str
    text: str | None
    source: str | None


class ExplanationView(View):
    """Why a case was decided so, in plain words."""

    case_id: UUID
    version: int
    profile_version: str
    summary: list[str]
    rules: list[RuleView]
