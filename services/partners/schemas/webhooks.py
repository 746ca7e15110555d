"""Bodies of the webhook routes."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from hubkit.fields import Id, Instant, code_of
from services.partners.model import NOTICE_TYPES

NoticeType = Annotated[str, code_of(NOTICE_TYPES, "webhook type")]
_KEY = {
    "kty": "EC",
    "crv": "P-256",
    "kid": "2026-11",
    "use": "enc",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}
DeliveryState = Literal["queued", "delivered", "parked", "stopped"]


class EndpointRequest(BaseModel):
    """Where a partner wants to be told. Without `types`, of everything.

    `encryption_key` is a public key (JWK: EC with P-256 or P-384, OKP with X25519, or RSA of 2048 to 4096 bits; with
    `kid` and `use` enc). Where the agreement says full, `onward_referral.sent` and `.amended` carry what is disclosed,
    encrypted with it; without one they stay thin. With `mutual_tls` the hub presents its client certificate.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    url: Annotated[str, Field(max_length=8192, examples=["https://hooks.partner.example/onward"])]
    types: Annotated[tuple[NoticeType, ...], Field(min_length=1, max_length=16, strict=False)] | None = None
    encryption_key: Annotated[dict[str, Any], Field(max_length=32, examples=[_KEY])] | None = Field(None, repr=False)
    mutual_tls: bool = False


class VerifyRequest(BaseModel):
    """The challenge from the webhook `endpoint.verification`. Without it a new one is sent."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    challenge: Annotated[str, Field(min_length=1, max_length=200)] | None = None


class Endpoint(BaseModel):
    """A webhook endpoint. `public_key` verifies the `v1a` signatures.

    A pending one has not answered its challenge and is told nothing else; a paused one is not called. Without an
    `encryption_key` what goes to it is thin, also where the agreement says full.
    """

    model_config = ConfigDict(frozen=True)

    id: UUID
    url: str
    types: list[str] | None
    status: Literal["pending", "active", "paused"]
    reason: str | None = None
    verified_at: datetime | None = None
    public_key: str
    encryption_key: dict[str, str] | None = None
    mutual_tls: bool = False
    previous_keys_sign_until: datetime | None = None
    created_at: datetime


class EndpointWithSecret(Endpoint):
    """An endpoint with its new secret for the `v1` signatures, which is shown this once."""

    secret: str


class Delivery(BaseModel):
    """News for an endpoint. `id` is the `webhook-id`; `due_at` is when a queued one is tried next.

    A parked one waits for a replay, with its `reason`: `exhausted`, `endpoint_gone`, `endpoint_paused`,
    `address_blocked`, `details_unavailable`. A queued one with the last of these waits because the hub cannot read what
    is to be disclosed. A stopped one is not sent any more, by the gate's reason. News of the endpoint itself
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

    Else it says what failed: dns, refused, reset, tls, timeout, redirect, too_large, blocked, status. `payload` is
    thin or full; `thin_because` says why it was thin where the agreement says full: `no_encryption_key` or `too_large`.
    """

    model_config = ConfigDict(frozen=True)

    number: int
    started_at: datetime
    duration_ms: int
    status: int | None
    error_class: str
    payload: Literal["thin", "full"] = "thin"
    thin_because: str | None = None


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
