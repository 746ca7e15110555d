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


def _json(default: str | None = None) -> Any:
    return Column(JSON().with_variant(JSONB(), "postgresql"), nullable=False, server_default=default)


class Base(SQLModel):
    """Base of this service's tables, on its own metadata."""

    metadata = METADATA


class ListingRow(Base, table=True):
    """A support service as partners listed it last.

    `criteria` say whom it takes and for which further needs; `is_wide` that it may be for needs other than its kind.
    What was said of its capacity goes by its own moment.
    """

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
    route: str = Field(max_length=20, sa_column_kwargs={"server_default": "refer"})
    shares: str = Field(max_length=20, sa_column_kwargs={"server_default": "case_data"})
    capacity_open: bool | None = None
    capacity_places: int | None = None
    capacity_waiting_weeks: int | None = None
    capacity_as_of: datetime | None = None
    is_wide: bool = Field(index=True, sa_column_kwargs={"server_default": text("false")})


class CaseFactsRow(Base, table=True):
    """What routing knows of a case.

    `choices` is the chosen service by need; `reviewed` the services and teams of the review that is open.
    """

    __tablename__ = "case_facts"

    case_id: UUID = Field(primary_key=True)
    referral_id: UUID
    version: int
    is_open: bool
    crime_category: str = Field(max_length=60)
    age: int | None = None
    area_code: str | None = Field(default=None, max_length=20)
    risk_grade: str | None = Field(default=None, max_length=20)
    markers: list[str] = Field(sa_column=_json("[]"))
    choices: dict[str, str] = Field(sa_column=_json("{}"))
    lead_service_id: UUID | None = None
    reviewed: list[Any] = Field(sa_column=_json("[]"))


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
        Index(
            "ix_pathway_chase_due",
            "chase_due_at",
            postgresql_where=text("chase_due_at IS NOT NULL"),
            sqlite_where=text("chase_due_at IS NOT NULL"),
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
    chase_due_at: datetime | None = None
    consented_at: datetime | None = None
    requested_version: int = Field(sa_column_kwargs={"server_default": "0"})
    opened_at: datetime
    changed_at: datetime
