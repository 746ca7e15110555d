"""What the directory keeps of partners and services: the public part, and the part that never leaves the hub."""

import math
import re
from datetime import datetime
from typing import Annotated, Final
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from hubkit.fields import Code, Email, Id, LocalDate, Phone, Postcode, StrictModel, code_of, text
from services.partners.model import DAYS, PLACE_TYPES, PUBLIC_STATUSES
from services.partners.schemas.base import Answered, Distinct
from services.partners.schemas.directory import Age, Kinds

_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}")
_CHARACTER: Final = r"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})"
#: A URI after RFC 3986, as the public directory's standard asks of every address (`format: uri`).
_WEB: Final = re.compile(
    rf"https?://(?:\[[0-9A-Fa-f:.]+\]|{_CHARACTER}+)(?::[0-9]+)?(?:/(?:{_CHARACTER}|/)*)?"
    rf"(?:\?(?:{_CHARACTER}|[/?])*)?(?:#(?:{_CHARACTER}|[/?])*)?"
)


def _time(value: str) -> str:
    if _TIME.fullmatch(value):
        return value
    raise PydanticCustomError("not_a_time", "must be a time of day, as in 09:30")


def _language(value: str) -> str:
    if _LANGUAGE.fullmatch(value):
        return value
    raise PydanticCustomError("not_a_language", "must be an ISO 639 code in lower case, as in cy")


def _web(value: str) -> str:
    try:
        parts = urlsplit(value)
        # Asked for, because only then it is looked at: a port that is none is a ValueError.
        is_web = len(value) <= 2048 and bool(_WEB.fullmatch(value)) and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_web = False
    if is_web:
        return value
    raise PydanticCustomError(
        "not_a_web_address", "must be a URI that begins with https:// or http:// and names a host"
    )


def _finite(value: float) -> float:
    if math.isfinite(value):
        return value
    raise PydanticCustomError("not_a_number", "must be a number")


Name = Annotated[str, text(200)]
Line = Annotated[str, text(200)]
Prose = Annotated[str, text(10_000, multi_line=True)]
Note = Annotated[str, text(1000, multi_line=True)]
Time = Annotated[str, AfterValidator(_time)]
Language = Annotated[str, AfterValidator(_language)]
Web = Annotated[str, AfterValidator(_web)]
Amount = Annotated[float, Field(ge=0, le=1_000_000, strict=False), AfterValidator(_finite)]


class Welsh(StrictModel):
    """The Welsh of what is given in English beside it."""

    name: Name | None = None
    description: Prose | None = None
    fees: Note | None = None
    alert: Note | None = None


class PhoneLine(StrictModel):
    """A telephone number that anybody may call."""

    number: Phone
    description: Line | None = None


class Opening(StrictModel):
    """When the service can be reached, week by week, in UK time. Without days: as described."""

    days: Annotated[Distinct[Annotated[str, code_of(DAYS, "day")]], Field(max_length=7)] = ()
    opens_at: Time | None = None
    closes_at: Time | None = None
    description: Note | None = None


class Area(StrictModel):
    """Where people may live whom the service is for. `code` is that of the Office for National Statistics."""

    name: Name
    code: Code | None = None


class Cost(StrictModel):
    """What a person pays, in pounds."""

    option: Line | None = None
    amount: Amount | None = None
    description: Line | None = None


class Place(StrictModel):
    """A place that anybody may know of. An address that is not public belongs in the private part."""

    name: Name
    type: Annotated[str, code_of(PLACE_TYPES, "type of place")] = "physical"
    description: Note | None = None
    address: Line | None = None
    city: Line | None = None
    county: Line | None = None
    postcode: Postcode | None = None
    latitude: Annotated[float, Field(ge=-90, le=90, strict=False), AfterValidator(_finite)] | None = None
    longitude: Annotated[float, Field(ge=-180, le=180, strict=False), AfterValidator(_finite)] | None = None
    accessibility: Note | None = None

    @model_validator(mode="after")
    def _whole(self) -> "Place":
        parts = (self.address, self.city, self.county, self.postcode)
        if any(parts) and not all(parts):
            raise PydanticCustomError(
                "address_incomplete", "an address has all of address, city, county and postcode, or none of them"
            )
        return self


class PublicPart(StrictModel):
    """What everybody may read of a service. `kinds` are ours; none means those the service is listed with.

    No `areas` means everywhere. Both ages are inclusive. `assured_on` is when this was last checked.
    """

    name: Name
    description: Prose | None = None
    url: Web | None = None
    email: Email | None = None
    status: Annotated[str, code_of(PUBLIC_STATUSES, "status")] = "active"
    phones: Annotated[tuple[PhoneLine, ...], Field(max_length=20, strict=False)] = ()
    openings: Annotated[tuple[Opening, ...], Field(max_length=50, strict=False)] = ()
    languages: Annotated[Distinct[Language], Field(max_length=50)] = ()
    minimum_age: Age | None = None
    maximum_age: Age | None = None
    areas: Annotated[tuple[Area, ...], Field(max_length=500, strict=False)] = ()
    costs: Annotated[tuple[Cost, ...], Field(max_length=20, strict=False)] = ()
    fees: Note | None = None
    kinds: Kinds = ()
    places: Annotated[tuple[Place, ...], Field(max_length=50, strict=False)] = ()
    accreditations: Note | None = None
    alert: Note | None = None
    assured_on: LocalDate | None = None
    welsh: Welsh | None = None

    @model_validator(mode="after")
    def _ages(self) -> "PublicPart":
        if self.minimum_age is not None and self.maximum_age is not None and self.maximum_age < self.minimum_age:
            raise PydanticCustomError("max_below_min", "maximum_age must not be below minimum_age")
        return self


class SafeAddress(StrictModel):
    """Where the service really is; known to those who place a person there, and to nobody else."""

    lines: Annotated[tuple[Line, ...], Field(min_length=1, max_length=6, strict=False)]
    postcode: Postcode | None = None


class PrivatePart(StrictModel):
    """What only the hub knows of a service. A confidential one appears nowhere in public, whatever else is set."""

    confidential: bool
    criteria: Prose | None = None
    capacity_note: Note | None = None
    safe_address: SafeAddress | None = None
    agreement_id: Id | None = None


class Listing(StrictModel):
    """The whole entry of a service; what is left out is empty afterwards."""

    is_public: bool = False
    public: PublicPart
    private: PrivatePart


class ListingBody(Answered):
    """The entry of a service as staff see it.

    `shown` says whether the public directory has it, `withheld` why not; `missing_since`, when its feed lost it.
    """

    service_id: UUID
    version: int
    is_public: bool
    shown: bool
    withheld: tuple[str, ...]
    public: PublicPart | None
    private: PrivatePart | None
    feed: str | None
    feed_id: str | None
    missing_since: datetime | None
    modified_at: datetime | None


class OrganisationPart(StrictModel):
    """What everybody may read of a partner organisation."""

    name: Name
    description: Prose
    url: Web | None = None
    email: Email | None = None
    welsh: Welsh | None = None


class PartnerListing(StrictModel):
    """The entry of a partner. Nothing of a confidential partner is public: not its name, not one of its services."""

    is_public: bool = False
    confidential: bool
    public: OrganisationPart


class PartnerListingBody(Answered):
    """The entry of a partner as staff see it."""

    partner_id: UUID
    version: int
    is_public: bool
    confidential: bool
    shown: bool
    withheld: tuple[str, ...]
    public: OrganisationPart | None
    feed: str | None
    feed_id: str | None
    modified_at: datetime | None
