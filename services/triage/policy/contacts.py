"""Whom the hub contacts, by what methods, when and by when.

Source: the contact rules of the hub's profile; conventions IC-4 (methods) and IC-5 (no deadline where the text names
none) of the hub facts. Safe contact comes before any rule: `safety`.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

from hubkit.contracts.profile import ContactRule, Within
from hubkit.contracts.referral import ReferralReceivedV1
from services.triage.model import Booking, ContactState, Decision, PlannedContact, Progress, Subject
from services.triage.policy.acceptance import takes_part
from services.triage.policy.rulebook import Rulebook
from services.triage.policy.safety import keep_safe

#: What the rule ids of contacts begin with that staff booked.
BOOKED = "booked"

#: None: staff choose. The second says whether all of them or any one will do.
Methods = tuple[tuple[str, ...] | None, str | None]


def plan_contacts(
    rulebook: Rulebook, subject: Subject, referral: ReferralReceivedV1, opened_at: datetime, decision: Decision
) -> tuple[PlannedContact, ...]:
    """Return one contact for each rule that applies after this decision about acceptance, and those that staff booked.

    A unit contacts only those whom it took on. Nobody is contacted in a closed case, and who declined only by a rule
    that asks for just that.
    """
    progress = subject.progress
    if progress.closed_at is not None:
        return ()
    applied = [
        rule
        for rule, applies in rulebook.contacts
        if decision.outcome in rule.outcomes
        and _may_still(rule, progress)
        and takes_part(rulebook, rule.unit, subject, decision.by_unit)
        and applies(subject)
    ]
    replaced = {id for rule in applied for id in rule.instead_of}
    if decision.is_accepted and progress.offer != "declined":
        applied += _booked(rulebook, progress)
    return tuple(_plan(rulebook, rule, subject, referral, opened_at) for rule in applied if rule.id not in replaced)


def is_booked(rule_id: str) -> bool:
    """Whether a contact with this rule id was booked by staff, and stands in no rule of the profile."""
    return rule_id.partition(".")[0] == BOOKED


def refused_methods(rulebook: Rulebook, progress: Progress) -> tuple[str, ...]:
    """Return the methods that were asked for and that the hub does not have."""
    limit = rulebook.profile.contact_methods
    return tuple(method for method in progress.requested_methods if method not in limit) if limit else ()


def _may_still(rule: ContactRule, progress: Progress) -> bool:
    """Whether the answer to the hub's offer, if there is one, leaves room for a contact."""
    if progress.offer is None:
        return True
    return not rule.ends_with_offer and (progress.offer != "declined" or "declined" in rule.when.offer)


def _booked(rulebook: Rulebook, progress: Progress) -> list[ContactRule]:
    """Return a rule for each contact that staff booked; for a method that the hub does not have, those that it has."""
    limit = rulebook.profile.contact_methods
    bookings = progress.bookings or tuple(Booking(method, "support") for method in progress.requested_methods)
    return [
        ContactRule(
            id=f"{BOOKED}.{number}" if number > 1 else BOOKED,
            purpose=booking.purpose,
            methods=limit if limit and booking.method not in limit else (booking.method,),
            mode="all",
        )
        for number, booking in enumerate(bookings, start=1)
    ]


def _plan(
    rulebook: Rulebook, rule: ContactRule, subject: Subject, referral: ReferralReceivedV1, opened_at: datetime
) -> PlannedContact:
    methods, mode = _methods(rule, referral.preferred_method, rulebook.profile.contact_methods)
    safe = keep_safe(methods, referral.safe_contact, subject)
    # Without any safe method the clock stops, and what is left out is the evidence why.
    is_suspended = safe.methods == ()
    clock = None if is_suspended else rule.within or rule.at
    start = _start(rule, clock, subject, opened_at) if clock else None
    due_at = rulebook.calendar.due(start, rule.within) if start and rule.within else None
    due_reason = "no_safe_method" if is_suspended else "no_deadline_in_profile"
    return PlannedContact(
        rule_id=rule.id,
        unit=rule.unit,
        purpose=rule.purpose,
        by=rule.by or rule.unit,
        methods=safe.methods,
        mode=mode,
        left_out=safe.left_out,
        cautions=safe.cautions,
        state=ContactState.SUSPENDED if is_suspended else ContactState.PLANNED,
        due_at=due_at,
        due_reason=None if due_at else "clock_not_started" if clock and not start else due_reason,
        at=_at(rulebook, rule, subject, opened_at) if rule.at and not is_suspended else None,
        clock_start=start,
        clock_amount=clock.amount if clock and start else None,
        clock_unit=clock.unit if clock and start else None,
        automated=rule.automated,
        content=rule.content,
        on_behalf_of=rule.on_behalf_of,
        method_decided_by=rule.method_decided_by,
        ends_with_offer=rule.ends_with_offer,
    )


def _methods(rule: ContactRule, preferred: str | None, limit: tuple[str, ...]) -> Methods:
    """Return the methods before safety is asked, and whether all of them or any one will do.

    What the person prefers, where they said so and the hub has it, replaces the list; else any of the list will do.
    """
    methods, mode = rule.methods, rule.mode
    if mode == "preferred":
        if preferred and (not limit or preferred in limit):
            return (preferred,), "all"
        mode = "any"
    if limit and not methods:
        return limit, "any" if len(limit) > 1 else "all"
    return methods or None, mode


def _at(rulebook: Rulebook, rule: ContactRule, subject: Subject, opened_at: datetime) -> datetime | None:
    start = _start(rule, rule.at, subject, opened_at) if rule.at else None
    return rulebook.calendar.due(start, rule.at) if start and rule.at else None


def _start(rule: ContactRule, limit: Within, subject: Subject, opened_at: datetime) -> datetime | None:
    """Return when a limit's clock starts, in UTC, or None while that has not happened."""
    progress, start = subject.progress, None
    match limit.starts:
        case "referral_received":
            start = subject.received_by_unit.get(rule.unit or subject.unit or "", subject.received_at)
        case "crime_recorded":
            start = subject.crime_recorded_at
        case "case_opened":
            start = opened_at
        case "offer_accepted":
            start = progress.offer_at if progress.offer == "accepted" else None
        case "need_requested":
            start = max(_requested(rule, progress), default=None)
    return start.astimezone(UTC) if start else None


def _requested(rule: ContactRule, progress: Progress) -> Iterator[datetime]:
    """Yield when the needs that the rule asks for were requested, or all needs when it asks for none."""
    wanted = {need for part in rule.when.parts() for need in part.requested_needs}
    yield from (at for need, at in progress.requested_needs.items() if not wanted or need in wanted)
