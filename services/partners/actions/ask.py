"""Asking the gate: its facts are read under the locks that withdrawals and changes of agreements take."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from hubkit.db import Tx
from hubkit.telemetry import DECISIONS
from services.partners.actions.deps import Deps
from services.partners.policy import gate
from services.partners.store import cases, registry

HOP: Final = "hub_to_partner"


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
    def kind(self) -> str:
        """The kind of support, which is its purpose."""
        ...


@dataclass(frozen=True, slots=True)
class Request:
    """An onward referral that is not stored yet."""

    id: UUID
    case_id: UUID
    partner_id: UUID
    kind: str


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
    partners = await registry.share_partners(tx, {each.partner_id for each in asked})
    consents = await cases.consents_of(tx, {each.case_id for each in asked})
    today = tx.now.astimezone(ZoneInfo(deps.profile.timezone)).date()
    basis = deps.profile.basis_for(HOP)
    verdicts: dict[UUID, gate.Verdict] = {}
    for each in asked:
        case = known.get(each.case_id)
        question = gate.Question(
            hop=HOP,
            purpose=each.kind,
            case_is_open=case is not None and case.is_open,
            crime_category=case.crime_category if case is not None else None,
            partner=partners.get(each.partner_id),
            consents=consents.get(each.case_id, ()),
            hop_basis=basis,
            now=tx.now,
            today=today,
        )
        verdicts[each.id] = gate.decide(question)
    _count(verdicts.values())
    return verdicts


def _count(verdicts: Collection[gate.Verdict]) -> None:
    for verdict in verdicts:
        reason = "" if isinstance(verdict, gate.Allowed) else verdict.reasons[0]
        DECISIONS.labels("partners", "gate", "refused" if reason else "allowed", reason).inc()
