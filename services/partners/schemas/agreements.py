"""Bodies of agreements."""

from datetime import date, datetime
from typing import Annotated, Any, get_args
from uuid import UUID

from pydantic import Field

from hubkit.contracts.codes import CRIME_GROUPS, CRIMES, DATA_CATEGORIES, HOPS, KINDS
from hubkit.contracts.profile import Basis
from hubkit.fields import BY_VALUE, Code, Email, Id, LocalDate, Phone, StrictModel, code_of, text
from services.partners.model import AGREEMENT_STATUSES, DELIVERIES, PARTY_ROLES, SPECIAL_CATEGORY_CONDITIONS
from services.partners.schemas.base import Answered, Distinct

_FIELDS = frozenset(name for names in DATA_CATEGORIES.values() for name in names)

Person = Annotated[str, text(80)]
Reason = Annotated[str, text(200)]
Words = Annotated[str, text(4000, multi_line=True)]
Purposes = Annotated[Distinct[Annotated[str, code_of(KINDS, "purpose")]], Field(min_length=1, max_length=100)]
Hops = Annotated[Distinct[Annotated[str, code_of(HOPS, "hop")]], Field(min_length=1, max_length=10)]
Categories = Annotated[
    Distinct[Annotated[str, code_of(DATA_CATEGORIES, "data category")]], Field(min_length=1, max_length=50)
]
Crimes = Annotated[Distinct[Annotated[str, code_of(CRIMES | CRIME_GROUPS, "crime")]], Field(max_length=100)]
Basis_ = Annotated[str, code_of(get_args(Basis), "lawful basis")]


class Party(StrictModel):
    """A party to an agreement: who it is, what it is under the UK GDPR, and whom to ask there."""

    name: Annotated[str, text(200)]
    role: Annotated[str, code_of(PARTY_ROLES, "role of a party")]
    contact: Annotated[str, text(200)] | None = None
    email: Email | None = None
    phone: Phone | None = None


class Signature(StrictModel):
    """Who signed an agreement for a party, and when."""

    party: Annotated[str, text(200)]
    signed_by: Person
    position: Annotated[str, text(200)] | None = None
    signed_on: LocalDate


class AgreementTerms(StrictModel):
    """What an agreement says, as the ICO's Data Sharing Code asks. What is not given stays as it is, or unsaid.

    `purpose` and `benefit` are words; `purposes` kinds of support. `fields` are those of the data categories that may
    go out, null for all of them. `access` says who may see the data, `rights` how people's rights are met and
    `transparency` how they are told. Without `crimes_excluded` it is for every crime. Dates are local and inclusive;
    `ends_on` null means open-ended. `delivery` thin: a webhook carries a link alone; full: `onward_referral.sent` and
    `.amended` carry what is disclosed, encrypted with the key of the partner's endpoint. `children_high_privacy` is a
    statement that nothing decides on.
    """

    parties: Annotated[tuple[Party, ...], BY_VALUE, Field(max_length=50)] = ()
    purpose: Words | None = None
    benefit: Words | None = None
    purposes: Purposes = ()
    hops: Hops = ("hub_to_partner",)
    data_categories: Categories = ()
    fields: Annotated[Distinct[Annotated[str, code_of(_FIELDS, "field")]], Field(min_length=1)] | None = None
    crimes_excluded: Crimes = ()
    lawful_basis: Basis_ = ""
    special_category_condition: (
        Annotated[str, code_of(SPECIAL_CATEGORY_CONDITIONS, "special category condition")] | None
    ) = None
    statutory_power: Words | None = None
    access: Words | None = None
    transparency: Words | None = None
    rights: Words | None = None
    accuracy: Words | None = None
    security: Words | None = None
    transfer_method: Words | None = None
    delivery: Annotated[str, code_of(DELIVERIES, "delivery")] = "thin"
    retention_days: Annotated[int, Field(ge=1, le=36_525)] | None = None
    disposal: Words | None = None
    breach: Words | None = None
    complaints: Words | None = None
    children_high_privacy: bool = True
    dpia_reference: Annotated[str, text(200)] | None = None
    starts_on: LocalDate = date.min
    review_on: LocalDate | None = None
    ends_on: LocalDate | None = None
    termination: Words | None = None
    sign_off: Annotated[tuple[Signature, ...], BY_VALUE, Field(max_length=50)] = ()

    def said(self) -> dict[str, Any]:
        """Return the terms that were given, as a JSON object."""
        return self.model_dump(mode="json", exclude_unset=True, include=set(AgreementTerms.model_fields))


class AgreementChange(AgreementTerms):
    """A change of an agreement. `drafted_by` is needed unless the change only takes away, or ends or suspends.

    `status` active lets a suspended agreement stand again; what was never approved is approved by its own call.
    """

    status: Annotated[str, code_of(AGREEMENT_STATUSES, "agreement status")] | None = None
    drafted_by: Person | None = None
    reason: Reason | None = None


class DraftAgreement(AgreementTerms):
    """All that an agreement must say at least."""

    purposes: Purposes
    data_categories: Categories
    lawful_basis: Basis_
    starts_on: LocalDate


class NewAgreement(DraftAgreement):
    """An agreement to be made: a draft until a second person approves it.

    `reference` is what it is called elsewhere, once in the register.
    """

    partner_id: Id
    reference: Code | None = None
    drafted_by: Person


class ImportedAgreement(DraftAgreement):
    """An agreement of a file: with which organisation, what it is called elsewhere, and what it says.

    `standing` is how it stood where it was exported; an import makes drafts.
    """

    organisation: Code
    reference: Code
    standing: dict[str, Any] | None = None


class AgreementFile(StrictModel):
    """A file of agreements."""

    agreements: Annotated[tuple[ImportedAgreement, ...], BY_VALUE, Field(max_length=10_000)]


class Approval(StrictModel):
    """Who approves what waits: another person than who drafted it."""

    approved_by: Person
    reason: Reason | None = None


class Act(StrictModel):
    """Who suspends, resumes or ends an agreement, and why."""

    by: Person
    reason: Reason | None = None


class TermsBody(Answered):
    """What an agreement says."""

    parties: tuple[Party, ...]
    purpose: str | None
    benefit: str | None
    purposes: tuple[str, ...]
    hops: tuple[str, ...]
    data_categories: tuple[str, ...]
    fields: tuple[str, ...] | None
    crimes_excluded: tuple[str, ...]
    lawful_basis: str
    special_category_condition: str | None
    statutory_power: str | None
    access: str | None
    transparency: str | None
    rights: str | None
    accuracy: str | None
    security: str | None
    transfer_method: str | None
    delivery: str
    retention_days: int | None
    disposal: str | None
    breach: str | None
    complaints: str | None
    children_high_privacy: bool
    dpia_reference: str | None
    starts_on: date
    review_on: date | None
    ends_on: date | None
    termination: str | None
    sign_off: tuple[Signature, ...]


class ProposalBody(Answered):
    """Terms that wait for a second person."""

    terms: TermsBody
    drafted_by: str


class WarningBody(Answered):
    """Something about an agreement that somebody should look at; both days are inclusive."""

    code: str
    detail: str
    pointer: str | None
    first_day: date | None
    last_day: date | None
    days: int | None
    purposes: tuple[str, ...]
    agreement_id: UUID | None


class AgreementBody(TermsBody):
    """A data sharing agreement: the terms in force (of a draft: the drafted ones), and those that are proposed.

    `status` is that of today: draft, approved (it begins later), active, suspended or ended. `ended_on` is the day on
    which it was ended before its time.
    """

    id: UUID
    reference: str
    partner_id: UUID
    version: int
    status: str
    drafted_by: str | None
    approved_by: str | None
    ended_on: date | None
    proposed: ProposalBody | None


class AgreementDocument(AgreementBody):
    """An agreement with what somebody should look at."""

    warnings: tuple[WarningBody, ...]


class VersionBody(Answered):
    """An agreement after one call: what was done to it, by whom, through which client, and what held from then on."""

    version: int
    acts: tuple[str, ...]
    status: str
    terms: dict[str, Any]
    proposed: dict[str, Any] | None
    drafted_by: str | None
    approved_by: str | None
    by: str
    client_id: str
    reason: str | None
    made_at: datetime


class MomentBody(Answered):
    """An agreement that stops or starts: `on` is its last or its first day."""

    agreement_id: UUID
    reference: str
    partner_id: UUID
    purposes: tuple[str, ...]
    on: date


class RouteBody(Answered):
    """A purpose at a partner whose cover ends or begins on `since`, with the services that take it.

    `until` is the last day without cover, null when there is none up to the day of the forecast. The ids are of live
    onward referrals that the gate would refuse meanwhile.
    """

    partner_id: UUID
    purpose: str
    service_ids: tuple[UUID, ...]
    since: date
    until: date | None
    onward_referral_ids: tuple[UUID, ...]


class ForecastBody(Answered):
    """What stops and starts after `today` and by `on`."""

    today: date
    on: date
    stops: tuple[MomentBody, ...]
    starts: tuple[MomentBody, ...]
    lost: tuple[RouteBody, ...]
    gained: tuple[RouteBody, ...]
    onward_referrals_stopping: int
