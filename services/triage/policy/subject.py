"""From a received referral to what the rules look at."""

from datetime import date

from hubkit.contracts.referral import ConsentFacts, ReferralReceivedV1
from services.triage.model import Subject


def subject_of(referral: ReferralReceivedV1, assessed_needs: tuple[str, ...] | None = None) -> Subject:
    """Return the subject of a referral.

    Parameters
    ----------
    assessed_needs
        What an assessment with the person found; it replaces what the referral names.
    """
    crime = referral.crime
    return Subject(
        crime=crime.category,
        channel=referral.channel,
        received_at=referral.received_at,
        markers=frozenset(referral.markers),
        needs=frozenset(referral.needs if assessed_needs is None else assessed_needs),
        unit=referral.unit,
        role=referral.role,
        age=referral.age,
        offence_age=_offence_age(referral.age, crime.occurred_on, referral.received_at.date()),
        risk_grade=referral.risk.grade,
        reported_to_police=crime.reported_to_police,
        crime_recorded_at=crime.recorded_at,
        consents=_latest(referral.consents) if referral.consents else None,
    )


def _offence_age(age: int | None, occurred_on: date | None, received_on: date) -> int | None:
    """Return the most the person can have been; the date of birth is not known here, so it may be a year less."""
    if age is None or occurred_on is None:
        return age
    passed = received_on.year - occurred_on.year
    passed -= (received_on.month, received_on.day) < (occurred_on.month, occurred_on.day)
    return max(0, age - max(0, passed))


def _latest(consents: tuple[ConsentFacts, ...]) -> dict[str, str]:
    ordered = sorted(consents, key=lambda consent: consent.recorded_at)
    return {consent.hop: consent.decision for consent in ordered}
