"""Where partners are told by webhook, what is to be told, and every attempt to tell it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Column, ForeignKey, Index, UniqueConstraint, Uuid, false, text
from sqlmodel import Field

from services.partners.tables.base import CODES, NULLABLE_CODES, Base


class Endpoint(Base, table=True):
    """A partner's webhook address, its keys (sealed) and its circuit breaker.

    `types` null means all. `keys` and `previous_keys` are sealed JSON of the `whsec_` and `whsk_` keys; the previous
    ones sign too until `previous_until`. `status` is pending until the endpoint has answered its `challenge`, then
    active, paused or deleted; `verified_at` is when it last answered. While `openings` is above 0 the breaker is open:
    nothing is sent before `open_until`, and then one probe. `encryption_key` is a public JWK in its normal form;
    with `mutual_tls` the hub presents its certificate.
    """

    __tablename__ = "endpoint"
    __table_args__ = (Index("ix_endpoint_partner", "partner_id", "id"),)

    id: UUID = Field(primary_key=True)
    partner_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("partner.id"), nullable=False))
    url: str = Field(max_length=2048)
    types: list[str] | None = Field(sa_column=Column(CODES))
    status: str = Field(max_length=16)
    reason: str | None = Field(None, max_length=40)
    challenge: str | None = Field(None, max_length=64)
    verified_at: datetime | None = None
    public_key: str = Field(max_length=64)
    keys: bytes
    previous_keys: bytes | None = None
    previous_until: datetime | None = None
    window_from: datetime | None = None
    window_requests: int = 0
    window_failures: int = 0
    openings: int = 0
    open_until: datetime | None = None
    encryption_key: dict[str, str] | None = Field(None, sa_column=Column(NULLABLE_CODES))
    mutual_tls: bool = Field(False, sa_column_kwargs={"server_default": false()})
    created_at: datetime
    changed_at: datetime


class Delivery(Base, table=True):
    """One piece of news for one endpoint; its id is the `webhook-id` of every attempt.

    News of the endpoint itself (`endpoint.…`) is of no onward referral: its own id stands in the place of one, so that
    the same rule keeps repeats out.

    A queued delivery may be claimed from `due_at` on. A claim sets `lease_token` and moves `due_at` to the end of the
    lease, so that a delivery whose sender died comes back by itself; only the holder of the token may write a failure.
    `body` is always the thin one: what a full attempt carries beside it is made afresh for each, and never stored.
    `attempts` counts all that were ever made, `failures` those since it was last queued afresh. `number` tells news of
    one type apart that comes more than once.
    """

    __tablename__ = "delivery"
    __table_args__ = (
        UniqueConstraint("endpoint_id", "onward_referral_id", "type", "number", name="uq_delivery_news"),
        Index(
            "ix_delivery_due",
            "endpoint_id",
            "due_at",
            postgresql_where=text("state = 'queued'"),
            sqlite_where=text("state = 'queued'"),
        ),
        Index(
            "ix_delivery_parked",
            "id",
            postgresql_where=text("state = 'parked'"),
            sqlite_where=text("state = 'parked'"),
        ),
        Index("ix_delivery_onward", "onward_referral_id"),
        Index("ix_delivery_partner", "partner_id", "id"),
    )

    id: UUID = Field(primary_key=True)
    endpoint_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("endpoint.id"), nullable=False))
    partner_id: UUID
    onward_referral_id: UUID
    type: str = Field(max_length=40)
    number: int = Field(0, sa_column_kwargs={"server_default": "0"})
    body: bytes
    urgent: bool
    state: str = Field(max_length=16)
    reason: str | None = Field(None, max_length=40)
    attempts: int
    failures: int
    last_status: int | None = None
    last_error: str | None = Field(None, max_length=16)
    due_at: datetime
    lease_token: UUID | None = None
    traceparent: str | None = Field(None, max_length=55)
    created_at: datetime
    changed_at: datetime


class Attempt(Base, table=True):
    """One attempt and what became of it; never changed. What the partner answered is not kept: it may hold anything.

    `payload` is thin or full; `thin_because` says why it was thin where the agreement says full.
    """

    __tablename__ = "attempt"
    __table_args__ = (Index("ix_attempt_delivery", "delivery_id"),)

    id: UUID = Field(primary_key=True)
    delivery_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("delivery.id"), nullable=False))
    number: int
    permit_id: UUID | None = None
    started_at: datetime
    duration_ms: int
    status: int | None = None
    error_class: str = Field(max_length=16)
    payload: str = Field("thin", max_length=8, sa_column_kwargs={"server_default": "thin"})
    thin_because: str | None = Field(None, max_length=24)
