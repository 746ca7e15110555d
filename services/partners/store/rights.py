"""Objections and victim information requests in the database."""

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select

from hubkit.db import Tx, table_of
from services.partners.tables.rights import InformationDecision, InformationRequest, Objection

_OBJECTION = table_of(Objection)
_REQUEST = table_of(InformationRequest)
_DECISION = table_of(InformationDecision)


async def add_objection(tx: Tx, row: Mapping[str, Any]) -> None:
    """Keep an objection with what was decided on it."""
    await tx.insert(Objection, [row])


async def objections_in(tx: Tx, case_id: UUID, after: UUID | None, limit: int) -> list[Objection]:
    """Return the objections in a case, oldest first."""
    query = select(Objection).where(_OBJECTION.c.case_id == case_id).order_by(_OBJECTION.c.id).limit(limit)
    return await tx.models(query if after is None else query.where(_OBJECTION.c.id > after))


async def add_request(tx: Tx, row: Mapping[str, Any]) -> None:
    """Keep a victim information request."""
    await tx.insert(InformationRequest, [row])


async def requests_in(tx: Tx, case_id: UUID, after: UUID | None, limit: int) -> list[InformationRequest]:
    """Return the victim information requests about a case, oldest first."""
    query = select(InformationRequest).where(_REQUEST.c.case_id == case_id).order_by(_REQUEST.c.id).limit(limit)
    return await tx.models(query if after is None else query.where(_REQUEST.c.id > after))


async def lock_request(tx: Tx, case_id: UUID, request_id: UUID) -> InformationRequest | None:
    """Return one victim information request about a case, locked until the transaction ends."""
    query = select(InformationRequest).where(_REQUEST.c.id == request_id, _REQUEST.c.case_id == case_id)
    return await tx.model(query.with_for_update())


async def add_decision(tx: Tx, row: Mapping[str, Any]) -> None:
    """Keep what was decided on a victim information request."""
    await tx.insert(InformationDecision, [row])


async def decisions_of(tx: Tx, request_ids: Collection[UUID]) -> dict[UUID, InformationDecision]:
    """Return what was decided on victim information requests, by their ids."""
    found = await tx.models(select(InformationDecision).where(tx.among(_DECISION.c.request_id, request_ids)))
    return {each.request_id: each for each in found}
