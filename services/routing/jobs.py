"""The time door: reminds services that do not answer, and passes over them."""

import asyncio

from hubkit.db import Database
from services.routing.actions import onward
from services.routing.actions.deps import Deps

_EVERY_S = 5.0


async def pass_over_unanswered(db: Database, deps: Deps) -> None:
    """Look for unanswered onward referrals every few seconds, until cancelled."""
    while True:
        async with db.transaction() as tx:
            await onward.chase_unanswered(tx, deps)
        async with db.transaction() as tx:
            await onward.pass_over_unanswered(tx, deps)
        await asyncio.sleep(_EVERY_S)
