"""Agreements and the partners they are with."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from hubkit.contracts import AgreementChangedV1
from hubkit.db import Tx
from hubkit.errors import FieldError, InvalidError, NotFoundError, PreconditionFailedError
from services.partners.store import registry


@dataclass(frozen=True, slots=True)
class Terms:
    """What of an agreement changes with time: whether it stands, from when, until when (local dates, inclusive)."""

    status: str
    starts_on: date
    ends_on: date | None


async def list_partners(tx: Tx, after: UUID | None, limit: int) -> list[tuple[Any, list[Any]]]:
    """Return partners, each with its services."""
    partners = await registry.list_partners(tx, after, limit)
    services = await registry.services_of(tx, [partner.id for partner in partners]) if partners else []
    return [(partner, [each for each in services if each.partner_id == partner.id]) for partner in partners]


async def list_agreements(tx: Tx, after: UUID | None, limit: int) -> Sequence[Any]:
    """Return agreements in the order they were made."""
    return await registry.list_agreements(tx, after, limit)


async def read_agreement(tx: Tx, agreement_id: UUID) -> Any:
    """Return one agreement.

    Raises
    ------
    NotFoundError
        When there is none.
    """
    found = await registry.agreement(tx, agreement_id)
    if found is None:
        raise NotFoundError
    return found


async def change_agreement(tx: Tx, agreement_id: UUID, version: int, terms: Terms) -> Any:
    """Set the terms of an agreement; from the commit on every attempt and reading is judged by them.

    Raises
    ------
    NotFoundError
        When there is none.
    PreconditionFailedError
        When it has changed since `version`.
    InvalidError
        `ends_before_start`.
    """
    if terms.ends_on is not None and terms.ends_on < terms.starts_on:
        raise InvalidError(errors=[FieldError("/ends_on", "ends_before_start", "must not be before starts_on")])
    found = await registry.agreement(tx, agreement_id, for_update=True)
    if found is None:
        raise NotFoundError
    if found.version != version:
        raise PreconditionFailedError
    values = {
        "status": terms.status,
        "starts_on": terms.starts_on,
        "ends_on": terms.ends_on,
        "version": version + 1,
        "changed_at": tx.now,
    }
    await registry.change_agreement(tx, agreement_id, values)
    event = AgreementChangedV1(
        agreement_id=agreement_id,
        partner_id=found.partner_id,
        version=version + 1,
        status=terms.status,
        starts_on=terms.starts_on,
        ends_on=terms.ends_on,
    )
    tx.emit(event, agreement_id)
    return await read_agreement(tx, agreement_id)
