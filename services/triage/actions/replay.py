"""What stored referrals would become under another profile. Nothing is changed."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from hubkit.contracts.referral import ReferralReceivedV1
from hubkit.db import Tx
from services.triage.actions.contacts import reconcile
from services.triage.actions.deps import Deps
from services.triage.policy.triage import decide
from services.triage.store import cases, contacts

_PAGE = 200


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is decided about a referral, as far as two decisions are compared."""

    outcome: str
    reason: str | None
    entitlement: str | None
    level: str | None
    needs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Replayed:
    """One case as it is and as it would be; `contacts_differ` says that others would wait, or for another time."""

    case_id: UUID
    before: Verdict
    after: Verdict
    contacts_differ: bool

    @property
    def differs(self) -> bool:
        """Whether anything that is compared would be otherwise."""
        return self.contacts_differ or self.before != self.after


async def replay_cases(tx: Tx, deps: Deps, since: datetime) -> AsyncIterator[Replayed]:
    """Decide again about every case whose referral was received since then, from the same facts and progress."""
    after: UUID | None = None
    while page := await cases.received_since(tx, since, after, _PAGE):
        stored = await contacts.standing_in(tx, [row.id for row in page])
        for row in page:
            referral, progress = ReferralReceivedV1.model_validate(row.facts), cases.progress_of(row.progress)
            opened_at = row.opened_at or row.changed_at
            rulebook = deps.ground(referral.received_at).rulebook
            triaged = decide(rulebook, referral, opened_at, progress)
            entitlement = triaged.entitlement.level if triaged.entitlement else None
            decision = triaged.decision
            plan = reconcile(
                triaged.contacts,
                [item for item in stored if item.case_id == row.id],
                rulebook.calendar,
                is_offer_answered=progress.offer is not None,
            )
            yield Replayed(
                case_id=row.id,
                before=Verdict(row.outcome, row.reason, row.entitlement, row.level, tuple(row.needs)),
                after=Verdict(decision.outcome, decision.reason, entitlement, triaged.level, triaged.needs),
                contacts_differ=bool(plan.new or plan.moved or plan.ended),
            )
        after = page[-1].id
