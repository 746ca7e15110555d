"""What makes a referral wrong, how old a person is, what an arrival does to what stands."""

import calendar
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from hubkit.errors import FieldError
from services.intake.model import Outcome, Step, Stored
from services.intake.schemas import Person, Referral

#: How far a source's clock may run ahead of ours.
CLOCK_LEEWAY = timedelta(minutes=5)
_OLDEST_YEARS = 130


def faults_of(referral: Referral, now: datetime, zone: ZoneInfo) -> list[FieldError]:
    """Return what is wrong with a referral beyond the form of its fields.

    Source: fault and bad-input matrix, rows 31 to 33: a consent that is not yet or no longer, a contact by an unsafe
    method, a date of birth that cannot be.
    """
    return [
        *_faulty_source(referral),
        *_faulty_person(referral),
        *_faulty_dates(referral, now, zone),
        *_faulty_consents(referral, now),
    ]


def faults_of_row(referral: Referral, now: datetime, zone: ZoneInfo) -> list[FieldError]:
    """Return what is wrong with a row of a transfer: as `faults_of`, and it needs a reference to be sent again by."""
    missing = referral.source.reference is None
    faults = [FieldError("/source/reference", "missing", "is required in a transfer")] if missing else []
    return faults + faults_of(referral, now, zone)


def _faulty_source(referral: Referral) -> Iterator[FieldError]:
    units = [receipt.unit for receipt in referral.source.received_by_unit]
    for number, unit in enumerate(units):
        if unit in units[:number]:
            yield FieldError(f"/source/received_by_unit/{number}/unit", "doubled", "must be named once")


def _faulty_person(referral: Referral) -> Iterator[FieldError]:
    person, safe = referral.person, referral.safe_contact
    is_named = person is not None and (person.given_name or person.family_name)
    if not is_named and referral.source.reference is None:
        yield FieldError("/person", "person_unknown", "a name, or a reference of the source, is required")
    method = person.preferred_method if person else None
    if method is not None and safe is not None and getattr(safe, method, None) is False:
        yield FieldError("/person/preferred_method", "unsafe_method", "is a method that safe_contact calls unsafe")


def _faulty_dates(referral: Referral, now: datetime, zone: ZoneInfo) -> Iterator[FieldError]:
    latest = now + CLOCK_LEEWAY
    moments = {
        "/received_at": referral.received_at,
        "/crime/recorded_at": referral.crime.recorded_at,
        "/risk/assessed_at": referral.risk.assessed_at if referral.risk else None,
    }
    receipts = enumerate(referral.source.received_by_unit)
    moments |= {f"/source/received_by_unit/{n}/received_at": receipt.received_at for n, receipt in receipts}
    for pointer, moment in moments.items():
        if moment is not None and moment > latest:
            yield FieldError(pointer, "in_future", "must not be in the future")
    today = now.astimezone(zone).date()
    days = {
        "/crime/occurred_on": referral.crime.occurred_on,
        "/person/date_of_birth": referral.person.date_of_birth if referral.person else None,
    }
    for pointer, day in days.items():
        if day is not None and day > today:
            yield FieldError(pointer, "in_future", "must not be in the future")
        elif day is not None and day.year < today.year - _OLDEST_YEARS:
            yield FieldError(pointer, "too_long_ago", f"must not be more than {_OLDEST_YEARS} years ago")


def _faulty_consents(referral: Referral, now: datetime) -> Iterator[FieldError]:
    for number, consent in enumerate(referral.consents):
        place = f"/consents/{number}"
        if consent.recorded_at > now + CLOCK_LEEWAY:
            yield FieldError(f"{place}/recorded_at", "in_future", "must not be in the future")
        if consent.expires_at is None:
            continue
        if consent.expires_at <= consent.recorded_at:
            yield FieldError(f"{place}/expires_at", "ends_before_start", "must be after recorded_at")
        elif consent.expires_at <= now:
            yield FieldError(f"{place}/expires_at", "consent_expired", "must not be over already")


def age_on(born: date, day: date) -> int:
    """Return the age in whole years on `day`.

    Who was born on 29 February comes of age on 1 March in other years. Source: Family Law Reform Act 1969, section 9
    (age is attained at the start of the anniversary of birth).
    """
    if (born.month, born.day) == (2, 29) and not calendar.isleap(day.year):
        anniversary = date(day.year, 3, 1)
    else:
        anniversary = born.replace(year=day.year)
    return day.year - born.year - (day < anniversary)


def age_of(person: Person | None, day: date) -> int | None:
    """Return the age on `day` by the date of birth, without one as it was sent; None when neither is known."""
    born = person.date_of_birth if person else None
    if born is not None:
        return age_on(born, day) if born <= day else None
    return person.age if person else None


def steps_of(stored: Stored | None, contents: Sequence[bytes]) -> list[Step]:
    """Return what arrivals of the same referral, in order, do to what stands.

    Parameters
    ----------
    stored
        What stands before them; None when they are the first.
    contents
        The digest of each arrival's content: one that equals its predecessor's changes nothing.
    """
    version, content = (stored.version, stored.content) if stored else (0, b"")
    steps = []
    for arrived in contents:
        if version and arrived == content:
            outcome = Outcome.DUPLICATE
        else:
            outcome = Outcome.UPDATED if version else Outcome.ACCEPTED
            version, content = version + 1, arrived
        steps.append(Step(outcome, version))
    return steps
