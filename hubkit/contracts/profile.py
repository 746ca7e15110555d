"""A hub's profile: the validated document that makes one hub differ from another. Every rule in it is data.

Where a hub's source text is silent the field stays empty, and nothing is made up for it: no deadline, no level, no
default of another hub.
"""

from collections.abc import Collection, Iterator
from datetime import date, time
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hubkit.contracts import codes

Basis = Literal[
    "explicit_consent",
    "consent",
    "victim_agreement",
    "consent_obtained_by_police",
    "implied_opt_out",
    "public_task",
    "joint_controller",
    "controller_internal",
    "agreement_in_place",
]


#: A word of the hub's own, as decisions store it.
Word = Annotated[str, Field(min_length=1, max_length=40)]
#: An id or a reason code.
LongWord = Annotated[str, Field(min_length=1, max_length=80)]


class ProfilePart(BaseModel):
    """Base of all parts: unknown keys are mistakes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ConsentIs(ProfilePart):
    """The person's latest decision on a hop is one of these; `not_asked` when none is recorded."""

    hop: str
    decisions: tuple[str, ...] = Field(min_length=1)


class Condition(ProfilePart):
    """When a rule applies: every field that is given must hold; a condition without fields always does.

    Crime codes match a category (`sexual.rape`) or a whole first level (`sexual`). What is not known (an age, a grade)
    never holds. `entitlement` and `levels` are decided after acceptance, in this order: no exclusion can ask for them.
    """

    crimes: tuple[str, ...] = Field((), description="the crime is one of these")
    any_marker: tuple[str, ...] = Field((), description="at least one of these markers is set")
    all_markers: tuple[str, ...] = Field((), description="all of these markers are set")
    no_marker: tuple[str, ...] = Field((), description="none of these markers is set")
    channels: tuple[str, ...] = Field((), description="it came by one of these channels")
    units: tuple[str, ...] = Field((), description="it came to one of these units")
    roles: tuple[str, ...] = Field((), description="victim, witness, …")
    risk_grades: tuple[str, ...] = Field((), description="the risk assessment's grade is one of these")
    entitlement: tuple[str, ...] = Field((), description="enhanced, standard")
    levels: tuple[str, ...] = Field((), description="the case is on one of these levels of the hub")
    needs: tuple[str, ...] = Field((), description="at least one of these needs is named")
    has_needs: bool | None = Field(None, description="whether any need is named")
    consents: tuple[ConsentIs, ...] = Field((), description="all of these decisions of the person stand")
    min_age: int | None = Field(None, ge=0, le=130, description="whole years on the day of receipt, inclusive")
    max_age: int | None = Field(None, ge=0, le=130)
    reported_to_police: bool | None = None
    any_of: tuple["Condition", ...] = Field((), description="at least one of these holds")
    none_of: tuple["Condition", ...] = Field((), description="none of these holds")


class Within(ProfilePart):
    """A time limit. Hours are elapsed hours; working hours and days stop on weekends and bank holidays."""

    amount: int = Field(ge=0, le=10_000)
    unit: Literal["hours", "working_hours", "working_days"]
    starts: Literal["referral_received", "crime_recorded", "case_opened"] = "referral_received"


class Calendar(ProfilePart):
    """How the hub counts working time; the defaults are the conventions IC-1 and IC-3 of the hub facts."""

    subdivision: Literal["ENG", "WLS", "SCT", "NIR"] = "ENG"
    added_holidays: tuple[date, ...] = Field(
        (), description="proclaimed days that the holiday library does not know yet"
    )
    removed_holidays: tuple[date, ...] = ()
    end_of_day: time = Field(time(23, 59, 59), description="when a working day's deadline falls, local time")
    working_from: time | None = Field(None, description="working hours begin; without both, they run day and night")
    working_to: time | None = None

    @model_validator(mode="after")
    def _window_is_whole(self) -> Self:
        if (self.working_from is None) != (self.working_to is None):
            raise ValueError("working_from and working_to go together")
        if self.working_from is not None and self.working_to is not None and self.working_from >= self.working_to:
            raise ValueError("working_from is before working_to")
        return self


class Channel(ProfilePart):
    """A way by which referrals come, and when it is open (local days, both inclusive)."""

    channel: str
    unit: str | None = None
    active_from: date | None = None
    active_to: date | None = None
    early_reason: LongWord = Field("channel_not_started", description="reason code before `active_from`")
    late_reason: LongWord = Field("channel_ended", description="reason code after `active_to`")
    frequency: str | None = None
    source: str | None = None


class Rule(ProfilePart):
    """What every rule has. `text` says it to staff in plain words; `source` names where it stands."""

    id: LongWord
    when: Condition
    text: str | None = None
    source: str | None = None


class ExclusionRule(Rule):
    """Referrals that the hub does not take on; the first rule that applies decides, the others are recorded."""

    outcome: Literal["excluded", "out_of_scope", "not_referred", "returned", "pending"] = "excluded"
    reason: LongWord
    case_status: Word | None = None
    expected_route: LongWord | None = None


class LevelRule(Rule):
    """Puts a case on a level (priority); the first rule that applies decides."""

    level: Word


class NeedRule(Rule):
    """Adds needs to what the referral names."""

    needs: tuple[str, ...]


class ContactRule(Rule):
    """Plans a contact with the person. Without `within` the contact has no deadline.

    Every rule that applies plans its own contact. `mode` preferred takes the method that the person prefers.
    """

    when: Condition = Condition()
    purpose: Word = "initial"
    by: LongWord | None = None
    methods: tuple[str, ...] = ()
    mode: Literal["all", "any", "preferred"] | None = None
    within: Within | None = None


class Triage(ProfilePart):
    """Who triages, by what.

    `enhanced_categories` narrows the categories of the Victims' Code to those the hub's text names; None means all.
    """

    performed_by: str | None = None
    basis: tuple[str, ...] = ()
    enhanced_categories: tuple[str, ...] | None = None
    levels: tuple[LevelRule, ...] = ()


class Sharing(ProfilePart):
    """The lawful basis of one hop; none where the source is silent."""

    hop: str
    basis: Basis | None = None
    source: str | None = None


class Routing(ProfilePart):
    """How services are chosen: commissioned ones first, or by location (in_house, co_located, …), best first."""

    answer_within: Within | None = Field(None, description="no answer by then: the next candidate is asked")
    commissioned_first: bool = False
    prefer_locations: tuple[str, ...] = ()


class FlowBack(ProfilePart):
    """What the source of a referral may see of what became of it."""

    decision: bool = True
    onward: bool = True
    source: str | None = None


class Profile(ProfilePart):
    """One version of one hub's configuration, valid on the local days `valid_from` to `valid_to`, both inclusive."""

    id: str
    name: str
    version: Word
    force_area: str | None = None
    valid_from: date | None = None
    valid_to: date | None = None
    early_reason: LongWord = Field("profile_not_started", description="reason code before `valid_from`")
    late_reason: LongWord = Field("profile_ended", description="reason code after `valid_to`")
    timezone: str = "Europe/London"
    calendar: Calendar = Calendar()
    witnesses: bool | None = None
    channels: tuple[Channel, ...] = Field(min_length=1)
    exclusions: tuple[ExclusionRule, ...] = ()
    triage: Triage = Triage()
    needs: tuple[NeedRule, ...] = ()
    contacts: tuple[ContactRule, ...] = ()
    sharing: tuple[Sharing, ...] = ()
    routing: Routing = Routing()
    flow_back: FlowBack = FlowBack()

    def basis_for(self, hop: str) -> Basis | None:
        """Return the lawful basis that the hub's text states for a hop, or None where it is silent."""
        return next((sharing.basis for sharing in self.sharing if sharing.hop == hop), None)

    def rules(self) -> tuple[Rule, ...]:
        """Return every rule, in the order in which triage asks them."""
        return (*self.exclusions, *self.needs, *self.triage.levels, *self.contacts)

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        ids = [rule.id for rule in self.rules()]
        doubled = sorted({id for id in ids if ids.count(id) > 1})
        if doubled:
            raise ValueError(f"rule ids must be unique; twice: {', '.join(doubled)}")
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"unknown time zone {self.timezone}") from None
        unknown = [f"{what} {code}" for what, code in _unknown_codes(self)]
        if unknown:
            raise ValueError(f"unknown codes: {', '.join(unknown)}")
        for rule in self.exclusions:
            if any(part.entitlement or part.levels for part in _parts(rule.when)):
                raise ValueError(f"{rule.id}: an exclusion is decided before entitlement and level")
        return self


def _parts(condition: Condition) -> Iterator[Condition]:
    yield condition
    for nested in (*condition.any_of, *condition.none_of):
        yield from _parts(nested)


#: Which vocabulary the codes of a condition's field belong to. Units and levels are the hub's own words.
_VOCABULARY: dict[str, Collection[str]] = {
    "crimes": codes.CRIMES | codes.CRIME_GROUPS,
    "any_marker": codes.MARKERS,
    "all_markers": codes.MARKERS,
    "no_marker": codes.MARKERS,
    "channels": codes.CHANNELS,
    "roles": codes.ROLES,
    "risk_grades": codes.RISK_GRADES,
    "entitlement": codes.ENTITLEMENTS,
    "needs": codes.KINDS,
}


def _unknown_codes(profile: Profile) -> Iterator[tuple[str, str]]:
    given: list[tuple[str, Collection[str], Collection[str]]] = [
        ("channel", [channel.channel for channel in profile.channels], codes.CHANNELS),
        ("category", profile.triage.enhanced_categories or (), codes.ENHANCED_CATEGORIES),
        ("need", [need for rule in profile.needs for need in rule.needs], codes.KINDS),
        ("method", [method for rule in profile.contacts for method in rule.methods], codes.METHODS),
    ]
    conditions = (
        rule.when for rule in (*profile.exclusions, *profile.triage.levels, *profile.needs, *profile.contacts)
    )
    for part in (part for condition in conditions for part in _parts(condition)):
        given += [(name, getattr(part, name), known) for name, known in _VOCABULARY.items()]
        given += [("decision", consent.decisions, codes.CONSENT_DECISIONS) for consent in part.consents]
    for what, used, known in given:
        yield from ((what, code) for code in used if code not in known)
