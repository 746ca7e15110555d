"""What partners says about its directory and its agreements."""

from datetime import date, datetime
from typing import ClassVar
from uuid import UUID

from hubkit.contracts.envelope import Contract
from hubkit.contracts.referral import Facts


class CapacityFacts(Facts):
    """Whether a service takes people, how many more, and how long they wait, as it was at a moment."""

    open: bool
    places: int | None = None
    waiting_weeks: int | None = None
    as_of: datetime


class ServiceListedV1(Contract):
    """A support service as routing needs it to choose; all fields, newest `version` wins.

    Publisher: partners. Consumer: routing. Empty `areas`, `crimes` or `risk_grades` mean no limit. `crimes` are
    categories (`sexual.rape`) or first levels (`sexual`). `min_age` and `max_age` are whole years, inclusive. `kind`
    other takes any need for which no service of that kind is listed; `also` are further kinds, and a need that is one
    of `teams`
    goes to that team. `route` is refer or signpost; `shares` case_data, referral_data or nothing. `capacity` goes by
    its own moment, whatever the version; without it, what was said before stands.
    """

    TYPE: ClassVar[str] = "service.listed.v1"

    service_id: UUID
    partner_id: UUID
    version: int
    kind: str
    status: str
    areas: tuple[str, ...] = ()
    crimes: tuple[str, ...] = ()
    risk_grades: tuple[str, ...] = ()
    min_age: int | None = None
    max_age: int | None = None
    location: str | None = None
    commissioned: bool | None = None
    preference: int = 100
    also: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    route: str = "refer"
    shares: str = "case_data"
    without_marker: tuple[str, ...] = ()
    capacity: CapacityFacts | None = None


class AgreementChangedV1(Contract):
    """An agreement began, changed, was suspended or ended; routing reconsiders pathways that had no candidate left.

    Publisher: partners. Consumer: routing. `starts_on` and `ends_on` are local dates, both inclusive.
    """

    TYPE: ClassVar[str] = "agreement.changed.v1"

    agreement_id: UUID
    partner_id: UUID
    version: int
    status: str
    starts_on: date
    ends_on: date | None = None
