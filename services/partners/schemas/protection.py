"""Bodies of what staff ask of the gate and decide to protect a person."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from hubkit.contracts.codes import DATA_CATEGORIES
from hubkit.fields import Code, Id, StrictModel, code_of, text
from services.partners.model import LEGAL_GROUNDS, PERSON_TOLD, RECTIFIED_STATEMENTS, STATEMENTS
from services.partners.schemas.base import Answered, Distinct

Reason = Annotated[str, text(1000, multi_line=True)]
Name = Annotated[str, text(80)]


class WithheldField(Answered):
    """A field that is not shared, and why: not_in_agreement, not_in_consent, address_protected and so on."""

    field: str
    reason: str


class AgreementRef(Answered):
    """Under which agreement, in which version."""

    id: UUID
    version: int


class GatePreview(Answered):
    """What the gate would say now about one service; `reasons` are codes, and there are none when it is allowed.

    `onward_referral_id`: this service has been asked already, and is judged as such.
    """

    service_id: UUID
    service_name: str
    kind: str
    onward_referral_id: UUID | None
    allowed: bool
    reasons: tuple[str, ...]
    fields_shared: tuple[str, ...]
    fields_withheld: list[WithheldField]
    basis: str | None
    agreement: AgreementRef | None
    safeguarding_id: UUID | None
    consent_ids: tuple[UUID, ...]


class GatePreviews(Answered):
    """What each service of a partner would be given of a case now. Nothing is recorded or disclosed by it."""

    case_id: UUID
    partner_id: UUID
    partner_name: str
    services: list[GatePreview]


class NewProtection(StrictModel):
    """Who alone may be told of a case (null: any partner), and whether its address is kept back; instead of before."""

    restricted_to: Annotated[Distinct[Id], Field(max_length=50)] | None
    safe_address: bool
    reason: Reason
    decided_by: Name


class ProtectionBody(Answered):
    """What protects a case from now on."""

    id: UUID
    case_id: UUID
    restricted_to: tuple[UUID, ...] | None
    safe_address: bool
    decided_by: str
    decided_at: datetime


class NewPairs(StrictModel):
    """From which organisations nothing reaches a partner; named itself, nothing flows back to it."""

    organisations: Annotated[Distinct[Code], Field(max_length=100)]


class PairsBody(Answered):
    """From which organisations nothing reaches a partner."""

    partner_id: UUID
    organisations: tuple[str, ...]


class NewSafeguarding(StrictModel):
    """What is to go to one service without consent, on which legal ground, why, and who decided so."""

    partner: Id
    service: Id
    legal_ground: Annotated[str, code_of(LEGAL_GROUNDS, "legal ground")]
    data_categories: Annotated[
        Distinct[Annotated[str, code_of(DATA_CATEGORIES, "data category")]], Field(min_length=1, max_length=20)
    ]
    reason: Reason
    decided_by: Name
    person_told: Annotated[str, code_of(PERSON_TOLD, "way of telling")] | None = None


class Approval(StrictModel):
    """Who approves: somebody else than decided."""

    approved_by: Name


class SafeguardingRef(Answered):
    """On which decision something went out without consent."""

    id: UUID
    legal_ground: str
    decided_by: str
    approved_by: str | None
    approved_at: datetime | None
    person_told: str | None


class SafeguardingBody(SafeguardingRef):
    """A safeguarding decision: pending, or approved with the onward referral that went out on it.

    `client_id` and `approving_client_id` are the systems by which the two people said so.
    """

    case_id: UUID
    partner_id: UUID
    service_id: UUID
    status: str
    data_categories: tuple[str, ...]
    reason: str
    decided_at: datetime
    client_id: str
    approving_client_id: str | None
    onward_referral_id: UUID | None


class NewStatement(StrictModel):
    """What the partner did with the data of somebody who took consent back."""

    statement: Annotated[str, code_of(STATEMENTS, "statement")]
    note: Annotated[str, text(500, multi_line=True)] | None = None


class NewRectification(StrictModel):
    """What the partner did about data that was rectified or erased at the hub.

    `rectified` goes with a rectification alone; `retained_own_purpose` says that it keeps the data as a controller of
    its own.
    """

    statement: Annotated[str, code_of(RECTIFIED_STATEMENTS, "statement")]
    note: Annotated[str, text(500, multi_line=True)] | None = None


class AcknowledgementBody(Answered):
    """What a partner is asked: awaited, overdue or given.

    `reason` says why: the person's decision, or that the data was `rectified` or `erased`; then `number` is that of the
    amendment, else 0.
    """

    id: UUID
    onward_referral_id: UUID
    number: int
    case_id: UUID
    partner_id: UUID
    reason: str
    state: str
    asked_at: datetime
    due_at: datetime
    statement: str | None
    note: str | None
    answered_at: datetime | None


class StatementBody(Answered):
    """The partner's statement as it was taken."""

    onward_referral_id: UUID
    state: str
    due_at: datetime
    statement: str | None
    answered_at: datetime | None
