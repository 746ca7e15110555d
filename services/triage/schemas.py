"""Request and response bodies of triage."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from hubkit.contracts.codes import KINDS
from hubkit.fields import BY_VALUE, StrictModel, code_of

Need = Annotated[str, code_of(KINDS, "need")]


class Assessment(StrictModel):
    """What an assessment with the person found: all needs of the case from now on."""

    needs: Annotated[tuple[Need, ...], BY_VALUE, Field(max_length=len(KINDS))]


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
    """A case in a list. `due_at` is the earliest deadline of a planned contact."""

    id: UUID
    referral_id: UUID
    status: str
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


class DecisionView(View):
    """The decision that stands. `rules` are the ids of all rules that applied."""

    outcome: str
    reason: str | None
    rules: tuple[str, ...]
    profile_version: str
    calendar_version: str
    case_status: str | None
    expected_route: str | None
    decided_at: datetime


class EntitlementView(View):
    """Rights under the Victims' Code, with the categories that gave enhanced ones."""

    level: str
    categories: list[str]


class LeftOutView(View):
    """A method that must not be used."""

    method: str
    reason: str


class ContactView(View):
    """A planned contact. `methods` null: staff choose, but none of `left_out`. `due_at` null: `due_reason` says why."""

    id: UUID
    purpose: str
    by: str | None
    methods: list[str] | None
    mode: str | None
    left_out: list[LeftOutView]
    cautions: list[str]
    state: str
    due_at: datetime | None
    due_reason: str | None
    rule_id: str
    profile_version: str
    calendar_version: str


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
    """The way from one need to a service."""

    id: UUID
    need: str
    status: str
    candidates: list[CandidateView]


class EntryView(View):
    """One entry of the timeline; `codes` depends on its type."""

    type: str
    at: datetime
    codes: dict[str, Any]


class CaseView(View):
    """A case with all that was decided and happened."""

    id: UUID
    referral_id: UUID
    status: str
    version: int
    decision: DecisionView
    entitlement: EntitlementView | None
    level: str | None
    markers: list[str]
    crime_category: str
    needs: list[str]
    received_at: datetime
    opened_at: datetime | None
    repeat_of: UUID | None
    contacts: list[ContactView]
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
