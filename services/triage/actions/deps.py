"""What the actions need beside a transaction."""

from dataclasses import dataclass
from typing import Self

from hubkit.contracts.profile import Profile
from services.triage.model import Versions
from services.triage.policy.rulebook import Rulebook


@dataclass(frozen=True, slots=True)
class Deps:
    """The hub's rules, and under which versions decisions are stored."""

    rulebook: Rulebook
    versions: Versions

    @classmethod
    def of(cls, profile: Profile) -> Self:
        """Return what a profile gives."""
        rulebook = Rulebook.of(profile)
        return cls(rulebook, Versions(profile.version, rulebook.calendar.version))
