"""Whether the hub takes the referral on.

Source: design, section 2 (decision); conventions IC-9 (an exclusion is recorded and nothing is sent) of the hub facts.
What is excluded stands in the hub's profile alone, and asks for the referral alone: whatever has been done for the
person since, an exclusion that holds wins.
"""

from collections.abc import Mapping
from datetime import date

from hubkit.contracts.profile import Channel, ExclusionRule, Profile
from services.triage.model import Decision, Subject, UnitDecision
from services.triage.policy.rulebook import Rulebook


def accept(rulebook: Rulebook, subject: Subject) -> Decision:
    """Return the decision: profile and channel must be active on the day of receipt, and no exclusion may apply.

    Where units of the hub decide by themselves, one that takes it on is enough.
    """
    profile = rulebook.profile
    received_on = rulebook.calendar.local_day(subject.received_at)
    early, late = _outside(received_on, profile.valid_from, profile.valid_to)
    if early or late:
        return Decision("no_active_profile", profile.early_reason if early else profile.late_reason)
    basis = rulebook.inbound_basis if rulebook.is_police(subject.channel) else None
    # What the unit that is asked does not do tells the sender more than by which channels it can be asked.
    not_for_unit = [rule for rule, applies in rulebook.deciding_units.get(subject.unit or "", ()) if applies(subject)]
    refusal = None if not_for_unit else _channel_refusal(profile, subject, received_on)
    if refusal is not None:
        return Decision("channel_not_active", refusal)
    if subject.role == "witness" and profile.witnesses is False:
        return Decision("out_of_scope", "witnesses_not_served", basis=basis)
    applied = [rule for rule, applies in rulebook.exclusions if applies(subject)]
    if applied:
        return _refused(applied, basis)
    if rulebook.deciding_units:
        return _by_units(rulebook, subject, received_on, basis)
    return Decision(basis=basis)


def takes_part(rulebook: Rulebook, unit: str | None, subject: Subject, by_unit: Mapping[str, UnitDecision]) -> bool:
    """Whether what is of one unit (None: of no unit in particular) counts for a referral that was taken on.

    A unit that decides by itself takes part where it accepted; another one unless the referral is for one unit else.
    """
    if unit is None:
        return True
    if unit in rulebook.deciding_units:
        return unit in by_unit and by_unit[unit].outcome == "accepted"
    return subject.unit in (None, unit)


def _refused(
    applied: list[ExclusionRule], basis: str | None, by_unit: dict[str, UnitDecision] | None = None
) -> Decision:
    """Return the decision of the first of some exclusions; what the source keeps back has no basis."""
    first = applied[0]
    return Decision(
        outcome=first.outcome,
        reason=first.reason,
        rules=tuple(rule.id for rule in applied),
        case_status=first.case_status,
        expected_route=first.expected_route,
        basis=None if first.withheld_reason else basis,
        by_unit=by_unit or {},
        withheld_reason=first.withheld_reason,
    )


def _by_units(rulebook: Rulebook, subject: Subject, received_on: date, basis: str | None) -> Decision:
    """Let each unit decide by its own exclusions and channels; one without either is absent."""
    by_unit: dict[str, UnitDecision] = {}
    refusals = []
    for unit, exclusions in rulebook.deciding_units.items():
        if subject.unit not in (None, unit):
            continue
        refusal = next((rule for rule, applies in exclusions if applies(subject)), None)
        if refusal is not None:
            refusals.append(refusal)
            by_unit[unit] = UnitDecision(refusal.outcome, refusal.reason)
        elif any(_takes(channel, subject, unit, received_on) for channel in rulebook.profile.channels):
            by_unit[unit] = UnitDecision("accepted")
    if len(refusals) == len(by_unit) > 0:
        return _refused(refusals, basis, by_unit)
    return Decision(rules=tuple(rule.id for rule in refusals), basis=basis, by_unit=by_unit)


def _outside(day: date, first: date | None, last: date | None) -> tuple[bool, bool]:
    """Return whether a day is too early, and whether it is too late."""
    return first is not None and day < first, last is not None and day > last


def _channel_refusal(profile: Profile, subject: Subject, day: date) -> str | None:
    """Return why no channel of the profile takes the referral on this day, or None when one does."""
    reason = "channel_not_in_profile"
    for channel in profile.channels:
        if not _is_by(channel, subject, subject.unit):
            continue
        early, late = _outside(day, channel.active_from, channel.active_to)
        if not early and not late:
            return None
        reason = channel.early_reason if early else channel.late_reason
    return reason


def _takes(channel: Channel, subject: Subject, unit: str, day: date) -> bool:
    return _is_by(channel, subject, unit) and not any(_outside(day, channel.active_from, channel.active_to))


def _is_by(channel: Channel, subject: Subject, unit: str | None) -> bool:
    return channel.channel == subject.channel and (unit is None or channel.unit in (None, unit))
