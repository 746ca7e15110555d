"""When a rule of a profile applies: one line for each field that a condition can have.

Source: `hubkit.contracts.profile.Condition`, which says what each field means.
"""

from collections.abc import Callable, Collection
from typing import Any

from hubkit.contracts.profile import Condition
from services.triage.model import Progress, Subject

#: Whether a condition holds for a subject.
Predicate = Callable[[Subject], bool]


def _is_crime(crime: str, crimes: Collection[str]) -> bool:
    return crime in crimes or crime.partition(".")[0] in crimes


def _speaks_none_of(subject: Subject, languages: Collection[str]) -> bool:
    """Whether the language is known and none of these; `en` stands for `en-GB` too."""
    language = subject.language
    return language is not None and language not in languages and language.partition("-")[0] not in languages


def _consents_stand(subject: Subject, consents: Collection[Any]) -> bool:
    found = subject.consents or {}
    return all(found.get(consent.hop, "not_asked") in consent.decisions for consent in consents)


def _was_spoken_with(progress: Progress) -> bool:
    """Whether somebody of the hub met or reached the person: by an attempt, an offer, or an assessment."""
    return progress.was_reached or progress.offer is not None or progress.assessed_needs is not None


#: For each field of a condition: whether it holds, given the subject and the field's value.
CHECKS: dict[str, Callable[[Subject, Any], bool]] = {
    "crimes": lambda subject, codes: _is_crime(subject.crime, codes),
    "any_marker": lambda subject, codes: not subject.markers.isdisjoint(codes),
    "all_markers": lambda subject, codes: subject.markers.issuperset(codes),
    "no_marker": lambda subject, codes: subject.markers.isdisjoint(codes),
    "channels": lambda subject, codes: subject.channel in codes,
    "units": lambda subject, codes: subject.unit in codes,
    "roles": lambda subject, codes: subject.role in codes,
    "risk_grades": lambda subject, codes: subject.risk_grade in codes,
    "entitlement": lambda subject, codes: subject.entitlement in codes,
    "levels": lambda subject, codes: subject.level in codes,
    "needs": lambda subject, codes: not subject.needs.isdisjoint(codes),
    "has_needs": lambda subject, wanted: bool(subject.needs) is wanted,
    "consents": _consents_stand,
    "min_age": lambda subject, years: subject.age is not None and subject.age >= years,
    "max_age": lambda subject, years: subject.age is not None and subject.age <= years,
    "reported_to_police": lambda subject, wanted: subject.reported_to_police is wanted,
    "purposes": lambda subject, words: subject.purpose in words,
    "lives_in_area": lambda subject, wanted: subject.lives_in_area is wanted,
    "recording_time_known": lambda subject, wanted: (subject.crime_recorded_at is not None) is wanted,
    "languages_other_than": _speaks_none_of,
    "offer": lambda subject, answers: subject.progress.offer in answers,
    "judged_enhanced": lambda subject, wanted: subject.progress.judged_enhanced is wanted,
    "findings": lambda subject, codes: not codes.isdisjoint(subject.progress.findings),
    "assessed": lambda subject, wanted: (subject.progress.assessed_needs is not None) is wanted,
    "assessed_needs": lambda subject, codes: not codes.isdisjoint(subject.progress.assessed_needs or ()),
    "requested_needs": lambda subject, codes: not codes.isdisjoint(subject.progress.requested_needs),
    "requested_methods": lambda subject, codes: not codes.isdisjoint(subject.progress.requested_methods),
    "min_failed_attempts": lambda subject, count: subject.progress.failed_attempts >= count,
    "spoken_with": lambda subject, wanted: _was_spoken_with(subject.progress) is wanted,
    "pleas": lambda subject, codes: subject.progress.plea in codes,
    "court_events": lambda subject, codes: subject.progress.court_event in codes,
    "any_of": lambda subject, parts: any(part(subject) for part in parts),
    "none_of": lambda subject, parts: not any(part(subject) for part in parts),
}


def always(_: Subject) -> bool:
    """Hold for every subject."""
    return True


def compile_condition(condition: Condition) -> Predicate:
    """Return the predicate of a condition: every field that is given must hold; without any it always does."""
    given = [(CHECKS[name], _prepared(value)) for name, value in condition if value not in (None, ())]
    if not given:
        return always
    if len(given) == 1:
        check, value = given[0]
        return lambda subject: check(subject, value)
    return lambda subject: all(check(subject, value) for check, value in given)


def _prepared(value: Any) -> Any:
    """Do once what need not be done for each referral: nested conditions become predicates, code lists become sets."""
    if not isinstance(value, tuple):
        return value
    if isinstance(value[0], Condition):
        return tuple(compile_condition(condition) for condition in value)
    return frozenset(value) if isinstance(value[0], str) else value
