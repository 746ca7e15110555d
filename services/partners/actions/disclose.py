"""Disclosing: the one way by which fields of a person reach a partner, whether it reads or a webhook carries them.

The gate is asked twice. First under the locks that a withdrawal takes, for a permit; then again after the fields have
come from intake, so that what is answered was allowed at the moment it was recorded.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from typing_extensions import override

from hubkit.auth import Caller
from hubkit.contracts import DisclosureMadeV1
from hubkit.contracts.codes import ASSESSMENT
from hubkit.db import Database, Tx
from hubkit.errors import FieldError, ForbiddenError, HubError, NotFoundError, UnavailableError
from hubkit.ids import new_id
from services.partners.actions import amendments
from services.partners.actions.changes import acknowledge
from services.partners.actions.deps import Deps
from services.partners.actions.own import own
from services.partners.actions.permits import PERMIT_LIFETIME, issue, settle_permits, verdicts_for
from services.partners.clients import Person, fetch_person
from services.partners.model import Onward
from services.partners.policy import telling
from services.partners.policy.amendments import Content
from services.partners.policy.gate import Allowed, Refused
from services.partners.policy.transitions import OPEN_TO_PARTNER
from services.partners.store import cases, onward, registry

_SCOPE: Final = "person:read"
#: The client of a disclosure that nobody read: a webhook carried it.
WEBHOOKS: Final = "webhooks"
#: What the names of other services are called among the fields of a disclosure.
OTHERS: Final = "other_services"


@dataclass(frozen=True, slots=True)
class Disclosed:
    """An onward referral with the fields that its partner may have, as they were recorded.

    `other_services` are those that help the person too, where the hub tells of them.
    """

    row: Onward
    id: UUID
    disclosed_at: datetime
    hash: str
    basis: str
    fields: dict[str, Any]
    other_services: tuple[str, ...] = ()

    @override
    def __repr__(self) -> str:
        """Show no value."""
        return f"Disclosed(id={self.id})"


@dataclass(frozen=True, slots=True)
class Receipt:
    """By which client, under which permit, and by which webhook a disclosure goes out; None: it is read."""

    client_id: str
    permit_id: UUID
    delivery_id: UUID | None = None


async def read_onward_referral(db: Database, deps: Deps, caller: Caller, onward_id: UUID) -> Disclosed:
    """Disclose to a partner what the gate allows of the person, and record it.

    Raises
    ------
    NotFoundError
        When it is not the caller's, or was never allowed to be.
    ForbiddenError
        When the gate refuses; the code is its first reason, `errors` lists all.
    UnavailableError
        When intake does not answer, or not before the permit is over.
    """
    async with db.transaction() as tx:
        row = await _own(tx, caller, onward_id)
        asked, verdicts = await verdicts_for(tx, deps, [onward_id])
        permits = await issue(tx, asked, verdicts)
        now = tx.now
    verdict = verdicts[onward_id]
    if not isinstance(verdict, Allowed):
        raise _refusal(verdict)
    try:
        asking = (caller.client_id, caller.organisation)
        person = await person_of(deps, asking, row.referral_id, verdict.fields, now)
    except BaseException:
        async with db.transaction() as tx:
            await settle_permits(tx, permits.values())
        raise
    async with db.transaction() as tx:
        if tx.now < now + PERMIT_LIFETIME:
            answer = await _record(tx, deps, caller, permits[onward_id], onward_id, person)
        else:
            # After a standstill nobody waits for this reading any more: it needs a permit of its own.
            answer = UnavailableError("Reading took too long; send it again", retry_after_s=1)
        await settle_permits(tx, permits.values())
    if isinstance(answer, HubError):
        raise answer
    return answer


async def person_of(
    deps: Deps, asking: tuple[str, str], referral_id: UUID, fields: Collection[str], now: datetime
) -> Person:
    """Fetch from intake those of `fields` that it holds.

    Parameters
    ----------
    asking
        The client and the organisation on whose behalf.

    Raises
    ------
    UnavailableError
        When intake does not answer.
    """
    names = [name for name in fields if name != ASSESSMENT]
    if not names:
        return Person(0, {})
    token = deps.issuer.token("intake", Caller(*asking, frozenset({_SCOPE})), now)
    return await fetch_person(deps.intake, token, referral_id, names)


async def _own(tx: Tx, caller: Caller, onward_id: UUID) -> Onward:
    """Return the caller's onward referral, once it was allowed to go out; before that it does not exist for it."""
    partner_id = await registry.partner_of(tx, caller.organisation)
    row = own(await onward.read(tx, [onward_id]), caller, partner_id)
    if row.ready_at is None:
        raise NotFoundError
    return row


async def _record(
    tx: Tx, deps: Deps, caller: Caller, permit_id: UUID, onward_id: UUID, person: Person
) -> Disclosed | HubError:
    """Ask again and write down what goes out. A refusal is returned, so that the permit is settled all the same."""
    _, verdicts = await verdicts_for(tx, deps, [onward_id])
    verdict = verdicts[onward_id]
    if not isinstance(verdict, Allowed):
        return _refusal(verdict)
    row = await acknowledge(tx, (await onward.lock(tx, [onward_id]))[0])
    content = await amendments.content_of(tx, row.case_id)
    to = Receipt(caller.client_id, permit_id)
    disclosed = await write_down(tx, deps, row, verdict, (person, content), to)
    await amendments.note_reading(tx, deps, row, content, person.version)
    return disclosed


async def write_down(
    tx: Tx, deps: Deps, row: Onward, verdict: Allowed, found: tuple[Person, Content], to: Receipt
) -> Disclosed:
    """Record what goes out of a locked onward referral, by a verdict of this transaction, and say so."""
    person, content = found
    values = person.fields | {ASSESSMENT: dict(content.assessment) or None}
    fields = {name: values[name] for name in verdict.fields if name in values}
    others = await _others(tx, deps, row, fields)
    given = fields | ({OTHERS: others} if others else {})
    digest = hashlib.sha256(orjson.dumps(given, option=orjson.OPT_SORT_KEYS)).hexdigest()
    disclosed = Disclosed(row, new_id(), tx.now, digest, verdict.basis, fields, others)
    versions = {"referral_version": person.version, "assessment_version": content.assessment_version}
    await cases.add_disclosure(tx, _entry(disclosed, verdict, to) | versions)
    event = DisclosureMadeV1(
        disclosure_id=disclosed.id,
        onward_referral_id=row.id,
        case_id=row.case_id,
        partner_id=row.partner_id,
        fields=tuple(given),
        basis=verdict.basis,
        agreement_id=verdict.agreement_id,
        agreement_version=verdict.agreement_version,
        disclosed_at=tx.now,
    )
    tx.emit(event, row.id)
    return disclosed


async def _others(tx: Tx, deps: Deps, row: Onward, fields: Collection[str]) -> tuple[str, ...]:
    """Return which other services help the person, as far as this partner may know: it is part of the disclosure."""
    if not telling.may_know_of_others(deps.profile_at(tx.now), fields):
        return ()
    live = await onward.of_case(tx, row.case_id, OPEN_TO_PARTNER)
    known = await registry.services_with_partners(tx, {each.service_id for each in live})
    return telling.others(row, live, {id: service.name for id, (service, _) in known.items()})


def _entry(disclosed: Disclosed, verdict: Allowed, to: Receipt) -> dict[str, Any]:
    row = disclosed.row
    return {
        "id": disclosed.id,
        "onward_referral_id": row.id,
        "case_id": row.case_id,
        "partner_id": row.partner_id,
        "client_id": to.client_id,
        "what": verdict.what,
        "fields": [*disclosed.fields, *([OTHERS] if disclosed.other_services else [])],
        "hash": disclosed.hash,
        "basis": verdict.basis,
        "agreement_id": verdict.agreement_id,
        "agreement_version": verdict.agreement_version,
        "consent_ids": [str(id) for id in verdict.consent_ids],
        "permit_id": to.permit_id,
        "delivery_id": to.delivery_id,
        "safeguarding_id": verdict.safeguarding_id,
        "disclosed_at": disclosed.disclosed_at,
    }


def _refusal(verdict: Refused) -> HubError:
    errors = [FieldError("", reason, "stands in the way of a disclosure") for reason in verdict.reasons]
    return ForbiddenError("The gate does not allow this disclosure now", code=verdict.reasons[0], errors=errors)
