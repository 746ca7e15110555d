"""What intake says."""

from datetime import date, datetime
from typing import ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from hubkit.contracts.envelope import Contract


class Facts(BaseModel):
    """Base of the parts of a contract."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class CrimeFacts(Facts):
    """The crime as codes; its reference stays in intake."""

    category: str
    occurred_on: date | None = None
    recorded_at: datetime | None = None
    reported_to_police: bool | None = None


class SafeContactFacts(Facts):
    """Which methods are safe: true, false, or not known (absent). The instructions in words stay in intake."""

    phone: bool | None = None
    text: bool | None = None
    voicemail: bool | None = None
    email: bool | None = None
    letter: bool | None = None
    has_instructions: bool = False


class RiskFacts(Facts):
    """A risk assessment made by somebody, as its instrument gives it; never converted between instruments."""

    instrument: str | None = None
    score: int | None = None
    grade: str | None = None
    assessed_at: datetime | None = None


class ConsentFacts(Facts):
    """One decision of the person on one hop. `recipients` are partner kinds or partner ids; empty means all."""

    hop: str
    decision: str
    recipients: tuple[str, ...] = ()
    data_categories: tuple[str, ...] = ()
    method: str | None = None
    recorded_at: datetime
    expires_at: datetime | None = None


class UnitReceipt(Facts):
    """When one unit of the hub received the referral."""

    unit: str
    received_at: datetime


class ReferralReceivedV1(Contract):
    """A referral is durable in intake, for the first time (`version` 1) or corrected by its source (2, 3, …).

    Publisher: intake. Consumer: triage. `age` is in whole years on the day of receipt. `repeat_of` is the earliest
    earlier referral of the same person, found by an exact match of blind indexes. `received_by_unit` says where units
    of the hub received it at other times than `received_at`. `local_authority_area` is the hub's own code of an area.
    `changed_in` names the fields of a disclosure that were corrected, each with the version that did it last.
    """

    TYPE: ClassVar[str] = "referral.received.v1"

    referral_id: UUID
    version: int
    source_organisation: str
    channel: str
    unit: str | None = None
    received_at: datetime
    crime: CrimeFacts
    role: str = "victim"
    age: int | None = None
    area_code: str | None = None
    language: str | None = None
    preferred_method: str | None = None
    safe_contact: SafeContactFacts = SafeContactFacts()
    markers: tuple[str, ...] = ()
    risk: RiskFacts = RiskFacts()
    needs: tuple[str, ...] = ()
    consents: tuple[ConsentFacts, ...] = ()
    repeat_of: UUID | None = None
    received_by_unit: tuple[UnitReceipt, ...] = ()
    purpose: str | None = None
    lives_in_area: bool | None = None
    local_authority_area: str | None = None
    changed_in: dict[str, int] | None = None
