"""Whom the hub contacts first, by what methods, by when.

Source: the contact rules of the hub's profile; conventions IC-4 (methods) and IC-5 (no deadline where the text names
none) of the hub facts. Safe contact comes before any rule: `safety`.
"""

from datetime import datetime

from hubkit.contracts.profile import ContactRule, Within
from hubkit.contracts.referral import ReferralReceivedV1
from services.triage.model import ContactState, PlannedContact, Subject
from services.triage.policy.rulebook import Rulebook
from services.triage.policy.safety import keep_safe


def plan_contacts(
    rulebook: Rulebook, subject: Subject, referral: ReferralReceivedV1, opened_at: datetime
) -> tuple[PlannedContact, ...]:
    """Return one contact for each rule that applies."""
    return tuple(
        _plan(rulebook, rule, subject, referral, opened_at) for rule, applies in rulebook.contacts if applies(subject)
    )


def _plan(
    rulebook: Rulebook, rule: ContactRule, subject: Subject, referral: ReferralReceivedV1, opened_at: datetime
) -> PlannedContact:
    methods, mode = _methods(rule, referral.preferred_method)
    safe = keep_safe(methods, referral.safe_contact, subject)
    # Without any safe method the clock stops, and what is left out is the evidence why.
    is_suspended = safe.methods == ()
    due_at, due_reason = None, "no_safe_method" if is_suspended else "no_deadline_in_profile"
    if rule.within is not None and not is_suspended:
        start = _start(rule.within, subject, opened_at)
        due_at = rulebook.calendar.due(start, rule.within) if start else None
        due_reason = "clock_not_started"
    return PlannedContact(
        rule_id=rule.id,
        purpose=rule.purpose,
        by=rule.by,
        methods=safe.methods,
        mode=mode,
        left_out=safe.left_out,
        cautions=safe.cautions,
        state=ContactState.SUSPENDED if is_suspended else ContactState.PLANNED,
        due_at=due_at,
        due_reason=None if due_at else due_reason,
    )


def _methods(rule: ContactRule, preferred: str | None) -> tuple[tuple[str, ...] | None, str | None]:
    """Return the methods before safety is asked, and whether all of them or any one will do."""
    if rule.mode == "preferred":
        # What the person prefers, where they said so, replaces the list; else any of the list will do.
        return ((preferred,), "all") if preferred else (rule.methods or None, "any" if rule.methods else None)
    return rule.methods or None, rule.mode


def _start(within: Within, subject: Subject, opened_at: datetime) -> datetime | None:
    match within.starts:
        case "referral_received":
            return subject.received_at
        case "crime_recorded":
            return subject.crime_recorded_at
        case "case_opened":
            return opened_at
