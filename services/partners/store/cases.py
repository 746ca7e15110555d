"""Cases, consents, permits and disclosures in the database."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, update

from hubkit.db import Tx, table_of
from services.partners.policy import gate
from services.partners.tables.cases import CaseFacts, Consent, Disclosure, OnwardReferral, Permit

_case = table_of(CaseFacts).c
_permit = table_of(Permit).c
_consent = table_of(Consent).c
_disclosure = table_of(Disclosure).c
_onward = table_of(OnwardReferral).c


@dataclass(frozen=True, slots=True)
class Case:
    """What is known of a case. `version` is the newest that was heard of."""

    case_id: UUID
    referral_id: UUID
    version: int
    status: str
    crime_category: str | None
    changed_at: datetime

    @property
    def is_open(self) -> bool:
        """Whether the hub works on it."""
        return self.status == "open"


_CASE = (
    _case.case_id,
    _case.referral_id,
    _case.version,
    _case.status,
    _case.crime_category,
    _case.changed_at,
)


async def lock_cases(tx: Tx, case_ids: Collection[UUID]) -> dict[UUID, Case]:
    """Take the row locks of cases, in id order; unknown ones are absent."""
    query = select(*_CASE).where(tx.among(_case.case_id, case_ids)).order_by(_case.case_id).with_for_update()
    return {row.case_id: Case(**row._mapping) for row in await tx.rows(query)}


async def lock_cases_of(tx: Tx, onward_ids: Collection[UUID]) -> dict[UUID, Case]:
    """Take the row locks of the cases that onward referrals belong to, in id order."""
    wanted = select(_onward.case_id).where(tx.among(_onward.id, onward_ids))
    query = select(*_CASE).where(_case.case_id.in_(wanted)).order_by(_case.case_id).with_for_update()
    return {row.case_id: Case(**row._mapping) for row in await tx.rows(query)}


async def case_exists(tx: Tx, case_id: UUID) -> bool:
    """Return whether the case has been heard of."""
    return await tx.row(select(_case.case_id).where(_case.case_id == case_id)) is not None


async def put_cases(tx: Tx, cases: Iterable[Case]) -> set[UUID]:
    """Store cases at their versions, unless a newer one stands; returns the ids of those that were known before.

    The newest of several versions of one case wins.
    """
    newest: dict[UUID, Case] = {}
    for case in cases:
        known = newest.get(case.case_id)
        if known is None or known.version < case.version:
            newest[case.case_id] = case
    rows = [_values(newest[case_id]) for case_id in sorted(newest)]
    new = await tx.insert_new(CaseFacts, rows, conflict=["case_id"], returning="case_id")
    before = newest.keys() - new
    if not before:
        return set()
    stored = await lock_cases(tx, before)
    changed = [_values(newest[case_id]) for case_id, old in stored.items() if old.version < newest[case_id].version]
    await tx.update_each(CaseFacts, "case_id", changed)
    return before


async def add_consents(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> set[UUID]:
    """Keep decisions that are not kept yet; returns the ids of the new ones."""
    return await tx.insert_new(Consent, rows, conflict=["source_key"], returning="id")


async def consents_of(tx: Tx, case_ids: Collection[UUID]) -> dict[UUID, tuple[gate.Consent, ...]]:
    """Return the decisions of each case, as the gate takes them."""
    columns = (
        _consent.case_id,
        _consent.id,
        _consent.hop,
        _consent.decision,
        _consent.recipients,
        _consent.data_categories,
        _consent.method,
        _consent.recorded_at,
        _consent.expires_at,
    )
    found: dict[UUID, tuple[gate.Consent, ...]] = {}
    for row in await tx.rows(select(*columns).where(tx.among(_consent.case_id, case_ids))):
        consent = gate.Consent(
            row.id,
            row.hop,
            row.decision,
            frozenset(row.recipients),
            frozenset(row.data_categories),
            row.method,
            row.recorded_at,
            row.expires_at,
        )
        found[row.case_id] = (*found.get(row.case_id, ()), consent)
    return found


async def list_consents(tx: Tx, case_id: UUID, after: UUID | None, limit: int) -> list[Consent]:
    """Return the recorded decisions of a case in the order they were entered."""
    query = select(Consent).where(_consent.case_id == case_id).order_by(_consent.id).limit(limit)
    if after is not None:
        query = query.where(_consent.id > after)
    return await tx.models(query)


async def add_permits(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store permits."""
    await tx.insert(Permit, rows)


async def settle(tx: Tx, permit_ids: Collection[UUID]) -> None:
    """Mark permits as used up."""
    statement = update(Permit).where(tx.among(_permit.id, permit_ids), _permit.settled_at.is_(None))
    await tx.run(statement.values(settled_at=tx.now))


async def outstanding(tx: Tx, case_id: UUID) -> dict[UUID, UUID]:
    """Return the permits of a case under which an attempt may be running: permit id to onward referral id."""
    query = select(_permit.id, _permit.onward_referral_id).where(
        _permit.case_id == case_id, _permit.settled_at.is_(None), _permit.expires_at > tx.now
    )
    return {row.id: row.onward_referral_id for row in await tx.rows(query)}


async def add_disclosure(tx: Tx, row: Mapping[str, Any]) -> None:
    """Keep what was disclosed."""
    await tx.insert(Disclosure, [row])


async def disclosures_of(tx: Tx, onward_ids: Collection[UUID]) -> list[Disclosure]:
    """Return what was disclosed for onward referrals, oldest first."""
    query = select(Disclosure).where(tx.among(_disclosure.onward_referral_id, onward_ids)).order_by(_disclosure.id)
    return await tx.models(query)


def _values(case: Case) -> dict[str, Any]:
    return {column.name: getattr(case, column.name) for column in _CASE}
