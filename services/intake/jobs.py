"""What intake does by the clock: it sends messages, and forgets old Idempotency-Keys."""

import asyncio

from hubkit.db import Database, whole
from hubkit.messenger import Messenger
from hubkit.waiting import happens
from services.intake.actions import messages, progress
from services.intake.actions.deps import Deps
from services.intake.actions.messages import Outgoing

_HOUR_S = 3600.0
_POLL_S = 5.0
#: How many messages are sent at once; a process that wants more than this gets them in turns.
AT_ONCE = 8


async def forget_keys(db: Database) -> None:
    """Forget old Idempotency-Keys once an hour, until cancelled."""
    while True:
        async with db.transaction() as tx:
            await progress.forget_old_keys(tx, tx.now)
        await asyncio.sleep(_HOUR_S)


class MessageSender:
    """Sends what is due. Any number of processes may do so on one database.

    Parameters
    ----------
    messenger
        None where the hub has none: messages are settled as skipped, and staff see that they were not sent.
    """

    def __init__(self, db: Database, deps: Deps, messenger: Messenger | None) -> None:
        self._db = db
        self._deps = deps
        self._messenger = messenger
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look at once: there may be something to send."""
        self._woken.set()

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            self._woken.clear()
            due = await whole(self._claim())
            if due is None:
                await happens(self._woken, _POLL_S)
                continue
            async with asyncio.TaskGroup() as group:
                for outgoing in due:
                    group.create_task(self._send(outgoing))

    async def _claim(self) -> list[Outgoing] | None:
        async with self._db.transaction() as tx:
            return await messages.claim_due(tx, self._deps, AT_ONCE, can_send=self._messenger is not None)

    async def _send(self, outgoing: Outgoing) -> None:
        if self._messenger is not None:
            result = await messages.deliver(self._messenger, outgoing)
            await whole(self._record(outgoing, result))

    async def _record(self, outgoing: Outgoing, result: messages.Result) -> None:
        async with self._db.transaction() as tx:
            await messages.record(tx, outgoing, result)
