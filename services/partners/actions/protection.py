"""What staff set to protect a person: who may be told of a case, whose address is kept back, which pairs stay apart."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from hubkit.auth import Caller
from hubkit.db import Database, Tx
from hubkit.errors import FieldError, InvalidError, NotFoundError
from hubkit.ids import new_id
from services.partners.actions.deps import Deps
from services.partners.actions.onward import reconsider
from services.partners.actions.permits import wait_until_over
from services.partners.policy.protections import Protection
from services.partners.store import cases, protection, registry


@dataclass(frozen=True, slots=True)
class NewProtection:
    """Who alone may be told of a case (None: any partner), whether its address is kept back, and who says so, why."""

    restricted_to: tuple[UUID, ...] | None
    safe_address: bool
    reason: str = field(repr=False)
    decided_by: str = field(repr=False)


async def protect_case(
    db: Database, deps: Deps, caller: Caller, case_id: UUID, wanted: NewProtection
) -> dict[str, Any]:
    """Set the protection of a case; every attempt and reading is judged by it once this has returned.

    It returns only when no attempt that was permitted before is under way any more (20 s at most), for what may be in
    it is what somebody must not learn.

    Raises
    ------
    NotFoundError
        When the case is not known.
    InvalidError
        `unknown_partner`.
    """
    async with db.transaction() as tx:
        await cases.lock_cases(tx, [case_id])
        begun = frozenset(await cases.outstanding(tx, case_id))
        row = await set_protection(tx, deps, caller, case_id, wanted)
    await wait_until_over(db, case_id, begun)
    return row


async def set_protection(tx: Tx, deps: Deps, caller: Caller, case_id: UUID, wanted: NewProtection) -> dict[str, Any]:
    """Set the protection of a case, as `protect_case`, without waiting; what waited is judged anew."""
    if not await cases.lock_cases(tx, [case_id]):
        raise NotFoundError
    for index, partner_id in enumerate(wanted.restricted_to or ()):
        if await registry.partner(tx, partner_id) is None:
            raise InvalidError(errors=[FieldError(f"/restricted_to/{index}", "unknown_partner", "is not a partner")])
    named = None if wanted.restricted_to is None else frozenset(wanted.restricted_to)
    await cases.protect(tx, case_id, Protection(named, wanted.safe_address))
    id = new_id()
    row = {
        "id": id,
        "case_id": case_id,
        "restricted_to": None if named is None else sorted(map(str, named)),
        "safe_address": wanted.safe_address,
        "reason": deps.keyring.record("case_protection", id).seal("reason", wanted.reason),
        "decided_by": wanted.decided_by,
        "client_id": caller.client_id,
        "decided_at": tx.now,
    }
    await protection.add_protection(tx, row)
    await reconsider(tx, deps, [case_id])
    return row


async def keep_apart(tx: Tx, partner_id: UUID, organisations: tuple[str, ...]) -> Any:
    """Keep from a partner whatever these organisations refer; named itself, nothing flows back to it.

    The next attempt and reading are judged by it.

    Raises
    ------
    NotFoundError
        When there is no such partner.
    """
    if await registry.partner(tx, partner_id, for_update=True) is None:
        raise NotFoundError
    await registry.keep_from(tx, partner_id, sorted(organisations))
    return await registry.partner(tx, partner_id)
