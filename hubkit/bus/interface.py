"""What a bus promises: a published message is confirmed when safe, a consumed one stays until acknowledged."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol


class PublishError(Exception):
    """The broker did not confirm: away, blocked, or nothing bound to the type. The event stays in the outbox."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it arrives: a batch of envelopes of one type, and how to say that it is stored."""

    type: str
    body: bytes
    ack: Callable[[], Awaitable[None]]


class Bus(Protocol):
    """Moves messages between services, at least once."""

    @property
    def is_ready(self) -> bool:
        """Whether messages can be published now."""
        ...

    @property
    def keeps_messages(self) -> bool:
        """Whether a published message is safe before its consumer has stored it, so that the consumer may take time."""
        ...

    async def publish(self, type: str, body: bytes, message_id: str) -> None:
        """Publish one message and return once it is safe.

        Raises
        ------
        PublishError
            When it was not confirmed in time.
        """
        ...

    def subscribe(self, service: str, types: list[str], sink: Callable[[Message], None]) -> None:
        """Send what arrives for `service` to `sink`. Call it before `run`."""
        ...

    async def run(self) -> None:
        """Connect, declare the topology, deliver; until cancelled."""
        ...


def queue_name(service: str, type: str) -> str:
    """Return the queue of one consumer and event type, such as `triage.referral.received.v1`."""
    return f"{service}.{type}"
