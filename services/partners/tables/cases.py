"""What the gate needs to know of a case, and everything that was referred and disclosed. Codes and ids only."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Column, ForeignKey, Index, Uuid, text
from sqlmodel import Field

from services.partners.tables.base import CODES, Base


class CaseFacts(Base, table=True):
    """The newest version of a case that was heard of. Its row lock orders permits and withdrawals."""

    __tablename__ = "case_facts"

    case_id: UUID = Field(primary_key=True)
    referral_id: UUID
    version: int
    status: str = Field(max_length=16)
    crime_category: str | None = Field(None, max_length=64)
    changed_at: datetime


class Consent(Base, table=True):
    """One recorded decision of the person; never changed, never deleted. `source_key` keeps repeats of events out."""

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
    created_at: datetime


class OnwardReferral(Base, table=True):
    """One referral of one person to one service. `ready_at` is when the gate first allowed it."""

    __tablename__ = "onward_referral"
    __table_args__ = (
        Index("ix_onward_referral_case", "case_id"),
        Index("ix_onward_referral_partner", "partner_id", "id"),
    )

    id: UUID = Field(primary_key=True)
    pathway_id: UUID
    case_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("case_facts.case_id"), nullable=False))
    referral_id: UUID
    kind: str = Field(max_length=64)
    partner_id: UUID
    service_id: UUID
    status: str = Field(max_length=20)
    version: int
    reasons: list[str] = Field(sa_column=Column(CODES, nullable=False))
    outcome: str | None = Field(None, max_length=40)
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
    """Which fields went to a partner, on what grounds. `hash` is SHA-256 of the canonical JSON that was answered."""

    __tablename__ = "disclosure"
    __table_args__ = (Index("ix_disclosure_onward", "onward_referral_id"),)

    id: UUID = Field(primary_key=True)
    onward_referral_id: UUID
    case_id: UUID
    partner_id: UUID
    client_id: str = Field(max_length=128)
    fields: list[str] = Field(sa_column=Column(CODES, nullable=False))
    hash: str = Field(max_length=64)
    basis: str = Field(max_length=40)
    agreement_id: UUID
    agreement_version: int
    consent_ids: list[str] = Field(sa_column=Column(CODES, nullable=False))
    permit_id: UUID
    referral_version: int
    disclosed_at: datetime
