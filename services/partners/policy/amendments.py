"""What of a case has changed since a partner read it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from hubkit.contracts.codes import ASSESSMENT


@dataclass(frozen=True, slots=True)
class Content:
    """What is known of a case's content, by version alone.

    `changed_in` is the version of the referral at which each field changed last; what is absent never has.
    `assessment` holds codes; its version is that of the case, 0 where there is none.
    """

    changed_in: Mapping[str, int] = field(default_factory=dict)
    assessment: Mapping[str, Any] = field(default_factory=dict)
    assessment_version: int = 0

    @property
    def referral_version(self) -> int:
        """The newest version of the referral that changed a field."""
        return max(self.changed_in.values(), default=1)


@dataclass(frozen=True, slots=True)
class Known:
    """What a partner has read or been told of: the fields, as they were at these versions."""

    fields: Collection[str]
    referral_version: int
    assessment_version: int = 0


def changed_since(known: Known, content: Content) -> tuple[str, ...]:
    """Return the fields among those known that are other ones now, in the order in which they were disclosed."""

    def is_other(name: str) -> bool:
        if name == ASSESSMENT:
            return content.assessment_version > known.assessment_version
        return content.changed_in.get(name, 0) > known.referral_version

    return tuple(name for name in known.fields if is_other(name))
