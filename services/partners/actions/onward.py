"""Onward referrals: asked for, sent, refused, withdrawn."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from hubkit.db import Tx
from services.partners.actions.deps import Deps


async def mark_sent(tx: Tx, deps: Deps, onward_ids: Sequence[UUID]) -> None:
    """Set those that are ready to sent, and say so; others are left as they are."""
    raise NotImplementedError


async def refuse(tx: Tx, deps: Deps, refusals: Mapping[UUID, Sequence[str]]) -> None:
    """Set those that are ready to refused or awaiting consent, with the gate's reasons, and say so."""
    raise NotImplementedError
