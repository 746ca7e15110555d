"""What a messenger is asked and what it answers."""

from dataclasses import dataclass, field
from typing import Final, Protocol

#: The methods by which a machine can send.
METHODS: Final = ("text", "email", "letter")


@dataclass(frozen=True, slots=True)
class Message:
    """One message to one person by one method.

    Attributes
    ----------
    reference
        Ours, the same at every attempt: by it the messenger knows a message again. Says nothing about the person.
    method
        One of `METHODS`.
    to
        A telephone number, an email address, or the lines of a postal address, the postcode last.
    purpose, language
        What it is for and in which language, for messengers that keep wordings of their own.
    """

    reference: str
    method: str
    to: tuple[str, ...] = field(repr=False)
    subject: str
    body: str
    purpose: str
    language: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """The messenger has taken the message. `id` is its own name for it, empty when it gave none."""

    id: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """The message was not taken, or it is not known whether it was; `is_permanent` when it never will be.

    `reason` is a code, and never what the other side said: that may repeat the recipient.
    """

    reason: str
    is_permanent: bool = False


class Messenger(Protocol):
    """How the hub reaches a person by itself."""

    async def send(self, message: Message) -> Receipt | Failure:
        """Hand one message over; never raises for what the other side does."""
        ...

    async def find(self, reference: str) -> Receipt | Failure | None:
        """Return the receipt of what was taken under a reference before, None when nothing was.

        Asked before a message is sent again: an attempt without an answer may have succeeded.
        """
        ...

    async def aclose(self) -> None:
        """Close what is open."""
        ...
