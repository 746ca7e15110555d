"""Cases and decisions about them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import Row, select
from sqlmodel import col

from hubkit.contracts.referral import ReferralReceivedV1
from hubkit.db import Tx, table_of
from services.triage.model import (
    CaseChange,
    CaseStatus,
    Decision,
    Entitlement,
    Outputs,
    Progress,
    StoredCase,
    StoredDecision,
    UnitDecision,
    Versions,
)
from services.triage.tables import CaseRow, DecisionRow

_PROGRESS = TypeAdapter(Progress)
_NO_PROGRESS = Progress()
#: What triage decides and stores as it is told; the hub's own word has a column.
_OUTPUTS = tuple(field.name for field in fields(Outputs) if field.name != "case_status")
_STANDING = (
    CaseRow.id, CaseRow.referral_id, CaseRow.version, CaseRow.status, CaseRow.opened_at, CaseRow.progress,
    CaseRow.facts, CaseRow.outputs,
)  # fmt: skip


async def lock_by_referrals(tx: Tx, referral_ids: Collection[UUID]) -> dict[UUID, StoredCase]:
    """Return the cases of these referrals that stand, by referral, locked until the transaction ends."""
    rows = await _lock(tx, "referral_id", referral_ids)
    return {row.referral_id: _stored(row) for row in rows}


async def lock(tx: Tx, case_ids: Collection[UUID]) -> dict[UUID, StoredCase]:
    """Return cases by their ids, locked until the transaction ends."""
    return {row.id: _stored(row) for row in await _lock(tx, "id", case_ids)}


async def _lock(tx: Tx, key: str, ids: Collection[UUID]) -> Sequence[Row[Any]]:
    query = select(*_STANDING).where(tx.among(table_of(CaseRow).c[key], ids))  # type: ignore[call-overload]
    return await tx.rows(query.order_by(CaseRow.id).with_for_update())


def _stored(row: Row[Any]) -> StoredCase:
    return StoredCase(
        id=row.id,
        referral=ReferralReceivedV1.model_validate(row.facts),
        version=row.version,
        status=CaseStatus(row.status),
        opened_at=row.opened_at,
        progress=progress_of(row.progress),
        surveys=tuple(row.outputs.get("surveys", ())),
    )


def progress_of(stored: Mapping[str, Any]) -> Progress:
    """Return what has been done with a case, as a row holds it."""
    return _PROGRESS.validate_python(stored) if stored else _NO_PROGRESS


async def insert_cases(tx: Tx, changes: Sequence[CaseChange], due: Mapping[UUID, datetime | None]) -> set[UUID]:
    """Insert cases that `lock_by_referrals` did not find; returns the ids of those that do not stand meanwhile.

    Parameters
    ----------
    due
        The earliest deadline of each case.
    """
    rows = [
        {
            "id": change.case_id,
            "referral_id": change.referral.referral_id,
            "source_organisation": change.referral.source_organisation,
            **_changing_columns(tx, change, due[change.case_id]),
        }
        for change in changes
    ]
    return await tx.insert_new(CaseRow, rows, conflict=["referral_id"], returning="id", hope=True)


async def update_cases(tx: Tx, changes: Sequence[CaseChange], due: Mapping[UUID, datetime | None]) -> None:
    """Bring locked cases to where a change puts them."""
    rows = [{"id": change.case_id, **_changing_columns(tx, change, due[change.case_id])} for change in changes]
    await tx.update_each(CaseRow, "id", rows)


def _changing_columns(tx: Tx, change: CaseChange, due_at: datetime | None) -> dict[str, Any]:
    referral, triaged = change.referral, change.triaged
    return {
        "referral_version": referral.version,
        "version": change.version,
        "status": triaged.status,
        "crime_category": referral.crime.category,
        "outcome": triaged.decision.outcome,
        "reason": triaged.decision.reason,
        "entitlement": triaged.entitlement.level if triaged.entitlement else None,
        "level": triaged.level,
        "needs": list(triaged.needs),
        "case_status": triaged.outputs.case_status,
        "progress": _progress_columns(change.progress),
        "outputs": _output_columns(triaged.outputs),
        "facts": referral.model_dump(mode="json", exclude_none=True),
        "received_at": referral.received_at,
        "opened_at": change.opened_at,
        "changed_at": tx.now,
        "due_at": due_at,
    }


def _progress_columns(progress: Progress) -> dict[str, Any]:
    if progress == _NO_PROGRESS:
        return {}
    found: dict[str, Any] = _PROGRESS.dump_python(progress, mode="json", exclude_defaults=True)
    return found


def _output_columns(outputs: Outputs) -> dict[str, Any]:
    given = ((name, getattr(outputs, name)) for name in _OUTPUTS)
    return {name: value for name, value in given if value not in (None, (), {}, False)}


async def set_due(tx: Tx, due: Mapping[UUID, datetime | None]) -> None:
    """Note the earliest deadline of locked cases."""
    await tx.update_each(CaseRow, "id", [{"id": id, "due_at": due_at} for id, due_at in due.items()])


async def insert_decisions(tx: Tx, changes: Sequence[CaseChange]) -> None:
    """Add the decision of each change."""
    await tx.insert(DecisionRow, [_decision_row(tx, change) for change in changes])


def _decision_row(tx: Tx, change: CaseChange) -> dict[str, Any]:
    triaged, decision = change.triaged, change.triaged.decision
    return {
        "id": change.decision_id,
        "case_id": change.case_id,
        "case_version": change.version,
        "kind": change.kind,
        "outcome": decision.outcome,
        "reason": decision.reason,
        "case_status": decision.case_status,
        "expected_route": decision.expected_route,
        "basis": decision.basis,
        "by_unit": {unit: asdict(found) for unit, found in decision.by_unit.items()} or None,
        "rules": list(decision.rules),
        "entitlement": triaged.entitlement.level if triaged.entitlement else None,
        "categories": list(triaged.entitlement.categories) if triaged.entitlement else [],
        "level": triaged.level,
        "needs": list(triaged.needs),
        "details": dict(change.details),
        "profile_version": change.versions.profile,
        "calendar_version": change.versions.calendar,
        "decided_by": change.by,
        "decided_at": tx.now,
    }


async def list_cases(
    tx: Tx, status: CaseStatus | None, referral_id: UUID | None, before: UUID | None, limit: int
) -> list[CaseRow]:
    """Return cases, the newest first, older than the one with the id `before`."""
    query = select(CaseRow).order_by(col(CaseRow.id).desc()).limit(limit)
    if status is not None:
        query = query.where(col(CaseRow.status) == status)
    if referral_id is not None:
        query = query.where(col(CaseRow.referral_id) == referral_id)
    if before is not None:
        query = query.where(col(CaseRow.id) < before)
    return await tx.models(query)


async def received_since(tx: Tx, since: datetime, after: UUID | None, limit: int) -> list[CaseRow]:
    """Return cases whose referral was received then or later, in the order of their ids, beyond the id `after`."""
    query = select(CaseRow).where(col(CaseRow.received_at) >= since).order_by(col(CaseRow.id)).limit(limit)
    return await tx.models(query if after is None else query.where(col(CaseRow.id) > after))


async def ended(tx: Tx, after: UUID | None, limit: int) -> list[CaseRow]:
    """Return cases that are not open, in the order of their ids, beyond the id `after`."""
    query = select(CaseRow).where(col(CaseRow.status) != CaseStatus.OPEN).order_by(col(CaseRow.id)).limit(limit)
    return await tx.models(query if after is None else query.where(col(CaseRow.id) > after))


async def find_case(tx: Tx, case_id: UUID) -> CaseRow | None:
    """Return one case."""
    return await tx.model(select(CaseRow).where(col(CaseRow.id) == case_id))


async def decisions_of(tx: Tx, case_id: UUID) -> list[StoredDecision]:
    """Return a case's decisions, the oldest first."""
    query = select(DecisionRow).where(col(DecisionRow.case_id) == case_id).order_by(col(DecisionRow.id))
    return [_decision(row) for row in await tx.models(query)]


def _decision(row: DecisionRow) -> StoredDecision:
    decision = Decision(
        outcome=row.outcome,
        reason=row.reason,
        rules=tuple(row.rules),
        case_status=row.case_status,
        expected_route=row.expected_route,
        basis=row.basis,
        by_unit={unit: UnitDecision(**found) for unit, found in (row.by_unit or {}).items()},
    )
    return StoredDecision(
        kind=row.kind,
        case_version=row.case_version,
        decision=decision,
        entitlement=Entitlement(row.entitlement, tuple(row.categories)) if row.entitlement else None,
        level=row.level,
        needs=tuple(row.needs),
        versions=Versions(row.profile_version, row.calendar_version),
        decided_by=row.decided_by,
        decided_at=row.decided_at,
        details=row.details,
    )
