"""What callers send and get."""

import re
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from hubkit.contracts import codes
from hubkit.fields import Code, Email, Id, Instant, LocalDate, Phone, Postcode, StrictModel, code_of, text
from services.intake.model import Outcome, TransferStatus

_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,63}")
_AREA = re.compile(r"[EWNS][0-9]{8}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

#: Every field that a disclosure may hold and that stands here.
DISCLOSABLE = tuple(name for names in codes.DATA_CATEGORIES.values() for name in names if name != codes.ASSESSMENT)


def _reference(value: str) -> str:
    if _REFERENCE.fullmatch(value):
        return value
    raise PydanticCustomError("not_a_reference", "must be 1 to 64 letters, digits and _ . : / - without spaces")


def _area(value: str) -> str:
    if _AREA.fullmatch(value):
        return value
    raise PydanticCustomError("not_an_area_code", "must be an ONS area code, as in E07000008")


def _language(value: str) -> str:
    if _LANGUAGE.fullmatch(value):
        return value
    raise PydanticCustomError("not_a_language", "must be a language tag, as in en or cy")


def _recipient(value: str) -> str:
    if value in codes.KINDS or _UUID.fullmatch(value):
        return value
    known = ", ".join(sorted(codes.KINDS))
    raise PydanticCustomError(
        "unknown_code", "must be a partner's id or a kind of service; known are: {known}", {"known": known}
    )


Reference = Annotated[str, AfterValidator(_reference), Field(json_schema_extra={"pattern": f"^{_REFERENCE.pattern}$"})]
AreaCode = Annotated[str, AfterValidator(_area), Field(json_schema_extra={"pattern": f"^{_AREA.pattern}$"})]
Language = Annotated[str, AfterValidator(_language), Field(json_schema_extra={"pattern": f"^{_LANGUAGE.pattern}$"})]
Recipient = Annotated[str, AfterValidator(_recipient)]
Instructions = Annotated[str, text(1000, multi_line=True)]
Method = Annotated[str, code_of(codes.METHODS, "contact method")]


class UnitReceipt(StrictModel):
    """When one unit of the hub received it, where that is another time than `received_at`."""

    unit: Code
    received_at: Instant


class Source(StrictModel):
    """Who sends it, by which channel, under which reference. The same reference again is a correction."""

    channel: Annotated[str, code_of(codes.CHANNELS, "channel")]
    reference: Reference | None = None
    unit: Code | None = None
    from_: Annotated[str, text(100)] | None = Field(
        default=None, alias="from", description="the organisation that refers, where the sender passes it on"
    )
    intake_method: Annotated[str, code_of(codes.INTAKE_METHODS, "intake method")] | None = None
    received_by_unit: list[UnitReceipt] = Field(default=[], max_length=20)


class Crime(StrictModel):
    """What happened, as codes."""

    reference: Reference | None = None
    category: Annotated[str, code_of(codes.CRIMES, "crime category")]
    occurred_on: LocalDate | None = None
    recorded_at: Instant | None = None
    reported_to_police: bool | None = None


class Address(StrictModel):
    """Where post reaches the person."""

    lines: list[Annotated[str, text(100)]] = Field(default=[], max_length=6)
    postcode: Postcode | None = None


class Person(StrictModel):
    """The victim or witness."""

    given_name: Annotated[str, text(100)] | None = None
    family_name: Annotated[str, text(100)] | None = None
    date_of_birth: LocalDate | None = None
    age: int | None = Field(
        default=None, ge=0, le=130, description="whole years; counts only where the date of birth is not known"
    )
    role: Annotated[str, code_of(codes.ROLES, "role")] = "victim"
    address: Address | None = None
    area_code: AreaCode | None = None
    lives_in_area: bool | None = Field(default=None, description="whether the person lives in the hub's area")
    local_authority_area: Code | None = Field(default=None, description="the hub's own code of an area")
    phone: Phone | None = None
    email: Email | None = None
    language: Language | None = None
    preferred_method: Method | None = None


class SafeContact(StrictModel):
    """Which methods are safe: true, false, or not known (null)."""

    phone: bool | None = None
    text: bool | None = None
    voicemail: bool | None = None
    email: bool | None = None
    letter: bool | None = None
    instructions: Instructions | None = None


class Risk(StrictModel):
    """A risk assessment, as its instrument gives it."""

    instrument: Annotated[str, code_of(codes.RISK_INSTRUMENTS, "risk instrument")] | None = None
    score: int | None = Field(default=None, ge=0, le=100)
    grade: Annotated[str, code_of(codes.RISK_GRADES, "risk grade")] | None = None
    assessed_at: Instant | None = None


class Consent(StrictModel):
    """One decision of the person on one hop. No recipients means all of them."""

    hop: Annotated[str, code_of(codes.HOPS, "hop")]
    decision: Annotated[str, code_of(codes.CONSENT_DECISIONS, "decision")]
    recipients: list[Recipient] = Field(default=[], max_length=50)
    data_categories: list[Annotated[str, code_of(codes.DATA_CATEGORIES, "data category")]] = Field(
        default=[], max_length=20
    )
    method: Annotated[str, code_of(codes.CONSENT_METHODS, "consent method")] | None = None
    recorded_at: Instant
    expires_at: Instant | None = None


class Referral(StrictModel):
    """One request to the hub to help one person about one incident."""

    source: Source
    crime: Crime
    person: Person | None = None
    safe_contact: SafeContact | None = None
    markers: list[Annotated[str, code_of(codes.MARKERS, "marker")]] = Field(default=[], max_length=50)
    risk: Risk | None = None
    needs: list[Annotated[str, code_of(codes.KINDS, "need")]] = Field(default=[], max_length=50)
    consents: list[Consent] = Field(default=[], max_length=50)
    received_at: Instant | None = Field(default=None, description="when the source took it in; null means now")
    narrative: Annotated[str, text(10_000, multi_line=True)] | None = None
    purpose: Annotated[str, code_of(codes.PURPOSES, "purpose")] | None = Field(
        default=None, description="what the hub is asked for; null means support"
    )


class DisclosureRequest(StrictModel):
    """Which fields of which referral."""

    referral_id: Id
    fields: list[Annotated[str, code_of(DISCLOSABLE, "field")]] = Field(min_length=1, max_length=50)


class View(BaseModel):
    """Base of answers."""

    model_config = ConfigDict(frozen=True)


class Receipt(View):
    """A referral is durable."""

    id: UUID
    status: str
    links: dict[str, str]


class DecisionView(View):
    """What triage decided; `reason` is null when accepted."""

    outcome: str
    reason: str | None


class OnwardView(View):
    """One onward referral, as far as its source may see it."""

    kind: str
    status: str


class StatusView(View):
    """What became of a referral, as far as the hub lets its source see."""

    id: UUID
    status: str
    received_at: datetime
    decision: DecisionView | None
    onward: list[OnwardView]


class TransferReceipt(View):
    """Every row of the transfer is durable or rejected."""

    id: UUID
    status: TransferStatus
    links: dict[str, str]


class TransferView(View):
    """A transfer's counts; `rows` is the sum of the other four."""

    id: UUID
    status: TransferStatus
    rows: int
    accepted: int
    updated: int
    duplicate: int
    rejected: int
    received_at: datetime
    completed_at: datetime | None


class RowFault(View):
    """One fault of one row. The value is not repeated."""

    pointer: str
    code: str
    detail: str


class TransferRowView(View):
    """What became of one row; `line` is where it starts in the file, from 1."""

    line: int
    outcome: Outcome
    referral_id: UUID | None
    errors: list[RowFault]


class DisclosureView(View):
    """The values of the fields asked for, null where nothing is known."""

    referral_id: UUID
    version: int
    fields: dict[str, Any]
