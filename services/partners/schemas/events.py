"""What partners receive by webhook. `docs/events.md` is made from it."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, HttpUrl

_OPEN = ConfigDict(frozen=True)  # a receiver ignores fields that it does not know: more may come


class ReferralLinks(BaseModel):
    """Where the referral is read with the partner's own token: the gate is asked, and the reading recorded."""

    model_config = _OPEN

    self: HttpUrl


class ReferralData(BaseModel):
    """Which referral it is; nothing of the person. `kind` is the kind of support."""

    model_config = _OPEN

    onward_referral_id: UUID
    kind: str
    links: ReferralLinks


class SentData(ReferralData):
    """Which referral it is. `disclosure` is there where the agreement with you says full.

    It is compact JWE (`ECDH-ES+A256KW` or `RSA-OAEP-256`, with `A256GCM`) for your endpoint's `encryption_key`, whose
    `kid` it names. Decrypted it is what `GET /v1/onward-referrals/{id}` answers, as it stood when this was sent.
    """

    disclosure: str | None = None


class WithdrawnLinks(ReferralLinks):
    """Also where to say what you did with the data, where you had received any."""

    acknowledgement: HttpUrl | None = None


class WithdrawnData(ReferralData):
    """Which referral it is. `acknowledge_by` is there where you had received data, and are to say what became of it.

    `number` is there where your work had ended, or the hub had taken the referral back for another reason before: now
    it is the person who says so.
    """

    links: WithdrawnLinks
    acknowledge_by: AwareDatetime | None = None
    number: int | None = None


class VerifyLinks(BaseModel):
    """Where the challenge may be posted back instead of answered."""

    model_config = _OPEN

    verify: HttpUrl


class VerificationData(BaseModel):
    """The challenge that the endpoint answers, with status 2xx and `{"challenge": …}`."""

    model_config = _OPEN

    endpoint_id: UUID
    challenge: Annotated[str, Field(max_length=64)]
    links: VerifyLinks


class TestData(BaseModel):
    """Which endpoint is tried; it concerns nobody."""

    model_config = _OPEN

    endpoint_id: UUID


class ReferralSent(BaseModel):
    """A person is referred to you. Read the referral, then accept or decline it."""

    model_config = _OPEN

    type: Literal["onward_referral.sent"]
    timestamp: AwareDatetime
    data: SentData


class ReferralWithdrawn(BaseModel):
    """A referral that you were told of is taken back: stop, and contact nobody on account of it.

    It comes also where you may have been told only of a part, or not at all.
    """

    model_config = _OPEN

    type: Literal["onward_referral.withdrawn"]
    timestamp: AwareDatetime
    data: WithdrawnData


class NumberedData(ReferralData):
    """Which referral it is. `number` counts news of this type about it; 0 or absent for the first or only one."""

    number: int | None = None


class AmendedData(NumberedData, SentData):
    """Which referral it is, with the `number` of the amendment, and the `disclosure` as in `onward_referral.sent`."""


class ReferralAmended(BaseModel):
    """Something that you have read of this referral has changed: read it again."""

    model_config = _OPEN

    type: Literal["onward_referral.amended"]
    timestamp: AwareDatetime
    data: AmendedData


class ReferralReminder(BaseModel):
    """A referral still waits for your answer; soon another service is asked."""

    model_config = _OPEN

    type: Literal["onward_referral.reminder"]
    timestamp: AwareDatetime
    data: NumberedData


class RectifiedLinks(ReferralLinks):
    """Also where to say what you did about it."""

    acknowledgement: HttpUrl


class RectifiedData(ReferralData):
    """Which referral it is, and which of the `fields` that you had received are other ones now: names, no values.

    `change` is `rectified` (they were wrong, or have changed) or `erased` (the hub holds them no more). `number` counts
    the amendments of this referral.
    """

    number: int
    change: Literal["rectified", "erased"]
    fields: tuple[str, ...]
    links: RectifiedLinks
    acknowledge_by: AwareDatetime


class ReferralRectified(BaseModel):
    """Data that you had received was rectified or erased at the hub: see what you still hold, and say what you did.

    Your work with the person may long be over: you are told because you had received the data (UK GDPR article 19).
    Where it is over, nothing new can be read.
    """

    model_config = _OPEN

    type: Literal["onward_referral.rectified"]
    timestamp: AwareDatetime
    data: RectifiedData


class EndpointVerification(BaseModel):
    """Shows that the address is yours; every endpoint gets it first, and again when its URL changes."""

    model_config = _OPEN

    type: Literal["endpoint.verification"]
    timestamp: AwareDatetime
    data: VerificationData


class EndpointTest(BaseModel):
    """You asked for it with `POST /v1/webhook-endpoints/{id}/test`. Answer 2xx and do nothing."""

    model_config = _OPEN

    type: Literal["endpoint.test"]
    timestamp: AwareDatetime
    data: TestData


#: All that a partner can receive.
EVENTS: tuple[type[BaseModel], ...] = (
    ReferralSent,
    ReferralWithdrawn,
    ReferralAmended,
    ReferralReminder,
    ReferralRectified,
    EndpointVerification,
    EndpointTest,
)
