"""Request and response bodies of partners."""

from datetime import date, datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from hubkit.contracts.codes import CONSENT_METHODS, DATA_CATEGORIES, HOPS, KINDS
from hubkit.fields import BY_VALUE, Instant, LocalDate, StrictModel, code_of
from services.partners.model import AGREEMENT_STATUSES, DECLINE_REASONS, OUTCOMES


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


class Decline(StrictModel):
    """Why the partner does not take the person on."""

    reasons: Annotated[
        tuple[Annotated[str, code_of(DECLINE_REASONS, "reason")], ...],
        BY_VALUE,
        Field(min_length=1, max_length=10),
        AfterValidator(_distinct),
    ]


class Close(StrictModel):
    """How the partner's work with the person ended."""

    outcome: Annotated[str, code_of(OUTCOMES, "outcome")]


class AgreementTerms(StrictModel):
    """What of an agreement changes with time. Both dates are local and inclusive; `ends_on` null means open-ended."""

    status: Annotated[str, code_of(AGREEMENT_STATUSES, "agreement status")]
    starts_on: LocalDate
    ends_on: LocalDate | None = None


class Answered(BaseModel):
    """Base of response bodies, read from rows and values of the actions."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class OnwardSummary(Answered):
    """An onward referral without anything about the person."""

    id: UUID
    kind: str
    status: str
    version: int
    reasons: tuple[str, ...]
    outcome: str | None
    sent_at: datetime | None
    changed_at: datetime
    links: dict[str, str]


class DisclosureBody(Answered):
    """The person's fields that the gate allows this partner. `hash` is SHA-256 of `fields` as JSON, keys sorted."""

    id: UUID
    disclosed_at: datetime
    hash: str
    basis: str
    fields: dict[str, Any]


class OnwardDetail(OnwardSummary):
    """An onward referral with what is disclosed."""

    disclosure: DisclosureBody


class ActionBody(Answered):
    """One thing that a partner may do, or the codes of why not."""

    name: str
    allowed: bool
    reasons: tuple[str, ...]


class Actions(Answered):
    """What may be done now."""

    status: str
    version: int
    actions: list[ActionBody]


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


class ServiceBody(Answered):
    """A support service of a partner."""

    id: UUID
    kind: str
    name: str
    status: str


class PartnerBody(Answered):
    """A partner organisation with its services."""

    id: UUID
    organisation: str
    name: str
    status: str
    services: list[ServiceBody]


class AgreementBody(Answered):
    """A data sharing agreement."""

    id: UUID
    partner_id: UUID
    version: int
    status: str
    lawful_basis: str
    purposes: tuple[str, ...]
    data_categories: tuple[str, ...]
    crimes_excluded: tuple[str, ...]
    starts_on: date
    ends_on: date | None
