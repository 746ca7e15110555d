"""All decisions about one referral, in order. Begin reading here."""

from dataclasses import replace
from datetime import datetime

from hubkit.contracts.referral import ReferralReceivedV1
from services.triage.model import Triaged
from services.triage.policy.acceptance import accept
from services.triage.policy.contacts import plan_contacts
from services.triage.policy.entitlement import decide_entitlement
from services.triage.policy.levels import find_level
from services.triage.policy.needs import find_needs
from services.triage.policy.rulebook import Rulebook
from services.triage.policy.subject import subject_of


def decide(
    rulebook: Rulebook,
    referral: ReferralReceivedV1,
    opened_at: datetime,
    assessed_needs: tuple[str, ...] | None = None,
) -> Triaged:
    """Decide acceptance, then entitlement, needs, level and first contacts; each may ask for what was decided before.

    Parameters
    ----------
    opened_at
        When the case was or is being opened.
    assessed_needs
        What an assessment with the person found; None before there was one.
    """
    subject = subject_of(referral, assessed_needs)
    decision = accept(rulebook, subject)
    if not decision.is_accepted:
        return Triaged(decision)
    entitlement = decide_entitlement(rulebook.categories, subject)
    subject = replace(subject, entitlement=entitlement.level)
    needs, need_rules = find_needs(rulebook, subject, assessed=assessed_needs is not None)
    subject = replace(subject, needs=frozenset(needs))
    level, level_rules = find_level(rulebook, subject)
    subject = replace(subject, level=level)
    contacts = plan_contacts(rulebook, subject, referral, opened_at)
    rules = (
        *(f"victims_code.{category}" for category in entitlement.categories),
        *need_rules,
        *level_rules,
        *(contact.rule_id for contact in contacts),
    )
    return Triaged(replace(decision, rules=rules), entitlement, level, needs, contacts)
