"""Disclosing: the one way by which fields of a person reach a partner.

The gate is asked twice. First under the locks that a withdrawal takes, for a permit; then again after the fields have
come from intake, so that what is answered was allowed at the moment it was recorded.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from typing_extensions import override

from hubkit.auth import Caller
from hubkit.contracts import DisclosureMadeV1
from hubkit.db import Database, Tx
from hubkit.errors import FieldError, ForbiddenError, HubError, NotFoundError
from hubkit.ids import new_id
from services.partners.actions.changes import Change, apply
from services.partners.actions.deps import Deps
from services.partners.actions.permits import issue, settle_permits, verdicts_for
from services.partners.clients import Person, fetch_person
from services.partners.model import Onward, Status
from services.partners.policy.gate import Allowed, Refused
from services.partners.store import cases, onward, registry

_SCOPE: Final = "person:read"


@dataclass(frozen=True, slots=True)
class Disclosed:
    """An onward referral with the fields that its partner may have, as they were recorded."""

    row: Onward
    id: UUID
    disclosed_at: datetime
    hash: str
    basis: str
    fields: dict[str, Any]

    @override
    def __repr__(self) -> str:
        """Show no value."""
        return f"Disclosed(id={self.id})"


async def read_onward_referral(db: Database, deps: Deps, caller: Caller, onward_id: UUID) -> Disclosed:
    """Disclose to a partner what the gate allows of the person, and record it.

    Raises
    ------
    NotFoundError
        When it is not the caller's, or was never allowed to be.
    ForbiddenError
        When the gate refuses; the code is its first reason, `errors` lists all.
    UnavailableError
        When intake does not answer.
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
        token = deps.issuer.token("intake", Caller(caller.client_id, caller.organisation, frozenset({_SCOPE})), now)
        person = await fetch_person(deps.intake, token, row.referral_id, verdict.fields)
    except BaseException:
        async with db.transaction() as tx:
            await settle_permits(tx, permits.values())
        raise
    async with db.transaction() as tx:
        answer = await _record(tx, deps, caller, permits[onward_id], onward_id, person)
        await settle_permits(tx, permits.values())
    if isinstance(answer, HubError):
        raise answer
    return answer


async def _own(tx: Tx, caller: Caller, onward_id: UUID) -> Onward:
    """Return the caller's onward referral, once it was allowed to go out; before that it does not exist for it."""
    partner_id = await registry.partner_of(tx, caller.organisation)
    found = await onward.read(tx, [onward_id])
    if not found or found[0].partner_id != partner_id or found[0].ready_at is None:
        raise NotFoundError
    return found[0]


async def _record(
    tx: Tx, deps: Deps, caller: Caller, permit_id: UUID, onward_id: UUID, person: Person
) -> Disclosed | HubError:
    """Ask again and write down what goes out. A refusal is returned, so that the permit is settled all the same."""
    _, verdicts = await verdicts_for(tx, deps, [onward_id])
    verdict = verdicts[onward_id]
    if not isinstance(verdict, Allowed):
        return _refusal(verdict)
    row = (await onward.lock(tx, [onward_id]))[0]
    if row.status is Status.READY:
        # Who reads has been told, whether or not the answer to the webhook has been written down yet.
        row = (await apply(tx, [Change(row, Status.SENT)]))[0]
    fields = {name: person.fields[name] for name in verdict.fields if name in person.fields}
    digest = hashlib.sha256(orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)).hexdigest()
    disclosed = Disclosed(row, new_id(), tx.now, digest, verdict.basis, fields)
    await cases.add_disclosure(tx, _entry(disclosed, verdict, caller, permit_id, person.version))
    event = DisclosureMadeV1(
        disclosure_id=disclosed.id,
        onward_referral_id=row.id,
        case_id=row.case_id,
        partner_id=row.partner_id,
        fields=tuple(fields),
        basis=verdict.basis,
        agreement_id=verdict.agreement_id,
        agreement_version=verdict.agreement_version,
        disclosed_at=tx.now,
    )
    tx.emit(event, row.id)
    return disclosed


def _entry(
    disclosed: Disclosed, verdict: Allowed, caller: Caller, permit_id: UUID, referral_version: int
) -> dict[str, Any]:
    row = disclosed.row
    return {
        "id": disclosed.id,
        "onward_referral_id": row.id,
        "case_id": row.case_id,
        "partner_id": row.partner_id,
        "client_id": caller.client_id,
        "fields": list(disclosed.fields),
        "hash": disclosed.hash,
        "basis": verdict.basis,
        "agreement_id": verdict.agreement_id,
        "agreement_version": verdict.agreement_version,
        "consent_ids": [str(id) for id in verdict.consent_ids],
        "permit_id": permit_id,
        "referral_version": referral_version,
        "disclosed_at": disclosed.disclosed_at,
    }


def _refusal(verdict: Refused) -> HubError:
    errors = [FieldError("", reason, "stands in the way of a disclosure") for reason in verdict.reasons]
    return ForbiddenError("The gate does not allow this disclosure now", code=verdict.reasons[0], errors=errors)
