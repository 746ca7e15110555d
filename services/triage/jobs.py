"""The time door: messages whose time has come."""

import asyncio

from hubkit.db import Database
from services.triage.actions import messages

_EVERY_S = 1.0


async def ask_for_messages(db: Database) -> None:
    """Ask for the messages of automated contacts as they become due, until cancelled."""
    while True:
        # Only looked at first: on SQLite a transaction would keep everybody else from writing.
        async with db.reading() as tx:
            is_due = await messages.is_message_due(tx)
        if is_due:
            async with db.transaction() as tx:
                await messages.ask_for_due_messages(tx)
        else:
            await asyncio.sleep(_EVERY_S)
