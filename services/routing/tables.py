"""Tables of routing: the directory's replica, the facts of cases, the pathways. No personal details."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, Column, Index, MetaData, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from hubkit.messaging import add_messaging_tables

METADATA = MetaData()
add_messaging_tables(METADATA)


def _json() -> Any:
    return Column(JSON().with_variant(JSONB(), "postgresql"), nullable=False)


class Base(SQLModel):
    """Base of this service's tables, on its own metadata."""

    metadata = METADATA


class ListingRow(Base, table=True):
    """A support service as partners listed it last."""

    __tablename__ = "listing"

    service_id: UUID = Field(primary_key=True)
    partner_id: UUID = Field(index=True)
    version: int
    kind: str = Field(index=True, max_length=40)
    status: str = Field(max_length=20)
    criteria: dict[str, Any] = Field(sa_column=_json())
    location: str | None = Field(default=None, max_length=20)
    commissioned: bool | None = None
    preference: int


class CaseFactsRow(Base, table=True):
    """What routing knows of a case."""

    __tablename__ = "case_facts"

    case_id: UUID = Field(primary_key=True)
    referral_id: UUID
    version: int
    is_open: bool
    crime_category: str = Field(max_length=60)
    age: int | None = None
    area_code: str | None = Field(default=None, max_length=20)
    risk_grade: str | None = Field(default=None, max_length=20)


class PathwayRow(Base, table=True):
    """One need's way to a service."""

    __tablename__ = "pathway"
    __table_args__ = (
        UniqueConstraint("case_id", "need", name="uq_pathway_case_need"),
        Index(
            "ix_pathway_answer_due",
            "answer_due_at",
            postgresql_where=text("answer_due_at IS NOT NULL"),
            sqlite_where=text("answer_due_at IS NOT NULL"),
        ),
    )

    id: UUID = Field(primary_key=True)
    case_id: UUID
    referral_id: UUID
    need: str = Field(max_length=40)
    status: str = Field(max_length=20, index=True)
    version: int
    candidates: list[dict[str, Any]] = Field(sa_column=_json())
    onward_referral_id: UUID | None = None
    answer_due_at: datetime | None = None
    consented_at: datetime | None = None
    opened_at: datetime
    changed_at: datetime
