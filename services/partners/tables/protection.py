"""What staff decide to protect a person: who may be told at all, what goes out without consent, what came back."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Column, ForeignKey, Index, Integer, UniqueConstraint, Uuid, text
from sqlmodel import Field

from services.partners.tables.base import CODES, Base


class CaseProtection(Base, table=True):
    """One decision of staff on who may be told of a case, and whether the address is kept back; never changed.

    The newest stands in `case_facts`. `reason` is sealed: it may be about the person.
    """

    __tablename__ = "case_protection"
    __table_args__ = (Index("ix_case_protection_case", "case_id", "id"),)

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("case_facts.case_id"), nullable=False))
    restricted_to: list[str] | None = Field(sa_column=Column(CODES))
    safe_address: bool
    reason: bytes
    decided_by: str = Field(max_length=80)
    client_id: str = Field(max_length=128)
    decided_at: datetime


class SafeguardingDecision(Base, table=True):
    """What goes to one service without consent, on a legal ground, once a second person has approved it.

    `reason` is sealed: it is about the person. `onward_referral_id` is what went out on it.
    """

    __tablename__ = "safeguarding_decision"
    __table_args__ = (
        Index("ix_safeguarding_decision_case", "case_id", "id"),
        Index("ix_safeguarding_decision_onward", "onward_referral_id"),
    )

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("case_facts.case_id"), nullable=False))
    partner_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("partner.id"), nullable=False))
    service_id: UUID
    legal_ground: str = Field(max_length=48)
    reason: bytes
    data_categories: list[str] = Field(sa_column=Column(CODES, nullable=False))
    person_told: str | None = Field(None, max_length=24)
    status: str = Field(max_length=16)
    decided_by: str = Field(max_length=80)
    client_id: str = Field(max_length=128)
    decided_at: datetime
    approved_by: str | None = Field(None, max_length=80)
    approving_client_id: str | None = Field(None, max_length=128)
    approved_at: datetime | None = None
    onward_referral_id: UUID | None = None


class WithdrawalAcknowledgement(Base, table=True):
    """A partner is asked what it did with the data once the person took it back, or it was rectified or erased.

    `number` is that of the amendment, 0 for a withdrawal. `note` is sealed: a partner may write about the person.
    """

    __tablename__ = "withdrawal_acknowledgement"
    __table_args__ = (
        UniqueConstraint("onward_referral_id", "number", name="uq_withdrawal_acknowledgement_number"),
        Index("ix_withdrawal_acknowledgement_case", "case_id", "id"),
        Index(
            "ix_withdrawal_acknowledgement_awaited",
            "due_at",
            postgresql_where=text("answered_at IS NULL"),
            sqlite_where=text("answered_at IS NULL"),
        ),
    )

    id: UUID = Field(primary_key=True)
    onward_referral_id: UUID
    number: int = Field(0, sa_column=Column(Integer, nullable=False, server_default="0"))
    case_id: UUID
    partner_id: UUID
    reason: str = Field(max_length=24)
    asked_at: datetime
    due_at: datetime
    statement: str | None = Field(None, max_length=24)
    note: bytes | None = None
    answered_at: datetime | None = None
    client_id: str | None = Field(None, max_length=128)
