"""The whole profile of one hub, and what must hold in it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import chain
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, JsonValue
from typing_extensions import override

from hubkit.contracts.profile.conditions import Condition, Kind, Method
from hubkit.contracts.profile.part import Basis, LongWord, Mistake, ProfilePart, Word
from hubkit.contracts.profile.retention import Retention
from hubkit.contracts.profile.rules import (
    AssessmentRule,
    AssignmentRule,
    AttributeRule,
    ContactRule,
    ExclusionRule,
    LevelRule,
    NeedRule,
    Performer,
    Rule,
    SurveyRule,
    Triage,
)
from hubkit.contracts.profile.sharing import (
    CaseUpdates,
    Facts,
    FlowBack,
    HubPartner,
    LeadProvider,
    OptIn,
    Plan,
    ReOffer,
    RingFence,
    Routing,
    Sharing,
    SinglePointOfContact,
)
from hubkit.contracts.profile.time import Calendar, Channel, FirstDay, LastDay, Unit

Loc = tuple[str | int, ...]


class Profile(ProfilePart):
    """One version of one hub's configuration, valid on the local days `valid_from` to `valid_to`, both inclusive.

    `parameters` are values that the source leaves open: `$name` anywhere in the document stands for one. What names a
    parameter without a value is left out: the rule does not apply, the field is empty. `demonstration_basis` is the
    lawful basis of the made-up agreements of a demonstration, where it is not that of the hop; `demonstration_kinds`
    are kinds of partner that a demonstration adds to those that the source names.
    """

    id: str = Field(description="the hub's id, as the file is named")
    name: str = Field(description="the hub's name")
    version: Word = Field(description="the name of this version")
    force_area: str | None = Field(None, description="the police force area")
    valid_from: FirstDay | None = Field(None, description="first local day; a month or a year means its first day")
    valid_to: LastDay | None = Field(None, description="last local day; a month or a year means its last day")
    early_reason: LongWord = Field("profile_not_started", description="reason code before `valid_from`")
    late_reason: LongWord = Field("profile_ended", description="reason code after `valid_to`")
    timezone: str = Field("Europe/London", description="time zone of all local days and times")
    calendar: Calendar = Field(Calendar(), description="how working time is counted")
    witnesses: bool | None = Field(None, description="whether witnesses are served; false: they are out of scope")
    parameters: Mapping[Word, JsonValue] = Field(
        default_factory=dict, description="values that the source leaves open, by name; null: not known yet"
    )
    units: tuple[Unit, ...] = Field((), description="parts of the hub that rules and channels name")
    channels: tuple[Channel, ...] = Field(min_length=1, description="ways by which referrals come; no other is taken")
    exclusions: tuple[ExclusionRule, ...] = Field((), description="referrals that the hub does not take on")
    triage: Triage = Field(Triage(), description="who triages, by what, and the levels")
    needs: tuple[NeedRule, ...] = Field((), description="needs beside those that a referral names")
    contacts: tuple[ContactRule, ...] = Field((), description="contacts with the person")
    contact_methods: tuple[Method, ...] = Field((), description="the only ways of contact the hub has; empty: any")
    assessments: tuple[AssessmentRule, ...] = Field((), description="which assessment is required")
    assessed_by: LongWord | None = Field(None, description="who assesses")
    plan: Plan | None = Field(None, description="the plan that a case gets")
    assignments: tuple[AssignmentRule, ...] = Field((), description="who works on the case")
    single_point_of_contact: SinglePointOfContact | None = Field(None, description="who stays with the person")
    attributes: tuple[AttributeRule, ...] = Field((), description="further words about a case")
    partners: tuple[HubPartner, ...] = Field((), description="services that the source names")
    sharing: tuple[Sharing, ...] = Field((), description="the lawful basis of each way of the data")
    demonstration_basis: Basis | None = Field(None, description="lawful basis of a demonstration's made-up agreements")
    demonstration_kinds: tuple[Kind, ...] = Field((), description="kinds of partner that a demonstration adds")
    routing: Routing = Field(Routing(), description="how services are chosen")
    lead_provider: LeadProvider | None = Field(None, description="the meeting that agrees one lead")
    opt_in: OptIn | None = Field(None, description="the door that stays open")
    re_offer: ReOffer = Field(ReOffer(), description="what a declined offer leaves open")
    ring_fences: tuple[RingFence, ...] = Field((), description="data that some must not see")
    case_updates: CaseUpdates | None = Field(None, description="when updates from the courts begin")
    surveys: tuple[SurveyRule, ...] = Field((), description="what the person is asked afterwards")
    flow_back: FlowBack = Field(FlowBack(), description="what the source of a referral sees")
    retention: tuple[Retention, ...] = Field((), description="how long persons are kept after a case; silent: kept")
    facts: Facts = Field(Facts(), description="what the source says that decides nothing")

    def local_day(self, at: datetime) -> date:
        """Return the hub's local day of a moment."""
        return at.astimezone(ZoneInfo(self.timezone)).date()

    def basis_for(self, hop: str) -> Basis | None:
        """Return the lawful basis that the hub's text states for a hop, or None where it is silent."""
        return next((sharing.basis for sharing in self.sharing if sharing.hop == hop), None)

    def reason_for(self, hop: str, code: str) -> str:
        """Return the hub's own word for a reason code of the gate on a hop, or the code itself."""
        return next((sharing.reasons.get(code, code) for sharing in self.sharing if sharing.hop == hop), code)

    def rules(self) -> tuple[Rule, ...]:
        """Return every rule, in the order in which triage asks them."""
        return tuple(rule for _, rule in self.placed_rules())

    def placed_rules(self) -> Iterator[tuple[Loc, Rule]]:
        """Yield every rule with the way to it, in the order in which triage asks them."""
        sections: tuple[tuple[Loc, Sequence[Rule]], ...] = (
            (("exclusions",), self.exclusions),
            (("needs",), self.needs),
            (("triage", "performers"), self.triage.performers),
            (("triage", "levels"), self.triage.levels),
            (("triage", "matches"), self.triage.matches),
            (("contacts",), self.contacts),
            (("assessments",), self.assessments),
            (("assignments",), self.assignments),
            (("attributes",), self.attributes),
            (("surveys",), self.surveys),
        )
        for loc, rules in sections:
            yield from (((*loc, index), rule) for index, rule in enumerate(rules))

    def conditions(self) -> Iterator[tuple[Loc, Condition]]:
        """Yield every condition and those nested in it, with the way to each."""
        others: list[tuple[Loc, Condition | None]] = [
            (("triage", "vulnerable"), self.triage.vulnerable),
            (("triage", "prioritised"), self.triage.prioritised),
            (("plan", "when"), self.plan.when if self.plan else None),
            (("single_point_of_contact", "when"), getattr(self.single_point_of_contact, "when", None)),
            (("opt_in", "when"), self.opt_in.when if self.opt_in else None),
            (("case_updates", "when"), self.case_updates.when if self.case_updates else None),
        ]
        others += [(("retention", index, "when"), rule.when) for index, rule in enumerate(self.retention)]
        elements = enumerate(self.plan.elements if self.plan else ())
        others += [(("plan", "elements", index, "when"), element.when) for index, element in elements]
        for loc, condition in chain((((*loc, "when"), rule.when) for loc, rule in self.placed_rules()), others):
            if condition is not None:
                yield from (((*loc, *inner), part) for inner, part in condition.places())

    @override
    def mistakes(self) -> Iterator[Mistake]:
        """Yield what in one section does not fit another."""
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError):
            yield Mistake(("timezone",), f"unknown time zone {self.timezone}", ("Europe/London",))
        if self.valid_from and self.valid_to and self.valid_from > self.valid_to:
            yield Mistake(("valid_to",), f"is before valid_from, {self.valid_from}")
        yield from _doubled(self)
        yield from _unknown_units(self)
        yield from _unknown_levels(self)
        yield from _unserved_needs(self)
        yield from _unreachable(self)
        yield from _unfit_contacts(self)
        yield from _unknown_holders(self)


def _doubled(profile: Profile) -> Iterator[Mistake]:
    """Yield what appears twice, though one of the two would be lost."""
    named: list[tuple[str, Loc, object]] = [("rule", (*loc, "id"), rule.id) for loc, rule in profile.placed_rules()]
    named += [("unit", ("units", index, "id"), unit.id) for index, unit in enumerate(profile.units)]
    named += [("hop", ("sharing", index, "hop"), sharing.hop) for index, sharing in enumerate(profile.sharing)]
    named += [("ring-fence", ("ring_fences", index, "id"), fence.id) for index, fence in enumerate(profile.ring_fences)]
    named += [("partner", ("partners", index, "name"), (p.name, p.kind)) for index, p in enumerate(profile.partners)]
    counts = Counter((what, name) for what, _, name in named)
    for what, loc, name in named:
        if counts[what, name] > 1:
            shown = " of kind ".join(name) if isinstance(name, tuple) else name
            yield Mistake(loc, f"{what} {shown} appears twice", fix="each has a name of its own")


def _unknown_units(profile: Profile) -> Iterator[Mistake]:
    known = {unit.id for unit in profile.units}
    used: list[tuple[Loc, str | None]] = [
        (("channels", index, "unit"), channel.unit) for index, channel in enumerate(profile.channels)
    ]
    ruled: tuple[tuple[str, Sequence[ExclusionRule | ContactRule | SurveyRule]], ...] = (
        ("exclusions", profile.exclusions),
        ("contacts", profile.contacts),
        ("surveys", profile.surveys),
    )
    used += [((section, index, "unit"), rule.unit) for section, rules in ruled for index, rule in enumerate(rules)]
    used += [((*loc, "units", i), unit) for loc, part in profile.conditions() for i, unit in enumerate(part.units)]
    for loc, unit in used:
        if unit is not None and unit not in known:
            fix = None if known else f"declare it: units: [{{id: {unit}}}]"
            yield Mistake(loc, f"unknown unit {unit}", known, fix, after=("units",))


def _unknown_levels(profile: Profile) -> Iterator[Mistake]:
    known = {rule.level for rule in profile.triage.levels}
    for loc, part in profile.conditions():
        for index, level in enumerate(part.levels):
            if level not in known:
                words = f"no rule under triage.levels gives level {level}"
                yield Mistake((*loc, "levels", index), words, known, after=("triage", "levels"))


def _unserved_needs(profile: Profile) -> Iterator[Mistake]:
    served = {kind for partner in profile.partners for kind in (partner.kind, *partner.also, *partner.teams)}
    if "other" in served:
        return
    for number, rule in enumerate(profile.needs):
        for index, kind in enumerate(rule.needs):
            if kind not in served:
                words = f"kind {kind} is served by no partner of this profile"
                fix = f"add a partner of kind {kind}, or one of kind other, which takes every need"
                yield Mistake(("needs", number, "needs", index), words, fix=fix, after=("partners",))


def _unreachable(profile: Profile) -> Iterator[Mistake]:
    """Yield rules that never decide, because one before them always does."""
    always: dict[object, str] = {}
    for loc, rule in profile.placed_rules():
        section: object = loc[:-1]
        if isinstance(rule, AttributeRule):
            section = (section, rule.name)
        elif not isinstance(rule, LevelRule | AssessmentRule | AssignmentRule | Performer):
            continue
        if section in always:
            words = f"never decides: {always[section]} before it always does"
            yield Mistake(loc, words, fix="put it before that one", after=loc[:-1])
        elif rule.when == Condition():
            always[section] = rule.id


def _unfit_contacts(profile: Profile) -> Iterator[Mistake]:
    ids = [rule.id for rule in profile.contacts]
    allowed = profile.contact_methods
    for number, rule in enumerate(profile.contacts):
        for index, method in enumerate(rule.methods):
            if allowed and method not in allowed:
                words = f"method {method} is not one of contact_methods"
                yield Mistake(("contacts", number, "methods", index), words, allowed, after=("contact_methods",))
        for index, id in enumerate(rule.instead_of):
            if id not in ids or id == rule.id:
                known = [other for other in ids if other != rule.id]
                words = f"no other contact rule {id}"
                yield Mistake(("contacts", number, "instead_of", index), words, known, after=("contacts",))


def _unknown_holders(profile: Profile) -> Iterator[Mistake]:
    units = {name for unit in profile.units for name in (unit.id, unit.name, unit.controller) if name}
    partners = {name for partner in profile.partners for name in (partner.name, partner.organisation) if name}
    known = {"hub"} | units | partners
    for index, fence in enumerate(profile.ring_fences):
        if fence.held_by not in known:
            words = f"{fence.held_by} is neither the hub nor a unit nor a partner"
            yield Mistake(("ring_fences", index, "held_by"), words, known, after=("units",))
