"""Bodies of the webhook routes."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from hubkit.fields import Id, Instant, code_of
from services.partners.model import NOTICE_TYPES

NoticeType = Annotated[str, code_of(NOTICE_TYPES, "webhook type")]
DeliveryState = Literal["queued", "delivered", "parked", "stopped"]


class EndpointRequest(BaseModel):
    """Where a partner wants to be told. Without `types`, of everything."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    url: Annotated[str, Field(max_length=8192, examples=["https://hooks.partner.example/onward"])]
    types: Annotated[tuple[NoticeType, ...], Field(min_length=1, max_length=16, strict=False)] | None = None


class VerifyRequest(BaseModel):
    """The challenge from the webhook `endpoint.verification`. Without it a new one is sent."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    challenge: Annotated[str, Field(min_length=1, max_length=200)] | None = None


class Endpoint(BaseModel):
    """A webhook endpoint. `public_key` verifies the `v1a` signatures.

    A pending one has not answered its challenge and is told nothing else; a paused one is not called.
    """

    model_config = ConfigDict(frozen=True)

    id: UUID
    url: str
    types: list[str] | None
    status: Literal["pending", "active", "paused"]
    reason: str | None = None
    verified_at: datetime | None = None
    public_key: str
    previous_keys_sign_until: datetime | None = None
    created_at: datetime


class EndpointWithSecret(Endpoint):
    """An endpoint with its new secret for the `v1` signatures, which is shown this once."""

    secret: str


class Delivery(BaseModel):
    """News for an endpoint. `id` is the `webhook-id`; `due_at` is when a queued one is tried next.

    A parked one waits for a replay, with its `reason`: `exhausted`, `endpoint_gone`, `endpoint_paused`,
    `address_blocked`. A stopped one is not sent any more, by the gate's reason. News of the endpoint itself
    (`endpoint.…`) is of no onward referral.
    """

    model_config = ConfigDict(frozen=True)

    id: UUID
    endpoint_id: UUID
    onward_referral_id: UUID | None
    type: str
    state: DeliveryState
    reason: str | None
    attempts: int
    last_status: int | None
    last_error: str | None
    due_at: datetime | None
    created_at: datetime
    changed_at: datetime


class Attempt(BaseModel):
    """One attempt. `error_class` is none where a 2xx came.

    Else it says what failed: dns, refused, reset, tls, timeout, redirect, too_large, blocked, status.
    """

    model_config = ConfigDict(frozen=True)

    number: int
    started_at: datetime
    duration_ms: int
    status: int | None
    error_class: str


class DeliveryWithAttempts(Delivery):
    """A delivery and every attempt that was made of it."""

    made: list[Attempt]


class ReplayRequest(BaseModel):
    """Which deliveries are to be sent again: those made since then, at one endpoint or all."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    since: Instant
    endpoint_id: Id | None = None
    states: Annotated[tuple[Literal["parked", "delivered"], ...], Field(min_length=1, max_length=2, strict=False)] = (
        "parked",
    )


class Replayed(BaseModel):
    """How many deliveries were queued afresh."""

    queued: int


class DomainRules(BaseModel):
    """The domains at or below which a partner's webhook endpoints must lie. None means any."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    domains: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=253)], ...], Field(max_length=50, strict=False)
    ]
