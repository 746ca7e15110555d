"""Asking the gate what it would say: the same question, with nothing recorded, permitted or disclosed by it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from hubkit.db import Tx
from hubkit.errors import NotFoundError
from hubkit.ids import new_id
from services.partners.actions.ask import Asked, Request, questions_about
from services.partners.actions.deps import Deps
from services.partners.policy import gate
from services.partners.policy.transitions import OPEN_TO_PARTNER
from services.partners.store import cases, onward, registry


@dataclass(frozen=True, slots=True)
class Withheld:
    """A field that is not shared, and why."""

    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class AgreementRef:
    """An agreement in one version."""

    id: UUID
    version: int


@dataclass(frozen=True, slots=True)
class Preview:
    """What one service would be given of a case now. `onward_referral_id`: it has been asked, and is judged as such."""

    service_id: UUID
    service_name: str
    kind: str
    onward_referral_id: UUID | None
    allowed: bool
    reasons: tuple[str, ...]
    fields_shared: tuple[str, ...]
    fields_withheld: tuple[Withheld, ...]
    basis: str | None = None
    agreement: AgreementRef | None = None
    safeguarding_id: UUID | None = None
    consent_ids: tuple[UUID, ...] = ()


async def preview_gate(
    tx: Tx, deps: Deps, case_id: UUID, partner_id: UUID, service_id: UUID | None
) -> tuple[Any, list[Preview]]:
    """Return the partner, and what the gate would say of each of its services, or of the one that is asked about.

    Raises
    ------
    NotFoundError
        When the case, the partner or the service (as this partner's) is not known.
    """
    case = await cases.read_case(tx, case_id)
    partner = await registry.partner(tx, partner_id)
    if case is None or partner is None:
        raise NotFoundError
    services = await registry.services_of(tx, [partner_id])
    if service_id is not None:
        services = [each for each in services if each.id == service_id]
        if not services:
            raise NotFoundError
    standing = await onward.of_case(tx, case_id, OPEN_TO_PARTNER)
    asked = [_asked(case_id, service, standing) for service in services]
    questions = await questions_about(tx, deps, asked, {case_id: case}, lock=False)
    known = {each.id for each in standing}
    return partner, [
        _preview(service, each.id if each.id in known else None, questions[each.id])
        for service, each in zip(services, asked, strict=True)
    ]


def _asked(case_id: UUID, service: Any, standing: Sequence[Asked]) -> Asked:
    """Return the onward referral to a service that stands, else one as it would be."""
    own = [each for each in standing if each.service_id == service.id]
    return own[-1] if own else Request(new_id(), case_id, service.partner_id, service.id, service.kind)


def _preview(service: Any, onward_id: UUID | None, question: gate.Question) -> Preview:
    explanation = gate.explain(question)
    verdict = explanation.verdict
    withheld = tuple(Withheld(name, why) for name, why in explanation.withheld.items())
    if isinstance(verdict, gate.Refused):
        return Preview(service.id, service.name, service.kind, onward_id, False, verdict.reasons, (), withheld)
    stands_alone = verdict.agreement_id == verdict.safeguarding_id
    return Preview(
        service_id=service.id,
        service_name=service.name,
        kind=service.kind,
        onward_referral_id=onward_id,
        allowed=True,
        reasons=(),
        fields_shared=verdict.fields,
        fields_withheld=withheld,
        basis=verdict.basis,
        agreement=None if stands_alone else AgreementRef(verdict.agreement_id, verdict.agreement_version),
        safeguarding_id=verdict.safeguarding_id,
        consent_ids=verdict.consent_ids,
    )
