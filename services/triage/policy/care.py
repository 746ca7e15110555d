"""What the hub does for a person whom it took on: who triages and who works with them, assessment, plan, open doors.

Source: the parts of the hub's profile of these names; convention IC-5 (nothing is made up where the text is silent).
"""

from datetime import datetime, timedelta
from typing import Any

from services.triage.model import Subject
from services.triage.policy.rulebook import Rulebook

#: An output as the public case shows it, and the ids of the rules that made it.
Found = tuple[dict[str, Any] | None, tuple[str, ...]]

#: What every rule has; the other fields of an assignment are told.
_OF_ALL_RULES = {"id", "when", "text", "source"}


def triage_of(rulebook: Rulebook, subject: Subject) -> Found:
    """Return who triages, on what basis, and what was found."""
    rules = rulebook.profile.triage
    performer = next((rule for rule, applies in rulebook.performers if applies(subject)), None)
    performed_by, basis = rules.performed_by, rules.basis or None
    if performer is not None:
        performed_by = performer.by
        basis = None if performer.has_no_basis else performer.basis or basis
    matched = tuple(rule.id for rule, applies in rulebook.matches if applies(subject))
    found = {
        "performed_by": performed_by,
        "basis": list(basis) if basis else None,
        "level": subject.level,
        "enhanced": subject.entitlement == "enhanced",
        "vulnerable": rulebook.vulnerable(subject) if rulebook.vulnerable else None,
        "prioritised": rulebook.prioritised(subject) if rulebook.prioritised else None,
        "matched": list(matched),
    }
    return found, (*((performer.id,) if performer else ()), *matched)


def assessment_of(rulebook: Rulebook, subject: Subject) -> Found:
    """Return the assessment that is required, with what is known of one that was recorded.

    Where the hub has rules and none applies, none is required; where it has none, nothing is said of what is required.
    """
    progress = subject.progress
    is_recorded = progress.assessed_needs is not None
    if not rulebook.assessments and not is_recorded:
        return None, ()
    rule = next((rule for rule, applies in rulebook.assessments if applies(subject)), None)
    done_by = (rulebook.profile.assessed_by or progress.assessed_by) if is_recorded else None
    if rule is not None:
        done_by = rule.by or rulebook.profile.assessed_by or done_by
    found = {
        "required": rule.required if rule else False if rulebook.assessments else None,
        "kind": (rule.kind if rule else None) or progress.assessment_kind,
        "by": done_by,
        "decides": list(rule.decides) if rule else [],
        "offered": rule.offered if rule else None,
        "sections": list(progress.assessed_sections),
    }
    return found, (rule.id,) if rule else ()


def plan_of(rulebook: Rulebook, subject: Subject) -> dict[str, Any] | None:
    """Return the plan that the case gets."""
    plan = rulebook.profile.plan
    if plan is None or rulebook.plan is None or not rulebook.plan(subject):
        return None
    elements = [element for element, applies in rulebook.plan_elements if applies(subject)]
    return {"kind": plan.kind, "required": True, "created_after": plan.after, "elements": elements}


def assignment_of(rulebook: Rulebook, subject: Subject) -> Found:
    """Return who works on the case, in those words alone that the first rule that applies gives."""
    for rule, applies in rulebook.assignments:
        if applies(subject):
            return rule.model_dump(exclude=_OF_ALL_RULES, exclude_none=True), (rule.id,)
    return None, ()


def contact_point_of(rulebook: Rulebook, subject: Subject) -> str | None:
    """Return who stays with the person, where the hub names somebody."""
    point, applies = rulebook.profile.single_point_of_contact, rulebook.single_point_of_contact
    return point.by if point is not None and applies is not None and applies(subject) else None


def attributes_of(rulebook: Rulebook, subject: Subject) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the attributes of the case, each by the first rule for its name that applies."""
    found: dict[str, Any] = {}
    rules = []
    for rule, applies in rulebook.attributes:
        if rule.name not in found and applies(subject):
            found[rule.name] = rule.value
            rules.append(rule.id)
    return found, tuple(rules)


def opt_in_of(rulebook: Rulebook, subject: Subject, opened_at: datetime) -> dict[str, Any] | None:
    """Return the open door, and the local day on which it closes if it ever does."""
    rule, applies = rulebook.profile.opt_in, rulebook.opt_in
    if rule is None or applies is None or not applies(subject):
        return None
    days = timedelta(days=rule.days) if rule.days else None
    expires = (rulebook.calendar.local_day(opened_at) + days).isoformat() if days else None
    return {"open": True, "expires": expires}


def updates_of(rulebook: Rulebook, subject: Subject) -> dict[str, Any] | None:
    """Return whether updates on the way through the courts have begun, and what they tell."""
    rule, applies = rulebook.profile.case_updates, rulebook.case_updates
    if rule is None or applies is None:
        return None
    is_started = applies(subject)
    return {"started": is_started, "content": list(rule.content) if is_started else []}
