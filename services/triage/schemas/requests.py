"""What staff send about a case."""

from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from hubkit.contracts.codes import (
    ATTEMPT_OUTCOMES,
    COURT_EVENTS,
    FINDINGS,
    KINDS,
    METHODS,
    OFFER_ANSWERS,
    PAUSE_REASONS,
    PLEAS,
)
from hubkit.fields import BY_VALUE, Code, Id, Instant, LocalDate, StrictModel, code_of, text

Need = Annotated[str, code_of(KINDS, "need")]
Needs = Annotated[tuple[Need, ...], BY_VALUE, Field(max_length=len(KINDS))]
Method = Annotated[str, code_of(METHODS, "method")]


def _short(word: str) -> str:
    if len(word) > _SHORT:
        raise PydanticCustomError("too_long", "must have at most {limit} characters", {"limit": _SHORT})
    return word


_SHORT = 40
#: A word of the hub's own; a code, since words of a sentence may tell who somebody is.
Word = Annotated[Code, AfterValidator(_short)]
#: More services than that are not offered to anybody.
_MANY = 50


class Judgement(StrictModel):
    """What a professional judged about the person's rights; it stands over the rules. `reason` is a code."""

    enhanced: bool
    reason: Word | None = None
    decided_by: Word


class Offer(StrictModel):
    """How the person answered the hub's offer. Without `at`: now."""

    answer: Annotated[str, code_of(OFFER_ANSWERS, "answer")]
    at: Instant | None = None


class NewContact(StrictModel):
    """A contact to be booked by the method that the person asked for."""

    method: Method
    purpose: Word = "support"


class NewAttempt(StrictModel):
    """An attempt to reach the person. Without `at`: now."""

    method: Method
    outcome: Annotated[str, code_of(ATTEMPT_OUTCOMES, "outcome")]
    at: Instant | None = None


class ContactPause(StrictModel):
    """Why a contact is to be held back."""

    reason: Annotated[str, code_of(PAUSE_REASONS, "pause reason")]


class Assessment(StrictModel):
    """What an assessment with the person found: all needs of the case from now on.

    Without `findings` those of earlier assessments stay.
    """

    needs: Needs
    kind: Word | None = None
    by: Word | None = None
    sections: Annotated[tuple[Word, ...], BY_VALUE, Field(max_length=20)] = ()
    findings: (
        Annotated[tuple[Annotated[str, code_of(FINDINGS, "finding")], ...], BY_VALUE, Field(max_length=len(FINDINGS))]
        | None
    ) = None


class NewChoice(StrictModel):
    """The services that were offered for a need, and the one that the person chose; null: none yet.

    Without `options` those that were offered before stay.
    """

    need: Need
    options: Annotated[tuple[Id, ...], BY_VALUE, Field(max_length=_MANY)] | None = None
    service_id: Id | None = None


class ReferralsWanted(StrictModel):
    """Needs for which services are to be asked."""

    needs: Annotated[tuple[Need, ...], BY_VALUE, Field(min_length=1, max_length=len(KINDS))]


class ReviewView(StrictModel):
    """How a service sees its own part in a case under joint review."""

    service_id: Id
    view: Annotated[str, code_of(("lead", "support", "decline"), "view")]


class LeadProposal(StrictModel):
    """What the meeting proposed. Exactly one service leads; with more the case stays under review."""

    service_ids: Annotated[tuple[Id, ...], BY_VALUE, Field(min_length=1, max_length=_MANY)]
    views: Annotated[tuple[ReviewView, ...], BY_VALUE, Field(max_length=_MANY)] = ()


class CourtEvent(StrictModel):
    """What happened on the way through the courts. A plea goes with `plea_entered` alone."""

    type: Annotated[str, code_of(COURT_EVENTS, "court event")]
    plea: Annotated[str, code_of(PLEAS, "plea")] | None = None
    on: LocalDate | None = None


class SurveyDue(StrictModel):
    """A survey is due; without `instrument`, every survey that goes out when it is due."""

    instrument: Annotated[str, text(80)] | None = None


class Closure(StrictModel):
    """The end of the hub's work."""

    reason: Word | None = None


class ReOffer(StrictModel):
    """A renewed offer to somebody who declined or whose case was closed."""

    by: Word
    accepted: bool
