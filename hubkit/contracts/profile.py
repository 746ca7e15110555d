"""A hub's profile: the validated document that makes one hub differ from another. Every rule in it is data.

Where a hub's source text is silent the field stays empty, and nothing is made up for it: no deadline, no level, no
default of another hub.
"""

from datetime import date
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

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


class ProfilePart(BaseModel):
    """Base of all parts: unknown keys are mistakes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Condition(ProfilePart):
    """When a rule applies: every field that is given must hold; a condition without fields always does.

    Crime codes match a category (`sexual.rape`) or a whole first level (`sexual`).
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
    needs: tuple[str, ...] = Field((), description="at least one of these needs is named")
    min_age: int | None = Field(None, ge=0, le=130, description="whole years on the day of receipt, inclusive")
    max_age: int | None = Field(None, ge=0, le=130)
    reported_to_police: bool | None = None
    any_of: tuple["Condition", ...] = Field((), description="at least one of these holds")


class Within(ProfilePart):
    """A time limit. Hours are elapsed hours; working hours and days stop on weekends and bank holidays."""

    amount: int = Field(ge=0, le=10_000)
    unit: Literal["hours", "working_hours", "working_days"]
    starts: Literal["referral_received", "crime_recorded", "case_opened"] = "referral_received"


class Channel(ProfilePart):
    """A way by which referrals come, and when it is open."""

    channel: str
    unit: str | None = None
    active_from: date | None = None
    active_to: date | None = None
    frequency: str | None = None
    source: str | None = None


class ExclusionRule(ProfilePart):
    """Referrals that the hub does not take on."""

    id: str
    when: Condition
    outcome: Literal["excluded", "out_of_scope", "not_referred", "returned"] = "excluded"
    reason: str
    case_status: str | None = None
    expected_route: str | None = None
    source: str | None = None


class LevelRule(ProfilePart):
    """Puts a case on a level (priority); the first rule that applies decides."""

    id: str
    when: Condition
    level: str
    source: str | None = None


class NeedRule(ProfilePart):
    """Adds needs to what the referral names."""

    id: str
    when: Condition
    needs: tuple[str, ...]
    source: str | None = None


class ContactRule(ProfilePart):
    """Plans a contact with the person. Without `within` the contact has no deadline."""

    id: str
    when: Condition = Condition()
    purpose: str = "initial"
    by: str | None = None
    methods: tuple[str, ...] = ()
    mode: Literal["all", "any", "preferred"] | None = None
    within: Within | None = None
    source: str | None = None


class Triage(ProfilePart):
    """Who triages, by what."""

    performed_by: str | None = None
    basis: tuple[str, ...] = ()
    levels: tuple[LevelRule, ...] = ()


class Sharing(ProfilePart):
    """The lawful basis of one hop; none where the source is silent."""

    hop: str
    basis: Basis | None = None
    source: str | None = None


class Routing(ProfilePart):
    """How services are chosen. `partners` orders partner organisations or locations for a kind, best first."""

    answer_within: Within | None = Field(None, description="no answer by then: the next candidate is asked")
    commissioned_first: bool = False
    prefer_locations: tuple[str, ...] = ()


class FlowBack(ProfilePart):
    """What the source of a referral may see of what became of it."""

    decision: bool = True
    onward: bool = True
    source: str | None = None


class Profile(ProfilePart):
    """One version of one hub's configuration."""

    id: str
    name: str
    version: str
    force_area: str | None = None
    valid_from: date | None = None
    valid_to: date | None = None
    timezone: str = "Europe/London"
    witnesses: bool | None = None
    channels: tuple[Channel, ...]
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

    @model_validator(mode="after")
    def _rule_ids_are_unique(self) -> Self:
        rules = (*self.exclusions, *self.triage.levels, *self.needs, *self.contacts)
        ids = [rule.id for rule in rules]
        doubled = sorted({id for id in ids if ids.count(id) > 1})
        if doubled:
            raise ValueError(f"rule ids must be unique; twice: {', '.join(doubled)}")
        return self
