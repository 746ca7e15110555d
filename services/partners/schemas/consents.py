"""Bodies of consents."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from hubkit.contracts.codes import CONSENT_METHODS, DATA_CATEGORIES, HOPS, KINDS
from hubkit.fields import BY_VALUE, Instant, StrictModel, code_of
from services.partners.schemas.base import Answered


def _recipient(value: str) -> str:
    if value in KINDS:
        return value
    try:
        return str(UUID(value))
    except ValueError:
        raise PydanticCustomError("unknown_recipient", "must be a kind of partner or a partner's id") from None


def _distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


Recipient = Annotated[str, Field(max_length=64), AfterValidator(_recipient)]
Category = Annotated[str, code_of(DATA_CATEGORIES, "data category")]


class NewConsent(StrictModel):
    """A decision of the person. Without recipients it is about all; `recorded_at` null means now."""

    hop: Annotated[str, code_of(HOPS, "hop")]
    decision: Annotated[str, code_of({"given", "refused", "withdrawn"}, "decision")]
    recipients: Annotated[tuple[Recipient, ...], BY_VALUE, Field(max_length=50), AfterValidator(_distinct)] = ()
    data_categories: Annotated[tuple[Category, ...], BY_VALUE, Field(max_length=50), AfterValidator(_distinct)] = ()
    method: Annotated[str, code_of(CONSENT_METHODS, "method")] | None = None
    recorded_at: Instant | None = None
    expires_at: Instant | None = None

    @model_validator(mode="after")
    def _says_what_is_shared(self) -> Self:
        if self.hop == "hub_to_partner" and self.decision == "given" and not self.data_categories:
            raise PydanticCustomError("data_categories_missing", "a consent to share says which data_categories")
        return self


class ConsentBody(Answered):
    """A recorded decision."""

    id: UUID
    case_id: UUID
    hop: str
    decision: str
    recipients: tuple[str, ...]
    data_categories: tuple[str, ...]
    method: str | None
    recorded_at: datetime
    expires_at: datetime | None


class PastDisclosure(Answered):
    """Which fields had gone to whom."""

    id: UUID
    onward_referral_id: UUID
    partner_id: UUID
    disclosed_at: datetime
    fields: tuple[str, ...]


class PastDelivery(Answered):
    """A webhook by which a partner was told, or may have been."""

    id: UUID
    onward_referral_id: UUID
    partner_id: UUID
    state: str
    attempts: int


class RecordedConsent(ConsentBody):
    """A decision and what it took back: the onward referrals, and what had gone out of them before it took effect."""

    withdrawn: tuple[UUID, ...]
    disclosures: list[PastDisclosure]
    deliveries: list[PastDelivery]
