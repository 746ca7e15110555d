"""Capacity in the database."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select

from hubkit.db import Tx, table_of
from services.partners.tables.capacity import Capacity

_capacity = table_of(Capacity).c


async def capacity_of(tx: Tx, service_id: UUID) -> Capacity | None:
    """Return the newest report of a service."""
    return await tx.model(select(Capacity).where(_capacity.service_id == service_id))


async def put(tx: Tx, row: Mapping[str, Any]) -> None:
    """Write the newest report of a service whose row is locked."""
    if not await tx.insert_new(Capacity, [row], conflict=["service_id"], returning="service_id"):
        await tx.update_each(Capacity, "service_id", [row])
