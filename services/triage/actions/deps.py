"""What the actions need beside a transaction."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from hubkit.contracts.profile import Profile
from hubkit.profiles import Prepared, ProfileBook
from services.triage.model import Versions
from services.triage.policy.rulebook import Rulebook


@dataclass(frozen=True, slots=True)
class Ground:
    """What a decision stands on: one version of the hub's rules, and what is stored of it."""

    rulebook: Rulebook
    versions: Versions

    @classmethod
    def of(cls, profile: Profile) -> Self:
        """Return what one version of a profile gives."""
        rulebook = Rulebook.of(profile)
        return cls(rulebook, Versions(profile.version, rulebook.calendar.version))

    @property
    def profile(self) -> Profile:
        """The profile itself."""
        return self.rulebook.profile


class Deps:
    """The hub's rules by date."""

    def __init__(self, book: ProfileBook) -> None:
        self._book = book
        self._grounds = Prepared(book, Ground.of)

    def ground(self, received_at: datetime) -> Ground:
        """Return what a referral is decided on that was received then, whenever it is decided."""
        return self._grounds.current(received_at)

    def profile(self, version: str, received_at: datetime) -> Profile:
        """Return the version that decided; when the book no longer has it, the one that would decide now."""
        return self._book.version(version) or self._book.current(received_at)
