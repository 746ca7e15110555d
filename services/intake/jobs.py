"""What intake does by the clock."""

import asyncio

from hubkit.db import Database
from services.intake.actions import progress

_HOUR_S = 3600.0


async def forget_keys(db: Database) -> None:
    """Forget old Idempotency-Keys once an hour, until cancelled."""
    while True:
        async with db.transaction() as tx:
            await progress.forget_old_keys(tx, tx.now)
        await asyncio.sleep(_HOUR_S)
