"""Tables of triage: cases, decisions, contacts and the timeline, as ids and codes. No personal details."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, Index, MetaData
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel, UTCDateTime

from hubkit.messaging import add_messaging_tables

METADATA = MetaData()
add_messaging_tables(METADATA)

_JSON = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class Base(SQLModel, registry=registry(metadata=METADATA)):
    """Base of this service's tables, on its own metadata."""


class CaseRow(Base, table=True):
    """The hub's work for one referral, as it stands. `facts` is the referral as triage heard of it: codes only.

    `assessed_needs` replaces the needs that the referral names, once there was an assessment. `due_at` is the earliest
    deadline of a planned contact.
    """

    __tablename__ = "case_record"
    __table_args__ = (Index("ix_case_record_status", "status", "id"),)

    id: UUID = Field(primary_key=True)
    referral_id: UUID = Field(unique=True)
    referral_version: int
    version: int
    status: str = Field(max_length=20)
    source_organisation: str
    crime_category: str = Field(max_length=60)
    outcome: str = Field(max_length=40)
    reason: str | None = Field(default=None, max_length=80)
    entitlement: str | None = Field(default=None, max_length=20)
    level: str | None = Field(default=None, max_length=40)
    needs: list[str] = Field(sa_type=_JSON)
    assessed_needs: list[str] | None = Field(default=None, sa_type=_JSON, nullable=True)
    facts: dict[str, Any] = Field(sa_type=_JSON)
    received_at: datetime = Field(sa_type=UTCDateTime)
    opened_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    changed_at: datetime = Field(sa_type=UTCDateTime)
    due_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class DecisionRow(Base, table=True):
    """One decision about a case, never changed: what, why, by which rules of which profile, under which calendar."""

    __tablename__ = "decision"
    __table_args__ = (Index("ix_decision_case", "case_id", "id"),)

    id: UUID = Field(primary_key=True)
    case_id: UUID
    case_version: int
    kind: str = Field(max_length=20)
    outcome: str = Field(max_length=40)
    reason: str | None = Field(default=None, max_length=80)
    case_status: str | None = Field(default=None, max_length=40)
    expected_route: str | None = Field(default=None, max_length=80)
    rules: list[str] = Field(sa_type=_JSON)
    entitlement: str | None = Field(default=None, max_length=20)
    categories: list[str] = Field(sa_type=_JSON)
    level: str | None = Field(default=None, max_length=40)
    needs: list[str] = Field(sa_type=_JSON)
    profile_version: str = Field(max_length=40)
    calendar_version: str = Field(max_length=200)
    decided_by: str | None = None
    decided_at: datetime = Field(sa_type=UTCDateTime)


class ContactRow(Base, table=True):
    """A planned contact with the person; a later decision replaces it. `methods` is null where staff choose."""

    __tablename__ = "contact"
    __table_args__ = (Index("ix_contact_case", "case_id", "id"),)

    id: UUID = Field(primary_key=True)
    case_id: UUID
    purpose: str = Field(max_length=40)
    by: str | None = Field(default=None, max_length=80)
    methods: list[str] | None = Field(default=None, sa_type=_JSON, nullable=True)
    mode: str | None = Field(default=None, max_length=20)
    left_out: list[dict[str, str]] = Field(sa_type=_JSON)
    cautions: list[str] = Field(sa_type=_JSON)
    state: str = Field(max_length=20)
    due_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    due_reason: str | None = Field(default=None, max_length=40)
    rule_id: str = Field(max_length=80)
    profile_version: str = Field(max_length=40)
    calendar_version: str = Field(max_length=200)
    planned_at: datetime = Field(sa_type=UTCDateTime)


class EntryRow(Base, table=True):
    """One entry of a case's timeline, never changed: an event of another service, by its id and codes."""

    __tablename__ = "entry"
    __table_args__ = (Index("ix_entry_case", "case_id", "at"),)

    id: UUID = Field(primary_key=True)
    case_id: UUID
    type: str = Field(max_length=80)
    at: datetime = Field(sa_type=UTCDateTime)
    codes: dict[str, Any] = Field(sa_type=_JSON)
