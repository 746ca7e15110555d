"""How urgent the case is, in the hub's own words.

Source: convention IC-5 of the hub facts: where the hub names no levels there is none, and no other hub's is taken.
"""

from services.triage.model import Subject
from services.triage.policy.rulebook import Rulebook


def find_level(rulebook: Rulebook, subject: Subject) -> tuple[str | None, tuple[str, ...]]:
    """Return the level by the first rule that applies, with that rule's id; nothing when none does."""
    for rule, applies in rulebook.levels:
        if applies(subject):
            return rule.level, (rule.id,)
    return None, ()
