"""What each thing that staff record does to a case's progress: one small pure function for each.

Every function returns a `Step`; `change.change_case` takes it on the locked case, and triage decides again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from hubkit.contracts.profile import Profile
from hubkit.errors import ConflictError, FieldError, InvalidError
from services.triage.model import Booking, CaseStatus, Choice, DecisionKind, Progress
from services.triage.schemas.requests import (
    Assessment,
    Closure,
    ContactPause,
    CourtEvent,
    Judgement,
    LeadProposal,
    NewAttempt,
    NewChoice,
    NewContact,
    Offer,
    ReferralsWanted,
    ReOffer,
    SurveyDue,
)

#: How far a caller's clock may run ahead of ours.
_LEEWAY = timedelta(minutes=5)
_OPEN = frozenset({CaseStatus.OPEN})
_AT_WORK = frozenset({CaseStatus.OPEN, CaseStatus.PENDING})
_NOT_ENDED = _AT_WORK | {CaseStatus.DECLINED}
_ENDED = frozenset({CaseStatus.DECLINED, CaseStatus.CLOSED})
_ANY = frozenset(CaseStatus)
_TAKEN_ON = _NOT_ENDED | {CaseStatus.CLOSED}
#: Nobody was reached by these; what was sent may have been read.
_FAILED = frozenset({"no_answer", "wrong_details", "failed"})
#: The person was spoken to, whatever they said.
_REACHED = frozenset({"reached", "refused"})


@dataclass(frozen=True, slots=True)
class Standing:
    """A locked case's progress, and what a step may ask beside it."""

    progress: Progress
    now: datetime
    profile: Profile


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that is done with a case: in which states it can be, what it changes, and its codes for the record."""

    kind: DecisionKind
    states: frozenset[CaseStatus]
    apply: Callable[[Standing], Progress]
    details: Mapping[str, Any] = field(default_factory=dict)


def judged(body: Judgement) -> Step:
    """Let a person's judgement stand over the rules of entitlement."""

    def apply(case: Standing) -> Progress:
        return replace(
            case.progress, judged_enhanced=body.enhanced, judged_by=body.decided_by, judged_reason=body.reason
        )

    details = {"enhanced": body.enhanced, "judged_by": body.decided_by, "judged_reason": body.reason}
    return Step(DecisionKind.JUDGEMENT, _NOT_ENDED, apply, details)


def answered(body: Offer) -> Step:
    """Note how the person answered the offer; who declined may opt in later."""

    def apply(case: Standing) -> Progress:
        declined_at = case.now if body.answer == "declined" else None
        return replace(case.progress, offer=body.answer, offer_at=moment(body.at, case.now), declined_at=declined_at)

    return Step(DecisionKind.OFFER, _NOT_ENDED, apply, {"answer": body.answer})


def booked(body: NewContact) -> Step:
    """Book a contact; a method that the hub does not have is refused, and the contact goes by those it has."""

    def apply(case: Standing) -> Progress:
        progress = case.progress
        methods = (*progress.requested_methods, *{body.method}.difference(progress.requested_methods))
        bookings = (*progress.bookings, Booking(body.method, body.purpose))
        return replace(progress, requested_methods=methods, bookings=bookings)

    return Step(DecisionKind.CONTACT, _AT_WORK, apply, body.model_dump())


def attempted(body: NewAttempt) -> Step:
    """Count an attempt that failed; who was reached is not counted as failed any more."""

    def apply(case: Standing) -> Progress:
        if body.outcome in _REACHED:
            return replace(case.progress, failed_attempts=0, was_reached=True)
        return failed(case) if body.outcome in _FAILED else case.progress

    return Step(DecisionKind.ATTEMPT, _AT_WORK, apply, {"method": body.method, "outcome": body.outcome})


def failed(case: Standing) -> Progress:
    """Count one attempt that failed."""
    return replace(case.progress, failed_attempts=case.progress.failed_attempts + 1)


def paused(contact_id: UUID, rule_id: str, body: ContactPause) -> Step:
    """Hold a contact back, wherever one waits; only its clock changes."""
    details = {"contact_id": str(contact_id), "rule_id": rule_id, "pause_reason": body.reason}
    return Step(DecisionKind.PAUSE, _ANY, _as_before, details)


def resumed(contact_id: UUID, rule_id: str) -> Step:
    """Let the clock of a contact go on."""
    return Step(DecisionKind.RESUMPTION, _ANY, _as_before, {"contact_id": str(contact_id), "rule_id": rule_id})


def _as_before(case: Standing) -> Progress:
    return case.progress


def assessed(body: Assessment) -> Step:
    """Let what an assessment found be all needs of the case; a later correction of its referral changes none."""
    needs = tuple(sorted(set(body.needs)))

    def apply(case: Standing) -> Progress:
        progress = case.progress
        return replace(
            progress,
            assessed_needs=needs,
            assessment_kind=body.kind,
            assessed_by=body.by,
            assessed_sections=body.sections,
            findings=progress.findings if body.findings is None else frozenset(body.findings),
        )

    details = {
        "assessed_needs": list(needs),
        "assessment_kind": body.kind,
        "assessed_by": body.by,
        "sections": list(body.sections),
        "findings": sorted(body.findings or ()),
    }
    return Step(DecisionKind.ASSESSMENT, _OPEN, apply, details)


def chosen(body: NewChoice) -> Step:
    """Note which services were offered for a need, and which of them the person chose."""

    def apply(case: Standing) -> Progress:
        others = [choice for choice in case.progress.choices if choice.need != body.need]
        before = next((choice for choice in case.progress.choices if choice.need == body.need), Choice(body.need))
        options = before.options if body.options is None else body.options
        if options and body.service_id is not None and body.service_id not in options:
            raise _invalid("/service_id", "not_an_option", "must be one of the services that were offered")
        at = case.now if body.service_id is not None else None
        return replace(case.progress, choices=(*others, Choice(body.need, options, body.service_id, at)))

    return Step(DecisionKind.CHOICE, _OPEN, apply, body.model_dump(mode="json"))


def requested(body: ReferralsWanted) -> Step:
    """Ask for referrals: the needs join those of the case."""

    def apply(case: Standing) -> Progress:
        asked = {**case.progress.requested_needs, **dict.fromkeys(body.needs, case.now)}
        return replace(case.progress, requested_needs=asked)

    return Step(DecisionKind.REQUEST, _OPEN, apply, {"requested_needs": list(body.needs)})


def proposed(body: LeadProposal) -> Step:
    """Note whom the meeting proposed to lead; exactly one is the lead provider."""

    def apply(case: Standing) -> Progress:
        if not case.progress.review:
            raise ConflictError("This case is not under joint review", code="wrong_state")
        known = {reviewed.service_id for reviewed in case.progress.review}
        named = [(f"/service_ids/{n}", id) for n, id in enumerate(body.service_ids)]
        named += [(f"/views/{n}/service_id", view.service_id) for n, view in enumerate(body.views)]
        detail = "must be one of the services under review"
        faults = [FieldError(pointer, "not_under_review", detail) for pointer, id in named if id not in known]
        if faults:
            raise InvalidError(errors=faults)
        leads = tuple(dict.fromkeys(body.service_ids))
        return replace(case.progress, proposed_leads=leads, lead_service_id=leads[0] if len(leads) == 1 else None)

    return Step(DecisionKind.LEAD, frozenset({CaseStatus.PENDING}), apply, body.model_dump(mode="json"))


def in_court(body: CourtEvent) -> Step:
    """Note what happened on the way through the courts; the newest event counts, and the plea at the newest hearing."""

    def apply(case: Standing) -> Progress:
        progress = case.progress
        if (body.plea is not None) != (body.type == "plea_entered"):
            code, detail = ("missing", "is required") if body.plea is None else ("plea_without_hearing", _NO_PLEA)
            raise _invalid("/plea", code, detail)
        if not _is_before(body.on, progress.court_event_on):
            on = body.on or progress.court_event_on
            progress = replace(progress, court_event=body.type, court_event_on=on)
        if body.plea is None or _is_before(body.on, progress.hearing_on):
            return progress
        return replace(progress, plea=body.plea, hearing_on=body.on or progress.hearing_on)

    return Step(DecisionKind.COURT, _AT_WORK, apply, body.model_dump(mode="json", exclude_none=True))


def _is_before(day: date | None, other: date | None) -> bool:
    return day is not None and other is not None and day < other


_NO_PLEA = "goes with the type plea_entered alone"


def surveyed(body: SurveyDue) -> Step:
    """Let the surveys go out that wait for somebody to say that they are due."""

    def apply(case: Standing) -> Progress:
        known = sorted({rule.instrument for rule in case.profile.surveys if rule.sent_on == "survey_due"})
        if body.instrument is not None and body.instrument not in known:
            said = f"is not a survey that can be due; known are: {', '.join(known)}"
            raise _invalid("/instrument", "unknown_code", said)
        return replace(case.progress, is_survey_due=True)

    return Step(DecisionKind.SURVEY, _TAKEN_ON, apply, body.model_dump(exclude_none=True))


def closed(body: Closure) -> Step:
    """End the hub's work."""

    def apply(case: Standing) -> Progress:
        return replace(case.progress, closed_at=case.now, closed_reason=body.reason)

    return Step(DecisionKind.CLOSURE, _NOT_ENDED, apply, {"closed_reason": body.reason})


def reopened(body: ReOffer) -> Step:
    """Offer help once more; when it is accepted the same case goes on."""

    def apply(case: Standing) -> Progress:
        if case.profile.re_offer.allowed is False:
            raise ConflictError("This hub does not offer help again", code="wrong_state")
        if not body.accepted:
            return case.progress
        return replace(
            case.progress,
            offer="accepted",
            offer_at=case.now,
            declined_at=None,
            closed_at=None,
            closed_reason=None,
            reopened_at=case.now,
        )

    return Step(DecisionKind.REOPENING, _ENDED, apply, {"offered_by": body.by, "accepted": body.accepted})


def moment(given: datetime | None, now: datetime) -> datetime:
    """Return when something happened: as the caller says, or now.

    Raises
    ------
    InvalidError
        When that is in the future.
    """
    if given is not None and given > now + _LEEWAY:
        raise _invalid("/at", "in_future", "must not be in the future")
    return given or now


def _invalid(pointer: str, code: str, detail: str) -> InvalidError:
    return InvalidError(errors=[FieldError(pointer, code, detail)])
