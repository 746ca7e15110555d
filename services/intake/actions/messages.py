"""Sends the messages that triage asks for: takes them in, hands out what is due, and keeps what became of it.

An attempt is counted, and committed, before it begins. So after a crash it is known that there may have been one, and
the messenger is asked for the message's reference before anything is sent again.
"""

import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row

from hubkit.contracts import CaseClosedV1, Event, MessageRequestedV1, MessageSettledV1, ObjectionRecordedV1
from hubkit.contracts.case import MessageOutcome
from hubkit.crypto import CryptoError
from hubkit.db import Tx
from hubkit.ids import new_id
from hubkit.inbox import Deferred
from hubkit.messenger import Failure, Message, Messenger, Receipt
from hubkit.telemetry import MESSAGES
from services.intake.actions.deps import Deps
from services.intake.model import Sending, SendState
from services.intake.policy import messages as policy
from services.intake.policy import texts
from services.intake.store import messages, objections, persons, referrals

_log = logging.getLogger(__name__)

#: Longer than an attempt can take, with the look-up before it: nobody else takes the message meanwhile.
LEASE = timedelta(minutes=2)


#: Why nothing is sent to whom objects.
OBJECTED: Final = "person_objected"

#: What became of one attempt.
Result = Receipt | Failure


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One attempt that is to be made now. `is_repeat` means that an earlier one may have succeeded unheard."""

    message_id: UUID
    lease_token: UUID
    is_repeat: bool
    message: Message = field(repr=False)


async def request_messages(tx: Tx, events: Sequence[Event[MessageRequestedV1]]) -> list[Deferred]:
    """Take messages in, each id once; one about a referral that is not here is deferred."""
    known = await referrals.lock_case_versions(tx, {event.data.referral_id for event in events})
    await messages.add(tx, [_row(tx, event) for event in events if event.data.referral_id in known])
    return [Deferred(event.id, "unknown referral") for event in events if event.data.referral_id not in known]


def _row(tx: Tx, event: Event[MessageRequestedV1]) -> dict[str, Any]:
    wanted = event.data
    return {
        "id": wanted.message_id,
        "case_id": wanted.case_id,
        "referral_id": wanted.referral_id,
        "purpose": wanted.purpose,
        "mode": wanted.mode,
        "content": list(wanted.content),
        "unit": wanted.unit,
        "language": wanted.language,
        "sendings": messages.stored([Sending(method, tx.now) for method in dict.fromkeys(wanted.methods)]),
        "due_at": tx.now,
        "requested_at": event.time,
    }


async def stop_closed(tx: Tx, events: Sequence[Event[CaseClosedV1]]) -> None:
    """Stop what was asked for before a case was closed; what its end itself brings about (a survey) still goes out."""
    for event in events:
        await messages.stop(tx, [event.data.referral_id], "case_closed", before=event.data.closed_at)


async def heed_objections(tx: Tx, events: Sequence[Event[ObjectionRecordedV1]]) -> None:
    """Send no messages any more to those who object to them, neither what was asked for before nor what comes."""
    upheld = [event.data for event in events if event.data.to == "messages" and event.data.outcome == "upheld"]
    rows = {
        data.referral_id: {
            "referral_id": data.referral_id, "objection_id": data.objection_id, "decided_at": data.decided_at
        }
        for data in upheld
    }  # fmt: skip
    if rows:
        await objections.add(tx, list(rows.values()))
        await messages.stop(tx, rows, OBJECTED)


async def claim_due(tx: Tx, deps: Deps, limit: int, *, can_send: bool) -> list[Outgoing] | None:
    """Lease messages that are due, and settle those that can go no way; None when none was due.

    Parameters
    ----------
    can_send
        Whether there is a messenger; without one every method is skipped.
    """
    rows = await messages.lock_due(tx, limit)
    if not rows:
        return None
    referral_ids = {row.referral_id for row in rows}
    known = await persons.find_persons(tx, referral_ids)
    objecting = await objections.among(tx, referral_ids)
    planned = []
    for row in rows:
        stop_reason = row.stop_reason or (OBJECTED if row.referral_id in objecting else None)
        planned.append(_planned(tx, deps, row, known[row.referral_id], stop_reason, can_send=can_send))
    await messages.change_each(tx, [changes for changes, _ in planned])
    return [outgoing for _, outgoing in planned if outgoing is not None]


def _planned(
    tx: Tx, deps: Deps, row: Row[Any], person: Row[Any], stop_reason: str | None, *, can_send: bool
) -> tuple[dict[str, Any], Outgoing | None]:
    """Go by the methods until one can be tried; return the changed row, and the attempt to make if there is one."""
    sendings = messages.sendings_of(row.sendings)
    while (one := policy.next_of(sendings, row.mode)) is not None and (stop_reason or one.due_at <= tx.now):
        reason = stop_reason or _reason_to_skip(one.method, person, can_send=can_send)
        if reason is None:
            message = _written(tx, deps, row, person, one.method)
            if message is not None:
                outgoing = Outgoing(row.id, new_id(), one.attempts > 0, message)
                begun = _changes(row, policy.changed(sendings, replace(one, attempts=one.attempts + 1)))
                return begun | {"lease_token": outgoing.lease_token, "due_at": tx.now + LEASE}, outgoing
            reason = "no_contact_details"
        sendings = policy.changed(sendings, replace(one, state=SendState.SKIPPED, reason=reason))
    return _put_by(tx, row, sendings), None


def _reason_to_skip(method: str, person: Row[Any], *, can_send: bool) -> str | None:
    reason = policy.reason_to_skip(method, person.facts.get("safe_contact") or {})
    return reason or (None if can_send else "messenger_missing")


def _written(tx: Tx, deps: Deps, row: Row[Any], person: Row[Any], method: str) -> Message | None:
    """Return the message by one method, or None when nothing says where to."""
    try:
        to = policy.recipient_of(method, persons.opened(deps.keyring, person, policy.DETAILS[method]))
    except CryptoError as error:
        _log.error("details_unreadable", extra={"message_id": row.id, "reason": str(error)})
        to = None
    if to is None:
        return None
    language = texts.language_of(row.language or person.facts.get("language"))
    sender = texts.Sender(deps.profile_at(tx.now).name, deps.contact)
    words = texts.words_for(method, row.purpose, row.content, language, sender)
    return Message(
        reference=f"{row.id}-{method}",
        method=method,
        to=to,
        subject=words.subject,
        body=words.body,
        purpose=row.purpose,
        language=language,
    )


async def deliver(messenger: Messenger, outgoing: Outgoing) -> Result:
    """Make one attempt; what may have been sent before is looked for first."""
    try:
        if outgoing.is_repeat:
            found = await messenger.find(outgoing.message.reference)
            if found is not None:
                return found
        return await messenger.send(outgoing.message)
    except Exception as error:
        extra = {"message_id": outgoing.message_id, "error": type(error).__name__}
        _log.error("messenger_raised", extra=extra, exc_info=error)
        return Failure("messenger_unavailable")


async def record(tx: Tx, outgoing: Outgoing, result: Result) -> None:
    """Keep what became of an attempt; one whose lease is over is somebody else's by now."""
    row = await messages.lock(tx, outgoing.message_id)
    if row is None or row.lease_token != outgoing.lease_token:
        return
    method = outgoing.message.method
    sendings = messages.sendings_of(row.sendings)
    one = next(each for each in sendings if each.method == method)
    if isinstance(result, Receipt):
        ended = replace(one, state=SendState.SENT, reason=None, receipt=result.id or None)
    else:
        spread = random.random()  # noqa: S311 - jitter
        ended = policy.failed(one, result.reason, is_permanent=result.is_permanent, now=tx.now, spread=spread)
        extra = {"message_id": row.id, "method": method, "reason": result.reason, "attempt": one.attempts}
        _log.warning("message_not_sent", extra=extra)
        if ended.state is SendState.WAITING:
            tx.after_commit(MESSAGES.labels(method, "retried").inc)
    await messages.change_each(tx, [_put_by(tx, row, policy.changed(sendings, ended))])


def _put_by(tx: Tx, row: Row[Any], sendings: tuple[Sending, ...]) -> dict[str, Any]:
    """Return the row until its next attempt, or settled, which is said."""
    following = policy.next_of(sendings, row.mode)
    if following is not None:
        due_at = tx.now if row.stop_reason else following.due_at
        return _changes(row, sendings) | {"lease_token": None, "due_at": due_at}
    sendings = policy.closed(sendings)
    for each in sendings:
        tx.after_commit(MESSAGES.labels(each.method, each.state.value).inc)
    outcomes = tuple(MessageOutcome(method=s.method, outcome=s.state.value, reason=s.reason) for s in sendings)
    settled = MessageSettledV1(message_id=row.id, case_id=row.case_id, outcomes=outcomes, settled_at=tx.now)
    tx.emit(settled, row.id)
    return _changes(row, sendings) | {"lease_token": None, "due_at": None, "settled_at": tx.now}


def _changes(row: Row[Any], sendings: Sequence[Sending]) -> dict[str, Any]:
    return {"id": row.id, "sendings": messages.stored(sendings), "settled_at": row.settled_at}
