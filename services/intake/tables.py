"""Tables of intake. Personal details stand in the sealed columns of `person` and nowhere else."""

from datetime import date, datetime
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


class ReferralRow(Base, table=True):
    """A referral: its codes, its version, and what triage decided.

    `content` is a keyed digest of what was sent, to tell a correction from a repetition. `facts` are the codes of the
    referral as they go out in `referral.received`, together with the safe methods. `source_from` is the organisation
    that refers, as the sender names it, and `intake_method` how it reached the sender: for reports.
    """

    __tablename__ = "referral"
    __table_args__ = (UniqueConstraint("source_organisation", "source_reference", name="uq_referral_source"),)

    id: UUID = Field(primary_key=True)
    version: int
    source_organisation: str = Field(max_length=200)
    source_reference: str | None = Field(default=None, max_length=64)
    source_from: str | None = Field(default=None, max_length=100)
    intake_method: str | None = Field(default=None, max_length=20)
    content: bytes
    facts: dict[str, Any] = Field(sa_column=_json())
    received_at: datetime
    changed_at: datetime
    status: str = Field(max_length=40)
    decision_reason: str | None = Field(default=None, max_length=100)
    case_version: int = 0


class PersonRow(Base, table=True):
    """The person of one referral. Bytes are sealed under `key_id`; the indexes find equal values unread."""

    __tablename__ = "person"
    __table_args__ = (
        Index("ix_person_identity", "identity_index", "referral_id"),
        Index("ix_person_phone", "phone_index", "referral_id"),
        Index("ix_person_email", "email_index", "referral_id"),
    )

    referral_id: UUID = Field(primary_key=True, foreign_key="referral.id")
    key_id: str = Field(max_length=64, index=True)
    given_name: bytes | None = None
    family_name: bytes | None = None
    date_of_birth: bytes | None = None
    address: bytes | None = None
    phone: bytes | None = None
    email: bytes | None = None
    instructions: bytes | None = None
    crime_reference: bytes | None = None
    narrative: bytes | None = None
    identity_index: UUID | None = None
    phone_index: UUID | None = None
    email_index: UUID | None = None


class IdempotencyRow(Base, table=True):
    """One Idempotency-Key of one client, as a keyed digest, with the digest of the request and the referral it made."""

    __tablename__ = "idempotency"

    slot: UUID = Field(primary_key=True)
    request: bytes
    referral_id: UUID
    created_at: datetime = Field(index=True)


class TransferRow(Base, table=True):
    """A file of referrals and its counts."""

    __tablename__ = "transfer"

    id: UUID = Field(primary_key=True)
    organisation: str = Field(max_length=200)
    status: str = Field(max_length=40)
    accepted: int = 0
    updated: int = 0
    duplicate: int = 0
    rejected: int = 0
    received_at: datetime
    completed_at: datetime | None = None


class TransferLineRow(Base, table=True):
    """What became of one row of a transfer. `errors` name places and codes, never values."""

    __tablename__ = "transfer_row"

    transfer_id: UUID = Field(primary_key=True, foreign_key="transfer.id")
    line: int = Field(primary_key=True)
    outcome: str = Field(max_length=10)
    referral_id: UUID | None = None
    errors: list[dict[str, str]] = Field(sa_column=_json())


class ReferralOnwardRow(Base, table=True):
    """The newest news of an onward referral, for the source of its referral."""

    __tablename__ = "referral_onward"

    onward_referral_id: UUID = Field(primary_key=True)
    referral_id: UUID = Field(index=True)
    kind: str = Field(max_length=40)
    status: str = Field(max_length=40)
    version: int


class SubjectRecordRow(Base, table=True):
    """What was done with a person's data at their request or by retention; appended to, never changed.

    `mac` is keyed and covers the row and the one before it, so that a changed, removed or inserted row shows.
    """

    __tablename__ = "subject_record"

    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    kind: str = Field(max_length=20)
    referral_id: UUID = Field(index=True)
    details: dict[str, Any] = Field(sa_column=_json())
    made_by: str = Field(max_length=80)
    at: datetime
    mac: bytes


class HoldRow(Base, table=True):
    """Something that stops the deletion of a referral's person. `until` is a local day, inclusive; null: no end."""

    __tablename__ = "retention_hold"

    id: UUID = Field(primary_key=True)
    referral_id: UUID = Field(index=True)
    reason: str = Field(max_length=40)
    until: date | None = None
    placed_by: str = Field(max_length=80)
    placed_at: datetime
    lifted_by: str | None = Field(default=None, max_length=80)
    lifted_at: datetime | None = None


class MessageObjectionRow(Base, table=True):
    """The person wants no messages from the hub."""

    __tablename__ = "message_objection"

    referral_id: UUID = Field(primary_key=True)
    objection_id: UUID
    decided_at: datetime


class MessageRow(Base, table=True):
    """A message that triage asked for. `sendings` say how far it is by each method; nothing of the person is here.

    `due_at` is when it is next looked at: the end of the lease while `lease_token` is set, null once it is settled.
    `stop_reason` is set when nothing more of it is to be sent.
    """

    __tablename__ = "message"
    __table_args__ = (
        Index(
            "ix_message_due",
            "due_at",
            postgresql_where=text("due_at IS NOT NULL"),
            sqlite_where=text("due_at IS NOT NULL"),
        ),
    )

    id: UUID = Field(primary_key=True)
    case_id: UUID
    referral_id: UUID = Field(index=True)
    purpose: str = Field(max_length=80)
    mode: str = Field(max_length=20)
    content: list[str] = Field(sa_column=_json())
    unit: str | None = Field(default=None, max_length=80)
    language: str | None = Field(default=None, max_length=40)
    sendings: list[dict[str, Any]] = Field(sa_column=_json())
    due_at: datetime | None = None
    lease_token: UUID | None = None
    stop_reason: str | None = Field(default=None, max_length=40)
    requested_at: datetime
    settled_at: datetime | None = None
