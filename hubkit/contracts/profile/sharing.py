"""Partners, sharing and everything that goes on around a case."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, JsonValue
from typing_extensions import override

from hubkit.contracts import codes
from hubkit.contracts.profile.conditions import Condition, Crime, Hop, Kind, Marker, RiskGrade
from hubkit.contracts.profile.part import Basis, Code, LongWord, Mistake, ProfilePart, Word
from hubkit.contracts.profile.time import Within

Location = Literal["in_house", "co_located", "hot_desk", "external"]


class Sharing(ProfilePart):
    """The lawful basis of one hop; none where the source is silent.

    `reasons` are the hub's own words for the gate's codes (`consent_missing: explicit_consent_missing`).
    """

    hop: Hop = Field(description="from whom to whom")
    basis: Basis | None = Field(None, description="the lawful basis; none: the source is silent")
    reasons: dict[str, LongWord] = Field(
        default_factory=dict, description="the hub's own words for reason codes of the gate"
    )
    agreement: str | None = Field(None, description="what the source says of the agreement for this hop")
    source: str | None = Field(None, description="where the hub's text says so")


class HubPartner(ProfilePart):
    """A service that the source names: how it stands in the hub's directory when the hub is set up.

    Kind `other` takes any need for which the directory has no service of that kind. `also` are further kinds. A need
    that is one of `teams` goes to that team. `route` signpost: the person is told of it; data goes only where `shares`
    says so. `follow_up` is what the service does next for the person.
    """

    name: LongWord = Field(description="its name")
    organisation: LongWord | None = Field(None, description="who offers it, where that is another name")
    kind: Kind = Field(description="the need that it meets")
    also: tuple[Kind, ...] = Field((), description="further needs that it meets")
    teams: tuple[Kind, ...] = Field((), description="its teams, by the needs that they meet")
    location: Location | None = Field(None, description="where it works")
    commissioned: bool | None = Field(None, description="whether the hub's commissioner pays for it")
    preference: int = Field(100, ge=0, le=10_000, description="lower is asked first")
    route: Literal["refer", "signpost"] = Field("refer", description="whether the person is referred or told of it")
    shares: Literal["case_data", "referral_data", "nothing"] | None = Field(
        None, description="None: case_data where it is referred to, nothing where it is signposted"
    )
    transport: str | None = Field(None, description="how the data goes")
    listed_in: LongWord | None = Field(None, description="the directory that lists it")
    follow_up: LongWord | None = Field(None, description="what it does next for the person")
    crimes: tuple[Crime, ...] = Field((), description="only these crimes; none: all")
    areas: tuple[str, ...] = Field((), description="only these areas (codes); none: all")
    risk_grades: tuple[RiskGrade, ...] = Field((), description="only these grades of risk; none: all")
    min_age: int | None = Field(None, ge=0, le=130, description="youngest age that it takes")
    max_age: int | None = Field(None, ge=0, le=130, description="oldest age that it takes")
    without_marker: tuple[Marker, ...] = Field((), description="it does not take cases with any of these markers")
    source: str | None = Field(None, description="where the hub's text says so")


class Routing(ProfilePart):
    """How services are chosen: commissioned ones first, or by location (in_house, co_located, …), best first.

    A partner is reminded once, `chase_after` the referral, and passed over after `answer_within`.

    `informed_choice`: nobody is asked before the person has chosen. `tells_of_others`: each service is told which other
    services help the person.
    """

    answer_within: Within | None = Field(None, description="no answer by then: the next candidate is asked")
    chase_after: Within | None = Field(None, description="no answer by then: the partner is reminded, and staff see it")
    commissioned_first: bool = Field(False, description="commissioned services are asked before others")
    prefer_locations: tuple[Location, ...] = Field((), description="best first")
    informed_choice: bool = Field(False, description="nobody is asked before the person has chosen")
    choice_missing_reason: LongWord = Field(
        "informed_choice_not_recorded", description="reason code while the choice is missing"
    )
    tells_of_others: bool = Field(False, description="each service is told which others help")
    prefers_capacity: bool = Field(False, description="services with room are asked first, full ones last")
    capacity_valid_days: int = Field(14, ge=1, le=366, description="what was said of room counts for so many days")
    source: str | None = Field(None, description="where the hub's text says so")

    @override
    def mistakes(self) -> Iterator[Mistake]:
        """Yield that nobody would be reminded before they are passed over."""
        chase, answer = self.chase_after, self.answer_within
        if chase is not None and answer is not None and chase.unit == answer.unit and chase.amount >= answer.amount:
            yield Mistake(("chase_after",), "impossible clock: a reminder comes before answer_within is over")


class LeadProvider(ProfilePart):
    """Cases that match more than one service go to the meeting of their area, which agrees exactly one lead."""

    missing_reason: LongWord = Field("lead_provider_not_agreed", description="reason code while no lead is agreed")
    several_reason: LongWord = Field("exactly_one_lead_required", description="reason code when several are proposed")
    next_meeting: dict[str, datetime] = Field({}, description="the next meeting of each local authority area")
    every: str | None = Field(None, description="how often it meets")
    source: str | None = Field(None, description="where the hub's text says so")


class RingFence(ProfilePart):
    """Data of one holder that some must not see, whatever is agreed.

    `exceptions` are the grounds on which it is released all the same (`safeguarding_risk`).
    """

    id: LongWord = Field(description="its id")
    data: tuple[Annotated[str, Code("data", codes.DATA_KINDS)], ...] = Field(description="what must not be seen")
    held_by: LongWord = Field("hub", description="who holds it: hub, a unit or a partner")
    must_not_reach: tuple[LongWord, ...] = Field(min_length=1, description="who must not see it")
    exceptions: tuple[Annotated[str, Code("ground", codes.ACCESS_GROUNDS)], ...] = Field(
        (), description="grounds on which it is released"
    )
    reason: LongWord = Field("ring_fenced", description="reason code")
    text: str | None = Field(None, description="in plain words")
    source: str | None = Field(None, description="where the hub's text says so")


class Plan(ProfilePart):
    """The plan that a case gets. `after`: what comes before it."""

    kind: Word = Field(description="which plan")
    when: Condition = Field(Condition(), description="which cases get one")
    after: Word | None = Field(None, description="what comes before it")
    elements: tuple["PlanElement", ...] = Field((), description="what is in it")
    source: str | None = Field(None, description="where the hub's text says so")


class PlanElement(ProfilePart):
    """One element of a plan."""

    element: Word = Field(description="which")
    when: Condition = Field(description="when it is in the plan")


class SinglePointOfContact(ProfilePart):
    """One person or role who stays with the victim."""

    by: LongWord = Field(description="who")
    when: Condition = Field(Condition(), description="for whom")
    source: str | None = Field(None, description="where the hub's text says so")


class OptIn(ProfilePart):
    """The door that stays open. `days` None: without end."""

    when: Condition = Field(Condition(), description="for whom")
    days: int | None = Field(None, ge=1, description="how long; none: without end")
    source: str | None = Field(None, description="where the hub's text says so")


class ReOffer(ProfilePart):
    """What a declined offer leaves open. `case_status` is the hub's word for a declined case."""

    allowed: bool | None = Field(None, description="whether the person may come back")
    case_status: Word | None = Field(None, description="the hub's word for a declined case")
    reopened_status: Word = Field("reopened", description="the hub's word for a case that is open again")
    source: str | None = Field(None, description="where the hub's text says so")


class CaseUpdates(ProfilePart):
    """Updates on the way through the courts begin when this holds."""

    when: Condition = Field(description="when they begin")
    content: tuple[Word, ...] = Field((), description="what they tell")
    source: str | None = Field(None, description="where the hub's text says so")


class FlowBack(ProfilePart):
    """What the source of a referral may see of what became of it."""

    decision: bool = Field(True, description="sees the decision")
    onward: bool = Field(True, description="sees the onward referrals")
    source: str | None = Field(None, description="where the hub's text says so")


class Facts(ProfilePart):
    """What the source says that decides nothing today but is reported, shown or asked for later."""

    funding: tuple[dict[str, JsonValue], ...] = Field((), description="who pays")
    governance: tuple[dict[str, JsonValue], ...] = Field((), description="who oversees")
    reports: tuple[dict[str, JsonValue], ...] = Field((), description="what is reported, to whom and when")
    features: tuple[dict[str, JsonValue], ...] = Field((), description="what is special")
    operating_model: dict[str, JsonValue] = Field(default_factory=dict, description="how the hub is set up")
    open_questions: tuple[str, ...] = Field((), description="what the source leaves open")
