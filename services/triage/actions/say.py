"""Says what was decided about a case: one event for where it stands now, and the messages that follow from it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hubkit.contracts import (
    CaseClosedV1,
    CaseExcludedV1,
    CaseOpenedV1,
    CaseTriagedV1,
    Contract,
    MessageRequestedV1,
)
from hubkit.contracts.case import ChoiceFacts, DecisionFacts
from hubkit.contracts.codes import SENT_METHODS
from hubkit.contracts.profile import Profile, SurveyRule
from hubkit.db import Tx
from hubkit.ids import new_id
from services.triage.model import CaseChange, CaseStatus, DecisionKind, DueMessage, Progress
from services.triage.policy.safety import keep_safe
from services.triage.policy.subject import subject_of

#: Nobody works on these any more.
_ENDED = (CaseStatus.CLOSED, CaseStatus.DECLINED)
#: What a case ended with that the person declined.
_DECLINED = "offer_declined"


def say(tx: Tx, change: CaseChange, profile: Profile) -> None:
    """Emit what follows from a change of a case."""
    tx.emit(_event(tx, change), change.case_id)
    for message in _surveys(change, profile):
        ask_for_message(tx, message)


def ask_for_message(tx: Tx, message: DueMessage) -> None:
    """Ask intake to send a message."""
    requested = MessageRequestedV1(
        message_id=message.id,
        case_id=message.case_id,
        referral_id=message.referral_id,
        purpose=message.purpose,
        methods=message.methods,
        mode=message.mode,
        content=message.content,
        unit=message.unit,
        language=message.language,
    )
    tx.emit(requested, message.case_id)


def _event(tx: Tx, change: CaseChange) -> Contract:
    status = change.triaged.status
    if change.opened_at is None or status is CaseStatus.EXCLUDED:
        return _excluded(change)
    if status in _ENDED:
        return CaseClosedV1(
            case_id=change.case_id,
            referral_id=change.referral.referral_id,
            version=change.version,
            reason=_DECLINED if status is CaseStatus.DECLINED else change.progress.closed_reason,
            closed_at=change.progress.closed_at or change.progress.declined_at or tx.now,
        )
    return _open(change, change.opened_at)


def _decision(change: CaseChange) -> DecisionFacts:
    decision = change.triaged.decision
    return DecisionFacts(
        outcome=decision.outcome,
        reason=decision.reason,
        profile_version=change.versions.profile,
        rules=decision.rules,
    )


def _excluded(change: CaseChange) -> CaseExcludedV1:
    return CaseExcludedV1(
        case_id=change.case_id,
        referral_id=change.referral.referral_id,
        version=change.version,
        source_organisation=change.referral.source_organisation,
        decision=_decision(change),
        case_status=change.triaged.decision.case_status,
        expected_route=change.triaged.decision.expected_route,
    )


def _open(change: CaseChange, opened_at: datetime) -> CaseOpenedV1:
    referral, triaged, progress = change.referral, change.triaged, change.progress
    was_opened = change.before is not None and change.before.opened_at is not None
    contract = CaseTriagedV1 if was_opened else CaseOpenedV1
    return contract(
        case_id=change.case_id,
        referral_id=referral.referral_id,
        version=change.version,
        source_organisation=referral.source_organisation,
        decision=_decision(change),
        opened_at=opened_at,
        crime_category=referral.crime.category,
        markers=referral.markers,
        role=referral.role,
        age=referral.age,
        area_code=referral.area_code,
        risk_grade=referral.risk.grade,
        language=referral.language,
        entitlement=triaged.entitlement.level if triaged.entitlement else None,
        priority=triaged.level,
        needs=triaged.needs,
        consents=referral.consents,
        requested_needs=_asked_for(change),
        choices=_choices(progress),
        lead_service_id=progress.lead_service_id,
        local_authority_area=referral.local_authority_area,
        changed_in=referral.changed_in,
    )


def _asked_for(change: CaseChange) -> tuple[str, ...]:
    """Return the needs that staff asked for in this change; said again later they would be asked for again."""
    return tuple(change.details.get("requested_needs", ())) if change.kind is DecisionKind.REQUEST else ()


def _choices(progress: Progress) -> tuple[ChoiceFacts, ...]:
    return tuple(
        ChoiceFacts(need=choice.need, service_id=choice.service_id, chosen_at=choice.chosen_at)
        for choice in progress.choices
        if choice.service_id is not None and choice.chosen_at is not None
    )


def _surveys(change: CaseChange, profile: Profile) -> list[DueMessage]:
    """Return the surveys that go out by this change: a decision repeats what was sent, and that is not sent again."""
    sent = [_key(survey) for survey in change.before.surveys if survey["sent"]] if change.before else []
    due = [survey for survey in change.triaged.outputs.surveys if survey["sent"] and _key(survey) not in sent]
    rules = {(rule.unit, rule.instrument): rule for rule in profile.surveys}
    return [_survey(change, profile, rules[_key(survey)]) for survey in due]


def _key(survey: Mapping[str, Any]) -> tuple[str | None, str]:
    return survey["unit"], survey["instrument"]


def _survey(change: CaseChange, profile: Profile, rule: SurveyRule) -> DueMessage:
    referral = change.referral
    allowed = profile.contact_methods or SENT_METHODS
    methods = rule.methods or tuple(method for method in SENT_METHODS if method in allowed)
    safe = keep_safe(methods, referral.safe_contact, subject_of(referral, change.progress))
    return DueMessage(
        id=new_id(),
        case_id=change.case_id,
        referral_id=referral.referral_id,
        purpose="survey",
        methods=safe.methods or (),
        mode="any",
        content=(rule.instrument,),
        unit=rule.unit,
        language=referral.language,
    )
