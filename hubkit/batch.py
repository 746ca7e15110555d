"""Group commit: requests that arrive together share one transaction, and each is answered after it has committed."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from hubkit.db import Database, Tx, is_disconnect, whole
from hubkit.errors import HubError, UnavailableError

C = TypeVar("C")
R = TypeVar("R")

_log = logging.getLogger(__name__)


class BatchWriter(Generic[C, R]):
    """Runs one action over whatever commands are waiting.

    Parameters
    ----------
    handle
        The action: takes the transaction and the commands, returns one result or `HubError` for each, in order.
    limit
        The most commands of one transaction.
    waiting
        The most commands in the queue; beyond it callers get `UnavailableError`.
    """

    def __init__(
        self,
        db: Database,
        handle: Callable[[Tx, list[C]], Awaitable[list[R | HubError]]],
        *,
        limit: int = 256,
        waiting: int = 4096,
    ) -> None:
        self._db = db
        self._handle = handle
        self._limit = limit
        self._queue: asyncio.Queue[tuple[C, asyncio.Future[R]]] = asyncio.Queue(waiting)

    async def submit(self, command: C) -> R:
        """Return the command's result once it is durable.

        Raises
        ------
        HubError
            What the action answered for this command, or `UnavailableError` when the database is away.
        """
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        try:
            self._queue.put_nowait((command, future))
        except asyncio.QueueFull:
            raise UnavailableError("too much is waiting", retry_after_s=1) from None
        return await future

    async def run(self) -> None:
        """Write batches until cancelled."""
        while True:
            batch = [await self._queue.get()]
            while len(batch) < self._limit and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            await self._write(batch)

    async def _write(self, batch: list[tuple[C, asyncio.Future[R]]]) -> None:
        try:
            commands = [command for command, _ in batch]
            results = await whole(self._db.hopefully(lambda tx: self._handle(tx, commands)))
        except Exception as error:
            await self._failed(batch, error)
            return
        except BaseException:
            for _, future in batch:
                _settle(future, UnavailableError("shutting down", retry_after_s=1))
            raise
        for (_, future), result in zip(batch, results, strict=True):
            _settle(future, result)

    async def _failed(self, batch: list[tuple[C, asyncio.Future[R]]], error: Exception) -> None:
        """Answer a failed batch: one bad command must not fail its neighbours, so each is tried alone."""
        if is_disconnect(error):
            for _, future in batch:
                _settle(future, UnavailableError("the database is away", retry_after_s=1))
        elif len(batch) == 1:
            _settle(batch[0][1], error)
        else:
            _log.warning("batch_split", extra={"count": len(batch), "error": type(error).__name__})
            for item in batch:
                await self._write([item])


def _settle(future: asyncio.Future[R], result: R | Exception) -> None:
    if future.done():
        return  # the caller went away; what it asked for is durable all the same
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
