"""When a rule applies."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field
from typing_extensions import override

from hubkit.contracts import codes
from hubkit.contracts.profile.part import Code, Mistake, ProfilePart

Crime = Annotated[str, Code("crime", codes.CRIMES | codes.CRIME_GROUPS)]
Kind = Annotated[str, Code("kind", codes.KINDS)]
Marker = Annotated[str, Code("marker", codes.MARKERS)]
Method = Annotated[str, Code("method", codes.METHODS)]
RiskGrade = Annotated[str, Code("risk grade", codes.RISK_GRADES)]
ChannelCode = Annotated[str, Code("channel", codes.CHANNELS)]
Hop = Annotated[str, Code("hop", codes.HOPS)]
ConsentDecision = Annotated[str, Code("decision", codes.CONSENT_DECISIONS)]
Role = Annotated[str, Code("role", codes.ROLES)]
Entitlement = Annotated[str, Code("entitlement", codes.ENTITLEMENTS)]
OfferAnswer = Annotated[str, Code("offer", codes.OFFER_ANSWERS)]
Finding = Annotated[str, Code("finding", codes.FINDINGS)]
Plea = Annotated[str, Code("plea", codes.PLEAS)]
CourtEvent = Annotated[str, Code("court event", codes.COURT_EVENTS)]


class ConsentIs(ProfilePart):
    """The person's latest decision on a hop is one of these; `not_asked` when none is recorded."""

    hop: Hop = Field(description="about what")
    decisions: tuple[ConsentDecision, ...] = Field(min_length=1, description="one of these")


class Condition(ProfilePart):
    """When a rule applies: every field that is given must hold; a condition without fields always does.

    Crime codes match a category (`sexual.rape`) or a whole first level (`sexual`). What is not known (an age, a grade)
    never holds. `levels` and everything that happens after a case is opened (an offer, an assessment, a hearing) are
    not known when exclusions are asked; `entitlement` is: it follows from the referral.
    """

    crimes: tuple[Crime, ...] = Field((), description="the crime is one of these")
    any_marker: tuple[Marker, ...] = Field((), description="at least one of these markers is set")
    all_markers: tuple[Marker, ...] = Field((), description="all of these markers are set")
    no_marker: tuple[Marker, ...] = Field((), description="none of these markers is set")
    channels: tuple[ChannelCode, ...] = Field((), description="it came by one of these channels")
    units: tuple[str, ...] = Field((), description="it came to one of these units")
    roles: tuple[Role, ...] = Field((), description="victim, witness, …")
    purposes: tuple[str, ...] = Field((), description="it was sent for one of these purposes")
    risk_grades: tuple[RiskGrade, ...] = Field((), description="the risk assessment's grade is one of these")
    entitlement: tuple[Entitlement, ...] = Field(
        (), description="the person's rights under the Victims' Code: enhanced, standard"
    )
    levels: tuple[str, ...] = Field((), description="the case is on one of these levels of the hub")
    needs: tuple[Kind, ...] = Field((), description="at least one of these needs is named")
    has_needs: bool | None = Field(None, description="whether any need is named")
    consents: tuple[ConsentIs, ...] = Field((), description="all of these decisions of the person stand")
    min_age: int | None = Field(None, ge=0, le=130, description="whole years on the day of receipt, inclusive")
    max_age: int | None = Field(None, ge=0, le=130, description="whole years on the day of receipt, inclusive")
    reported_to_police: bool | None = Field(None, description="whether the crime was reported to the police")
    lives_in_area: bool | None = Field(None, description="whether the person lives in the hub's area")
    recording_time_known: bool | None = Field(None, description="whether the crime's time of recording was sent")
    languages_other_than: tuple[str, ...] = Field((), description="the person's language is known and none of these")
    offer: tuple[OfferAnswer, ...] = Field((), description="the hub's offer was answered: accepted, declined")
    judged_enhanced: bool | None = Field(None, description="staff judged the person entitled to an enhanced service")
    findings: tuple[Finding, ...] = Field(
        (), description="an assessment found at least one of these (`codes.FINDINGS`)"
    )
    assessed: bool | None = Field(None, description="whether an assessment with the person took place")
    assessed_needs: tuple[Kind, ...] = Field((), description="an assessment found at least one of these needs")
    requested_needs: tuple[Kind, ...] = Field((), description="staff asked for a referral for at least one of these")
    requested_methods: tuple[Method, ...] = Field((), description="the person asked for one of these ways of contact")
    min_failed_attempts: int | None = Field(None, ge=1, le=100, description="at least so many attempts have failed")
    spoken_with: bool | None = Field(
        None, description="whether the hub was in direct contact: the person was reached, answered or was assessed"
    )
    pleas: tuple[Plea, ...] = Field((), description="at the newest hearing the plea was one of these")
    court_events: tuple[CourtEvent, ...] = Field((), description="the newest event at court is one of these")
    any_of: tuple["Condition", ...] = Field((), description="at least one of these holds")
    none_of: tuple["Condition", ...] = Field((), description="none of these holds")

    def parts(self) -> Iterator["Condition"]:
        """Yield this condition and all that are nested in it."""
        yield from (part for _, part in self.places())

    def places(self) -> Iterator[tuple[tuple[str | int, ...], "Condition"]]:
        """Yield this condition and all that are nested in it, with the way to each."""
        yield (), self
        for name in ("any_of", "none_of"):
            for index, nested in enumerate(getattr(self, name)):
                yield from (((name, index, *loc), part) for loc, part in nested.places())

    @override
    def mistakes(self) -> Iterator[Mistake]:
        """Yield why this condition can never hold, or holds for everybody against its words."""
        for name in sorted(self.model_fields_set):
            if getattr(self, name) == ():
                fix = "leave it out, or say which"
                yield Mistake((name,), "an empty list asks for nothing: the rule would apply to everybody", fix=fix)
        if self.min_age is not None and self.max_age is not None and self.min_age > self.max_age:
            yield Mistake(("max_age",), f"nobody is at least {self.min_age} and at most {self.max_age} years old")
        for name in ("any_marker", "all_markers"):
            wanted = set(getattr(self, name))
            both = wanted & set(self.no_marker)
            if both and (name == "all_markers" or both == wanted):
                yield Mistake(("no_marker",), f"never holds: {', '.join(sorted(both))} also under {name}")


#: Fields that hold something only after a case was opened: no exclusion can ask for them.
LATER = (
    "levels", "offer", "judged_enhanced", "findings", "assessed", "assessed_needs", "requested_needs",
    "requested_methods", "min_failed_attempts", "spoken_with", "pleas", "court_events",
)  # fmt: skip
