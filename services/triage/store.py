"""All queries of triage, and the translation between rows and the words of the service."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlmodel import col

from hubkit.db import Tx, table_of
from hubkit.ids import new_id
from services.triage.model import (
    CaseChange,
    CaseStatus,
    ContactState,
    Decision,
    DecisionKind,
    Entitlement,
    Entry,
    PlannedContact,
    StoredCase,
    StoredDecision,
    Versions,
)
from services.triage.schemas import ContactView
from services.triage.tables import CaseRow, ContactRow, DecisionRow, EntryRow

_TIMELINE_LIMIT = 1_000


async def lock_cases(tx: Tx, referral_ids: Collection[UUID]) -> dict[UUID, StoredCase]:
    """Return the cases of these referrals that stand, locked until the transaction ends."""
    columns = (
        CaseRow.referral_id, CaseRow.id, CaseRow.referral_version, CaseRow.version, CaseRow.opened_at,
        CaseRow.assessed_needs,
    )  # fmt: skip
    query = select(*columns).where(tx.among(table_of(CaseRow).c.referral_id, referral_ids))  # type: ignore[call-overload]
    rows = await tx.rows(query.order_by(CaseRow.id).with_for_update())
    return {
        row.referral_id: StoredCase(
            id=row.id,
            referral_version=row.referral_version,
            version=row.version,
            opened_at=row.opened_at,
            assessed_needs=None if row.assessed_needs is None else tuple(row.assessed_needs),
        )
        for row in rows
    }


async def insert_cases(tx: Tx, changes: Sequence[CaseChange]) -> set[UUID]:
    """Insert cases that `lock_cases` did not find; returns the ids of those that do not stand meanwhile."""
    rows = [
        {
            "id": change.case_id,
            "referral_id": change.referral.referral_id,
            "source_organisation": change.referral.source_organisation,
            **_changing_columns(tx, change),
        }
        for change in changes
    ]
    return await tx.insert_new(CaseRow, rows, conflict=["referral_id"], returning="id", looked=True)


async def update_cases(tx: Tx, changes: Sequence[CaseChange]) -> None:
    """Bring locked cases to where a change puts them."""
    await tx.update_each(CaseRow, "id", [{"id": change.case_id, **_changing_columns(tx, change)} for change in changes])


def _changing_columns(tx: Tx, change: CaseChange) -> dict[str, Any]:
    referral, triaged = change.referral, change.triaged
    due = [contact.due_at for contact in triaged.contacts if contact.due_at is not None]
    return {
        "referral_version": referral.version,
        "version": change.version,
        "status": change.status,
        "crime_category": referral.crime.category,
        "outcome": triaged.decision.outcome,
        "reason": triaged.decision.reason,
        "entitlement": triaged.entitlement.level if triaged.entitlement else None,
        "level": triaged.level,
        "needs": list(triaged.needs),
        "facts": referral.model_dump(mode="json", exclude_none=True),
        "received_at": referral.received_at,
        "opened_at": change.opened_at,
        "changed_at": tx.now,
        "due_at": min(due, default=None),
    }


async def insert_decisions(tx: Tx, changes: Sequence[CaseChange], versions: Versions) -> None:
    """Add the decision of each change."""
    await tx.insert(DecisionRow, [_decision_row(tx, change, versions) for change in changes])


def _decision_row(tx: Tx, change: CaseChange, versions: Versions) -> dict[str, Any]:
    triaged, decision = change.triaged, change.triaged.decision
    return {
        "id": new_id(),
        "case_id": change.case_id,
        "case_version": change.version,
        "kind": DecisionKind.TRIAGE,
        "outcome": decision.outcome,
        "reason": decision.reason,
        "case_status": decision.case_status,
        "expected_route": decision.expected_route,
        "rules": list(decision.rules),
        "entitlement": triaged.entitlement.level if triaged.entitlement else None,
        "categories": list(triaged.entitlement.categories) if triaged.entitlement else [],
        "level": triaged.level,
        "needs": list(triaged.needs),
        "profile_version": versions.profile,
        "calendar_version": versions.calendar,
        "decided_by": None,
        "decided_at": tx.now,
    }


async def plan_contacts(tx: Tx, changes: Sequence[CaseChange], versions: Versions) -> None:
    """Add the contacts of each change; what was planned for the same cases before is replaced."""
    standing = [change.case_id for change in changes if change.before is not None]
    if standing:
        waits = col(ContactRow.state).in_((ContactState.PLANNED, ContactState.SUSPENDED))
        replaced = update(ContactRow).where(tx.among(table_of(ContactRow).c.case_id, standing), waits)
        await tx.run(replaced.values(state=ContactState.REPLACED))
    planned = [(change.case_id, contact) for change in changes for contact in change.triaged.contacts]
    await tx.insert(ContactRow, [_contact_row(tx, case_id, contact, versions) for case_id, contact in planned])


def _contact_row(tx: Tx, case_id: UUID, contact: PlannedContact, versions: Versions) -> dict[str, Any]:
    return {
        "id": new_id(),
        "case_id": case_id,
        "purpose": contact.purpose,
        "by": contact.by,
        "methods": None if contact.methods is None else list(contact.methods),
        "mode": contact.mode,
        "left_out": [{"method": item.method, "reason": item.reason} for item in contact.left_out],
        "cautions": list(contact.cautions),
        "state": contact.state,
        "due_at": contact.due_at,
        "due_reason": contact.due_reason,
        "rule_id": contact.rule_id,
        "profile_version": versions.profile,
        "calendar_version": versions.calendar,
        "planned_at": tx.now,
    }


async def insert_entries(tx: Tx, rows: Sequence[dict[str, Any]]) -> None:
    """Add entries to timelines."""
    await tx.insert(EntryRow, rows)


async def lock_case(tx: Tx, case_id: UUID) -> CaseRow | None:
    """Return one case, locked until the transaction ends."""
    return await tx.model(select(CaseRow).where(col(CaseRow.id) == case_id).with_for_update())


async def store_assessment(tx: Tx, case: CaseRow, needs: Sequence[str], by: str, versions: Versions) -> UUID:
    """Put assessed needs on a locked case, as its next version; returns the id of the decision."""
    version = case.version + 1
    changed = {"needs": list(needs), "assessed_needs": list(needs), "version": version, "changed_at": tx.now}
    await tx.run(update(CaseRow).where(col(CaseRow.id) == case.id).values(**changed))
    decision_id = new_id()
    row = {
        "id": decision_id,
        "case_id": case.id,
        "case_version": version,
        "kind": DecisionKind.ASSESSMENT,
        "outcome": case.outcome,
        "rules": [],
        "categories": [],
        "needs": list(needs),
        "profile_version": versions.profile,
        "calendar_version": versions.calendar,
        "decided_by": by,
        "decided_at": tx.now,
    }
    await tx.insert(DecisionRow, [row])
    return decision_id


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


async def find_case(tx: Tx, case_id: UUID) -> CaseRow | None:
    """Return one case."""
    return await tx.model(select(CaseRow).where(col(CaseRow.id) == case_id))


async def decisions_of(tx: Tx, case_id: UUID) -> list[StoredDecision]:
    """Return a case's decisions, the oldest first."""
    query = select(DecisionRow).where(col(DecisionRow.case_id) == case_id).order_by(col(DecisionRow.id))
    return [_decision(row) for row in await tx.models(query)]


def _decision(row: DecisionRow) -> StoredDecision:
    return StoredDecision(
        kind=row.kind,
        case_version=row.case_version,
        decision=Decision(row.outcome, row.reason, tuple(row.rules), row.case_status, row.expected_route),
        entitlement=Entitlement(row.entitlement, tuple(row.categories)) if row.entitlement else None,
        level=row.level,
        needs=tuple(row.needs),
        versions=Versions(row.profile_version, row.calendar_version),
        decided_by=row.decided_by,
        decided_at=row.decided_at,
    )


async def contacts_of(tx: Tx, case_id: UUID) -> list[ContactView]:
    """Return a case's contacts that still stand, in the order of the rules that planned them."""
    stands = (col(ContactRow.case_id) == case_id, col(ContactRow.state) != ContactState.REPLACED)
    rows = await tx.models(select(ContactRow).where(*stands).order_by(col(ContactRow.id)))
    return [ContactView.model_validate(row.model_dump()) for row in rows]


async def entries_of(tx: Tx, case_id: UUID) -> list[Entry]:
    """Return the newest entries of a case's timeline, the oldest of them first."""
    newest = select(EntryRow).where(col(EntryRow.case_id) == case_id)
    newest = newest.order_by(col(EntryRow.at).desc(), col(EntryRow.id).desc()).limit(_TIMELINE_LIMIT)
    return [Entry(row.type, row.at, row.codes) for row in reversed(await tx.models(newest))]
