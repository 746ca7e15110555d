"""What staff record about a case.

Each call needs `If-Match` with the version of the case that was read; triage decides again, and answers with the case
as it is from then on.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request, Response

from hubkit.fields import Id
from hubkit.web import etag, if_match_version, new_router
from services.triage.actions import change, read
from services.triage.actions import progress as steps
from services.triage.api.common import Writer, dependencies, service
from services.triage.schemas import requests
from services.triage.schemas.views import AssessmentView, CaseView

router = new_router("/v1/cases/{case_id}", tags=["cases"])


class _Call:
    """One call that changes a case."""

    def __init__(self, request: Request, response: Response, case_id: Id, caller: Writer) -> None:
        self.version = if_match_version(request)
        self.db = service(request).db
        self.deps = dependencies(request)
        self.response = response
        self.case_id = case_id
        self.by = caller.client_id

    async def take(self, step: steps.Step) -> CaseView:
        """Take a step with the case, and return it."""
        return await self._done(change.change_case, self.case_id, self.version, step)

    async def attempt(self, contact_id: Id | None, body: requests.NewAttempt) -> CaseView:
        """Record an attempt, and return the case."""
        return await self._done(change.record_attempt, (self.case_id, self.version), contact_id, body)

    async def pause(self, contact_id: Id, body: requests.ContactPause) -> CaseView:
        """Pause a contact, and return the case."""
        return await self._done(change.pause_contact, (self.case_id, self.version), contact_id, body)

    async def resume(self, contact_id: Id) -> CaseView:
        """Resume a contact, and return the case."""
        return await self._done(change.resume_contact, (self.case_id, self.version), contact_id)

    async def _done(self, act: Callable[..., Awaitable[object]], *what: object) -> CaseView:
        """Change the case in one transaction, and return it as it is then."""
        async with self.db.transaction() as tx:
            await act(tx, self.deps, *what, self.by)
            case = await read.read_case(tx, self.deps, self.case_id)
        self.response.headers["ETag"] = etag(case.version)
        return case

    async def assess(self, body: requests.Assessment) -> AssessmentView:
        """Record an assessment, and return it."""
        async with self.db.transaction() as tx:
            found = await change.record_assessment(tx, self.deps, self.case_id, self.version, body, self.by)
        self.response.headers["ETag"] = etag(found.version)
        return found


Call = Annotated[_Call, Depends(_Call)]


@router.post("/judgements", status_code=201, summary="Record a judgement")
async def record_judgement(call: Call, body: requests.Judgement) -> CaseView:
    """Record that a professional judged the person entitled to an enhanced service, or not."""
    return await call.take(steps.judged(body))


@router.post("/offers", status_code=201, summary="Record the answer to the offer")
async def record_offer(call: Call, body: requests.Offer) -> CaseView:
    """Record how the person answered the hub's offer of help; who declined may accept later."""
    return await call.take(steps.answered(body))


@router.post("/contacts", status_code=201, summary="Book a contact")
async def book_contact(call: Call, body: requests.NewContact) -> CaseView:
    """Book a contact. By a method that the hub does not have it is booked with those it has; see `refused_methods`."""
    return await call.take(steps.booked(body))


@router.post("/contacts/{contact_id}/attempts", status_code=201, summary="Record an attempt of a planned contact")
async def record_contact_attempt(call: Call, contact_id: Id, body: requests.NewAttempt) -> CaseView:
    """Record an attempt to reach the person; once they were reached, the contact is done."""
    return await call.attempt(contact_id, body)


@router.post("/contacts/{contact_id}/pause", summary="Pause a planned contact")
async def pause_contact(call: Call, contact_id: Id, body: requests.ContactPause) -> CaseView:
    """Hold a contact back: nothing is sent and its clock stands still until it is resumed."""
    return await call.pause(contact_id, body)


@router.post("/contacts/{contact_id}/resume", summary="Resume a paused contact")
async def resume_contact(call: Call, contact_id: Id) -> CaseView:
    """Let the clock of a paused contact go on; the time of the pause does not count."""
    return await call.resume(contact_id)


@router.post("/attempts", status_code=201, summary="Record an attempt")
async def record_attempt(call: Call, body: requests.NewAttempt) -> CaseView:
    """Record an attempt to reach the person outside of a planned contact."""
    return await call.attempt(None, body)


@router.post("/assessments", status_code=201, summary="Record an assessment")
async def record_assessment(call: Call, body: requests.Assessment) -> AssessmentView:
    """Record what an assessment with the person found."""
    return await call.assess(body)


@router.post("/choices", status_code=201, summary="Record a choice of service")
async def record_choice(call: Call, body: requests.NewChoice) -> CaseView:
    """Record which services were offered to the person for a need, and which one they chose."""
    return await call.take(steps.chosen(body))


@router.post("/onward-referrals", status_code=201, summary="Ask for referrals")
async def request_referrals(call: Call, body: requests.ReferralsWanted) -> CaseView:
    """Ask for referrals to services that meet these needs; the needs join those of the case."""
    return await call.take(steps.requested(body))


@router.post("/leads", status_code=201, summary="Propose a lead provider")
async def propose_leads(call: Call, body: requests.LeadProposal) -> CaseView:
    """Record what the joint review proposed. Exactly one service leads; with more the case stays under review."""
    return await call.take(steps.proposed(body))


@router.post("/events", status_code=201, summary="Record a court event")
async def record_court_event(call: Call, body: requests.CourtEvent) -> CaseView:
    """Record what happened on the way through the courts."""
    return await call.take(steps.in_court(body))


@router.post("/surveys", status_code=201, summary="Say that a survey is due")
async def send_surveys(call: Call, body: requests.SurveyDue) -> CaseView:
    """Let the surveys go out that wait for somebody to say that they are due, to those who agreed."""
    return await call.take(steps.surveyed(body))


@router.post("/close", summary="Close a case")
async def close_case(call: Call, body: requests.Closure) -> CaseView:
    """End the hub's work: what was planned is cancelled, and nobody is asked any more."""
    return await call.take(steps.closed(body))


@router.post("/reopen", summary="Offer help again")
async def reopen_case(call: Call, body: requests.ReOffer) -> CaseView:
    """Record a renewed offer to somebody who declined or whose case was closed; accepted, the same case goes on."""
    return await call.take(steps.reopened(body))
