"""What protects a person, in the database: restrictions, safeguarding decisions, acknowledgements of withdrawals."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, update

from hubkit.db import Tx, table_of
from services.partners.policy import gate
from services.partners.tables.protection import CaseProtection, SafeguardingDecision, WithdrawalAcknowledgement

_decision = table_of(SafeguardingDecision).c
_asked = table_of(WithdrawalAcknowledgement).c


async def add_protection(tx: Tx, row: Mapping[str, Any]) -> None:
    """Keep who protected a case and why."""
    await tx.insert(CaseProtection, [row])


async def grounds_of(tx: Tx, onward_ids: Collection[UUID]) -> dict[UUID, gate.Safeguarding]:
    """Return the decisions on which onward referrals went out; where there is none, nobody approved it."""
    columns = (
        _decision.id,
        _decision.onward_referral_id,
        _decision.partner_id,
        _decision.data_categories,
        _decision.status,
    )
    found = {id: gate.Safeguarding(id, id, frozenset(), is_approved=False) for id in onward_ids}
    for row in await tx.rows(select(*columns).where(tx.among(_decision.onward_referral_id, onward_ids))):
        found[row.onward_referral_id] = gate.Safeguarding(
            row.id, row.partner_id, frozenset(row.data_categories), row.status == "approved"
        )
    return found


async def add_decision(tx: Tx, row: Mapping[str, Any]) -> None:
    """Keep a safeguarding decision that is to be approved."""
    await tx.insert(SafeguardingDecision, [row])


async def decision(tx: Tx, case_id: UUID, id: UUID, *, for_update: bool = False) -> SafeguardingDecision | None:
    """Return one safeguarding decision of a case; for a change, under a lock."""
    query = select(SafeguardingDecision).where(_decision.id == id, _decision.case_id == case_id)
    return await tx.model(query.with_for_update() if for_update else query)


async def approve(tx: Tx, id: UUID, values: Mapping[str, Any]) -> None:
    """Write who approved a decision and what goes out on it."""
    await tx.run(update(SafeguardingDecision).where(_decision.id == id).values(**values))


async def decisions_in(tx: Tx, case_id: UUID, after: UUID | None, limit: int) -> list[SafeguardingDecision]:
    """Return the safeguarding decisions of a case, oldest first."""
    query = select(SafeguardingDecision).where(_decision.case_id == case_id).order_by(_decision.id).limit(limit)
    return await tx.models(query if after is None else query.where(_decision.id > after))


async def decisions_by_id(tx: Tx, ids: Collection[UUID]) -> dict[UUID, SafeguardingDecision]:
    """Return safeguarding decisions by their ids."""
    if not ids:
        return {}
    return {each.id: each for each in await tx.models(select(SafeguardingDecision).where(tx.among(_decision.id, ids)))}


async def ask_for_acknowledgements(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> set[UUID]:
    """Keep that partners are asked, each once for each thing; returns those onward referrals where that is new."""
    new: set[UUID] = await tx.insert_new(
        WithdrawalAcknowledgement, rows, conflict=["onward_referral_id", "number"], returning="onward_referral_id"
    )
    return new


async def acknowledgement(tx: Tx, onward_id: UUID, number: int) -> WithdrawalAcknowledgement | None:
    """Return what a partner is asked about one onward referral's withdrawal (0) or an amendment, under a lock."""
    query = select(WithdrawalAcknowledgement).where(_asked.onward_referral_id == onward_id, _asked.number == number)
    return await tx.model(query.with_for_update())


async def acknowledge(tx: Tx, id: UUID, values: Mapping[str, Any]) -> None:
    """Write a partner's statement."""
    await tx.run(update(WithdrawalAcknowledgement).where(_asked.id == id).values(**values))


async def acknowledgements_of(tx: Tx, onward_ids: Collection[UUID]) -> dict[UUID, WithdrawalAcknowledgement]:
    """Return what partners are asked and have stated about withdrawals, by onward referral."""
    if not onward_ids:
        return {}
    query = select(WithdrawalAcknowledgement).where(tx.among(_asked.onward_referral_id, onward_ids), _asked.number == 0)
    return {each.onward_referral_id: each for each in await tx.models(query)}


async def disposed_of(tx: Tx, onward_ids: Collection[UUID]) -> set[UUID]:
    """Return those of which the partner has stated that it holds nothing any more."""
    query = select(_asked.onward_referral_id).where(tx.among(_asked.onward_referral_id, onward_ids))
    return {row.onward_referral_id for row in await tx.rows(query.where(_asked.statement.in_(("deleted", "returned"))))}


async def acknowledgements_in(
    tx: Tx, state: str | None, case_id: UUID | None, after: UUID | None, limit: int
) -> list[WithdrawalAcknowledgement]:
    """Return what partners are asked, oldest first: all, or what stands in one state (awaited, overdue, given)."""
    query = select(WithdrawalAcknowledgement).order_by(_asked.id).limit(limit)
    if state is not None:
        query = query.where(*_in_state(state, tx.now))
    if case_id is not None:
        query = query.where(_asked.case_id == case_id)
    return await tx.models(query if after is None else query.where(_asked.id > after))


async def count_overdue(tx: Tx) -> int:
    """Return how many statements are overdue."""
    query = select(func.count().label("total")).select_from(WithdrawalAcknowledgement)
    row = await tx.row(query.where(*_in_state("overdue", tx.now)))
    return row.total if row is not None else 0


def _in_state(state: str, now: datetime) -> tuple[ColumnElement[bool], ...]:
    if state == "given":
        return (_asked.answered_at.is_not(None),)
    awaited = _asked.answered_at.is_(None)
    return (awaited, _asked.due_at <= now) if state == "overdue" else (awaited,)
