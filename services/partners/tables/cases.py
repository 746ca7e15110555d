"""What the gate needs to know of a case, and everything that was referred and disclosed. Codes and ids only."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Column, ForeignKey, Index, Uuid, false, text
from sqlmodel import Field

from services.partners.tables.base import CODES, Base


class CaseFacts(Base, table=True):
    """The newest version of a case that was heard of. Its row lock orders permits and withdrawals.

    `source_organisation` referred the person. `restricted_to` (partner ids, null: not restricted) and `safe_address`
    are set by staff; `case_protection` holds who set them and why.
    """

    __tablename__ = "case_facts"

    case_id: UUID = Field(primary_key=True)
    referral_id: UUID
    version: int
    status: str = Field(max_length=16)
    crime_category: str | None = Field(None, max_length=64)
    markers: list[str] | None = Field(sa_column=Column(CODES))
    age: int | None = None
    source_organisation: str | None = Field(None, max_length=64)
    restricted_to: list[str] | None = Field(sa_column=Column(CODES))
    safe_address: bool = Field(False, sa_column_kwargs={"server_default": false()})
    changed_at: datetime


class Consent(Base, table=True):
    """One recorded decision of the person; never changed, never deleted. `source_key` keeps repeats of events out.

    A draft decides nothing. `giver_note` (who gave it, where that is not the person) is sealed.
    """

    __tablename__ = "consent"
    __table_args__ = (Index("ix_consent_case", "case_id"),)

    id: UUID = Field(primary_key=True)
    case_id: UUID
    source_key: str = Field(max_length=64, unique=True)
    hop: str = Field(max_length=32)
    decision: str = Field(max_length=16)
    recipients: list[str] = Field(sa_column=Column(CODES, nullable=False))
    data_categories: list[str] = Field(sa_column=Column(CODES, nullable=False))
    method: str | None = Field(None, max_length=16)
    recorded_at: datetime
    expires_at: datetime | None = None
    recorded_by: str | None = Field(None, max_length=128)
    purpose: str | None = Field(None, max_length=32)
    giver: str | None = Field(None, max_length=16)
    giver_note: bytes | None = None
    capacity: str | None = Field(None, max_length=16)
    competence: str | None = Field(None, max_length=24)
    best_interests: bool = Field(False, sa_column_kwargs={"server_default": false()})
    language: str | None = Field(None, max_length=16)
    interpreter: str | None = Field(None, max_length=16)
    wording_version: str | None = Field(None, max_length=64)
    taken_by: str | None = Field(None, max_length=64)
    is_draft: bool = Field(False, sa_column_kwargs={"server_default": false()})
    created_at: datetime


class OnwardReferral(Base, table=True):
    """One referral of one person to one service. `ready_at` is when the gate first allowed it."""

    __tablename__ = "onward_referral"
    __table_args__ = (
        Index("ix_onward_referral_case", "case_id"),
        Index("ix_onward_referral_referral", "referral_id"),
        Index("ix_onward_referral_partner", "partner_id", "id"),
    )

    id: UUID = Field(primary_key=True)
    pathway_id: UUID
    case_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("case_facts.case_id"), nullable=False))
    referral_id: UUID
    kind: str = Field(max_length=64)
    partner_id: UUID
    service_id: UUID
    team: str | None = Field(None, max_length=64)
    status: str = Field(max_length=20)
    version: int
    reasons: list[str] = Field(sa_column=Column(CODES, nullable=False))
    outcome: str | None = Field(None, max_length=40)
    basis: str | None = Field(None, max_length=40)
    created_at: datetime
    changed_at: datetime
    ready_at: datetime | None = None
    sent_at: datetime | None = None


class Permit(Base, table=True):
    """The gate's yes for one attempt to tell or to disclose, with what it stood on."""

    __tablename__ = "permit"
    __table_args__ = (
        Index(
            "ix_permit_outstanding",
            "case_id",
            postgresql_where=text("settled_at IS NULL"),
            sqlite_where=text("settled_at IS NULL"),
        ),
    )

    id: UUID = Field(primary_key=True)
    onward_referral_id: UUID
    case_id: UUID
    agreement_id: UUID
    agreement_version: int
    basis: str = Field(max_length=40)
    consent_ids: list[str] = Field(sa_column=Column(CODES, nullable=False))
    issued_at: datetime
    expires_at: datetime
    settled_at: datetime | None = None


class Disclosure(Base, table=True):
    """Which fields went to a partner, on what grounds. `hash` is SHA-256 of the canonical JSON that was answered.

    `what` is the hub's word for it: case_data or referral_data. With `safeguarding_id` it stands on that decision,
    which also takes the agreement's place where none is in force. `assessment_version` is the version of the case whose
    assessment went out; 0 for none. `delivery_id` is the webhook that carried it, null where the partner read it.
    """

    __tablename__ = "disclosure"
    __table_args__ = (
        Index("ix_disclosure_onward", "onward_referral_id"),
        Index("ix_disclosure_case", "case_id", "id"),
    )

    id: UUID = Field(primary_key=True)
    onward_referral_id: UUID
    case_id: UUID
    partner_id: UUID
    client_id: str = Field(max_length=128)
    what: str = Field(max_length=16)
    fields: list[str] = Field(sa_column=Column(CODES, nullable=False))
    hash: str = Field(max_length=64)
    basis: str = Field(max_length=40)
    agreement_id: UUID
    agreement_version: int
    consent_ids: list[str] = Field(sa_column=Column(CODES, nullable=False))
    permit_id: UUID
    delivery_id: UUID | None = None
    safeguarding_id: UUID | None = None
    referral_version: int
    assessment_version: int = Field(0, sa_column_kwargs={"server_default": "0"})
    disclosed_at: datetime


class AccessRequest(Base, table=True):
    """Somebody asked for data of a case otherwise than by an onward referral, and what was decided; never changed.

    `explanation` is what staff wrote about the ground, sealed: it may be about the person.
    """

    __tablename__ = "access_request"
    __table_args__ = (Index("ix_access_request_case", "case_id", "id"),)

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("case_facts.case_id"), nullable=False))
    requester: str = Field(max_length=64)
    what: str = Field(max_length=40)
    held_by: str = Field(max_length=80)
    outcome: str = Field(max_length=16)
    reason: str | None = Field(None, max_length=80)
    basis: str | None = Field(None, max_length=40)
    ground: str | None = Field(None, max_length=40)
    explanation: bytes | None = None
    decided_by: str | None = Field(None, max_length=80)
    approved_by: str | None = Field(None, max_length=80)
    client_id: str = Field(max_length=128)
    decided_at: datetime
