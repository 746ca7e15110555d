"""Bodies of partners and their services."""

import re
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from hubkit.contracts.codes import CRIME_GROUPS, CRIMES, KINDS, MARKERS, RISK_GRADES
from hubkit.fields import Code, StrictModel, code_of, text
from services.partners.model import LOCATIONS, ROUTES, SERVICE_STATUSES, SHARES
from services.partners.schemas.base import Answered, Distinct

#: The form of an organisation's code in the tokens of its clients.
_ORGANISATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def _organisation(value: str) -> str:
    if _ORGANISATION.fullmatch(value):
        return value
    raise PydanticCustomError("not_an_organisation", "must be 1 to 64 letters, digits, '.', '_' and '-'")


Kind = Annotated[str, code_of(KINDS, "kind")]
Age = Annotated[int, Field(ge=0, le=130)]
Kinds = Annotated[Distinct[Kind], Field(max_length=50)]


class NewPartner(StrictModel):
    """An organisation to be referred to. `organisation` is its code, as its clients have it in their tokens."""

    organisation: Annotated[str, AfterValidator(_organisation)]
    name: Annotated[str, text(200)]


class ServiceChanges(StrictModel):
    """What of a service changes; what is not given stays as it is.

    Kind `other` takes any need for which the directory has no service of that kind; `also` are further kinds, and a
    need that is one of `teams` goes to that team. Empty `areas`, `crimes` and `risk_grades` mean no limit; both ages
    are inclusive. Lower `preference` is asked first. `shares` is case_data, referral_data or nothing; without it, what
    goes with the route.
    """

    name: Annotated[str, text(200)] = ""
    kind: Kind = ""
    also: Kinds = ()
    teams: Kinds = ()
    status: Annotated[str, code_of(SERVICE_STATUSES, "status")] = "active"
    route: Annotated[str, code_of(ROUTES, "route")] = "refer"
    shares: Annotated[str, code_of(SHARES, "share")] | None = None
    location: Annotated[str, code_of(LOCATIONS, "location")] | None = None
    commissioned: bool | None = None
    preference: Annotated[int, Field(ge=0, le=10_000)] = 100
    crimes: Annotated[Distinct[Annotated[str, code_of(CRIMES | CRIME_GROUPS, "crime")]], Field(max_length=100)] = ()
    areas: Annotated[Distinct[Code], Field(max_length=1000)] = ()
    risk_grades: Annotated[Distinct[Annotated[str, code_of(RISK_GRADES, "risk grade")]], Field(max_length=10)] = ()
    min_age: Age | None = None
    max_age: Age | None = None
    without_marker: Annotated[Distinct[Annotated[str, code_of(MARKERS, "marker")]], Field(max_length=50)] = ()
    transport: Code | None = None
    listed_in: Annotated[str, text(80)] | None = None
    follow_up: Annotated[str, text(80)] | None = None


class NewService(ServiceChanges):
    """A service to be listed."""

    name: Annotated[str, text(200)]
    kind: Kind


class ServiceBody(Answered):
    """A support service of a partner."""

    id: UUID
    kind: str
    name: str
    status: str


class ListedService(ServiceBody):
    """A support service with its partner and all that it is chosen by."""

    partner_id: UUID
    partner_name: str
    version: int
    also: tuple[str, ...]
    teams: tuple[str, ...]
    route: str
    shares: str
    location: str | None
    commissioned: bool | None
    preference: int
    crimes: tuple[str, ...]
    areas: tuple[str, ...]
    risk_grades: tuple[str, ...]
    min_age: int | None
    max_age: int | None
    without_marker: tuple[str, ...]
    transport: str | None
    listed_in: str | None
    follow_up: str | None


class PartnerBody(Answered):
    """A partner organisation with its services."""

    id: UUID
    organisation: str
    name: str
    status: str
    services: list[ServiceBody]
