"""What hub staff see of a case: to whom it was referred, what went out, and what was kept back and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from hubkit.contracts.profile import Profile
from hubkit.db import Tx
from hubkit.errors import NotFoundError
from services.partners.actions import acknowledgements
from services.partners.actions.acknowledgements import Acknowledgement
from services.partners.actions.deps import Deps
from services.partners.actions.permits import verdicts_for
from services.partners.model import Onward, Status
from services.partners.policy import telling
from services.partners.policy.gate import Refused
from services.partners.policy.transitions import OPEN_TO_PARTNER
from services.partners.store import cases, onward, protection, registry

_HUB: Final = "hub"
_Known = Mapping[UUID, tuple[Any, Any]]
_NOBODY: Final = (None, None)


@dataclass(frozen=True, slots=True)
class Referred:
    """An onward referral with its service, in the hub's words. `told_about`: other services that it is told of.

    `service` is None where routing asked for one that nobody has listed.
    """

    id: UUID
    row: Onward
    service: Any
    outcome: str
    reasons: tuple[str, ...]
    told_about: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who was to receive data. Who asks without being a partner has a name alone."""

    role: str
    name: str
    organisation: str | None = None
    service_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Passage:
    """One release of data of a case, or one that was withheld, with the reasons in the hub's words.

    `acknowledgement` is what its partner is asked since the person took it back, `safeguarding` the decision that it
    went out on without consent, `delivery_id` the webhook that carried it.
    """

    id: UUID
    held_by: str
    to: Recipient
    what: str
    outcome: str
    basis: str | None
    reasons: tuple[str, ...]
    at: datetime
    onward_referral_id: UUID | None
    acknowledgement: Acknowledgement | None = None
    safeguarding: Any = None
    delivery_id: UUID | None = None

    @property
    def reason(self) -> str | None:
        """The first of the reasons."""
        return next(iter(self.reasons), None)


async def list_referred(tx: Tx, deps: Deps, case_id: UUID, after: UUID | None, limit: int) -> list[Referred]:
    """Return the onward referrals of a case, oldest first.

    Raises
    ------
    NotFoundError
        When the case is not known.
    """
    await _exists(tx, case_id)
    rows = await onward.of_case(tx, case_id, tuple(Status), after=after, limit=limit)
    live = await onward.of_case(tx, case_id, OPEN_TO_PARTNER)
    stopped = await _stopped(tx, deps, rows)
    known = await registry.services_with_partners(tx, {row.service_id for row in (*rows, *live)})
    names = {id: service.name for id, (service, _) in known.items()}
    profile = deps.profile_at(tx.now)
    tells = profile.routing.tells_of_others
    found = []
    for row in rows:
        service, _ = known.get(row.service_id, _NOBODY)
        outcome = telling.outcome_of(row.status, service.route if service is not None else "refer")
        told_about = telling.others(row, live, names) if tells and row.status in OPEN_TO_PARTNER else ()
        reasons = telling.in_hubs_words(profile, stopped.get(row.id, row.reasons))
        found.append(Referred(row.id, row, service, outcome, reasons, told_about))
    return found


async def _stopped(tx: Tx, deps: Deps, rows: Sequence[Onward]) -> dict[UUID, tuple[str, ...]]:
    """Return why the gate would refuse, now, what is open to the partner: an agreement that has ended, and so on."""
    open_rows = [row.id for row in rows if row.status in OPEN_TO_PARTNER]
    _, verdicts = await verdicts_for(tx, deps, open_rows)
    return {id: verdict.reasons for id, verdict in verdicts.items() if isinstance(verdict, Refused)}


async def list_passages(tx: Tx, deps: Deps, case_id: UUID, after: UUID | None, limit: int) -> list[Passage]:
    """Return what went out of a case and what was withheld, each by its id and so in order of time.

    What is withheld are onward referrals that the gate does not allow, and requests for access.

    Raises
    ------
    NotFoundError
        When the case is not known.
    """
    await _exists(tx, case_id)
    profile = deps.profile_at(tx.now)
    released = await cases.disclosures_in(tx, case_id, after, limit)
    withheld = await onward.of_case(tx, case_id, telling.WITHHELD, after=after, limit=limit)
    asked = await cases.access_requests_in(tx, case_id, after, limit)
    referred = {row.id: row for row in await onward.read(tx, {each.onward_referral_id for each in released})}
    services = {row.service_id for row in (*referred.values(), *withheld)}
    known = await registry.services_with_partners(tx, services)
    asked_back = await acknowledgements.of_onward(tx, deps, list(referred))
    grounds = await protection.decisions_by_id(tx, {each.safeguarding_id for each in released if each.safeguarding_id})
    found = [
        replace(
            _released(each, referred[each.onward_referral_id], known),
            acknowledgement=asked_back.get(each.onward_referral_id),
            safeguarding=grounds.get(each.safeguarding_id) if each.safeguarding_id is not None else None,
        )
        for each in released
    ]
    found += _withheld(profile, withheld, known)
    found += [_requested(each) for each in asked]
    return sorted(found, key=lambda passage: passage.id)[:limit]


async def _exists(tx: Tx, case_id: UUID) -> None:
    if not await cases.case_exists(tx, case_id):
        raise NotFoundError


def _recipient(row: Onward, known: _Known) -> Recipient:
    service, partner = known.get(row.service_id, _NOBODY)
    if service is None:
        return Recipient("partner", row.kind, service_id=row.service_id)
    return Recipient(telling.role_of(service.location), service.name, partner.name, row.service_id)


def _released(disclosure: Any, row: Onward, known: _Known) -> Passage:
    return Passage(
        id=disclosure.id,
        held_by=_HUB,
        to=_recipient(row, known),
        what=disclosure.what,
        outcome="released",
        basis=disclosure.basis,
        reasons=(),
        at=disclosure.disclosed_at,
        onward_referral_id=row.id,
        delivery_id=disclosure.delivery_id,
    )


def _withheld(profile: Profile, rows: Sequence[Onward], known: _Known) -> list[Passage]:
    return [
        Passage(
            id=row.id,
            held_by=_HUB,
            to=_recipient(row, known),
            what=known[row.service_id][0].shares if row.service_id in known else "nothing",
            outcome="withheld",
            basis=None,
            reasons=telling.in_hubs_words(profile, row.reasons),
            at=row.changed_at,
            onward_referral_id=row.id,
        )
        for row in rows
    ]


def _requested(request: Any) -> Passage:
    return Passage(
        id=request.id,
        held_by=request.held_by,
        to=Recipient("requester", request.requester),
        what=request.what,
        outcome=request.outcome,
        basis=request.basis,
        reasons=(request.reason,) if request.reason else (),
        at=request.decided_at,
        onward_referral_id=None,
    )
