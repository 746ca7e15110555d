"""Who may receive referrals, for what, under which agreement."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, ForeignKey, Index, UniqueConstraint, Uuid
from sqlmodel import Field

from services.partners.tables.base import CODES, NULLABLE_CODES, Base


class Partner(Base, table=True):
    """An organisation that takes onward referrals. `organisation` is the organisation in its clients' tokens.

    `ring_fenced`: the hub keeps its records from this organisation, whatever is agreed; `kept_from`: so it does with
    what these organisations referred.
    """

    __tablename__ = "partner"

    id: UUID = Field(primary_key=True)
    organisation: str = Field(max_length=64, unique=True)
    name: str = Field(max_length=200)
    status: str = Field(max_length=16)
    ring_fenced: bool = False
    kept_from: list[str] | None = Field(sa_column=Column(CODES))
    created_at: datetime


class Service(Base, table=True):
    """One support service of a partner, as routing needs it to choose. Empty lists mean no limit.

    `shares` is what the hub shares with it: case_data, referral_data or nothing.
    """

    __tablename__ = "service"

    id: UUID = Field(primary_key=True)
    partner_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("partner.id"), nullable=False, index=True))
    version: int
    kind: str = Field(max_length=64)
    also: list[str] = Field(sa_column=Column(CODES, nullable=False))
    teams: list[str] = Field(sa_column=Column(CODES, nullable=False))
    name: str = Field(max_length=200)
    status: str = Field(max_length=16)
    route: str = Field(max_length=16)
    shares: str = Field(max_length=16)
    areas: list[str] = Field(sa_column=Column(CODES, nullable=False))
    crimes: list[str] = Field(sa_column=Column(CODES, nullable=False))
    risk_grades: list[str] = Field(sa_column=Column(CODES, nullable=False))
    min_age: int | None = None
    max_age: int | None = None
    location: str | None = Field(None, max_length=64)
    commissioned: bool | None = None
    preference: int = 100
    without_marker: list[str] = Field(sa_column=Column(CODES, nullable=False))
    transport: str | None = Field(None, max_length=64)
    listed_in: str | None = Field(None, max_length=80)
    follow_up: str | None = Field(None, max_length=80)
    changed_at: datetime


class Agreement(Base, table=True):
    """A data sharing agreement as it stands. `purposes` are kinds of support; dates are local and inclusive.

    The columns are what the gate and the calendar go by; `document` is the rest of what it says. `fields` null means
    all of the data categories. `proposed` are terms that wait for a second person: `{"terms", "drafted_by"}`.
    """

    __tablename__ = "agreement"
    __table_args__ = (
        Index("ix_agreement_partner", "partner_id"),
        UniqueConstraint("reference", name="uq_agreement_reference"),
    )

    id: UUID = Field(primary_key=True)
    partner_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("partner.id"), nullable=False))
    reference: str | None = Field(None, max_length=64)
    version: int
    status: str = Field(max_length=16)
    lawful_basis: str = Field(max_length=40)
    purposes: list[str] = Field(sa_column=Column(CODES, nullable=False))
    hops: list[str] = Field(sa_column=Column(CODES, nullable=False, server_default='["hub_to_partner"]'))
    data_categories: list[str] = Field(sa_column=Column(CODES, nullable=False))
    fields: list[str] | None = Field(None, sa_column=Column(NULLABLE_CODES))
    crimes_excluded: list[str] = Field(sa_column=Column(CODES, nullable=False))
    delivery: str = Field("thin", max_length=16, sa_column_kwargs={"server_default": "thin"})
    starts_on: date
    review_on: date | None = None
    ends_on: date | None = None
    ended_on: date | None = None
    document: dict[str, Any] = Field(sa_column=Column(CODES, nullable=False, server_default="{}"))
    drafted_by: str | None = Field(None, max_length=80)
    approved_by: str | None = Field(None, max_length=80)
    proposed: dict[str, Any] | None = Field(None, sa_column=Column(NULLABLE_CODES))
    changed_at: datetime


class AgreementVersion(Base, table=True):
    """An agreement after each thing that was done to it; never changed, never deleted.

    `acts` say what was done, `by` whom, through which client. `terms` are those in force from then on.
    """

    __tablename__ = "agreement_version"
    __table_args__ = (UniqueConstraint("agreement_id", "version", name="uq_agreement_version"),)

    id: UUID = Field(primary_key=True)
    agreement_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("agreement.id"), nullable=False))
    version: int
    acts: list[str] = Field(sa_column=Column(CODES, nullable=False))
    status: str = Field(max_length=16)
    terms: dict[str, Any] = Field(sa_column=Column(CODES, nullable=False))
    proposed: dict[str, Any] | None = Field(None, sa_column=Column(NULLABLE_CODES))
    drafted_by: str | None = Field(None, max_length=80)
    approved_by: str | None = Field(None, max_length=80)
    by: str = Field(max_length=128)
    client_id: str = Field(max_length=128)
    reason: str | None = Field(None, max_length=200)
    made_at: datetime
