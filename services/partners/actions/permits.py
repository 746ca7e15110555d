"""Permits: the gate's yes for one attempt, short, issued under the locks that a withdrawal takes."""

from collections.abc import Sequence
from uuid import UUID

from hubkit.db import Tx
from services.partners.actions.deps import Deps
from services.partners.model import GateResult


async def permits_for(tx: Tx, deps: Deps, onward_ids: Sequence[UUID]) -> dict[UUID, GateResult]:
    """Ask the gate for each onward referral and issue a permit (20 s) for every one that it allows.

    Locks the cases and agreements in id order. An id that is not known, or not in a state that may be told, is refused.
    """
    raise NotImplementedError


async def settle_permits(tx: Tx, permit_ids: Sequence[UUID]) -> None:
    """Say that the attempts these permits were for are over, whatever came of them."""
    raise NotImplementedError
