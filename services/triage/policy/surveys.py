"""Whom the hub asks what it was like, and when.

Source: the survey rules of the hub's profile. Where one says what is told when the person did not agree, silence is no
agreement.
"""

from collections.abc import Mapping
from typing import Any

from hubkit.contracts.profile import SurveyRule
from services.triage.model import Subject, UnitDecision
from services.triage.policy.acceptance import takes_part
from services.triage.policy.rulebook import Rulebook


def surveys_of(rulebook: Rulebook, subject: Subject, by_unit: Mapping[str, UnitDecision]) -> tuple[dict[str, Any], ...]:
    """Return every survey of the hub with what became of it, once the case was closed or a survey was due."""
    happened = _happened(subject)
    if not rulebook.surveys or not happened:
        return ()
    return tuple(
        _survey(rule, subject, happened, is_eligible=applies(subject))
        for rule, applies in rulebook.surveys
        if takes_part(rulebook, rule.unit, subject, by_unit)
    )


def _happened(subject: Subject) -> frozenset[str]:
    progress = subject.progress
    found = (("case_closed", progress.closed_at is not None), ("survey_due", progress.is_survey_due))
    return frozenset(name for name, happens in found if happens)


def _survey(rule: SurveyRule, subject: Subject, happened: frozenset[str], *, is_eligible: bool) -> dict[str, Any]:
    agreed = (subject.consents or {}).get("survey") == "given"
    reason = None if agreed or not is_eligible else rule.refused_reason
    return {
        "unit": rule.unit,
        "instrument": rule.instrument,
        "trigger": rule.trigger,
        "sent": is_eligible and rule.sent_on in happened and reason is None,
        "eligible": is_eligible,
        "reason": reason,
        "methods": list(rule.methods) or None,
    }
