"""The directory: partners and their services. Every change of a service is told to routing, which chooses by it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any
from uuid import UUID

from hubkit.contracts import ServiceListedV1
from hubkit.db import Tx
from hubkit.errors import ConflictError, FieldError, InvalidError, NotFoundError, PreconditionFailedError
from hubkit.ids import new_id
from services.partners.actions.listings import follow_service
from services.partners.store import registry


@dataclass(frozen=True, slots=True)
class Offer:
    """What a partner offers by one service. Empty lists mean no limit, lower preference is asked first.

    Without `shares` it is what goes with the route: case_data where people are referred, nothing where they are told.
    """

    name: str
    kind: str
    also: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    status: str = "active"
    route: str = "refer"
    shares: str | None = None
    location: str | None = None
    commissioned: bool | None = None
    preference: int = 100
    crimes: tuple[str, ...] = ()
    areas: tuple[str, ...] = ()
    risk_grades: tuple[str, ...] = ()
    min_age: int | None = None
    max_age: int | None = None
    without_marker: tuple[str, ...] = ()
    transport: str | None = None
    listed_in: str | None = None
    follow_up: str | None = None


#: What of a service concerns nobody who chooses by codes.
_UNTOLD = frozenset({"id", "name", "transport", "listed_in", "follow_up", "changed_at"})
_OFFERED = tuple(field.name for field in fields(Offer))


async def list_partners(tx: Tx, after: UUID | None, limit: int) -> list[tuple[Any, list[Any]]]:
    """Return partners, each with its services."""
    partners = await registry.list_partners(tx, after, limit)
    services = await registry.services_of(tx, [partner.id for partner in partners]) if partners else []
    return [(partner, [each for each in services if each.partner_id == partner.id]) for partner in partners]


async def list_services(tx: Tx, after: UUID | None, limit: int) -> list[tuple[Any, Any]]:
    """Return services, each with its partner, in the order they were made."""
    listed = await registry.list_services(tx, after, limit)
    found = await registry.services_with_partners(tx, [each.id for each in listed])
    return [found[each.id] for each in listed]


async def add_partner(tx: Tx, organisation: str, name: str) -> Any:
    """Add an organisation that may be referred to; without an agreement nothing goes to it yet.

    Raises
    ------
    ConflictError
        `partner_exists`, when the organisation is a partner already.
    """
    partner_id = new_id()
    row = {
        "id": partner_id,
        "organisation": organisation,
        "name": name,
        "status": "active",
        "ring_fenced": False,
        "created_at": tx.now,
    }
    if not await registry.add_partners(tx, [row]):
        raise ConflictError("This organisation is a partner already", code="partner_exists")
    return await registry.partner(tx, partner_id)


async def add_service(tx: Tx, partner_id: UUID, offer: Offer) -> tuple[Any, Any]:
    """Add a service of a partner; returns it with its partner.

    Raises
    ------
    NotFoundError
        When there is no such partner.
    InvalidError
        `max_below_min`.
    """
    _check(offer)
    if await registry.partner(tx, partner_id) is None:
        raise NotFoundError
    [row] = await store_services(tx, partner_id, [offer])
    return (await registry.services_with_partners(tx, [row["id"]]))[row["id"]]


async def change_service(tx: Tx, service_id: UUID, version: int, changes: Mapping[str, Any]) -> tuple[Any, Any]:
    """Change some of what a service is; the next choice, attempt and reading go by it.

    Raises
    ------
    NotFoundError
        When there is none.
    PreconditionFailedError
        When it has changed since `version`.
    InvalidError
        `max_below_min`.
    """
    found = await registry.service(tx, service_id, for_update=True)
    if found is None:
        raise NotFoundError
    if found.version != version:
        raise PreconditionFailedError
    offer = Offer(**{name: getattr(found, name) for name in _OFFERED} | dict(changes))
    _check(offer)
    values = _values(tx, offer) | {"version": version + 1}
    await registry.change_service(tx, service_id, values)
    await follow_service(tx, service_id, (offer.kind, *offer.also))
    _tell(tx, {"id": service_id, "partner_id": found.partner_id, **values})
    return (await registry.services_with_partners(tx, [service_id]))[service_id]


async def store_services(tx: Tx, partner_id: UUID, offers: Sequence[Offer]) -> list[dict[str, Any]]:
    """Store new services of one partner and say so; returns their rows."""
    rows = [{"id": new_id(), "partner_id": partner_id, "version": 1, **_values(tx, offer)} for offer in offers]
    await registry.add_services(tx, rows)
    for row in rows:
        _tell(tx, row)
    return rows


def _check(offer: Offer) -> None:
    if offer.min_age is not None and offer.max_age is not None and offer.max_age < offer.min_age:
        raise InvalidError(errors=[FieldError("/max_age", "max_below_min", "must not be below min_age")])


def _values(tx: Tx, offer: Offer) -> dict[str, Any]:
    values = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(offer).items()}
    values["shares"] = offer.shares or ("case_data" if offer.route == "refer" else "nothing")
    return values | {"changed_at": tx.now}


def _tell(tx: Tx, row: Mapping[str, Any]) -> None:
    told = {name: value for name, value in row.items() if name not in _UNTOLD}
    tx.emit(ServiceListedV1.model_validate({"service_id": row["id"], **told}), row["id"])
