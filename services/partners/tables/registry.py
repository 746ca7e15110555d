"""Who may receive referrals, for what, under which agreement."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Column, ForeignKey, Index, Uuid
from sqlmodel import Field

from services.partners.tables.base import CODES, Base


class Partner(Base, table=True):
    """An organisation that takes onward referrals. `organisation` is the organisation in its clients' tokens.

    `ring_fenced`: the hub keeps its records from this organisation, whatever is agreed.
    """

    __tablename__ = "partner"

    id: UUID = Field(primary_key=True)
    organisation: str = Field(max_length=64, unique=True)
    name: str = Field(max_length=200)
    status: str = Field(max_length=16)
    ring_fenced: bool = False
    created_at: datetime


class Service(Base, table=True):
    """One support service of a partner, as routing needs it to choose. Empty lists mean no limit."""

    __tablename__ = "service"

    id: UUID = Field(primary_key=True)
    partner_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("partner.id"), nullable=False, index=True))
    version: int
    kind: str = Field(max_length=64)
    name: str = Field(max_length=200)
    status: str = Field(max_length=16)
    areas: list[str] = Field(sa_column=Column(CODES, nullable=False))
    crimes: list[str] = Field(sa_column=Column(CODES, nullable=False))
    risk_grades: list[str] = Field(sa_column=Column(CODES, nullable=False))
    min_age: int | None = None
    max_age: int | None = None
    location: str | None = Field(None, max_length=64)
    commissioned: bool | None = None
    preference: int = 100
    changed_at: datetime


class Agreement(Base, table=True):
    """A data sharing agreement. `purposes` are kinds of support; both dates are local and inclusive."""

    __tablename__ = "agreement"
    __table_args__ = (Index("ix_agreement_partner", "partner_id"),)

    id: UUID = Field(primary_key=True)
    partner_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("partner.id"), nullable=False))
    version: int
    status: str = Field(max_length=16)
    lawful_basis: str = Field(max_length=40)
    purposes: list[str] = Field(sa_column=Column(CODES, nullable=False))
    data_categories: list[str] = Field(sa_column=Column(CODES, nullable=False))
    crimes_excluded: list[str] = Field(sa_column=Column(CODES, nullable=False))
    starts_on: date
    ends_on: date | None = None
    changed_at: datetime
