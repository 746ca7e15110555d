"""What changed after a partner had read it: the newest content of cases by field, and the amendments made from it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, ForeignKey, UniqueConstraint, Uuid
from sqlmodel import Field

from services.partners.tables.base import CODES, Base


class CaseContent(Base, table=True):
    """At which version of its referral each field of a person changed last, and the newest assessment, as codes."""

    __tablename__ = "case_content"

    case_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("case_facts.case_id"), primary_key=True))
    changed_in: dict[str, int] = Field(sa_column=Column(CODES, nullable=False))
    assessment: dict[str, Any] = Field(sa_column=Column(CODES, nullable=False))
    assessment_version: int
    changed_at: datetime


class Amendment(Base, table=True):
    """Fields that changed after a partner had read them, by name alone. `fetched_at`: when it has read them again."""

    __tablename__ = "amendment"
    __table_args__ = (UniqueConstraint("onward_referral_id", "number", name="uq_amendment_number"),)

    id: UUID = Field(primary_key=True)
    onward_referral_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("onward_referral.id"), nullable=False))
    case_id: UUID
    number: int
    fields: list[str] = Field(sa_column=Column(CODES, nullable=False))
    referral_version: int
    assessment_version: int
    made_at: datetime
    fetched_at: datetime | None = None
