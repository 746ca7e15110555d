"""Which needs the case has, and which of them the hub works on itself first.

Source: the needs that the referral names, that an assessment found or for which staff asked for a referral, and the
need rules of the hub's profile.
"""

from dataclasses import dataclass

from hubkit.contracts.profile import NeedRule
from services.triage.model import Progress, Subject
from services.triage.policy.rulebook import Rulebook


@dataclass(frozen=True, slots=True)
class Needs:
    """`named` are all; `held` says of those that no service is asked about yet where the case goes then."""

    named: frozenset[str]
    held: dict[str, str]
    rules: tuple[str, ...] = ()

    @property
    def asked_for(self) -> tuple[str, ...]:
        """The needs for which services are asked, sorted."""
        return tuple(sorted(self.named.difference(self.held)))


def named_needs(referral_needs: frozenset[str], progress: Progress) -> frozenset[str]:
    """Return the needs that somebody named: an assessment replaces the referral's, and requests join them."""
    named = referral_needs if progress.assessed_needs is None else frozenset(progress.assessed_needs)
    return named.union(progress.requested_needs) if progress.requested_needs else named


def find_needs(rulebook: Rulebook, subject: Subject) -> Needs:
    """Return all needs, with the ids of the rules that added or held one.

    What an assessment found are all of the person's needs: after it only those rules add to them that ask for it.
    """
    if not rulebook.needs:
        return Needs(subject.needs, {})
    progress = subject.progress
    is_assessed = progress.assessed_needs is not None
    applied = [rule for rule, applies in rulebook.needs if applies(subject)]
    adding = {rule.id for rule in applied if not is_assessed or _asks_for_later(rule)}
    named = subject.needs.union(*(rule.needs for rule in applied if rule.id in adding))
    counted = [rule for rule in applied if rule.id in adding or (rule.next and not named.isdisjoint(rule.needs))]
    held = {
        need: rule.next
        for rule in reversed(counted)
        if rule.next
        for need in rule.needs
        if need in named and need not in progress.requested_needs
    }
    return Needs(named, held, tuple(rule.id for rule in counted))


def _asks_for_later(rule: NeedRule) -> bool:
    """Whether a rule is about what an assessment found, or what happens at court, which no assessment replaces."""
    return any(
        part.findings or part.assessed_needs or part.assessed or part.court_events or part.pleas
        for part in rule.when.parts()
    )
