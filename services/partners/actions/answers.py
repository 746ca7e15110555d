"""What a partner sees of its onward referrals, and what it answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from hubkit.auth import Caller
from hubkit.db import Tx
from hubkit.errors import ConflictError, NotFoundError, PreconditionFailedError
from services.partners.actions.changes import Change, acknowledge, apply
from services.partners.actions.deps import Deps
from services.partners.actions.own import own
from services.partners.actions.permits import why_not_read
from services.partners.model import DECLINE_REASONS, OUTCOMES, Onward, Status
from services.partners.policy.transitions import OPEN_TO_PARTNER, PARTNER_MOVES, may
from services.partners.store import onward, registry


@dataclass(frozen=True, slots=True)
class Answer:
    """A partner's answer: the name of the move, with coded reasons or an outcome."""

    name: str
    version: int
    reasons: tuple[str, ...] = ()
    outcome: str | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """Something a partner may do now, or the codes of why not; `options` are the codes that go with it."""

    name: str
    allowed: bool
    reasons: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


_WRONG_STATE: Final = ("wrong_state",)
_OPTIONS: Final = {"decline": tuple(DECLINE_REASONS), "close": tuple(OUTCOMES)}


async def list_onward(
    tx: Tx, caller: Caller, *, status: str | None, after: UUID | None, limit: int
) -> Sequence[Onward]:
    """Return what the caller's organisation has been told of, oldest first; nothing when it is no partner."""
    partner_id = await registry.partner_of(tx, caller.organisation)
    return [] if partner_id is None else await onward.sent_to(tx, partner_id, status, after, limit)


async def possible_actions(tx: Tx, deps: Deps, caller: Caller, onward_id: UUID) -> tuple[Onward, list[Action]]:
    """Return what the caller may do with its onward referral now, and why not the rest; reading last, by the gate.

    Raises
    ------
    NotFoundError
        When it is not the caller's.
    """
    partner_id = await registry.partner_of(tx, caller.organisation)
    row = _visible(own(await onward.read(tx, [onward_id]), caller, partner_id))
    can_write = "onward:write" in caller.scopes
    status = Status.SENT if row.status is Status.READY else row.status
    found = []
    for name, to in PARTNER_MOVES.items():
        reasons = () if may(status, to) else _WRONG_STATE
        if not can_write:
            reasons = (*reasons, "insufficient_scope")
        found.append(Action(name, not reasons, reasons, _OPTIONS.get(name, ())))
    refused = await why_not_read(tx, deps, row)
    return row, [*found, Action("read", not refused, refused)]


async def receive(tx: Tx, caller: Caller, onward_id: UUID) -> Onward:
    """Note that the caller has its onward referral; once it has, to say so again changes nothing.

    Raises
    ------
    NotFoundError
        When it is not the caller's.
    ConflictError
        `wrong_state`, when it has come to an end.
    """
    partner_id = await registry.partner_of(tx, caller.organisation)
    row = _visible(own(await onward.lock(tx, [onward_id]), caller, partner_id))
    if row.status not in OPEN_TO_PARTNER:
        raise ConflictError(f"It is {row.status}", code="wrong_state")
    return await acknowledge(tx, row)


async def answer(tx: Tx, caller: Caller, onward_id: UUID, given: Answer) -> Onward:
    """Move the caller's onward referral as it answers. The same answer again, as one sends it for safety, is no other.

    Raises
    ------
    NotFoundError
        When it is not the caller's.
    PreconditionFailedError
        When it has changed since the caller read it.
    ConflictError
        `wrong_state`, when its state does not allow the move.
    """
    partner_id = await registry.partner_of(tx, caller.organisation)
    row = _visible(own(await onward.lock(tx, [onward_id]), caller, partner_id))
    to = PARTNER_MOVES[given.name]
    is_same = (row.status, row.reasons, row.outcome) == (to, given.reasons, given.outcome)
    # What it was asked from was one version before, or two where it had not been written down as sent.
    if is_same and row.version - given.version in (1, 2):
        return row
    if row.version != given.version:
        raise PreconditionFailedError
    if row.status is Status.READY:
        # Who answers has been told, whether or not the answer to the webhook has been written down yet.
        row = (await apply(tx, [Change(row, Status.SENT)]))[0]
    if not may(row.status, to):
        raise ConflictError(f"It is {row.status}", code="wrong_state")
    return (await apply(tx, [Change(row, to, given.reasons, given.outcome)]))[0]


def _visible(row: Onward) -> Onward:
    if row.sent_at is None and row.status is not Status.READY:
        raise NotFoundError
    return row
