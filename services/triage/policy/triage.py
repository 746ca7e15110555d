"""All decisions about one referral, in order. Begin reading here."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from hubkit.contracts.referral import ReferralReceivedV1
from services.triage.model import CaseStatus, Decision, PlannedContact, Progress, Subject, Triaged
from services.triage.policy.acceptance import accept
from services.triage.policy.care import triage_of
from services.triage.policy.contacts import is_booked, plan_contacts
from services.triage.policy.entitlement import decide_entitlement, judge_entitlement
from services.triage.policy.levels import find_level
from services.triage.policy.needs import find_needs, named_needs
from services.triage.policy.outputs import find_outputs, refused_outputs
from services.triage.policy.rulebook import Rulebook
from services.triage.policy.standing import await_lead, status_of
from services.triage.policy.subject import subject_of

_NOTHING_DONE = Progress()


def decide(
    rulebook: Rulebook, referral: ReferralReceivedV1, opened_at: datetime, progress: Progress = _NOTHING_DONE
) -> Triaged:
    """Decide acceptance, then entitlement, needs, level and all that follows; each may ask for what was decided before.

    The same facts give the same decisions: all that happened since the referral came is in `progress`.

    Parameters
    ----------
    opened_at
        When the case was or is being opened.
    """
    subject = subject_of(referral, progress)
    found = decide_entitlement(rulebook.categories, subject)
    subject = _with(subject, entitlement=found.level)
    decision = accept(rulebook, subject)
    if not decision.is_accepted:
        return _refuse(rulebook, subject, referral, opened_at, decision)
    entitlement = judge_entitlement(found, progress.judged_enhanced)
    subject = _with(subject, entitlement=entitlement.level, needs=named_needs(subject.needs, progress))
    needs = find_needs(rulebook, subject)
    subject = _with(subject, needs=needs.named)
    level, level_rules = find_level(rulebook, subject)
    subject = _with(subject, level=level)
    contacts = plan_contacts(rulebook, subject, referral, opened_at, decision)
    decision = await_lead(rulebook.profile, decision, progress)
    status = status_of(decision, progress)
    outputs, output_rules = find_outputs(rulebook, subject, referral, opened_at, (decision, status), needs.held)
    rules = (
        *decision.rules,
        *(f"victims_code.{category}" for category in entitlement.categories),
        *needs.rules,
        *level_rules,
        *_planned_by(contacts),
        *output_rules,
    )
    decision = replace(decision, rules=rules)
    return Triaged(decision, entitlement, level, needs.asked_for, contacts, status, outputs)


def _refuse(
    rulebook: Rulebook, subject: Subject, referral: ReferralReceivedV1, opened_at: datetime, decision: Decision
) -> Triaged:
    """Return what is decided of a referral that is not taken on; some hubs write to these people all the same."""
    outputs = refused_outputs(rulebook, subject, decision)
    if not rulebook.contacts_refused:
        return Triaged(decision, status=CaseStatus.EXCLUDED, outputs=outputs)
    level, level_rules = find_level(rulebook, subject)
    subject = _with(subject, level=level)
    contacts = plan_contacts(rulebook, subject, referral, opened_at, decision)
    if not contacts:
        return Triaged(decision, status=CaseStatus.EXCLUDED, outputs=outputs)
    # Who is contacted was triaged: the level says why they are contacted in this way.
    triage, triage_rules = triage_of(rulebook, subject)
    rules = (*decision.rules, *level_rules, *_planned_by(contacts), *triage_rules)
    decision, outputs = replace(decision, rules=rules), replace(outputs, triage=triage)
    return Triaged(decision, level=level, contacts=contacts, status=CaseStatus.EXCLUDED, outputs=outputs)


def _with(subject: Subject, **decided: Any) -> Subject:
    """Return the subject with what was decided; most referrals change little, and a copy costs more than a look."""
    is_new = any(getattr(subject, name) != value for name, value in decided.items())
    return replace(subject, **decided) if is_new else subject


def _planned_by(contacts: tuple[PlannedContact, ...]) -> tuple[str, ...]:
    return tuple(contact.rule_id for contact in contacts if not is_booked(contact.rule_id))
