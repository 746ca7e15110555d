"""Asking the gate: its facts are read under the locks that withdrawals and changes of agreements take."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

from hubkit.contracts.codes import hop_to
from hubkit.db import Tx
from hubkit.telemetry import DECISIONS
from services.partners.actions.deps import Deps
from services.partners.model import Status
from services.partners.policy import gate
from services.partners.policy.protections import Protection
from services.partners.policy.transitions import TOLD
from services.partners.store import cases, protection, registry

_UNPROTECTED: Final = Protection()


class Asked(Protocol):
    """What of an onward referral the gate is asked about."""

    @property
    def id(self) -> UUID:
        """The onward referral."""
        ...

    @property
    def case_id(self) -> UUID:
        """Whose case."""
        ...

    @property
    def partner_id(self) -> UUID:
        """Who would receive it."""
        ...

    @property
    def service_id(self) -> UUID:
        """Which of its services."""
        ...

    @property
    def kind(self) -> str:
        """The kind of support, which is its purpose."""
        ...

    @property
    def status(self) -> Status:
        """Where it stands."""
        ...

    @property
    def basis(self) -> str | None:
        """The lawful basis of the gate's last yes; safeguarding from the beginning where it goes out on that."""
        ...


@dataclass(frozen=True, slots=True)
class Request:
    """An onward referral that is not stored yet."""

    id: UUID
    case_id: UUID
    partner_id: UUID
    service_id: UUID
    kind: str
    status: Status = Status.REQUESTED
    basis: str | None = None


async def ask_gate(
    tx: Tx, deps: Deps, asked: Sequence[Asked], known: Mapping[UUID, cases.Case]
) -> dict[UUID, gate.Verdict]:
    """Return the gate's verdict on each, by onward referral.

    Parameters
    ----------
    known
        The cases, locked in this transaction before, so that no withdrawal commits between this and its commit.
    """
    if not asked:
        return {}
    await tx.begin()  # the locks are wanted in any case
    questions = await questions_about(tx, deps, asked, known)
    verdicts = {id: gate.decide(question) for id, question in questions.items()}
    _count(verdicts.values())
    return verdicts


async def questions_about(
    tx: Tx, deps: Deps, asked: Sequence[Asked], known: Mapping[UUID, cases.Case], *, lock: bool = True
) -> dict[UUID, gate.Question]:
    """Return what the gate is asked about each, by onward referral; without `lock` for looking alone."""
    questions: dict[UUID, gate.Question] = {}
    for hop in sorted({hop_to(each.kind) for each in asked}):
        over = [each for each in asked if hop_to(each.kind) == hop]
        questions |= await _questions_over(tx, deps, hop, (over, known), lock=lock)
    return questions


async def _questions_over(
    tx: Tx, deps: Deps, hop: str, about: tuple[Sequence[Asked], Mapping[UUID, cases.Case]], *, lock: bool
) -> dict[UUID, gate.Question]:
    asked, known = about
    partners, shares = await registry.share_partners(
        tx, {each.partner_id for each in asked}, {each.service_id for each in asked}, hop, lock=lock
    )
    grounds = await _grounds(tx, asked, partners, lock=lock)
    consents = await cases.consents_of(tx, {each.case_id for each in asked})
    profile = deps.profile_at(tx.now)
    today, basis = profile.local_day(tx.now), profile.basis_for(hop)
    questions: dict[UUID, gate.Question] = {}
    for each in asked:
        case = known.get(each.case_id)
        questions[each.id] = gate.Question(
            hop=hop,
            purpose=each.kind,
            case_status=case.status if case is not None else None,
            crime_category=case.crime_category if case is not None else None,
            partner=partners.get(each.partner_id),
            shares=shares.get((each.partner_id, each.service_id), "nothing"),
            is_told=each.status in TOLD,
            consents=consents.get(each.case_id, ()),
            hop_basis=basis,
            now=tx.now,
            today=today,
            markers=frozenset((case.markers if case is not None else None) or ()),
            age=case.age if case is not None else None,
            source=case.source_organisation if case is not None else None,
            protection=case.protection if case is not None else _UNPROTECTED,
            safeguarding=grounds.get(each.id),
        )
    return questions


async def _grounds(
    tx: Tx, asked: Sequence[Asked], partners: dict[UUID, gate.Partner], *, lock: bool
) -> dict[UUID, gate.Safeguarding | None]:
    """Return the decisions that what goes out on safeguarding stands on; its partners need no agreement."""
    on_safeguarding = [each for each in asked if each.basis == gate.SAFEGUARDING]
    if not on_safeguarding:
        return {}
    missing = {each.partner_id for each in on_safeguarding} - partners.keys()
    if missing:
        partners |= await registry.without_agreements(tx, missing, lock=lock)
    return dict(await protection.grounds_of(tx, {each.id for each in on_safeguarding}))


def _count(verdicts: Collection[gate.Verdict]) -> None:
    for verdict in verdicts:
        reason = "" if isinstance(verdict, gate.Allowed) else verdict.reasons[0]
        DECISIONS.labels("partners", "gate", "refused" if reason else "allowed", reason).inc()
