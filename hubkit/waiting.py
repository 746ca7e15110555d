"""Waiting for an event for a time."""

import asyncio


async def happens(event: asyncio.Event, within_s: float) -> bool:
    """Wait until the event is set, at most `within_s` seconds; returns whether it was.

    Not `asyncio.wait_for`, which before Python 3.12 swallows a cancellation that comes together with the event.
    """
    try:
        async with asyncio.timeout(within_s):
            return await event.wait()
    except TimeoutError:
        return False
