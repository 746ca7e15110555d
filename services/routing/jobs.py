"""The time door: passes over services that do not answer."""

import asyncio

from hubkit.db import Database
from services.routing import actions

_EVERY_S = 5.0


async def pass_over_unanswered(db: Database) -> None:
    """Look for unanswered onward referrals every few seconds, until cancelled."""
    while True:
        async with db.transaction() as tx:
            await actions.pass_over_unanswered(tx)
        await asyncio.sleep(_EVERY_S)
