"""Which persons are no longer kept."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from hubkit.contracts.profile import Profile
from hubkit.contracts.referral import ReferralReceivedV1
from hubkit.db import Tx
from services.triage.policy import retention
from services.triage.policy.subject import subject_of
from services.triage.store import cases

_PAGE = 200


@dataclass(frozen=True, slots=True)
class Due:
    """A referral whose person is kept no longer: how its case ended, when, and since when it is due."""

    referral_id: UUID
    case_id: UUID
    end: str
    ended_at: datetime
    days: int
    due_at: datetime


async def due_for_deletion(tx: Tx, profile: Profile) -> AsyncIterator[Due]:
    """Yield the referrals whose person is kept no longer by a profile; changes nothing."""
    after: UUID | None = None
    while page := await cases.ended(tx, after, _PAGE):
        for row in page:
            progress = cases.progress_of(row.progress)
            end = retention.end_of(row.status, row.outcome, progress)
            if end is None:
                continue
            subject = subject_of(ReferralReceivedV1.model_validate(row.facts), progress)
            subject = replace(subject, level=row.level, entitlement=row.entitlement, needs=frozenset(row.needs))
            days = retention.days_kept(profile.retention, end, subject)
            since = retention.ended_at(progress, row.changed_at)
            if days is not None and (until := retention.kept_until(since, days)) <= tx.now:
                yield Due(row.referral_id, row.id, end, since, days, until)
        after = page[-1].id
