"""Bodies of the webhook routes."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from hubkit.fields import code_of
from services.partners.model import NOTICE_TYPES

NoticeType = Annotated[str, code_of(NOTICE_TYPES, "webhook type")]
DeliveryState = Literal["queued", "delivered", "parked", "stopped"]


class EndpointRequest(BaseModel):
    """Where a partner wants to be told. Without `types`, of everything."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    url: Annotated[str, Field(max_length=8192, examples=["https://hooks.partner.example/onward"])]
    types: Annotated[tuple[NoticeType, ...], Field(min_length=1, max_length=16, strict=False)] | None = None


class Endpoint(BaseModel):
    """A webhook endpoint. `public_key` verifies the `v1a` signatures; a paused endpoint is not called."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    url: str
    types: list[str] | None
    status: Literal["active", "paused"]
    reason: str | None = None
    public_key: str
    previous_keys_sign_until: datetime | None = None
    created_at: datetime


class EndpointWithSecret(Endpoint):
    """An endpoint with its new secret for the `v1` signatures, which is shown this once."""

    secret: str


class Delivery(BaseModel):
    """News for an endpoint. `id` is the `webhook-id`; `due_at` is when a queued one is tried next.

    A parked one waits for a replay, with its `reason`: `exhausted`, `endpoint_gone`, `endpoint_paused`,
    `address_blocked`. A stopped one is not sent any more, by the gate's reason.
    """

    model_config = ConfigDict(frozen=True)

    id: UUID
    endpoint_id: UUID
    onward_referral_id: UUID
    type: str
    state: DeliveryState
    reason: str | None
    attempts: int
    last_status: int | None
    last_error: str | None
    due_at: datetime | None
    created_at: datetime
    changed_at: datetime
