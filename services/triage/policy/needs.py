"""Which needs the case has.

Source: the needs that the referral names or an assessment found, and the need rules of the hub's profile.
"""

from services.triage.model import Subject
from services.triage.policy.rulebook import Rulebook


def find_needs(rulebook: Rulebook, subject: Subject, *, assessed: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the needs, sorted, and the ids of the rules that added one.

    Parameters
    ----------
    assessed
        The subject's needs come from an assessment with the person, and are all of them: no rule adds to it.
    """
    if assessed or not rulebook.needs:
        return tuple(sorted(subject.needs)), ()
    applied = [rule for rule, applies in rulebook.needs if applies(subject)]
    found = subject.needs.union(*(rule.needs for rule in applied))
    return tuple(sorted(found)), tuple(rule.id for rule in applied)
