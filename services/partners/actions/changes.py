"""Changes of onward referrals: checked against the table, each a version more, each told to the other services."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from hubkit.contracts import (
    OnwardReferralAcceptedV1,
    OnwardReferralClosedV1,
    OnwardReferralDeclinedV1,
    OnwardReferralReceivedV1,
    OnwardReferralRefusedV1,
    OnwardReferralSentV1,
    OnwardReferralWithdrawnV1,
)
from hubkit.contracts.onward import OnwardReferralChanged
from hubkit.db import Tx
from hubkit.errors import ConflictError
from services.partners.model import Onward, Status
from services.partners.policy.transitions import may
from services.partners.store import onward

#: What is said of each state. That one is ready concerns nobody else; being in support goes on from acceptance.
_NEWS: Final[dict[Status, type[OnwardReferralChanged]]] = {
    Status.AWAITING_CONSENT: OnwardReferralRefusedV1,
    Status.REFUSED: OnwardReferralRefusedV1,
    Status.SENT: OnwardReferralSentV1,
    Status.RECEIVED: OnwardReferralReceivedV1,
    Status.ACCEPTED: OnwardReferralAcceptedV1,
    Status.IN_SUPPORT: OnwardReferralAcceptedV1,
    Status.DECLINED: OnwardReferralDeclinedV1,
    Status.WITHDRAWN: OnwardReferralWithdrawnV1,
    Status.EXPIRED: OnwardReferralWithdrawnV1,
    Status.RECALLED: OnwardReferralWithdrawnV1,
    Status.CLOSED: OnwardReferralClosedV1,
}


@dataclass(frozen=True, slots=True)
class Change:
    """One onward referral, whose row is locked, goes to another state."""

    row: Onward
    to: Status
    reasons: tuple[str, ...] = ()
    outcome: str | None = None


async def apply(tx: Tx, changes: Sequence[Change]) -> list[Onward]:
    """Make changes and say so; returns the rows as they stand now.

    Raises
    ------
    ConflictError
        `wrong_state`, when the table does not allow one of them; then none is made.
    """
    changed = [_changed(tx, change) for change in changes]
    await onward.save(tx, changed)
    for row in changed:
        tell(tx, row)
    return changed


async def told(tx: Tx, row: Onward) -> Onward:
    """Note that the partner is told of a locked one, if it had not been; returns it as it stands now."""
    return (await apply(tx, [Change(row, Status.SENT)]))[0] if row.status is Status.READY else row


async def acknowledge(tx: Tx, row: Onward) -> Onward:
    """Note that the partner has a locked one; returns it as it stands now.

    Who reads or answers has been told, whether or not the answer to the webhook has been written down yet.
    """
    row = await told(tx, row)
    if row.status is Status.SENT:
        row = (await apply(tx, [Change(row, Status.RECEIVED)]))[0]
    return row


def tell(tx: Tx, row: Onward) -> None:
    """Say where an onward referral stands."""
    news = _NEWS.get(row.status)
    if news is None:
        return
    event = news(
        onward_referral_id=row.id,
        pathway_id=row.pathway_id,
        case_id=row.case_id,
        referral_id=row.referral_id,
        kind=row.kind,
        partner_id=row.partner_id,
        service_id=row.service_id,
        status=row.status,
        version=row.version,
        changed_at=row.changed_at,
        reasons=row.reasons,
        outcome=row.outcome,
    )
    tx.emit(event, row.id)


def _changed(tx: Tx, change: Change) -> Onward:
    row, to = change.row, change.to
    if not may(row.status, to):
        raise ConflictError(f"It is {row.status}", code="wrong_state")
    return replace(
        row,
        status=to,
        version=row.version + 1,
        reasons=change.reasons,
        outcome=change.outcome,
        changed_at=tx.now,
        ready_at=row.ready_at or (tx.now if to is Status.READY else None),
        sent_at=row.sent_at or (tx.now if to is Status.SENT else None),
    )
