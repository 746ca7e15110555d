"""The gateway's tables: clients, the keys that sign access tokens, and assertions that have been used."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, Column, MetaData, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel, UTCDateTime

METADATA = MetaData()
_JSON = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class _Base(SQLModel):
    metadata = METADATA


class ClientRow(_Base, table=True):
    """A registered client. The secret is long and random, so one SHA-256 of it is enough to keep."""

    __tablename__ = "client"

    id: str = Field(sa_column=Column(String(64), primary_key=True))
    organisation: str = Field(sa_column=Column(String(64), nullable=False))
    scopes: list[str] = Field(sa_column=Column(_JSON, nullable=False))
    secret_hash: str | None = Field(sa_column=Column(String(64)))
    jwks: dict[str, Any] | None = Field(sa_column=Column(_JSON))
    created_at: datetime = Field(sa_column=Column(UTCDateTime(), nullable=False))
    disabled_at: datetime | None = Field(sa_column=Column(UTCDateTime()))


class SigningKeyRow(_Base, table=True):
    """A key that signs access tokens. The unique generation lets one of several starting replicas make the first."""

    __tablename__ = "signing_key"

    id: UUID = Field(primary_key=True)
    generation: int = Field(unique=True, nullable=False)
    private_jwk: bytes = Field(nullable=False)
    created_at: datetime = Field(sa_column=Column(UTCDateTime(), nullable=False))
    retired_at: datetime | None = Field(sa_column=Column(UTCDateTime()))


class AssertionRow(_Base, table=True):
    """A client assertion that has been used; kept, as a hash of client and `jti`, until it would have expired."""

    __tablename__ = "assertion_jti"

    digest: str = Field(sa_column=Column(String(64), primary_key=True))
    expires_at: datetime = Field(sa_column=Column(UTCDateTime(), nullable=False, index=True))
