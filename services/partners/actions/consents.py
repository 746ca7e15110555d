"""Recording what the person decides: each decision is kept, takes effect at once, and is told to the other services."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from hubkit.auth import Caller
from hubkit.contracts import ConsentRecordedV1, ConsentWithdrawnV1
from hubkit.contracts.codes import ONWARD_HOPS, hop_to
from hubkit.db import Database, Tx
from hubkit.errors import FieldError, InvalidError, NotFoundError
from hubkit.ids import new_id
from services.partners.actions import acknowledgements, deliveries
from services.partners.actions.deps import Deps
from services.partners.actions.onward import reconsider, tell_withdrawn
from services.partners.actions.permits import wait_until_over
from services.partners.model import Onward, Status
from services.partners.policy import consent
from services.partners.policy.gate import SAFEGUARDING
from services.partners.policy.protections import Giver, is_child
from services.partners.policy.transitions import OVER
from services.partners.store import cases, onward

#: Clocks of callers may be ahead of ours by this much; what they record counts as recorded now.
_AHEAD: Final = timedelta(minutes=5)
#: What is kept of a decision as it was given, beside what the gate goes by.
_AS_GIVEN: Final = (
    "purpose", "giver", "capacity", "competence", "best_interests", "language", "interpreter", "wording_version",
    "taken_by",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Decision:
    """What the person decided on one hop. Without recipients it is about all; `recorded_at` None means now.

    `giver` None is the person. A draft is kept with its faults and decides nothing.
    """

    hop: str
    decision: str
    recipients: tuple[str, ...] = ()
    data_categories: tuple[str, ...] = ()
    method: str | None = None
    recorded_at: datetime | None = None
    expires_at: datetime | None = None
    purpose: str | None = None
    giver: str | None = None
    giver_note: str | None = field(default=None, repr=False)
    capacity: str | None = None
    competence: str | None = None
    best_interests: bool = False
    language: str | None = None
    interpreter: str | None = None
    wording_version: str | None = None
    taken_by: str | None = None
    draft: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """A decision as it is kept. `giver_note` is opened."""

    id: UUID
    row: Any
    giver_note: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A decision with its id, and what had gone out of the onward referrals that it took back; a draft's faults.

    `besides` are the others that it is about: those that had ended before, by an earlier withdrawal too, and those that
    go on because they stand on safeguarding. What their partners have, they have all the same. `stands` says whether
    what is shared goes by it from now on: a draft decides nothing, and a later decision stands over an earlier one.
    """

    id: UUID
    case_id: UUID
    decision: Decision
    recorded_at: datetime
    withdrawn: tuple[UUID, ...] = ()
    besides: tuple[UUID, ...] = ()
    disclosures: Sequence[Any] = field(default=())
    deliveries: Sequence[Any] = field(default=())
    acknowledgements: Sequence[Any] = field(default=())
    faults: tuple[FieldError, ...] = ()
    stands: bool = False


async def record_consent(db: Database, deps: Deps, caller: Caller, case_id: UUID, decision: Decision) -> Recorded:
    """Record a decision and let it take effect: what waited for it goes out, what it takes back stops.

    This returns only once no attempt that was permitted before is still under way (20 s at most), so that nothing that
    the decision takes away, be it one data category, starts after it has been acknowledged. Where the person says no,
    what went out until then is named, and as often as they say so: an answer may be lost.

    Raises
    ------
    NotFoundError
        When the case is not known.
    InvalidError
        `in_the_future`, `expired_on_arrival`, `competence_missing`, `giver_not_entitled`, `capacity_lacking`,
        `capacity_not_assessed`, `best_interests_missing`; not for a draft.
    """
    async with db.transaction() as tx:
        recorded, begun = await _record(tx, deps, caller, case_id, decision)
    await wait_until_over(db, case_id, begun)
    concerned = (*recorded.withdrawn, *recorded.besides)
    if not concerned:
        return recorded
    async with db.reading() as tx:
        return replace(
            recorded,
            disclosures=await cases.disclosures_of(tx, concerned),
            deliveries=await deliveries.went_out(tx, concerned),
            acknowledgements=tuple((await acknowledgements.of_onward(tx, deps, concerned)).values()),
        )


async def list_consents(tx: Tx, deps: Deps, case_id: UUID, after: UUID | None, limit: int) -> list[Entry]:
    """Return the decisions of a case in the order they were entered.

    Raises
    ------
    NotFoundError
        When the case is not known.
    """
    if not await cases.case_exists(tx, case_id):
        raise NotFoundError
    return [_entry(deps, row) for row in await cases.list_consents(tx, case_id, after, limit)]


def _entry(deps: Deps, row: Any) -> Entry:
    sealed = row.giver_note
    note = deps.keyring.record("consent", row.id).open_text("giver_note", sealed) if sealed is not None else None
    return Entry(row.id, row, note)


async def _record(
    tx: Tx, deps: Deps, caller: Caller, case_id: UUID, decision: Decision
) -> tuple[Recorded, frozenset[UUID]]:
    """Return what was recorded, and the permits under which an attempt may be running."""
    case = (await cases.lock_cases(tx, [case_id])).get(case_id)
    if case is None:
        raise NotFoundError
    recorded_at = decision.recorded_at or tx.now
    faults = _faults(tx, case, decision, recorded_at)
    if faults and not decision.draft:
        raise InvalidError(errors=faults)
    recorded = Recorded(new_id(), case_id, decision, min(recorded_at, tx.now), faults=tuple(faults))
    await cases.add_consents(tx, [_row(tx, deps, caller, recorded)])
    if decision.draft:
        return recorded, frozenset()
    decisions = (await cases.consents_of(tx, [case_id]))[case_id]
    recorded = replace(recorded, stands=_stands(tx, case, recorded, decisions))
    if consent.is_about_sharing(decision.decision, decision.purpose):
        _tell(tx, recorded)
    if decision.hop not in ONWARD_HOPS:
        return recorded, frozenset()
    begun = frozenset(await cases.outstanding(tx, case_id))
    withdrawn = tuple(row.id for row in await reconsider(tx, deps, [case_id]))
    recorded = replace(recorded, withdrawn=withdrawn)
    if decision.decision == "given":
        return recorded, begun
    return replace(recorded, besides=await _tell_the_past(tx, deps, case, recorded, decisions)), begun


def _stands(tx: Tx, case: cases.Case, recorded: Recorded, decisions: Sequence[consent.Consent]) -> bool:
    """Return whether a decision counts about anybody whom it names."""
    child = is_child(case.age, case.markers or ())
    named = [frozenset({name}) for name in recorded.decision.recipients] or [frozenset[str]()]
    about = [consent.About(recorded.decision.hop, names, tx.now, child) for names in named]
    return any(recorded.id == each.id for one in about for each in consent.newest(decisions, one))


async def _tell_the_past(
    tx: Tx, deps: Deps, case: cases.Case, recorded: Recorded, decisions: Sequence[consent.Consent]
) -> tuple[UUID, ...]:
    """Return the other onward referrals that the person says no to; partners of those that are over are told and asked.

    Asked are those that have the person's data, each once: also where the hub had taken it back for another reason, and
    where it was the same decision, said again.
    """
    child = is_child(case.age, case.markers or ())
    about: dict[Onward, str] = {}
    for row in await onward.of_case(tx, case.case_id, tuple(Status)):
        names = frozenset({row.kind, str(row.partner_id)})
        newest = consent.newest(decisions, consent.About(hop_to(row.kind), names, tx.now, child))
        against = consent.objections(newest)
        if against and row.id not in recorded.withdrawn and recorded.id in {each.id for each in newest}:
            about[row] = against[0]
    informed = {each.onward_referral_id for each in await cases.disclosures_of(tx, [row.id for row in about])}
    asked = {
        row: why
        for row, why in about.items()
        if row.status in OVER and row.basis != SAFEGUARDING and row.id in informed
    }
    due = await acknowledgements.ask(tx, deps, asked)
    await tell_withdrawn(tx, deps, [row for row in asked if row.id in due], due, number=1)
    return tuple(row.id for row in about)


def _faults(tx: Tx, case: cases.Case, decision: Decision, recorded_at: datetime) -> list[FieldError]:
    given = consent.Consent(
        id=case.case_id,
        hop=decision.hop,
        decision=decision.decision,
        recipients=frozenset(decision.recipients),
        data_categories=frozenset(decision.data_categories),
        method=decision.method,
        recorded_at=recorded_at,
        expires_at=decision.expires_at,
        purpose=decision.purpose,
        by=Giver(decision.giver, decision.capacity, decision.competence, decision.best_interests),
    )
    child = is_child(case.age, case.markers or ())
    found = consent.recording_faults(given, now=tx.now, ahead=_AHEAD, child=child)
    return [FieldError(f"/{name}", code, must) for name, code, must in found]


def _row(tx: Tx, deps: Deps, caller: Caller, recorded: Recorded) -> dict[str, Any]:
    decision = recorded.decision
    note = decision.giver_note
    sealer = deps.keyring.record("consent", recorded.id)
    return {
        "id": recorded.id,
        "case_id": recorded.case_id,
        "source_key": str(recorded.id),
        "hop": decision.hop,
        "decision": decision.decision,
        "recipients": list(decision.recipients),
        "data_categories": list(decision.data_categories),
        "method": decision.method,
        "recorded_at": recorded.recorded_at,
        "expires_at": decision.expires_at,
        "recorded_by": caller.client_id,
        "giver_note": sealer.seal("giver_note", note) if note is not None else None,
        "is_draft": decision.draft,
        **{name: getattr(decision, name) for name in _AS_GIVEN},
        "created_at": tx.now,
    }


def _tell(tx: Tx, recorded: Recorded) -> None:
    decision = recorded.decision
    news = ConsentWithdrawnV1 if decision.decision == "withdrawn" else ConsentRecordedV1
    event = news(
        consent_id=recorded.id,
        case_id=recorded.case_id,
        hop=decision.hop,
        decision=decision.decision,
        recipients=decision.recipients,
        data_categories=decision.data_categories,
        recorded_at=recorded.recorded_at,
    )
    tx.emit(event, recorded.case_id)
