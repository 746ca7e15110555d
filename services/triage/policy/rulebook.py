"""A profile made ready to decide: its conditions turned into predicates, once."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self, TypeVar
from zoneinfo import ZoneInfo

from hubkit.contracts.profile import (
    AssessmentRule,
    AssignmentRule,
    AttributeRule,
    CaseUpdates,
    Channel,
    Condition,
    ContactRule,
    ExclusionRule,
    LevelRule,
    MatchRule,
    NeedRule,
    OptIn,
    Performer,
    Plan,
    Profile,
    Rule,
    SinglePointOfContact,
    SurveyRule,
    Transfer,
)
from hubkit.deadlines import WorkingCalendar
from services.triage.policy import entitlement
from services.triage.policy.conditions import Predicate, compile_condition

R = TypeVar("R", bound=Rule)


@dataclass(frozen=True, slots=True)
class Rulebook:
    """All that `triage.decide` needs of one hub.

    `exclusions` are about the whole hub or about a unit that does not decide by itself; `deciding_units` holds those of
    the units that do. `contacts_refused`: the hub contacts some whom it does not take on. The predicates without a rule
    of their own are None where the hub has no such rule. `consent_hops`: some rule asks what the person
    decided on these hops.
    """

    profile: Profile
    calendar: WorkingCalendar
    inbound_basis: str | None
    categories: tuple[tuple[str, Predicate], ...]
    exclusions: tuple[tuple[ExclusionRule, Predicate], ...]
    deciding_units: dict[str, tuple[tuple[ExclusionRule, Predicate], ...]]
    needs: tuple[tuple[NeedRule, Predicate], ...]
    levels: tuple[tuple[LevelRule, Predicate], ...]
    performers: tuple[tuple[Performer, Predicate], ...]
    matches: tuple[tuple[MatchRule, Predicate], ...]
    vulnerable: Predicate | None
    prioritised: Predicate | None
    contacts: tuple[tuple[ContactRule, Predicate], ...]
    contacts_refused: bool
    assessments: tuple[tuple[AssessmentRule, Predicate], ...]
    plan: Predicate | None
    plan_elements: tuple[tuple[str, Predicate], ...]
    assignments: tuple[tuple[AssignmentRule, Predicate], ...]
    attributes: tuple[tuple[AttributeRule, Predicate], ...]
    single_point_of_contact: Predicate | None
    opt_in: Predicate | None
    case_updates: Predicate | None
    surveys: tuple[tuple[SurveyRule, Predicate], ...]
    consent_hops: frozenset[str]

    @classmethod
    def of(cls, profile: Profile) -> Self:
        """Return the rulebook of a profile."""
        triage, plan = profile.triage, profile.plan
        deciding = {unit.id for unit in profile.units if unit.decides}
        return cls(
            profile=profile,
            calendar=WorkingCalendar(profile.calendar, ZoneInfo(profile.timezone)),
            inbound_basis=profile.basis_for("police_to_hub"),
            categories=entitlement.categories(triage.enhanced_categories),
            exclusions=tuple((rule, _of_hub(rule)) for rule in profile.exclusions if rule.unit not in deciding),
            deciding_units={
                unit.id: _with_predicates(tuple(rule for rule in profile.exclusions if rule.unit == unit.id))
                for unit in profile.units
                if unit.decides
            },
            needs=_with_predicates(profile.needs),
            levels=_with_predicates(triage.levels),
            performers=_with_predicates(triage.performers),
            matches=_with_predicates(triage.matches),
            vulnerable=_maybe(triage.vulnerable),
            prioritised=_maybe(triage.prioritised),
            contacts=_with_predicates(profile.contacts),
            contacts_refused=any(rule.outcomes != ("accepted",) for rule in profile.contacts),
            assessments=_with_predicates(profile.assessments),
            plan=_part(plan),
            plan_elements=tuple(
                (part.element, compile_condition(part.when)) for part in (plan.elements if plan else ())
            ),
            assignments=_with_predicates(profile.assignments),
            attributes=_with_predicates(profile.attributes),
            single_point_of_contact=_part(profile.single_point_of_contact),
            opt_in=_part(profile.opt_in),
            case_updates=_part(profile.case_updates),
            surveys=_with_predicates(profile.surveys),
            consent_hops=_consent_hops(profile),
        )

    @staticmethod
    def is_police(channel: str) -> bool:
        """Whether it is a channel of the hub's own police force."""
        return channel.startswith("police_")

    def receiver(self, channel: str, unit: str | None) -> str | None:
        """Return who receives the data of a channel, where the profile names somebody."""
        return next((found.receiver for found in self._entries(channel, unit) if found.receiver), None)

    def transfer(self, channel: str, unit: str | None) -> Transfer | None:
        """Return when the data of a channel comes over, where the profile says so."""
        return next((found.transfer for found in self._entries(channel, unit) if found.transfer), None)

    def _entries(self, channel: str, unit: str | None) -> Iterator[Channel]:
        return (
            entry
            for entry in self.profile.channels
            if entry.channel == channel and (unit is None or entry.unit in (None, unit))
        )


def _with_predicates(rules: tuple[R, ...]) -> tuple[tuple[R, Predicate], ...]:
    return tuple((rule, compile_condition(rule.when)) for rule in rules)


def _maybe(condition: Condition | None) -> Predicate | None:
    return None if condition is None else compile_condition(condition)


def _part(part: Plan | SinglePointOfContact | OptIn | CaseUpdates | None) -> Predicate | None:
    return None if part is None else compile_condition(part.when)


def _of_hub(rule: ExclusionRule) -> Predicate:
    """Return when an exclusion holds for all; one of a unit only when the referral is for that unit."""
    applies, unit = compile_condition(rule.when), rule.unit
    return applies if unit is None else lambda subject: subject.unit == unit and applies(subject)


def _consent_hops(profile: Profile) -> frozenset[str]:
    conditions = (condition for _, condition in profile.conditions())
    asked = {consent.hop for condition in conditions for part in condition.parts() for consent in part.consents}
    return frozenset(asked | {"survey" for rule in profile.surveys if rule.refused_reason is not None})
