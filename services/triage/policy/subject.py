"""From a received referral, and what has been done since, to what the rules look at."""

from datetime import date

from hubkit.contracts.referral import ConsentFacts, ReferralReceivedV1
from services.triage.model import Progress, Subject


def subject_of(referral: ReferralReceivedV1, progress: Progress) -> Subject:
    """Return the subject of a referral as acceptance sees it: its needs are those that the referral names."""
    crime = referral.crime
    return Subject(
        crime=crime.category,
        channel=referral.channel,
        received_at=referral.received_at,
        markers=frozenset(referral.markers),
        needs=frozenset(referral.needs),
        unit=referral.unit,
        role=referral.role,
        age=referral.age,
        offence_age=_offence_age(referral.age, crime.occurred_on, referral.received_at.date()),
        risk_grade=referral.risk.grade,
        reported_to_police=crime.reported_to_police,
        crime_recorded_at=crime.recorded_at,
        consents=_latest(referral.consents, progress) if referral.consents or progress.consents else None,
        purpose=referral.purpose,
        lives_in_area=referral.lives_in_area,
        language=referral.language,
        received_by_unit={receipt.unit: receipt.received_at for receipt in referral.received_by_unit},
        progress=progress,
    )


def _offence_age(age: int | None, occurred_on: date | None, received_on: date) -> int | None:
    """Return the most the person can have been; the date of birth is not known here, so it may be a year less."""
    if age is None or occurred_on is None:
        return age
    passed = received_on.year - occurred_on.year
    passed -= (received_on.month, received_on.day) < (occurred_on.month, occurred_on.day)
    return max(0, age - max(0, passed))


def _latest(sent: tuple[ConsentFacts, ...], progress: Progress) -> dict[str, str]:
    said = [(consent.recorded_at, consent.hop, consent.decision) for consent in sent]
    said += [(later.recorded_at, hop, later.decision) for hop, later in progress.consents.items()]
    return {hop: decision for _, hop, decision in sorted(said, key=lambda each: each[0])}
