"""A profile made ready to decide: its conditions turned into predicates, once."""

from dataclasses import dataclass
from typing import Self, TypeVar
from zoneinfo import ZoneInfo

from hubkit.contracts.profile import ContactRule, ExclusionRule, LevelRule, NeedRule, Profile
from hubkit.deadlines import WorkingCalendar
from services.triage.policy import entitlement
from services.triage.policy.conditions import Predicate, compile_condition

R = TypeVar("R", ExclusionRule, LevelRule, NeedRule, ContactRule)


@dataclass(frozen=True, slots=True)
class Rulebook:
    """All that `triage.decide` needs of one hub."""

    profile: Profile
    calendar: WorkingCalendar
    categories: tuple[tuple[str, Predicate], ...]
    exclusions: tuple[tuple[ExclusionRule, Predicate], ...]
    needs: tuple[tuple[NeedRule, Predicate], ...]
    levels: tuple[tuple[LevelRule, Predicate], ...]
    contacts: tuple[tuple[ContactRule, Predicate], ...]

    @classmethod
    def of(cls, profile: Profile) -> Self:
        """Return the rulebook of a profile."""
        return cls(
            profile=profile,
            calendar=WorkingCalendar(profile.calendar, ZoneInfo(profile.timezone)),
            categories=entitlement.categories(profile.triage.enhanced_categories),
            exclusions=_with_predicates(profile.exclusions),
            needs=_with_predicates(profile.needs),
            levels=_with_predicates(profile.triage.levels),
            contacts=_with_predicates(profile.contacts),
        )


def _with_predicates(rules: tuple[R, ...]) -> tuple[tuple[R, Predicate], ...]:
    return tuple((rule, compile_condition(rule.when)) for rule in rules)
