"""What the public directory says of partners and services, and beside it what it never says."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, ForeignKey, Index, Text, UniqueConstraint, Uuid
from sqlmodel import Field

from services.partners.tables.base import CODES, Base


class PartnerListing(Base, table=True):
    """What is public of an organisation; without `is_public` neither it nor any service of it is shown.

    `feed` and `feed_id` say which record of which feed it came from, `seen` the feed's values that were taken last.
    """

    __tablename__ = "partner_listing"
    __table_args__ = (UniqueConstraint("feed", "feed_id", name="uq_partner_listing_feed"),)

    partner_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("partner.id"), primary_key=True))
    version: int
    is_public: bool
    confidential: bool
    document: dict[str, Any] = Field(sa_column=Column(CODES, nullable=False))
    modified_at: datetime
    feed: str | None = Field(None, max_length=200)
    feed_id: str | None = Field(None, max_length=64)
    seen: dict[str, Any] = Field(sa_column=Column(CODES, nullable=False))


class ServiceListing(Base, table=True):
    """What is public of a service. `kinds`, `areas`, `searched` and both ages repeat the document, to be asked for.

    `searched` is its text, case-folded. `missing_since`: when its feed had it no more.
    """

    __tablename__ = "service_listing"
    __table_args__ = (
        UniqueConstraint("feed", "feed_id", name="uq_service_listing_feed"),
        Index("ix_service_listing_modified", "modified_at"),
    )

    service_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("service.id"), primary_key=True))
    version: int
    is_public: bool
    document: dict[str, Any] = Field(sa_column=Column(CODES, nullable=False))
    name: str = Field(max_length=200)
    kinds: list[str] = Field(sa_column=Column(CODES, nullable=False))
    areas: list[str] = Field(sa_column=Column(CODES, nullable=False))
    searched: str = Field(sa_column=Column(Text, nullable=False))
    minimum_age: int | None = None
    maximum_age: int | None = None
    modified_at: datetime
    feed: str | None = Field(None, max_length=200)
    feed_id: str | None = Field(None, max_length=64)
    seen: dict[str, Any] = Field(sa_column=Column(CODES, nullable=False))
    missing_since: datetime | None = None


class ServiceOverlay(Base, table=True):
    """What only the hub knows of a service. `sealed` is JSON: criteria, capacity, safe address, agreement."""

    __tablename__ = "service_overlay"

    service_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("service.id"), primary_key=True))
    confidential: bool
    sealed: bytes | None = None
    changed_at: datetime
