"""Recording what the person decides: each decision is kept, takes effect at once, and is told to the other services."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from hubkit.auth import Caller
from hubkit.contracts import ConsentRecordedV1, ConsentWithdrawnV1
from hubkit.db import Database, Tx
from hubkit.errors import FieldError, InvalidError, NotFoundError
from hubkit.ids import new_id
from services.partners.actions import deliveries
from services.partners.actions.ask import HOP
from services.partners.actions.deps import Deps
from services.partners.actions.onward import reconsider
from services.partners.actions.permits import PERMIT_LIFETIME
from services.partners.store import cases

#: Clocks of callers may be ahead of ours by this much; what they record counts as recorded now.
_AHEAD: Final = timedelta(minutes=5)
_POLL_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Decision:
    """What the person decided on one hop. Without recipients it is about all; `recorded_at` None means now."""

    hop: str
    decision: str
    recipients: tuple[str, ...] = ()
    data_categories: tuple[str, ...] = ()
    method: str | None = None
    recorded_at: datetime | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """A decision with its id, and what had gone out of the onward referrals that it took back."""

    id: UUID
    case_id: UUID
    decision: Decision
    recorded_at: datetime
    withdrawn: tuple[UUID, ...] = ()
    disclosures: Sequence[Any] = field(default=())
    deliveries: Sequence[Any] = field(default=())


async def record_consent(db: Database, deps: Deps, caller: Caller, case_id: UUID, decision: Decision) -> Recorded:
    """Record a decision and let it take effect: what waited for it goes out, what it takes back stops.

    When it takes something back, this returns only once no attempt that began before is still under way (20 s at
    most), so that nothing starts after it has been acknowledged; what went out until then is named.

    Raises
    ------
    NotFoundError
        When the case is not known.
    InvalidError
        `in_the_future`.
    """
    async with db.transaction() as tx:
        recorded, begun = await _record(tx, deps, caller, case_id, decision)
    if not recorded.withdrawn:
        return recorded
    await _wait_for(db, case_id, begun)
    async with db.reading() as tx:
        return Recorded(
            recorded.id,
            case_id,
            decision,
            recorded.recorded_at,
            recorded.withdrawn,
            await cases.disclosures_of(tx, recorded.withdrawn),
            await deliveries.went_out(tx, recorded.withdrawn),
        )


async def list_consents(tx: Tx, case_id: UUID, after: UUID | None, limit: int) -> Sequence[Any]:
    """Return the decisions of a case in the order they were entered.

    Raises
    ------
    NotFoundError
        When the case is not known.
    """
    if not await cases.case_exists(tx, case_id):
        raise NotFoundError
    return await cases.list_consents(tx, case_id, after, limit)


async def _record(
    tx: Tx, deps: Deps, caller: Caller, case_id: UUID, decision: Decision
) -> tuple[Recorded, frozenset[UUID]]:
    """Return what was recorded, and the permits under which an attempt may be running."""
    if not await cases.lock_cases(tx, [case_id]):
        raise NotFoundError
    recorded_at = decision.recorded_at or tx.now
    if recorded_at > tx.now + _AHEAD:
        raise InvalidError(errors=[FieldError("/recorded_at", "in_the_future", "must not be in the future")])
    recorded = Recorded(new_id(), case_id, decision, min(recorded_at, tx.now))
    await cases.add_consents(tx, [_row(tx, caller, recorded)])
    _tell(tx, recorded)
    if decision.hop != HOP:
        return recorded, frozenset()
    begun = frozenset(await cases.outstanding(tx, case_id))
    withdrawn = tuple(row.id for row in await reconsider(tx, deps, [case_id]))
    return Recorded(recorded.id, case_id, decision, recorded.recorded_at, withdrawn), begun


async def _wait_for(db: Database, case_id: UUID, begun: frozenset[UUID]) -> None:
    end = time.monotonic() + PERMIT_LIFETIME.total_seconds()
    while begun and time.monotonic() < end:
        async with db.reading() as tx:
            begun &= (await cases.outstanding(tx, case_id)).keys()
        if begun:
            await asyncio.sleep(_POLL_S)


def _row(tx: Tx, caller: Caller, recorded: Recorded) -> dict[str, Any]:
    decision = recorded.decision
    return {
        "id": recorded.id,
        "case_id": recorded.case_id,
        "source_key": str(recorded.id),
        "hop": decision.hop,
        "decision": decision.decision,
        "recipients": list(decision.recipients),
        "data_categories": list(decision.data_categories),
        "method": decision.method,
        "recorded_at": recorded.recorded_at,
        "expires_at": decision.expires_at,
        "recorded_by": caller.client_id,
        "created_at": tx.now,
    }


def _tell(tx: Tx, recorded: Recorded) -> None:
    decision = recorded.decision
    news = ConsentWithdrawnV1 if decision.decision == "withdrawn" else ConsentRecordedV1
    event = news(
        consent_id=recorded.id,
        case_id=recorded.case_id,
        hop=decision.hop,
        decision=decision.decision,
        recipients=decision.recipients,
        data_categories=decision.data_categories,
        recorded_at=recorded.recorded_at,
    )
    tx.emit(event, recorded.case_id)
