"""Cases, consents, permits and disclosures in the database."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import null, select, update

from hubkit.db import Tx, table_of
from services.partners.policy import gate
from services.partners.policy.protections import Giver, Protection
from services.partners.tables.cases import AccessRequest, CaseFacts, Consent, Disclosure, OnwardReferral, Permit

_case = table_of(CaseFacts).c
_permit = table_of(Permit).c
_consent = table_of(Consent).c
_disclosure = table_of(Disclosure).c
_onward = table_of(OnwardReferral).c
_access = table_of(AccessRequest).c


@dataclass(frozen=True, slots=True)
class Case:
    """What is known of a case. `version` is the newest that was heard of.

    `status` is open, closed or excluded. Without a crime category, what was heard of it before stands; without markers
    (None), so do they, age and source. `restricted_to` and `safe_address` are set by staff alone.
    """

    case_id: UUID
    referral_id: UUID
    version: int
    status: str
    crime_category: str | None
    changed_at: datetime
    markers: Sequence[str] | None = None
    age: int | None = None
    source_organisation: str | None = None
    restricted_to: Sequence[str] | None = None
    safe_address: bool = False

    @property
    def protection(self) -> Protection:
        """What staff set, as the gate takes it."""
        named = self.restricted_to
        return Protection(None if named is None else frozenset(map(UUID, named)), self.safe_address)


#: What is heard of a case, and what staff set for it.
_HEARD = (
    _case.case_id,
    _case.referral_id,
    _case.version,
    _case.status,
    _case.crime_category,
    _case.changed_at,
    _case.markers,
    _case.age,
    _case.source_organisation,
)
_CASE = (*_HEARD, _case.restricted_to, _case.safe_address)


async def lock_cases(tx: Tx, case_ids: Collection[UUID]) -> dict[UUID, Case]:
    """Take the row locks of cases, in id order; unknown ones are absent."""
    own: dict[UUID, Case] = {id: case for id, case in _own(tx).items() if id in set(case_ids)}
    others = [id for id in case_ids if id not in own]
    if others:
        query = select(*_CASE).where(tx.among(_case.case_id, others)).order_by(_case.case_id).with_for_update()
        own |= {row.case_id: Case(**row._mapping) for row in await tx.rows(query)}
    return own


def is_own(tx: Tx, case_id: UUID) -> bool:
    """Whether the case was first stored in this transaction, so that nothing can stand about it yet."""
    return case_id in _own(tx)


def _own(tx: Tx) -> dict[UUID, Case]:
    """Return the cases first stored in this transaction: nobody else sees them, so they are as good as locked."""
    cases: dict[UUID, Case] = tx.memo.setdefault("cases", {})
    return cases


async def lock_cases_of(tx: Tx, onward_ids: Collection[UUID]) -> dict[UUID, Case]:
    """Take the row locks of the cases that onward referrals belong to, in id order."""
    wanted = select(_onward.case_id).where(tx.among(_onward.id, onward_ids))
    query = select(*_CASE).where(_case.case_id.in_(wanted)).order_by(_case.case_id).with_for_update()
    return {row.case_id: Case(**row._mapping) for row in await tx.rows(query)}


async def read_case(tx: Tx, case_id: UUID) -> Case | None:
    """Return a case without its lock, for looking alone."""
    row = await tx.row(select(*_CASE).where(_case.case_id == case_id))
    return Case(**row._mapping) if row is not None else None


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
    hope = all(case.version == 1 for case in newest.values())
    new = await tx.insert_new(CaseFacts, rows, conflict=["case_id"], returning="case_id", hope=hope)
    _own(tx).update({case_id: newest[case_id] for case_id in new})
    before = newest.keys() - new
    if not before:
        return set()
    stored = await lock_cases(tx, before)
    changed = [
        _values(_with_what_stands(newest[case_id], old))
        for case_id, old in stored.items()
        if old.version < newest[case_id].version
    ]
    await tx.update_each(CaseFacts, "case_id", changed)
    _own(tx).update({row["case_id"]: Case(**row) for row in changed if is_own(tx, row["case_id"])})
    return before


def _with_what_stands(case: Case, old: Case) -> Case:
    case = replace(case, crime_category=case.crime_category or old.crime_category)
    if case.markers is not None:
        return case
    return replace(case, markers=old.markers, age=old.age, source_organisation=old.source_organisation)


async def protect(tx: Tx, case_id: UUID, protection: Protection) -> None:
    """Set who may be told of a case whose row is locked, and whether its address is kept back."""
    named = protection.restricted_to
    restricted_to = null() if named is None else sorted(map(str, named))
    statement = update(CaseFacts).where(_case.case_id == case_id)
    await tx.run(statement.values(restricted_to=restricted_to, safe_address=protection.safe_address))


async def add_consents(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> set[UUID]:
    """Keep decisions that are not kept yet; returns the ids of the new ones."""
    hope = all(is_own(tx, row["case_id"]) for row in rows)
    own = [row for row in rows if is_own(tx, row["case_id"])]
    for row in own:
        tx.memo.setdefault("consents", {}).setdefault(row["case_id"], []).append(_consent_of(**row))
    return await tx.insert_new(Consent, rows, conflict=["source_key"], returning="id", hope=hope)


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
        _consent.purpose,
        _consent.giver,
        _consent.capacity,
        _consent.competence,
        _consent.best_interests,
    )
    own: dict[UUID, list[gate.Consent]] = tx.memo.get("consents", {})
    found = {case_id: tuple(own.get(case_id, ())) for case_id in case_ids if is_own(tx, case_id)}
    others = [case_id for case_id in case_ids if case_id not in found]
    if others:
        query = select(*columns).where(tx.among(_consent.case_id, others), _consent.is_draft.is_(False))
        for row in await tx.rows(query):
            found[row.case_id] = (*found.get(row.case_id, ()), _consent_of(**row._mapping))
    return found


def _consent_of(  # noqa: PLR0913 - the columns of the row
    *,
    id: UUID,
    hop: str,
    decision: str,
    recipients: Iterable[str],
    data_categories: Iterable[str],
    method: str | None,
    recorded_at: datetime,
    expires_at: datetime | None,
    purpose: str | None = None,
    giver: str | None = None,
    capacity: str | None = None,
    competence: str | None = None,
    best_interests: bool = False,
    **_others: object,
) -> gate.Consent:
    return gate.Consent(
        id,
        hop,
        decision,
        frozenset(recipients),
        frozenset(data_categories),
        method,
        recorded_at,
        expires_at,
        purpose,
        Giver(giver, capacity, competence, best_interests),
    )


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


async def disclosures_in(tx: Tx, case_id: UUID, after: UUID | None, limit: int) -> list[Disclosure]:
    """Return what was disclosed of a case, oldest first."""
    query = select(Disclosure).where(_disclosure.case_id == case_id).order_by(_disclosure.id).limit(limit)
    return await tx.models(query if after is None else query.where(_disclosure.id > after))


async def add_access_request(tx: Tx, row: Mapping[str, Any]) -> None:
    """Keep what was asked for and decided."""
    await tx.insert(AccessRequest, [row])


async def access_requests_in(tx: Tx, case_id: UUID, after: UUID | None, limit: int) -> list[AccessRequest]:
    """Return who asked for data of a case otherwise than as a partner, oldest first."""
    query = select(AccessRequest).where(_access.case_id == case_id).order_by(_access.id).limit(limit)
    return await tx.models(query if after is None else query.where(_access.id > after))


def _values(case: Case) -> dict[str, Any]:
    return {column.name: getattr(case, column.name) for column in _HEARD}
