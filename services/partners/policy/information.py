"""When a victim information request may be answered.

Source: Police, Crime, Sentencing and Courts Act 2022, sections 44A to 44F (inserted by the Victims and Prisoners Act
2024, section 28): a request is for what is relevant to a reasonable line of enquiry, necessary and proportionate; for
counselling information the starting point is that it is not.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from services.partners.model import COUNSELLING

REFUSED: Final = "refused"
#: The ground on which a request for everything is refused as it comes.
BLANKET: Final = "blanket_request"


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a request decides."""

    fields: frozenset[str]
    is_blanket: bool
    is_written: bool
    is_counselling: bool
    is_rebutted: bool


def faults(asked: Asked, outcome: str, released: Collection[str], ground: str | None) -> list[tuple[str, str]]:
    """Return what stands against a decision, as the member at fault and a code."""
    if outcome == REFUSED:
        return _refusal_faults(released, ground)
    found = [("/fields", "nothing_released")] if not released else []
    if not asked.fields.issuperset(released):
        found.append(("/fields", "not_asked_for"))
    if asked.fields - set(released) and ground is None:
        found.append(("/ground", "needed_for_the_rest"))
    if not asked.is_written:
        found.append(("/outcome", "written_request_missing"))
    if (asked.is_counselling or COUNSELLING in released) and not asked.is_rebutted:
        found.append(("/outcome", "counselling_presumption"))
    return found


def _refusal_faults(released: Collection[str], ground: str | None) -> list[tuple[str, str]]:
    found = [("/fields", "refused_with_fields")] if released else []
    return found if ground is not None else [*found, ("/ground", "needed_with_refusal")]
