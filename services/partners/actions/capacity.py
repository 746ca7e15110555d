"""Capacity: partners say whether their services have room, and routing chooses by it."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from hubkit.auth import Caller
from hubkit.contracts import ServiceListedV1
from hubkit.db import Tx
from hubkit.errors import FieldError, InvalidError, NotFoundError
from services.partners.store import capacity, registry

#: Clocks of callers may be ahead of ours by this much.
_AHEAD: Final = timedelta(minutes=5)
#: With this scope a caller of the hub speaks for any service.
_FOR_THE_HUB: Final = "directory:write"


@dataclass(frozen=True, slots=True)
class Report:
    """Whether a service takes people, how many more, and how long they wait; None: not said."""

    open: bool
    places: int | None
    waiting_weeks: int | None
    as_of: datetime


async def report_capacity(tx: Tx, caller: Caller, service_id: UUID, report: Report) -> Any:
    """Keep a report and say so; returns what stands. One that is no newer changes nothing, whenever it arrives.

    Raises
    ------
    NotFoundError
        When there is no such service, or it is another partner's.
    InvalidError
        `in_the_future`, `places_while_closed`.
    """
    service = await _service(tx, caller, service_id, for_update=True)
    _check(report, tx.now)
    standing = await capacity.capacity_of(tx, service_id)
    if standing is not None and standing.as_of >= report.as_of:
        return standing
    said = {"reported_at": tx.now, "reported_by": caller.client_id}
    await capacity.put(tx, {"service_id": service_id, **asdict(report), **said})
    listed = service.model_dump() | {"service_id": service_id, "capacity": asdict(report)}
    tx.emit(ServiceListedV1.model_validate(listed), service_id)
    return await capacity.capacity_of(tx, service_id)


async def read_capacity(tx: Tx, caller: Caller, service_id: UUID) -> Any:
    """Return the newest report of a service.

    Raises
    ------
    NotFoundError
        When there is none, or the service is another partner's.
    """
    await _service(tx, caller, service_id)
    found = await capacity.capacity_of(tx, service_id)
    if found is None:
        raise NotFoundError
    return found


async def _service(tx: Tx, caller: Caller, service_id: UUID, *, for_update: bool = False) -> Any:
    service = await registry.service(tx, service_id, for_update=for_update)
    # Looked up whether or not there is such a service, so that the time does not tell one from the other.
    partner_id = await registry.partner_of(tx, caller.organisation)
    if service is None or not (_FOR_THE_HUB in caller.scopes or service.partner_id == partner_id):
        raise NotFoundError
    return service


def _check(report: Report, now: datetime) -> None:
    faults = []
    if report.as_of > now + _AHEAD:
        faults.append(FieldError("/as_of", "in_the_future", "must not be in the future"))
    if not report.open and report.places:
        faults.append(FieldError("/places", "places_while_closed", "must be 0 or absent where it takes nobody"))
    if faults:
        raise InvalidError(errors=faults)
