"""News of a person who is with a partner: it goes out only where the gate allows the partner to read now."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final
from uuid import UUID

from hubkit.db import Tx
from services.partners.actions import deliveries
from services.partners.actions.ask import ask_gate
from services.partners.actions.deliveries import Notice, Queued
from services.partners.actions.deps import Deps
from services.partners.actions.permits import portion, write_permits
from services.partners.model import Onward
from services.partners.policy.gate import Allowed, Verdict
from services.partners.store import cases

_UNNUMBERED: Final[Mapping[UUID, int]] = MappingProxyType({})


async def tell_allowed(
    tx: Tx, deps: Deps, type: str, rows: Sequence[Onward], numbers: Mapping[UUID, int], *, urgent: bool = False
) -> None:
    """Queue gated news of locked onward referrals for those partners that may read them now.

    Parameters
    ----------
    numbers
        What tells news of one type apart, by onward referral.
    """
    known = await cases.lock_cases(tx, {row.case_id for row in rows})
    verdicts = await ask_gate(tx, deps, rows, known)
    allowed = [row for row in rows if isinstance(verdicts[row.id], Allowed)]
    await queue_gated(tx, deps, type, (allowed, verdicts), numbers, urgent=urgent)


async def queue_gated(
    tx: Tx,
    deps: Deps,
    type: str,
    asked: tuple[Sequence[Onward], Mapping[UUID, Verdict]],
    numbers: Mapping[UUID, int] = _UNNUMBERED,
    *,
    urgent: bool = False,
) -> Queued:
    """Queue gated news, each with the permit for its first attempt.

    Parameters
    ----------
    asked
        The onward referrals, and the gate's verdicts, which allow each of them.
    """
    rows, verdicts = asked
    permits = write_permits(tx, rows, verdicts)
    notices = [
        Notice(
            row.id,
            row.partner_id,
            type,
            row.kind,
            urgent,
            permits[row.id]["id"],
            number=numbers.get(row.id, 0),
            portion=portion(row, verdicts[row.id]),
        )
        for row in rows
    ]
    queued = await deliveries.enqueue(tx, deps, notices)
    # What is not handed over at once asks for a permit when it is claimed.
    await cases.add_permits(tx, [permit for permit in permits.values() if permit["id"] in queued.permits])
    return queued
