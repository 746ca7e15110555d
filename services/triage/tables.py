"""Tables of triage: cases, decisions, contacts, attempts and the timeline, as ids and codes. No personal details."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, Index, MetaData, TextClause, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel, UTCDateTime

from hubkit.messaging import add_messaging_tables

METADATA = MetaData()
add_messaging_tables(METADATA)

_JSON = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")

#: Contacts that are a message for which nobody has been asked yet.
UNSENT = text("automated AND message_id IS NULL AND settled_at IS NULL")


def _partial(name: str, column: str, condition: TextClause) -> Index:
    """Return an index over the rows for which a condition holds."""
    return Index(name, column, postgresql_where=condition, sqlite_where=condition)


class Base(SQLModel, registry=registry(metadata=METADATA)):
    """Base of this service's tables, on its own metadata."""


class CaseRow(Base, table=True):
    """The hub's work for one referral, as it stands. `facts` is the referral as triage heard of it: codes only.

    `progress` is what staff and the person have done since, `outputs` what triage decided beside the other columns;
    both hold only what differs from nothing. `case_status` is the hub's own word. `due_at` is the earliest deadline of
    a planned contact.
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
    case_status: str | None = Field(default=None, max_length=40)
    progress: dict[str, Any] = Field(sa_type=_JSON)
    outputs: dict[str, Any] = Field(sa_type=_JSON)
    facts: dict[str, Any] = Field(sa_type=_JSON)
    received_at: datetime = Field(sa_type=UTCDateTime)
    opened_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    changed_at: datetime = Field(sa_type=UTCDateTime)
    due_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class DecisionRow(Base, table=True):
    """One decision about a case, never changed: what, why, by which rules of which profile, under which calendar.

    `by_unit` is null where no unit decides by itself. `details` are codes of what happened, by its kind.
    """

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
    basis: str | None = Field(default=None, max_length=40)
    by_unit: dict[str, Any] | None = Field(default=None, sa_type=_JSON, nullable=True)
    rules: list[str] = Field(sa_type=_JSON)
    entitlement: str | None = Field(default=None, max_length=20)
    categories: list[str] = Field(sa_type=_JSON)
    level: str | None = Field(default=None, max_length=40)
    needs: list[str] = Field(sa_type=_JSON)
    details: dict[str, Any] = Field(sa_type=_JSON)
    profile_version: str = Field(max_length=40)
    calendar_version: str = Field(max_length=200)
    decided_by: str | None = None
    decided_at: datetime = Field(sa_type=UTCDateTime)


class ContactRow(Base, table=True):
    """A planned contact with the person; a later decision replaces it. `methods` is null where staff choose.

    `at` is when an automated contact is to happen; null: at once. `message_id` is set in the transaction that asks for
    its message, so that none is asked for twice. `settled_at` is when it was done or replaced. `pauses` hold `reason`,
    `from` and `to` (null: not over) each.
    """

    __tablename__ = "contact"
    __table_args__ = (
        Index("ix_contact_case", "case_id", "id"),
        _partial("ix_contact_message", "message_id", text("message_id IS NOT NULL")),
        _partial("ix_contact_unsent", "at", UNSENT),
    )

    id: UUID = Field(primary_key=True)
    case_id: UUID
    unit: str | None = Field(default=None, max_length=40)
    purpose: str = Field(max_length=40)
    by: str | None = Field(default=None, max_length=80)
    methods: list[str] | None = Field(default=None, sa_type=_JSON, nullable=True)
    mode: str | None = Field(default=None, max_length=20)
    left_out: list[dict[str, str]] = Field(sa_type=_JSON)
    cautions: list[str] = Field(sa_type=_JSON)
    state: str = Field(max_length=20)
    due_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    due_reason: str | None = Field(default=None, max_length=40)
    at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    clock_start: datetime | None = Field(default=None, sa_type=UTCDateTime)
    clock_amount: int | None = None
    clock_unit: str | None = Field(default=None, max_length=20)
    automated: bool
    content: list[str] = Field(sa_type=_JSON)
    on_behalf_of: list[str] = Field(sa_type=_JSON)
    method_decided_by: list[str] = Field(sa_type=_JSON)
    ends_with_offer: bool
    pauses: list[dict[str, Any]] = Field(sa_type=_JSON)
    rule_id: str = Field(max_length=80)
    profile_version: str = Field(max_length=40)
    calendar_version: str = Field(max_length=200)
    planned_at: datetime = Field(sa_type=UTCDateTime)
    message_id: UUID | None = None
    settled_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class AttemptRow(Base, table=True):
    """One attempt to reach a person, never changed; by staff, or by a message that triage asked for."""

    __tablename__ = "contact_attempt"
    __table_args__ = (Index("ix_contact_attempt_case", "case_id", "id"),)

    id: UUID = Field(primary_key=True)
    case_id: UUID
    contact_id: UUID | None = None
    message_id: UUID | None = None
    method: str = Field(max_length=20)
    outcome: str = Field(max_length=20)
    reason: str | None = Field(default=None, max_length=80)
    recorded_by: str | None = None
    at: datetime = Field(sa_type=UTCDateTime)


class EntryRow(Base, table=True):
    """One entry of a case's timeline, never changed: an event of another service, by its id and codes."""

    __tablename__ = "entry"
    __table_args__ = (Index("ix_entry_case", "case_id", "at"),)

    id: UUID = Field(primary_key=True)
    case_id: UUID
    type: str = Field(max_length=80)
    at: datetime = Field(sa_type=UTCDateTime)
    codes: dict[str, Any] = Field(sa_type=_JSON)


class LinkRow(Base, table=True):
    """Two cases that belong together, never changed. `case_id` is the smaller id; nothing is shared by a link."""

    __tablename__ = "case_link"
    __table_args__ = (
        UniqueConstraint("case_id", "other_id", "relation", name="uq_case_link"),
        Index("ix_case_link_other", "other_id", "id"),
    )

    id: UUID = Field(primary_key=True)
    case_id: UUID
    other_id: UUID
    relation: str = Field(max_length=20)
    linked_by: str
    linked_at: datetime = Field(sa_type=UTCDateTime)
