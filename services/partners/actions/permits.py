"""Permits: the gate's yes for one attempt, short, issued under the locks that a withdrawal takes."""

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from hubkit.db import Database, Tx
from hubkit.ids import new_id
from services.partners.actions.ask import Asked, ask_gate, questions_about
from services.partners.actions.deps import Deps
from services.partners.model import FULL, GateResult, Onward, Portion, Status
from services.partners.policy.gate import Allowed, Refused, Verdict, decide
from services.partners.policy.transitions import OPEN_TO_PARTNER, TAKEN_BACK
from services.partners.store import cases, onward

#: An attempt is over well within this, and a withdrawal waits no longer.
PERMIT_LIFETIME: Final = timedelta(seconds=20)
_POLL_S: Final = 0.05


async def permits_for(tx: Tx, deps: Deps, onward_ids: Sequence[UUID]) -> dict[UUID, GateResult]:
    """Ask the gate for each onward referral and issue a permit (20 s) for every one that it allows.

    Locks the cases and agreements in id order. An id that is not known, or not in a state that may be told, is refused.
    """
    asked, verdicts = await verdicts_for(tx, deps, onward_ids)
    permits = await issue(tx, asked, verdicts)
    rows = {row.id: row for row in asked}
    return {id: _result(verdict, permits.get(id), rows.get(id)) for id, verdict in verdicts.items()}


def portion(row: Onward, verdict: Verdict) -> Portion | None:
    """Return what a webhook about an onward referral is to carry; None where the agreement says a link alone."""
    if isinstance(verdict, Allowed) and verdict.delivery == FULL:
        return Portion(row.referral_id, verdict.fields)
    return None


async def verdicts_for(tx: Tx, deps: Deps, onward_ids: Collection[UUID]) -> tuple[list[Onward], dict[UUID, Verdict]]:
    """Ask the gate for stored onward referrals, under locks.

    Returns those that were asked about, and a verdict on all: what is not open to the partner is refused unasked.
    """
    if not onward_ids:
        return [], {}
    known = await cases.lock_cases_of(tx, onward_ids)
    rows = await onward.read(tx, onward_ids)
    asked = [row for row in rows if row.status in OPEN_TO_PARTNER]
    verdicts: dict[UUID, Verdict] = {id: Refused(("not_found",)) for id in onward_ids}
    verdicts |= {row.id: _closed(row) for row in rows}
    return asked, verdicts | await ask_gate(tx, deps, asked, known)


async def why_not_read(tx: Tx, deps: Deps, row: Onward) -> tuple[str, ...]:
    """Return why a reading would be refused now, for looking alone: no lock, no permit; nothing where it would not."""
    if row.status not in OPEN_TO_PARTNER:
        return _closed(row).reasons
    case = await cases.read_case(tx, row.case_id)
    known = {row.case_id: case} if case is not None else {}
    verdict = decide((await questions_about(tx, deps, [row], known, lock=False))[row.id])
    return verdict.reasons if isinstance(verdict, Refused) else ()


async def issue(tx: Tx, asked: Collection[Asked], verdicts: dict[UUID, Verdict]) -> dict[UUID, UUID]:
    """Store a permit for each of `asked` that the gate allowed in this transaction; by onward referral."""
    permits = write_permits(tx, asked, verdicts)
    await cases.add_permits(tx, list(permits.values()))
    return {onward_id: permit["id"] for onward_id, permit in permits.items()}


def write_permits(tx: Tx, asked: Collection[Asked], verdicts: Mapping[UUID, Verdict]) -> dict[UUID, dict[str, Any]]:
    """Return the permits of what the gate allowed in this transaction, by onward referral; none holds until stored."""
    permits: dict[UUID, dict[str, Any]] = {}
    for each in asked:
        verdict = verdicts[each.id]
        if not isinstance(verdict, Allowed):
            continue
        permits[each.id] = {
            "id": new_id(),
            "onward_referral_id": each.id,
            "case_id": each.case_id,
            "agreement_id": verdict.agreement_id,
            "agreement_version": verdict.agreement_version,
            "basis": verdict.basis,
            "consent_ids": [str(id) for id in verdict.consent_ids],
            "issued_at": tx.now,
            "expires_at": tx.now + PERMIT_LIFETIME,
        }
    return permits


async def settle_permits(tx: Tx, permit_ids: Collection[UUID]) -> None:
    """Say that the attempts these permits were for are over, whatever came of them."""
    if permit_ids:
        await cases.settle(tx, permit_ids)


async def wait_until_over(db: Database, case_id: UUID, begun: frozenset[UUID]) -> None:
    """Return once no attempt is under way under these permits of a case: when all are settled or over (20 s)."""
    end = time.monotonic() + PERMIT_LIFETIME.total_seconds()
    while begun and time.monotonic() < end:
        async with db.reading() as tx:
            begun &= (await cases.outstanding(tx, case_id)).keys()
        if begun:
            await asyncio.sleep(_POLL_S)


def _closed(row: Onward) -> Refused:
    """Say why an onward referral is not open to its partner: what the hub refused it for, else where it stands."""
    told = row.reasons if row.status in TAKEN_BACK | {Status.REFUSED, Status.AWAITING_CONSENT} else ()
    return Refused(told or (str(row.status),))


def _result(verdict: Verdict, permit_id: UUID | None, row: Onward | None) -> GateResult:
    if isinstance(verdict, Allowed):
        carried = portion(row, verdict) if row is not None else None
        return GateResult(allowed=True, permit_id=permit_id, portion=carried)
    return GateResult(allowed=False, reasons=verdict.reasons)
