"""What partners keeps about cases, and the names of those that it names by their ids."""

from collections.abc import Collection
from typing import Final
from uuid import UUID

from sqlalchemy import select

from hubkit.account import Line, lines_about
from hubkit.db import Tx, table_of
from services.partners.tables import METADATA
from services.partners.tables.delivery import Endpoint
from services.partners.tables.registry import Partner, Service

_PARTNER, _SERVICE, _ENDPOINT = table_of(Partner), table_of(Service), table_of(Endpoint)
_HASHED: Final = ("body",)


async def lines(tx: Tx, case_ids: Collection[UUID]) -> list[Line]:
    """Return everything that is kept about cases, in order of time."""
    return await lines_about(tx, METADATA, {"case_id": case_ids}, hashed=_HASHED)


async def names(tx: Tx) -> dict[UUID, str]:
    """Return what partners, services and endpoints are called, by their ids."""
    found = {row.id: f"{row.name} ({row.organisation})" for row in await tx.rows(select(_PARTNER))}
    found |= {row.id: row.name for row in await tx.rows(select(_SERVICE.c.id, _SERVICE.c.name))}
    return found | {row.id: row.url for row in await tx.rows(select(_ENDPOINT.c.id, _ENDPOINT.c.url))}
