"""What came over from the police, when and on what basis.

Source: the channels and sharings of the hub's profile; convention IC-2 (hours) of the hub facts.
"""

from typing import Any

from services.triage.model import Decision, Subject
from services.triage.policy.moments import as_text
from services.triage.policy.rulebook import Rulebook


def received_data(rulebook: Rulebook, subject: Subject, decision: Decision) -> dict[str, Any] | None:
    """Return the disclosure by which the police's data came, or was kept back.

    None where it did not come from the police, where the hub is the police's own (nothing changes hands inside one
    controller), and where the hub or the channel was not active.
    """
    if not rulebook.is_police(subject.channel) or rulebook.inbound_basis == "controller_internal":
        return None
    if decision.outcome in ("no_active_profile", "channel_not_active"):
        return None
    reason = decision.withheld_reason
    return {
        "from": "police",
        "to": rulebook.receiver(subject.channel, subject.unit) or "hub",
        "what": "referral_data",
        "outcome": "withheld" if reason else "released",
        "basis": decision.basis,
        "reason": reason,
    }


def transfer_of(rulebook: Rulebook, subject: Subject) -> dict[str, Any] | None:
    """Return when the crime comes over, where the channel has a rule and the time of recording is known."""
    recorded_at = subject.crime_recorded_at
    rule = rulebook.transfer(subject.channel, subject.unit) if recorded_at else None
    if rule is None or recorded_at is None:
        return None
    within, calendar = rule.within, rulebook.calendar
    clock = {"start": as_text(recorded_at), "amount": within.amount, "unit": within.unit} if within else None
    return {
        "at": as_text(calendar.next_at(recorded_at, rule.at)) if rule.at else None,
        "max_interval_hours": rule.max_interval_hours,
        "clock": clock,
        "due": as_text(calendar.due(recorded_at, within)) if within else None,
    }
