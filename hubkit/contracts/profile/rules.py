"""The rules by which triage decides. Each is data: when it applies, what it does, where it stands."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, JsonValue
from typing_extensions import override

from hubkit.contracts import codes
from hubkit.contracts.profile.conditions import LATER, Condition, Kind, Method
from hubkit.contracts.profile.part import Code, LongWord, Mistake, ProfilePart, Word
from hubkit.contracts.profile.time import Within

TriageBasis = Annotated[str, Code("triage basis", codes.TRIAGE_BASES)]
#: How an exclusion may end a referral.
Refusal = Literal["excluded", "out_of_scope", "not_referred", "returned", "pending"]
#: After which decisions a contact may be planned.
Outcome = Literal["accepted", "excluded", "out_of_scope", "not_referred", "returned", "pending"]


class Rule(ProfilePart):
    """What every rule has. `text` says it to staff in plain words; `source` names where it stands."""

    id: LongWord = Field(description="unique in the profile; decisions store it")
    when: Condition = Field(Condition(), description="when it applies; without it always")
    text: str | None = Field(None, description="the rule in plain words, for staff")
    source: str | None = Field(None, description="where the hub's text says so")


class ExclusionRule(Rule):
    """Referrals that the hub does not take on; the first rule that applies decides, the others are recorded.

    With `unit` it decides for that unit alone. `withheld_reason` is set where the source keeps the data back: it is the
    reason code of what was not shared.
    """

    when: Condition = Field(description="when it applies")
    unit: str | None = Field(None, description="the unit for which it decides; none: all")
    outcome: Refusal = Field("excluded", description="what becomes of the referral")
    reason: LongWord = Field(description="reason code")
    case_status: Word | None = Field(None, description="the hub's word for the case")
    expected_route: LongWord | None = Field(None, description="how the person is expected to get help instead")
    withheld_reason: LongWord | None = Field(None, description="why the data is kept back, where it is")

    @override
    def mistakes(self) -> Iterator[Mistake]:
        """Yield what the condition asks for that is not known yet."""
        for loc, part in self.when.places():
            for name in LATER:
                if getattr(part, name) not in (None, ()):
                    yield Mistake(("when", *loc, name), f"an exclusion is decided before {name} can be known")


class LevelRule(Rule):
    """Puts a case on a level (priority); the first rule that applies decides."""

    level: Word = Field(description="the level, in the hub's word")


class NeedRule(Rule):
    """Adds needs to what the referral names.

    `next`: the hub works on these needs itself first; no service is asked until staff request it, and `next` names
    where the case goes then.
    """

    needs: tuple[Kind, ...] = Field(min_length=1, description="the needs that it adds")
    next: LongWord | None = Field(None, description="where the case goes after the hub's own work")


class MatchRule(Rule):
    """Names what made the case match (`aged_over_60`); every rule that applies is named by its id."""


class ContactRule(Rule):
    """Plans a contact with the person. Without `within` and `at` the contact has no deadline.

    Every rule that applies plans its own contact, once. `mode` preferred takes the method that the person prefers.
    `at` is when an automated contact is to happen, `within` by when at the latest. `ends_with_offer`: planned only
    until the person has answered the hub's offer. `instead_of` names contact rules that do not apply while this one
    does. `outcomes`: the decisions after which it is planned; a hub may write to people whom it does not take on.
    """

    unit: str | None = Field(None, description="the unit that makes it; only where that unit takes the case")
    outcomes: tuple[Outcome, ...] = Field(("accepted",), description="the decisions after which it is planned")
    instead_of: tuple[LongWord, ...] = Field((), description="ids of contact rules that do not apply while this does")
    purpose: Word = Field("initial", description="what for")
    by: LongWord | None = Field(None, description="who makes it")
    methods: tuple[Method, ...] = Field((), description="by which ways")
    mode: Literal["all", "any", "preferred"] | None = Field(
        None, description="all of the methods, any one of them, or what the person prefers"
    )
    within: Within | None = Field(None, description="the deadline")
    at: Within | None = Field(None, description="when an automated contact happens")
    automated: bool = Field(False, description="sent by the system")
    content: tuple[Word, ...] = Field((), description="what it tells")
    on_behalf_of: tuple[Word, ...] = Field((), description="for whom it speaks")
    method_decided_by: tuple[Word, ...] = Field((), description="who decides the way")
    ends_with_offer: bool = Field(False, description="only until the person has answered the offer")

    @override
    def mistakes(self) -> Iterator[Mistake]:
        """Yield what cannot be done or can never be due."""
        if self.mode in ("all", "any") and not self.methods:
            yield Mistake(("mode",), f"mode {self.mode} without methods", fix="add methods", after=("methods",))
        if self.at is not None and not self.automated:
            words = "only an automated contact happens at a time"
            yield Mistake(("at",), words, fix="automated: true, or within", after=("automated",))
        for index, method in enumerate(self.methods):
            if self.automated and method not in codes.SENT_METHODS:
                yield Mistake(("methods", index), f"the system sends nothing by {method}", known=codes.SENT_METHODS)
        for name in ("at", "within"):
            clock: Within | None = getattr(self, name)
            if self.ends_with_offer and clock is not None and clock.starts == "offer_accepted":
                words = "impossible clock: the contact ends when the offer is answered, and its clock starts then"
                yield Mistake((name, "starts"), words, fix="leave ends_with_offer or starts out")
        at, within = self.at, self.within
        is_same = at is not None and within is not None and (at.unit, at.starts) == (within.unit, within.starts)
        if at is not None and within is not None and is_same and at.amount > within.amount:
            yield Mistake(("at", "amount"), f"impossible clock: {at.amount} is after within, {within.amount} {at.unit}")


class AssessmentRule(Rule):
    """An assessment is required; the first rule that applies decides."""

    required: bool = Field(True, description="whether it must be made")
    kind: Word | None = Field(None, description="which")
    by: LongWord | None = Field(None, description="who makes it")
    decides: tuple[Word, ...] = Field((), description="what it decides")
    offered: bool | None = Field(None, description="whether it is offered to the person")


class AssignmentRule(Rule):
    """Who works on the case; the first rule that applies decides. Every field that is given is told."""

    unit: LongWord | None = Field(None, description="part of the hub")
    role: LongWord | None = Field(None, description="role of who works on it")
    specialism: LongWord | None = Field(None, description="their specialism")
    department: LongWord | None = Field(None, description="their department")
    location: Word | None = Field(None, description="where they work")
    purpose: Word | None = Field(None, description="what for")
    method: Word | None = Field(None, description="in which way")
    service_level: Word | None = Field(None, description="how much")
    offered: bool | None = Field(None, description="whether it is offered")
    automatic: bool | None = Field(None, description="whether it happens by itself")
    initial_risk_and_needs_assessment_by: LongWord | None = Field(None, description="who assesses risk and needs first")


class AttributeRule(Rule):
    """Sets an attribute of the case, such as `immediate_care`; the first rule for each name that applies decides."""

    name: Word = Field(description="name of the attribute")
    value: JsonValue = Field(description="its value")


class SurveyRule(Rule):
    """Asks the person what it was like. `when` says who is eligible.

    `sent_on` is what makes it go out: `case_closed`, or `survey_due` (staff or the clock ask for it); None: it is not
    sent by the hub. `refused_reason` is the code when the person did not agree to surveys; None: nobody is asked first.
    """

    unit: str | None = Field(None, description="the unit whose people are asked")
    instrument: LongWord = Field(description="which survey")
    trigger: Word | None = Field(None, description="the moment, as the source words it")
    sent_on: Literal["case_closed", "survey_due"] | None = Field(
        None, description="what makes it go out; none: not sent by the hub"
    )
    methods: tuple[Method, ...] = Field((), description="by which ways")
    refused_reason: LongWord | None = Field(
        None, description="reason code without consent to surveys; none: nobody is asked first"
    )
    run_by: LongWord | None = Field(None, description="who runs it")


class Performer(Rule):
    """Who triages a case to which this applies (None: nobody is named), and on what basis; the first decides."""

    by: LongWord | None = Field(None, description="who triages")
    basis: tuple[TriageBasis, ...] | None = Field(None, description="None: as for all cases")
    has_no_basis: bool = Field(False, description="the source gives none for these")


class Triage(ProfilePart):
    """Who triages, by what.

    `enhanced_categories` narrows the categories of the Victims' Code to those the hub's text names; None means all.
    `vulnerable` and `prioritised` are told of a case only where the hub has a rule for them.
    """

    performed_by: str | None = Field(None, description="who triages")
    performers: tuple[Performer, ...] = Field((), description="who else triages some cases")
    basis: tuple[TriageBasis, ...] = Field((), description="by what")
    enhanced_categories: tuple[Annotated[str, Code("category", codes.ENHANCED_CATEGORIES)], ...] | None = Field(
        None, description="categories of the Victims' Code that count; none given: all"
    )
    vulnerable: Condition | None = Field(None, description="who is called vulnerable")
    prioritised: Condition | None = Field(None, description="who is called prioritised")
    levels: tuple[LevelRule, ...] = Field((), description="levels; the first that applies decides")
    matches: tuple[MatchRule, ...] = Field((), description="what a case can match by")
    source: str | None = Field(None, description="where the hub's text says so")
