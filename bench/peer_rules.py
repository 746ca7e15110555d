"""What the Celery chain decides: the profile's rules, the Victims' Code and the gate, evaluated as simply as can be.

They are stated once more here, since nothing but the hub's own services may import a service; the tests hold them
against those. It knows what the profile that the benchmark runs has rules for.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from hubkit.contracts.profile import AssessmentRule, Condition, ContactRule, Profile
from hubkit.contracts.referral import ReferralReceivedV1
from hubkit.deadlines import WorkingCalendar

_ABUSE = ("domestic_abuse", "da_risk_high", "da_risk_medium", "da_risk_standard")
_STALKING = "stalking_harassment.stalking"
_HIDDEN = ("stalking_harassment.coercive_control", "non_crime.domestic_incident")
#: Who has enhanced rights under the Victims' Code, by category.
_CATEGORIES = {
    "most_serious_crime": Condition(any_of=(
        Condition(any_marker=(*_ABUSE, "most_serious_crime", "hate_crime", "sexual_violence", "child_sexual_abuse")),
        Condition(crimes=(
            *_HIDDEN, "sexual", "violence.homicide", "violence.attempted_murder", "violence.gbh_intent",
            "violence.kidnap_false_imprisonment", "violence.modern_slavery", "damage.arson_endanger_life",
        )),
        Condition(roles=("bereaved_relative",)),
    )),
    "persistently_targeted": Condition(any_of=(
        Condition(any_marker=("persistently_targeted",)),
        Condition(crimes=(_STALKING, "stalking_harassment.harassment")),
    )),
    "vulnerable_or_intimidated": Condition(any_of=(
        Condition(any_marker=(
            *_ABUSE, "vulnerable", "intimidated", "officer_flag_vulnerable", "child", "child_sexual_abuse",
            "child_exploitation", "sexual_violence",
        )),
        Condition(crimes=("sexual",)),
    )),
    "judged_enhanced": Condition(any_marker=("enhanced",)),
}  # fmt: skip
#: Signs that a letter, text or visit may be seen by the suspect.
_SENSITIVE = Condition(any_of=(
    Condition(any_marker=(*_ABUSE, "at_risk_da", "intimate_partner")),
    Condition(crimes=(*_HIDDEN, _STALKING, "violence.fgm_forced_marriage")),
))  # fmt: skip
_SPOKEN_FOR = {"phone": "phone", "text": "text", "email": "email", "secure_email": "email", "letter": "letter"}
_NEVER_GUESSED = ("text", "letter", "home_visit")
_ALL_METHODS = ("phone", "text", "email", "letter", "home_visit")
_BY_CONSENT = ("explicit_consent", "consent", "victim_agreement", "consent_obtained_by_police")
_OBJECTIONS = {"withdrawn": "consent_withdrawn", "refused": "consent_refused"}


@dataclass(frozen=True)
class Subject:
    """A referral, and what has been decided about it so far."""

    referral: ReferralReceivedV1
    consents: dict[str, str]
    needs: tuple[str, ...]
    entitlement: str | None = None
    level: str | None = None


@dataclass(frozen=True)
class Decision:
    """What triage decides; all but outcome, reason, rules and outputs is empty unless it is accepted."""

    outcome: str = "accepted"
    reason: str | None = None
    rules: tuple[str, ...] = ()
    case_status: str | None = None
    expected_route: str | None = None
    entitlement: str | None = None
    categories: tuple[str, ...] = ()
    level: str | None = None
    needs: tuple[str, ...] = ()
    contacts: tuple[dict[str, Any], ...] = ()
    outputs: dict[str, Any] = field(default_factory=dict)


def _is_crime(crime: str, crimes: Collection[str]) -> bool:
    return crime in crimes or crime.partition(".")[0] in crimes


def _holds(when: Condition, who: Subject) -> bool:
    known = who.referral
    return (
        (not when.crimes or _is_crime(known.crime.category, when.crimes))
        and (not when.any_marker or any(marker in when.any_marker for marker in known.markers))
        and all(marker in known.markers for marker in when.all_markers)
        and not any(marker in known.markers for marker in when.no_marker)
        and (not when.channels or known.channel in when.channels)
        and (not when.units or known.unit in when.units)
        and (not when.roles or known.role in when.roles)
        and (not when.risk_grades or known.risk.grade in when.risk_grades)
        and (not when.entitlement or who.entitlement in when.entitlement)
        and (not when.levels or who.level in when.levels)
        and (not when.needs or any(need in when.needs for need in who.needs))
        and when.has_needs in (None, bool(who.needs))
        and all(who.consents.get(asked.hop, "not_asked") in asked.decisions for asked in when.consents)
        and (when.min_age is None or (known.age is not None and known.age >= when.min_age))
        and (when.max_age is None or (known.age is not None and known.age <= when.max_age))
        and when.reported_to_police in (None, known.crime.reported_to_police)
        and when.judged_enhanced is None  # nobody has judged what has only just come
        and (not when.any_of or any(_holds(part, who) for part in when.any_of))
        and not any(_holds(part, who) for part in when.none_of)
    )


def decide(profile: Profile, calendar: WorkingCalendar, referral: ReferralReceivedV1, now: datetime) -> Decision:
    """Return acceptance, and for those accepted the entitlement, needs, level and first contacts."""
    ordered = sorted(referral.consents, key=lambda consent: consent.recorded_at)
    who = Subject(referral, {consent.hop: consent.decision for consent in ordered}, tuple(sorted(set(referral.needs))))
    refused = _refusal(profile, who, calendar.local_day(referral.received_at))
    if refused is not None:
        return refused
    named = profile.triage.enhanced_categories
    categories = tuple(name for name in _CATEGORIES if (named is None or name in named) and _is_entitled(name, who))
    who = replace(who, entitlement="enhanced" if categories else "standard")
    needing = [rule for rule in profile.needs if _holds(rule.when, who)]
    who = replace(who, needs=tuple(sorted({*who.needs, *(need for rule in needing for need in rule.needs)})))
    levels = [rule for rule in profile.triage.levels if _holds(rule.when, who)][:1]
    who = replace(who, level=levels[0].level if levels else None)
    contacting = [rule for rule in profile.contacts if _holds(rule.when, who)]
    assessing = [rule for rule in profile.assessments if _holds(rule.when, who)][:1]
    applied = (*needing, *levels, *contacting, *assessing)
    return Decision(
        rules=(*(f"victims_code.{name}" for name in categories), *(rule.id for rule in applied)),
        entitlement=who.entitlement,
        categories=categories,
        level=who.level,
        needs=who.needs,
        contacts=tuple(_contact(rule, who, calendar, now) for rule in contacting),
        outputs=_received(profile, who.referral.channel) | _triage(profile, who) | _assessment(profile, assessing),
    )


def _received(profile: Profile, channel: str) -> dict[str, Any]:
    """Return that the data came from the police, where it did."""
    if not channel.startswith("police_"):
        return {}
    came = {"from": "police", "to": "hub", "what": "referral_data", "outcome": "released", "reason": None}
    return {"received": came | {"basis": profile.basis_for("police_to_hub")}}


def _triage(profile: Profile, who: Subject) -> dict[str, Any]:
    """Return who triaged and what was found, for a hub without rules for the other words."""
    found = {"vulnerable": None, "prioritised": None, "matched": [], "level": who.level}
    found |= {"performed_by": profile.triage.performed_by, "basis": list(profile.triage.basis) or None}
    return {"triage": found | {"enhanced": who.entitlement == "enhanced"}}


def _assessment(profile: Profile, applied: Sequence[AssessmentRule]) -> dict[str, Any]:
    """Return the assessment that the first rule requires, where the hub has such rules."""
    found: dict[str, Any] = {"required": False, "kind": None, "by": None, "decides": [], "offered": None}
    for rule in applied:
        found = {name: getattr(rule, name) for name in found} | {"decides": list(rule.decides)}
    return {"needs_assessment": found | {"sections": []}} if profile.assessments else {}


def _refusal(profile: Profile, who: Subject, day: date) -> Decision | None:
    if profile.valid_from is not None and day < profile.valid_from:
        return Decision("no_active_profile", profile.early_reason)
    if profile.valid_to is not None and day > profile.valid_to:
        return Decision("no_active_profile", profile.late_reason)
    closed = _closed_channel(profile, who.referral, day)
    if closed is not None:
        return Decision("channel_not_active", closed)
    if who.referral.role == "witness" and profile.witnesses is False:
        return Decision("out_of_scope", "witnesses_not_served")
    applied = [rule for rule in profile.exclusions if _holds(rule.when, who)]
    if not applied:
        return None
    first, rules = applied[0], tuple(rule.id for rule in applied)
    received = _received(profile, who.referral.channel)
    return Decision(first.outcome, first.reason, rules, first.case_status, first.expected_route, outputs=received)


def _closed_channel(profile: Profile, known: ReferralReceivedV1, day: date) -> str | None:
    """Return why no channel of the profile takes the referral, None when one does."""
    reason = "channel_not_in_profile"
    for channel in profile.channels:
        if channel.channel != known.channel or (channel.unit and known.unit and channel.unit != known.unit):
            continue
        if channel.active_from is not None and day < channel.active_from:
            reason = channel.early_reason
        elif channel.active_to is not None and day > channel.active_to:
            reason = channel.late_reason
        else:
            return None
    return reason


def _is_entitled(category: str, who: Subject) -> bool:
    is_minor = category == "vulnerable_or_intimidated" and _age_at_offence(who.referral) < 18
    return is_minor or _holds(_CATEGORIES[category], who)


def _age_at_offence(known: ReferralReceivedV1) -> int:
    """Return the most that the person can have been; of unknown age, an adult."""
    if known.age is None or known.crime.occurred_on is None:
        return 18 if known.age is None else known.age
    return max(0, known.age - max(0, age_on(known.crime.occurred_on, known.received_at.date())))


def age_on(born: date, day: date) -> int:
    """Return the whole years from one day to another."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def _contact(rule: ContactRule, who: Subject, calendar: WorkingCalendar, now: datetime) -> dict[str, Any]:
    safe, methods, mode = who.referral.safe_contact, rule.methods or None, rule.mode
    if mode == "preferred":
        preferred = who.referral.preferred_method
        methods, mode = ((preferred,), "all") if preferred else (methods, "any")
    is_sensitive = _holds(_SENSITIVE, who)
    left_out = {}
    for method in methods or _ALL_METHODS:
        said = getattr(safe, _SPOKEN_FOR[method]) if method in _SPOKEN_FOR else None
        if said is False:
            left_out[method] = "said_unsafe"
        elif said is None and is_sensitive and method in _NEVER_GUESSED:
            left_out[method] = "safety_unknown"
    is_unknown = all(said is None for said in (safe.phone, safe.text, safe.email, safe.letter))
    cautions = {
        "police_safe_contact_check_first": is_sensitive and is_unknown,
        "no_voicemail": safe.voicemail is False or (is_sensitive and safe.voicemail is None),
        "read_contact_instructions": safe.has_instructions,
    }
    kept = [method for method in methods if method not in left_out] if methods else None
    due_at, due_reason = _due(rule, who, calendar, now) if kept != [] else (None, "no_safe_method")
    return {
        "rule_id": rule.id, "purpose": rule.purpose, "by": rule.by, "methods": kept, "mode": mode,
        "left_out": [{"method": method, "reason": reason} for method, reason in left_out.items()],
        "cautions": [caution for caution, applies in cautions.items() if applies],
        "state": "suspended" if kept == [] else "planned", "due_at": due_at, "due_reason": due_reason,
    }  # fmt: skip


def _due(
    rule: ContactRule, who: Subject, calendar: WorkingCalendar, now: datetime
) -> tuple[datetime | None, str | None]:
    if rule.within is None:
        return None, "no_deadline_in_profile"
    starts = {"referral_received": who.referral.received_at, "crime_recorded": who.referral.crime.recorded_at}
    start = starts.get(rule.within.starts, now)
    return (calendar.due(start, rule.within), None) if start else (None, "clock_not_started")


def refusals(
    basis: str | None, case: Any, asked: Any, agreement: Any, consents: Sequence[Any], now: datetime
) -> list[str]:
    """Return why a partner must not be told, as codes; none when it may: the gate.

    Parameters
    ----------
    basis
        What the profile states for the hop.
    case, asked, agreement, consents
        Rows: the facts of the case, the pathway, the partner's agreement in force for this purpose (or None), and the
        person's recorded decisions about this hop.
    """
    if agreement is None:
        return ["agreement_missing"]
    faults = {
        "case_excluded": case.status != "open",
        "ring_fenced": agreement.ring_fenced,
        "partner_suspended": agreement.partner_status != "active",
        "crime_type_excluded": _is_crime(case.crime_category, agreement.crimes_excluded),
    }
    recipient = {asked.need, str(asked.partner_id)}
    about = [c for c in consents if not c.recipients or recipient.intersection(c.recipients)]
    last = max((consent.recorded_at for consent in about), default=None)
    newest = [consent for consent in about if consent.recorded_at == last]
    objections = [_OBJECTIONS[consent.decision] for consent in newest if consent.decision in _OBJECTIONS]
    bases = {basis, agreement.lawful_basis}
    covered = set(agreement.data_categories)
    missing: list[str] = []
    if not objections and bases.intersection(_BY_CONSENT):
        missing = _unconsented(newest, now, is_explicit="explicit_consent" in bases)
        covered = covered.intersection(*(consent.data_categories for consent in newest))
    found = [code for code, applies in faults.items() if applies] + objections[:1] + missing
    return found or ([] if covered else ["data_category_not_covered"])


def _unconsented(newest: Sequence[Any], now: datetime, *, is_explicit: bool) -> list[str]:
    for consent in newest:
        is_expressed = consent.method in ("spoken", "written", "online") if is_explicit else consent.method != "implied"
        if consent.decision != "given" or not is_expressed:
            return ["consent_missing"]
    if any(consent.expires_at is not None and consent.expires_at <= now for consent in newest):
        return ["consent_expired"]
    return [] if newest else ["consent_missing"]
