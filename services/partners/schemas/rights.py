"""Bodies of objections and of victim information requests."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from hubkit.contracts.codes import CONSENT_METHODS, DATA_CATEGORIES, KINDS
from hubkit.fields import Instant, StrictModel, code_of, text
from services.partners.model import (
    ALL,
    COUNSELLING,
    MESSAGES,
    NO_NOTICE,
    NOTICE_METHODS,
    OBJECTION_GROUNDS,
    OBJECTION_REASONS,
    RECORDS,
    REFUSAL_GROUNDS,
)
from services.partners.schemas.base import Answered, Distinct
from services.partners.schemas.consents import PastDelivery, PastDisclosure

_FIELDS = frozenset(name for names in DATA_CATEGORIES.values() for name in names)


def _objected_to(value: str) -> str:
    if value in {ALL, MESSAGES} | KINDS:
        return value
    try:
        return str(UUID(value))
    except ValueError:
        raise PydanticCustomError(
            "unknown_recipient", "must be all, messages, a kind of partner or a partner's id"
        ) from None


class NewObjection(StrictModel):
    """The person objects. `all` are all partners. Without `refused_on` it is upheld; refusing needs `decided_by`."""

    to: Annotated[str, Field(max_length=64), AfterValidator(_objected_to)]
    reason: Annotated[str, code_of(OBJECTION_REASONS, "reason")]
    method: Annotated[str, code_of(CONSENT_METHODS, "method")] | None = None
    objected_at: Instant | None = None
    refused_on: Annotated[str, code_of(OBJECTION_GROUNDS, "ground")] | None = None
    decided_by: Annotated[str, text(80)] | None = None

    @model_validator(mode="after")
    def _names_who_refuses(self) -> Self:
        if self.refused_on is not None and self.decided_by is None:
            raise PydanticCustomError("decided_by_missing", "who refuses an objection is named in decided_by")
        return self


class ObjectionBody(Answered):
    """An objection with the hub's decision. `consent_id` is the refusal by which it takes effect."""

    id: UUID
    case_id: UUID
    to: Annotated[str, Field(validation_alias="recipient")]
    reason: str
    method: str | None
    outcome: str
    ground: str | None
    consent_id: UUID | None
    objected_at: datetime
    decided_at: datetime


class RecordedObjection(ObjectionBody):
    """An objection and what it took back: the onward referrals, and what had gone out of them before."""

    withdrawn: tuple[UUID, ...]
    disclosures: list[PastDisclosure]
    deliveries: list[PastDelivery]


class NewInformationRequest(StrictModel):
    """A victim information request as it came.

    `asked` are fields of the person and kinds of records; `everything` says that all records are asked for, which is
    refused as it is registered. The victim was notified (`notified_at`, `notified_how`), or `not_notified_because`.
    """

    requesting_body: Annotated[str, text(120)]
    officer_reference: Annotated[str, text(120)]
    written_request_held: bool
    asked: Annotated[Distinct[Annotated[str, code_of(_FIELDS | RECORDS, "field or record")]], Field(max_length=50)] = ()
    everything: bool = False
    information: Annotated[str, text(2000, multi_line=True)]
    reason: Annotated[str, text(2000, multi_line=True)]
    line_of_enquiry: Annotated[str, text(2000, multi_line=True)]
    notified_at: Instant | None = None
    notified_how: Annotated[str, code_of(NOTICE_METHODS, "method of notice")] | None = None
    not_notified_because: Annotated[str, code_of(NO_NOTICE, "reason without notice")] | None = None
    counselling: bool
    rebuttal: Annotated[str, text(2000, multi_line=True)] | None = None
    received_at: Instant | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if not self.asked and not self.everything:
            raise PydanticCustomError("nothing_asked", "says what is asked for, or that everything is")
        is_notified = self.notified_at is not None and self.notified_how is not None
        if is_notified == (self.not_notified_because is not None):
            raise PydanticCustomError(
                "notice_unclear", "says when and how the victim was notified, or else why not; not both"
            )
        if COUNSELLING in self.asked and not self.counselling:
            raise PydanticCustomError("counselling_unclear", "asks for counselling notes and says that it does not")
        return self


class InformationDecisionBody(Answered):
    """What was decided on a request."""

    id: UUID
    outcome: str
    released: tuple[str, ...]
    ground: str | None
    decided_by: str | None
    decided_at: datetime


class InformationRequestBody(Answered):
    """A victim information request, with what was decided on it."""

    id: UUID
    case_id: UUID
    requesting_body: str
    officer_reference: str
    written_request_held: bool
    asked: tuple[str, ...]
    everything: Annotated[bool, Field(validation_alias="is_blanket")]
    information: str
    reason: str
    line_of_enquiry: str
    notified_at: datetime | None
    notified_how: str | None
    not_notified_because: str | None
    counselling: bool
    rebuttal: str | None
    received_at: datetime
    decision: InformationDecisionBody | None


class NewInformationDecision(StrictModel):
    """What is decided: `released` with the fields, and the ground for the rest; or `refused` with its ground."""

    outcome: Annotated[str, code_of({"released", "refused"}, "outcome")]
    fields: Annotated[
        Distinct[Annotated[str, code_of(_FIELDS | RECORDS, "field or record")]], Field(max_length=50)
    ] = ()
    ground: Annotated[str, code_of(REFUSAL_GROUNDS, "ground of refusal")] | None = None
    decided_by: Annotated[str, text(80)]
