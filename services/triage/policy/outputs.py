"""All that triage decides beside acceptance, level, needs and contacts, as the public case shows it."""

from collections.abc import Mapping
from datetime import datetime

from hubkit.contracts.referral import ReferralReceivedV1
from services.triage.model import CaseStatus, Decision, Outputs, Subject
from services.triage.policy import care, inbound, standing
from services.triage.policy.contacts import refused_methods
from services.triage.policy.rulebook import Rulebook
from services.triage.policy.surveys import surveys_of

#: What is no longer planned for somebody who declined.
_NOTHING: care.Found = (None, ())


def refused_outputs(rulebook: Rulebook, subject: Subject, decision: Decision) -> Outputs:
    """Return what is told of a referral that was not taken on."""
    return Outputs(case_status=decision.case_status, received=inbound.received_data(rulebook, subject, decision))


def find_outputs(
    rulebook: Rulebook,
    subject: Subject,
    referral: ReferralReceivedV1,
    opened_at: datetime,
    standing_as: tuple[Decision, CaseStatus],
    held: Mapping[str, str],
) -> tuple[Outputs, tuple[str, ...]]:
    """Return the outputs of a referral that was taken on, and the ids of the rules that made them.

    Who declined needs no assessment, no plan and nobody to work on them.
    """
    profile, progress = rulebook.profile, subject.progress
    decision, status = standing_as
    is_helped = status is not CaseStatus.DECLINED
    triage, triage_rules = care.triage_of(rulebook, subject)
    assessment, assessment_rules = care.assessment_of(rulebook, subject) if is_helped else _NOTHING
    assignment, assignment_rules = care.assignment_of(rulebook, subject) if is_helped else _NOTHING
    attributes, attribute_rules = care.attributes_of(rulebook, subject)
    outputs = Outputs(
        case_status=standing.word_of(profile, status, progress),
        triage=triage,
        needs_assessment=assessment,
        plan=care.plan_of(rulebook, subject) if is_helped else None,
        assignment=assignment,
        single_point_of_contact=care.contact_point_of(rulebook, subject),
        attributes=attributes,
        opt_in=care.opt_in_of(rulebook, subject, opened_at),
        transfer=inbound.transfer_of(rulebook, subject),
        received=inbound.received_data(rulebook, subject, decision),
        review=standing.review_of(rulebook, referral, progress),
        case_updates=care.updates_of(rulebook, subject),
        held_needs=tuple({"need": need, "next": held[need]} for need in sorted(held)),
        surveys=surveys_of(rulebook, subject, decision.by_unit),
        linked_to_previous=progress.reopened_at is not None,
        refused_methods=refused_methods(rulebook, progress),
    )
    return outputs, (*triage_rules, *assessment_rules, *assignment_rules, *attribute_rules)
