"""Bodies of what hub staff see and decide about sharing in a case."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from hubkit.contracts.codes import ACCESS_GROUNDS, DATA_KINDS
from hubkit.fields import Code, StrictModel, code_of, text
from services.partners.schemas.base import Answered
from services.partners.schemas.protection import AcknowledgementBody, SafeguardingRef


class ReferredTo(Answered):
    """The service of an onward referral. `follow_up` is what it does next for the person."""

    id: UUID
    name: str
    kind: str
    location: str | None
    commissioned: bool | None
    transport: str | None
    listed_in: str | None
    follow_up: str | None
    route: str


class CaseOnward(Answered):
    """An onward referral of a case.

    `need` is what it is for; `outcome` one word of it: referred, signposted or refused; `ended` how the partner's work
    ended. `reasons` are the hub's own words for the codes of the gate or the partner, and `reason` is the first.
    `told_about` are the other services that this one is told of when it reads, as far as it may know the needs. `basis`
    is the lawful basis of the gate's last yes.
    """

    id: UUID
    need: str
    service: ReferredTo | None
    team: str | None
    status: str
    outcome: str
    reason: str | None
    reasons: tuple[str, ...]
    ended: str | None
    told_about: tuple[str, ...]
    basis: str | None
    changed_at: datetime


class RecipientBody(Answered):
    """Who received data, or was to: partner, external_provider, or a requester that is no partner."""

    role: str
    name: str
    organisation: str | None
    service_id: UUID | None


class PassageBody(Answered):
    """One release of data of a case, or one that was withheld. `reasons` are the hub's own words.

    `acknowledgement` is what the partner is asked since the person took it back; `safeguarding` the decision on which
    it went out without consent. `delivery_id` is the webhook that carried it, null where the partner read it.
    """

    id: UUID
    from_: Annotated[str, Field(serialization_alias="from", validation_alias="held_by")]
    to: RecipientBody
    what: str
    outcome: str
    basis: str | None
    reason: str | None
    reasons: tuple[str, ...]
    at: datetime
    onward_referral_id: UUID | None
    delivery_id: UUID | None
    acknowledgement: AcknowledgementBody | None
    safeguarding: SafeguardingRef | None


class NewAccessRequest(StrictModel):
    """Somebody asks for data of a case. A `ground` needs a `reason`, who decided, and somebody else who approved."""

    requester: Code
    what: Annotated[str, code_of(DATA_KINDS, "kind of data")]
    ground: Annotated[str, code_of(ACCESS_GROUNDS, "ground")] | None = None
    reason: Annotated[str, text(500, multi_line=True)] | None = None
    decided_by: Annotated[str, text(80)] | None = None
    approved_by: Annotated[str, text(80)] | None = None


class AccessDecision(Answered):
    """What was decided. Nothing goes out by this answer."""

    id: UUID
    from_: Annotated[str, Field(serialization_alias="from", validation_alias="held_by")]
    to: Annotated[str, Field(validation_alias="requester")]
    what: str
    outcome: str
    reason: str | None
    basis: str | None
    decided_at: datetime
