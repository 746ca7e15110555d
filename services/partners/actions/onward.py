"""Onward referrals: asked for, sent, refused, taken back, and reconsidered when the person or the case has changed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from hubkit.contracts import Event, OnwardReferralRecalledV1, OnwardReferralRequestedV1
from hubkit.db import Tx
from hubkit.errors import ConflictError, NotFoundError
from hubkit.inbox import Deferred
from services.partners.actions import acknowledgements, deliveries
from services.partners.actions.ask import Request, ask_gate
from services.partners.actions.changes import Change, apply, tell
from services.partners.actions.deliveries import Notice
from services.partners.actions.deps import Deps
from services.partners.actions.notify import queue_gated
from services.partners.model import SENT, WITHDRAWN, Onward, Status
from services.partners.policy.gate import Allowed, Verdict
from services.partners.policy.transitions import (
    LIVE,
    TOLD,
    after_gate,
    may,
    may_recall,
    recalled_to,
    reconsidered,
    unsent,
)
from services.partners.store import cases, onward


async def request_onward(tx: Tx, deps: Deps, events: Sequence[Event[OnwardReferralRequestedV1]]) -> list[Deferred]:
    """Take up onward referrals that routing asks for: what the gate allows goes out, the rest is refused or waits."""
    await tx.begin()  # the locks are wanted in any case
    known = await cases.lock_cases(tx, {event.data.case_id for event in events})
    deferred = [Deferred(event.id, "the case is not known yet") for event in events if event.data.case_id not in known]
    wanted = {event.data.onward_referral_id: event.data for event in events if event.data.case_id in known}
    asked = [Request(id, data.case_id, data.partner_id, data.service_id, data.kind) for id, data in wanted.items()]
    verdicts = await ask_gate(tx, deps, asked, known)
    rows = {id: _first(tx, data, verdicts[id]) for id, data in wanted.items()}
    new = await onward.add(tx, list(rows.values()), hope=True)
    for id in new:
        tell(tx, rows[id])
    await _send(tx, deps, [rows[id] for id in rows if id in new and rows[id].status is Status.READY], verdicts)
    return deferred


async def mark_sent(tx: Tx, deps: Deps, onward_ids: Collection[UUID]) -> None:
    """Set those that are ready to sent, and say so; others are left as they are."""
    del deps
    if onward_ids:
        rows = await onward.lock(tx, onward_ids)
        await apply(tx, [Change(row, Status.SENT) for row in rows if row.status is Status.READY])


async def refuse(tx: Tx, deps: Deps, refusals: Mapping[UUID, Sequence[str]]) -> None:
    """Set those that are ready to refused or awaiting consent, with the gate's reasons, and say so."""
    del deps
    if refusals:
        rows = [row for row in await onward.lock(tx, refusals.keys()) if row.status is Status.READY]
        await apply(tx, [Change(row, unsent(tuple(refusals[row.id])), tuple(refusals[row.id])) for row in rows])


async def reconsider(tx: Tx, deps: Deps, case_ids: Collection[UUID]) -> list[Onward]:
    """Ask the gate again for all live onward referrals of cases; what it takes back stops and partners are told.

    Returns those that were withdrawn.
    """
    if not case_ids:
        return []
    known = await cases.lock_cases(tx, case_ids)
    rows = await onward.lock_live(tx, case_ids, LIVE)
    verdicts = await ask_gate(tx, deps, rows, known)
    changes = [_change(row, verdicts[row.id]) for row in rows]
    changed = await apply(tx, [change for change in changes if change.to is not change.row.status])
    await _send(tx, deps, [row for row in changed if row.status is Status.READY], verdicts)
    withdrawn = [row for row in changed if row.status is Status.WITHDRAWN]
    await _take_back(tx, deps, withdrawn, before={row.id: row.status for row in rows})
    return withdrawn


async def recall_onward(tx: Tx, deps: Deps, events: Sequence[Event[OnwardReferralRecalledV1]]) -> list[Deferred]:
    """Take onward referrals back that routing does not want any more: expired or recalled, by its reason.

    Those that are not known yet wait.
    """
    rows = {row.id: row for row in await onward.lock(tx, {event.data.onward_referral_id for event in events})}
    deferred = [Deferred(e.id, "not known yet") for e in events if e.data.onward_referral_id not in rows]
    reasons = {event.data.onward_referral_id: event.data.reason for event in events}
    recallable = [row for row in rows.values() if may_recall(row.status, reasons[row.id])]
    changes = [Change(row, recalled_to(reasons[row.id]), (reasons[row.id],)) for row in recallable]
    taken_back = await apply(tx, changes)
    await _take_back(tx, deps, taken_back, before={row.id: row.status for row in recallable})
    return deferred


async def recall_one(tx: Tx, deps: Deps, onward_id: UUID, reason: str) -> Onward:
    """Take an onward referral back because staff say so; once it is recalled, to say so again changes nothing.

    Raises
    ------
    NotFoundError
        When there is none.
    ConflictError
        `wrong_state`, when it has come to another end.
    """
    found = await onward.lock(tx, [onward_id])
    if not found:
        raise NotFoundError
    row = found[0]
    if row.status is Status.RECALLED:
        return row
    if not may(row.status, Status.RECALLED):
        raise ConflictError(f"It is {row.status}", code="wrong_state")
    recalled = await apply(tx, [Change(row, Status.RECALLED, (reason,))])
    await _take_back(tx, deps, recalled, before={row.id: row.status})
    return recalled[0]


async def _take_back(tx: Tx, deps: Deps, withdrawn: Sequence[Onward], *, before: Mapping[UUID, Status]) -> None:
    """Stop what is queued of onward referrals just taken back, and tell the partners that had been told of them."""
    if not withdrawn:
        return
    begun = await deliveries.stop(tx, [row.id for row in withdrawn])
    told = [row for row in withdrawn if before[row.id] in TOLD or row.id in begun]
    due = await acknowledgements.ask_taken_back(tx, deps, told)
    await tell_withdrawn(tx, deps, told, due)


async def tell_withdrawn(
    tx: Tx, deps: Deps, told: Sequence[Onward], due: Mapping[UUID, datetime], *, number: int = 0
) -> None:
    """Tell partners that the hub took onward referrals back, and until when they are to say what they did with them.

    Parameters
    ----------
    number
        1 about those that were over already, for some of them had been taken back before, and told so.
    """
    notices = [
        Notice(
            row.id,
            row.partner_id,
            WITHDRAWN,
            row.kind,
            urgent=True,
            acknowledge_by=due.get(row.id),
            number=number,
        )
        for row in told
    ]
    await deliveries.enqueue(tx, deps, notices)


async def send_on_safeguarding(tx: Tx, deps: Deps, row: Onward, case: cases.Case) -> tuple[str, ...]:
    """Send a new onward referral that two people decided on; returns why not where the gate refuses it all the same.

    Parameters
    ----------
    case
        Its case, locked in this transaction.
    """
    verdicts = await ask_gate(tx, deps, [row], {row.case_id: case})
    verdict = verdicts[row.id]
    if not isinstance(verdict, Allowed):
        return verdict.reasons
    await onward.add(tx, [row])
    await _send(tx, deps, [row], verdicts)
    return ()


async def _send(tx: Tx, deps: Deps, rows: Sequence[Onward], verdicts: dict[UUID, Verdict]) -> None:
    """Hand what is ready to the dispatcher; where a partner has no endpoint it waits in the partner's inbox."""
    if not rows:
        return
    queued = await queue_gated(tx, deps, SENT, (rows, verdicts))
    await mark_sent(tx, deps, queued.unheard)


def _first(tx: Tx, data: OnwardReferralRequestedV1, verdict: Verdict) -> Onward:
    status = after_gate(verdict)
    return Onward(
        id=data.onward_referral_id,
        pathway_id=data.pathway_id,
        case_id=data.case_id,
        referral_id=data.referral_id,
        kind=data.kind,
        partner_id=data.partner_id,
        service_id=data.service_id,
        team=data.team,
        status=status,
        version=1,
        reasons=() if isinstance(verdict, Allowed) else verdict.reasons,
        outcome=None,
        basis=verdict.basis if isinstance(verdict, Allowed) else None,
        created_at=tx.now,
        changed_at=tx.now,
        ready_at=tx.now if status is Status.READY else None,
        sent_at=None,
    )


def _change(row: Onward, verdict: Verdict) -> Change:
    to = reconsidered(row.status, verdict)
    if isinstance(verdict, Allowed):
        return Change(replace(row, basis=verdict.basis), to)
    return Change(row, to, verdict.reasons)
