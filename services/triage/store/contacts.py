"""Planned contacts with people, and the attempts to reach them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, TextClause, or_, select
from sqlmodel import col

from hubkit.db import Tx, table_of
from hubkit.ids import new_id
from services.triage.model import (
    Attempt,
    ContactState,
    DueMessage,
    LeftOut,
    Pause,
    PlannedContact,
    StoredContact,
    Versions,
)
from services.triage.tables import UNSENT, AttemptRow, CaseRow, ContactRow

_PLAN = tuple(field.name for field in fields(PlannedContact))
#: Columns that hold a list, in a plan a tuple.
_LISTS = frozenset({"cautions", "content", "on_behalf_of", "method_decided_by"})


async def lock_contacts(tx: Tx, case_ids: Collection[UUID]) -> list[StoredContact]:
    """Return the contacts of locked cases that were not replaced, locked as well."""
    return [_stored(row) for row in await tx.models(_standing(tx, case_ids).with_for_update())]


async def standing_in(tx: Tx, case_ids: Collection[UUID]) -> list[StoredContact]:
    """Return the contacts of cases that were not replaced."""
    return [_stored(row) for row in await tx.models(_standing(tx, case_ids))]


def _standing(tx: Tx, case_ids: Collection[UUID]) -> Select[ContactRow]:
    stands = (tx.among(table_of(ContactRow).c.case_id, case_ids), col(ContactRow.state) != ContactState.REPLACED)
    return select(ContactRow).where(*stands).order_by(col(ContactRow.id))


async def standing_of(tx: Tx, case_id: UUID) -> list[ContactRow]:
    """Return a case's contacts that wait, in the order in which they were planned."""
    waits = col(ContactRow.state).in_((ContactState.PLANNED, ContactState.SUSPENDED))
    query = select(ContactRow).where(col(ContactRow.case_id) == case_id, waits).order_by(col(ContactRow.id))
    return await tx.models(query)


def _stored(row: ContactRow) -> StoredContact:
    plan = {name: getattr(row, name) for name in _PLAN} | {name: tuple(getattr(row, name)) for name in _LISTS}
    plan["methods"] = None if row.methods is None else tuple(row.methods)
    plan["left_out"] = tuple(LeftOut(**item) for item in row.left_out)
    plan["pauses"] = tuple(_pause(item) for item in row.pauses)
    plan["state"] = ContactState(row.state)
    return StoredContact(row.id, row.case_id, PlannedContact(**plan), row.message_id)


def _pause(item: Mapping[str, Any]) -> Pause:
    until = item["to"]
    return Pause(item["reason"], datetime.fromisoformat(item["from"]), datetime.fromisoformat(until) if until else None)


async def insert_contacts(tx: Tx, planned: Sequence[tuple[UUID, PlannedContact, UUID | None, Versions]]) -> None:
    """Add planned contacts, each of a case, with the message that was asked for already, if any."""
    await tx.insert(ContactRow, [_row(tx, *each) for each in planned])


def _row(tx: Tx, case_id: UUID, contact: PlannedContact, message_id: UUID | None, versions: Versions) -> dict[str, Any]:
    plan = {name: getattr(contact, name) for name in _PLAN} | {name: list(getattr(contact, name)) for name in _LISTS}
    return {
        **plan,
        "id": new_id(),
        "case_id": case_id,
        "methods": None if contact.methods is None else list(contact.methods),
        "left_out": [{"method": item.method, "reason": item.reason} for item in contact.left_out],
        "pauses": _pauses_column(contact.pauses),
        "profile_version": versions.profile,
        "calendar_version": versions.calendar,
        "planned_at": tx.now,
        "message_id": message_id,
    }


def _pauses_column(pauses: Sequence[Pause]) -> list[dict[str, Any]]:
    return [
        {
            "reason": pause.reason,
            "from": pause.since.isoformat(),
            "to": pause.until.isoformat() if pause.until else None,
        }
        for pause in pauses
    ]


async def set_pauses(tx: Tx, contact_id: UUID, pauses: Sequence[Pause]) -> None:
    """Note when the clock of a locked contact stood still; when it is due then follows from its plan."""
    await tx.update_each(ContactRow, "id", [{"id": contact_id, "pauses": _pauses_column(pauses)}])


async def set_clocks(tx: Tx, clocks: Sequence[tuple[UUID, PlannedContact, Versions]]) -> None:
    """Bring the clocks of locked contacts to where their plans, else the same, have them."""
    rows = [
        {
            "id": id,
            "state": contact.state,
            "due_at": contact.due_at,
            "due_reason": contact.due_reason,
            "profile_version": versions.profile,
            "calendar_version": versions.calendar,
        }
        for id, contact, versions in clocks
    ]
    await tx.update_each(ContactRow, "id", rows)


async def settle_contacts(tx: Tx, states: Mapping[UUID, ContactState]) -> None:
    """Put locked contacts in the state in which they end."""
    rows = [{"id": id, "state": state, "settled_at": tx.now} for id, state in states.items()]
    await tx.update_each(ContactRow, "id", rows)


async def insert_attempts(tx: Tx, attempts: Sequence[Attempt]) -> None:
    """Add attempts to reach a person."""
    names = [field.name for field in fields(Attempt)]
    rows = [{"id": new_id(), **{name: getattr(attempt, name) for name in names}} for attempt in attempts]
    await tx.insert(AttemptRow, rows)


async def is_message_due(tx: Tx) -> bool:
    """Whether a message should have been asked for by now."""
    return await tx.row(select(col(ContactRow.id)).where(*_unsent(tx.now)).limit(1)) is not None


async def take_due_messages(tx: Tx, limit: int) -> list[DueMessage]:
    """Give the contacts whose message is due one each, and return them; those that another replica has are left out."""
    query = select(col(ContactRow.id)).where(*_unsent(tx.now)).limit(limit).with_for_update(skip_locked=True)
    ids = {row.id: new_id() for row in await tx.rows(query)}
    await tx.update_each(ContactRow, "id", [{"id": id, "message_id": message_id} for id, message_id in ids.items()])
    columns = (ContactRow, CaseRow.referral_id, CaseRow.facts)
    asked = select(*columns).join(CaseRow, col(CaseRow.id) == col(ContactRow.case_id))  # type: ignore[call-overload]
    rows = await tx.rows(asked.where(tx.among(table_of(ContactRow).c.id, list(ids)))) if ids else []
    return [
        DueMessage(
            id=row.message_id,
            case_id=row.case_id,
            referral_id=row.referral_id,
            purpose=row.purpose,
            methods=tuple(row.methods),
            mode=row.mode or "any",
            content=tuple(row.content),
            unit=row.unit,
            language=row.facts.get("language"),
        )
        for row in rows
    ]


def _unsent(now: datetime) -> tuple[ColumnElement[bool] | TextClause, ...]:
    row = table_of(ContactRow).c
    is_sendable = row.state == ContactState.PLANNED, row.methods.is_not(None)
    # In the words of the index: neither database sees that other words mean the same.
    return UNSENT, or_(row.at.is_(None), row.at <= now), *is_sendable


async def find_contact(tx: Tx, case_id: UUID, contact_id: UUID) -> PlannedContact | None:
    """Return a contact of a locked case, or None when the case has no such contact; locked as well."""
    query = select(ContactRow).where(col(ContactRow.id) == contact_id, col(ContactRow.case_id) == case_id)
    row = await tx.model(query.with_for_update())
    return None if row is None else _stored(row).contact
