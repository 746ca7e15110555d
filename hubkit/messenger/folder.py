"""A file of what would have been sent, for development: whoever runs the hub reads there what persons would get."""

import asyncio
import os
import threading
from pathlib import Path
from typing import Any, Final

import orjson

from hubkit.clock import Clock
from hubkit.messenger.port import Failure, Message, Receipt

FILE: Final = "messages.jsonl"


class FolderMessenger:
    """Writes each message as one JSON line; the file is readable by its owner alone, since it names recipients.

    Parameters
    ----------
    folder
        Made when the first message comes.
    """

    def __init__(self, folder: str | Path, clock: Clock) -> None:
        self._path = Path(folder) / FILE
        self._clock = clock
        self._lock = threading.Lock()

    async def send(self, message: Message) -> Receipt | Failure:
        """Append a line; durable when this returns."""
        line = orjson.dumps(
            {
                "at": self._clock.now(),
                "reference": message.reference,
                "method": message.method,
                "to": message.to,
                "subject": message.subject,
                "body": message.body,
                "purpose": message.purpose,
                "language": message.language,
            }
        )
        try:
            await asyncio.to_thread(self._append, line)
        except OSError:
            return Failure("messenger_unavailable")
        return Receipt(message.reference)

    async def find(self, reference: str) -> Receipt | Failure | None:
        """Look for the reference among the lines."""
        try:
            found = await asyncio.to_thread(self._has, reference)
        except OSError:
            return Failure("messenger_unavailable")
        return Receipt(reference) if found else None

    async def aclose(self) -> None:
        """Nothing is open."""

    def _append(self, line: bytes) -> None:
        with self._lock:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                size = os.fstat(file).st_size
                # A crash may have left half a line, which must not spoil this one.
                is_torn = size > 0 and os.pread(file, 1, size - 1) != b"\n"
                os.write(file, b"\n" * is_torn + line + b"\n")
                os.fsync(file)
            finally:
                os.close(file)

    def _has(self, reference: str) -> bool:
        with self._lock:
            if not self._path.exists():
                return False
            with self._path.open("rb") as lines:
                return any(_reference(line) == reference for line in lines)


def _reference(line: bytes) -> str | None:
    try:
        value: dict[str, Any] = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return value.get("reference")
