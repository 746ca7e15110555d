"""What is wrong with a profile, and where."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

#: The way to something in a document: keys and the numbers of items.
Loc = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One mistake: its line and column (from 1), the way to it, what is wrong, and what would be right."""

    line: int
    column: int
    loc: Loc
    message: str
    suggestion: str | None = None

    @property
    def path(self) -> str:
        """Return the way to it as people write it: `contacts[0].within.unit`."""
        steps = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.loc)
        return steps.lstrip(".")

    @override
    def __str__(self) -> str:
        words = f"{self.path}: {self.message}" if self.loc else self.message
        return f"{words} ({self.suggestion})" if self.suggestion else words


class ProfileError(Exception):
    """A profile is wrong; the message lists every fault with its place."""

    def __init__(self, path: Path, faults: Iterable[Fault]) -> None:
        self.path = path
        self.faults = tuple(sorted(set(faults), key=lambda fault: (fault.line, fault.column, str(fault))))
        super().__init__("\n".join(self.lines()))

    def lines(self) -> list[str]:
        """Return a line for each fault: `file:line:column: path: what is wrong (what would be right)`."""
        return [f"{self.path}:{fault.line}:{fault.column}: {fault}" for fault in self.faults]
