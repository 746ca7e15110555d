"""The in-process bus: durable because a message counts as published only once every consumer has stored it.

The outbox row stays unpublished until then, so a crash at any moment republishes, and the inbox drops what it has.
"""

import asyncio
from collections.abc import Awaitable, Callable

from typing_extensions import override

from hubkit.bus.interface import Bus, Message, PublishError

_STORE_TIMEOUT_S = 30.0


class LocalBus(Bus):
    """Joins services that run in one process."""

    def __init__(self) -> None:
        self._sinks: dict[str, list[Callable[[Message], None]]] = {}

    @property
    @override
    def is_ready(self) -> bool:
        return True

    @property
    @override
    def keeps_messages(self) -> bool:
        return False

    @override
    def subscribe(self, service: str, types: list[str], sink: Callable[[Message], None]) -> None:
        for type in types:
            self._sinks.setdefault(type, []).append(sink)

    @override
    async def publish(self, type: str, body: bytes, message_id: str) -> None:
        sinks = self._sinks.get(type)
        if not sinks:
            raise PublishError(f"nothing consumes {type}")
        stored = [asyncio.Event() for _ in sinks]
        for sink, event in zip(sinks, stored, strict=True):
            sink(Message(type, body, _acknowledge(event)))
        try:
            async with asyncio.timeout(_STORE_TIMEOUT_S):
                for event in stored:
                    await event.wait()
        except TimeoutError:
            raise PublishError(f"{type} was not stored in time") from None

    @override
    async def run(self) -> None:
        await asyncio.Event().wait()


def _acknowledge(event: asyncio.Event) -> Callable[[], Awaitable[None]]:
    async def ack() -> None:
        event.set()

    return ack
