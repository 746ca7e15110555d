"""Bodies of consents."""

import re
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from hubkit.contracts.codes import (
    CONSENT_DECISIONS,
    CONSENT_METHODS,
    DATA_CATEGORIES,
    HOPS,
    KINDS,
    ONWARD_HOPS,
    PURPOSES,
)
from hubkit.fields import Code, Instant, StrictModel, code_of, text
from services.partners.model import CAPACITIES, COMPETENCES, GIVERS, INTERPRETERS
from services.partners.schemas.base import Answered, Distinct
from services.partners.schemas.protection import AcknowledgementBody

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}")


def _recipient(value: str) -> str:
    if value in KINDS:
        return value
    try:
        return str(UUID(value))
    except ValueError:
        raise PydanticCustomError("unknown_recipient", "must be a kind of partner or a partner's id") from None


def _language(value: str) -> str:
    if _LANGUAGE.fullmatch(value):
        return value
    raise PydanticCustomError("not_a_language", "must be a language tag, as in en or cy")


Language = Annotated[
    str, Field(max_length=16, json_schema_extra={"pattern": f"^{_LANGUAGE.pattern}$"}), AfterValidator(_language)
]
Recipient = Annotated[str, Field(max_length=64), AfterValidator(_recipient)]
Category = Annotated[str, code_of(DATA_CATEGORIES, "data category")]


class NewConsent(StrictModel):
    """A decision of the person, or that it was not asked for.

    Without recipients it is about all; `recorded_at` null means now. `giver` null is the person; `giver_note` says who
    gave it otherwise, and is kept sealed. `taken_by` is a member of staff, by code. A `draft` is kept whatever is wrong
    with it, and decides nothing.
    """

    hop: Annotated[str, code_of(HOPS, "hop")]
    decision: Annotated[str, code_of(CONSENT_DECISIONS, "decision")]
    recipients: Annotated[Distinct[Recipient], Field(max_length=50)] = ()
    data_categories: Annotated[Distinct[Category], Field(max_length=50)] = ()
    method: Annotated[str, code_of(CONSENT_METHODS, "method")] | None = None
    recorded_at: Instant | None = None
    expires_at: Instant | None = None
    purpose: Annotated[str, code_of(PURPOSES, "purpose")] | None = None
    giver: Annotated[str, code_of(GIVERS, "giver")] | None = None
    giver_note: Annotated[str, text(200)] | None = None
    capacity: Annotated[str, code_of(CAPACITIES, "capacity")] | None = None
    competence: Annotated[str, code_of(COMPETENCES, "competence")] | None = None
    best_interests: bool = False
    language: Language | None = None
    interpreter: Annotated[str, code_of(INTERPRETERS, "interpreter")] | None = None
    wording_version: Code | None = None
    taken_by: Code | None = None
    draft: bool = False

    @model_validator(mode="after")
    def _says_what_is_shared(self) -> Self:
        if self.hop in ONWARD_HOPS and self.decision == "given" and not self.data_categories:
            raise PydanticCustomError("data_categories_missing", "a consent to share says which data_categories")
        return self


class ConsentBody(Answered):
    """A recorded decision. A draft decides nothing."""

    id: UUID
    case_id: UUID
    hop: str
    decision: str
    recipients: tuple[str, ...]
    data_categories: tuple[str, ...]
    method: str | None
    recorded_at: datetime
    expires_at: datetime | None
    purpose: str | None
    giver: str | None
    giver_note: str | None
    capacity: str | None
    competence: str | None
    best_interests: bool
    language: str | None
    interpreter: str | None
    wording_version: str | None
    taken_by: str | None
    draft: bool


class PastDisclosure(Answered):
    """Which fields had gone to whom. `delivery_id` is the webhook that carried them, null where they were read."""

    id: UUID
    onward_referral_id: UUID
    partner_id: UUID
    disclosed_at: datetime
    fields: tuple[str, ...]
    delivery_id: UUID | None


class PastDelivery(Answered):
    """A webhook by which a partner was told, or may have been; what it then read stands among the disclosures."""

    id: UUID
    onward_referral_id: UUID
    partner_id: UUID
    type: str
    state: str
    attempts: int


class FaultBody(Answered):
    """What is wrong with a draft, as it would be refused otherwise."""

    pointer: str
    code: str
    detail: str


class RecordedConsent(ConsentBody):
    """A decision and what it took back: the onward referrals, and what had gone out of them before it took effect.

    `disclosures` and `deliveries` are also of onward referrals to the same recipients that had ended or been taken back
    before, and of those that go on because they stand on safeguarding. `acknowledgements` is what their partners are
    asked. Said again, a withdrawal is answered with the same. `faults` are those of a draft. `stands`: what is shared
    goes by it from now on; not where a decision about the same recipients was `recorded_at` a later time.
    """

    stands: bool
    faults: list[FaultBody]
    acknowledgements: list[AcknowledgementBody]

    withdrawn: tuple[UUID, ...]
    disclosures: list[PastDisclosure]
    deliveries: list[PastDelivery]
