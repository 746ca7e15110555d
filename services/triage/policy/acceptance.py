"""Whether the hub takes the referral on.

Source: design, section 2 (decision); conventions IC-9 (an exclusion is recorded and nothing is sent) of the hub facts.
What is excluded stands in the hub's profile alone.
"""

from datetime import date

from hubkit.contracts.profile import Channel, Profile
from services.triage.model import Decision, Subject
from services.triage.policy.rulebook import Rulebook


def accept(rulebook: Rulebook, subject: Subject) -> Decision:
    """Return the decision: profile and channel must be active on the day of receipt, and no exclusion may apply."""
    profile = rulebook.profile
    received_on = rulebook.calendar.local_day(subject.received_at)
    early, late = _outside(received_on, profile.valid_from, profile.valid_to)
    if early or late:
        return Decision("no_active_profile", profile.early_reason if early else profile.late_reason)
    refusal = _channel_refusal(profile, subject, received_on)
    if refusal is not None:
        return Decision("channel_not_active", refusal)
    if subject.role == "witness" and profile.witnesses is False:
        return Decision("out_of_scope", "witnesses_not_served")
    applied = [rule for rule, applies in rulebook.exclusions if applies(subject)]
    if not applied:
        return Decision()
    first = applied[0]
    rules = tuple(rule.id for rule in applied)
    return Decision(first.outcome, first.reason, rules, first.case_status, first.expected_route)


def _outside(day: date, first: date | None, last: date | None) -> tuple[bool, bool]:
    """Return whether a day is too early, and whether it is too late."""
    return first is not None and day < first, last is not None and day > last


def _channel_refusal(profile: Profile, subject: Subject, day: date) -> str | None:
    """Return why no channel of the profile takes the referral on this day, or None when one does."""
    reason = "channel_not_in_profile"
    for channel in profile.channels:
        if not _is_by(channel, subject):
            continue
        early, late = _outside(day, channel.active_from, channel.active_to)
        if not early and not late:
            return None
        reason = channel.early_reason if early else channel.late_reason
    return reason


def _is_by(channel: Channel, subject: Subject) -> bool:
    is_unit = channel.unit is None or subject.unit is None or channel.unit == subject.unit
    return channel.channel == subject.channel and is_unit
