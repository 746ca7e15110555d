"""What a webhook carries: a link alone, or with it what is disclosed, encrypted for its endpoint.

A full payload is made afresh for each attempt, under the attempt's own permit, with intake's answer of that moment. It
is recorded before the attempt begins, as a reading is before it is answered, for nobody can tell afterwards whether it
arrived. Neither the person's details nor what is made of them is kept, logged or said to anybody else.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from hubkit.db import Database, Tx
from hubkit.errors import HubError
from hubkit.jwe import encrypt
from services.partners.actions import amendments
from services.partners.actions.changes import told
from services.partners.actions.deps import Deps
from services.partners.actions.disclose import WEBHOOKS, Receipt, person_of, write_down
from services.partners.actions.outgoing import Outgoing
from services.partners.actions.permits import verdicts_for
from services.partners.clients import Person
from services.partners.model import DETAILS_UNAVAILABLE, FULL, NO_ENCRYPTION_KEY, THIN, TOO_LARGE
from services.partners.policy import payloads
from services.partners.policy.gate import Allowed
from services.partners.schemas.onward import detail
from services.partners.store import onward

#: The largest full body. Libraries that partners open it with take about as much by default.
MOST_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Load:
    """The body of one attempt, thin or full; `because` says why it is thin where the agreement says full."""

    body: bytes = field(repr=False)
    payload: str = THIN
    because: str | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """There is nothing to send now: for a reason that is waited out, or because the permit serves no more."""

    because: str | None = None


class _TooLargeError(Exception):
    """Undoes what was recorded of a body that is too large to be sent."""


async def load(db: Database, deps: Deps, outgoing: Outgoing) -> Load | Held:
    """Return what an attempt carries; a disclosure in it is recorded when this returns."""
    portion, key = outgoing.portion, outgoing.encryption_key
    if portion is None or outgoing.permit_id is None:
        return Load(outgoing.body)
    if key is None:
        return Load(outgoing.body, because=NO_ENCRYPTION_KEY)
    try:
        person = await person_of(deps, (WEBHOOKS, WEBHOOKS), portion.referral_id, portion.fields, deps.clock.now())
    except HubError:
        # A late full payload is better than one that is not as agreed.
        return Held(DETAILS_UNAVAILABLE)
    try:
        async with db.transaction() as tx:
            return await _filled(tx, deps, outgoing, (outgoing.permit_id, key), person)
    except _TooLargeError:
        return Load(outgoing.body, because=TOO_LARGE)


async def _filled(
    tx: Tx, deps: Deps, outgoing: Outgoing, under: tuple[UUID, Mapping[str, str]], person: Person
) -> Load | Held:
    """Ask the gate again, record what goes out, and put it into the body."""
    permit_id, key = under
    onward_id = outgoing.onward_referral_id
    verdict = (await verdicts_for(tx, deps, [onward_id]))[1][onward_id]
    # The locks may have been waited for. What is refused now is refused again, and stopped, when it is claimed next.
    if not isinstance(verdict, Allowed) or time.monotonic() >= outgoing.start_by:
        return Held()
    if verdict.delivery != FULL:
        return Load(outgoing.body)
    row = await told(tx, (await onward.lock(tx, [onward_id]))[0])
    content = await amendments.content_of(tx, row.case_id)
    # What is allowed now and was not when intake was asked has no value here; a later amendment or reading brings it.
    receipt = Receipt(WEBHOOKS, permit_id, outgoing.delivery_id)
    disclosed = await write_down(tx, deps, row, verdict, (person, content), receipt)
    document = detail(row, disclosed, disclosed.other_services).model_dump_json()
    body = payloads.with_disclosure(outgoing.body, encrypt(document.encode(), key))
    if len(body) > MOST_BYTES:
        raise _TooLargeError
    await amendments.note_sending(tx, deps, row, content, person.version)
    return Load(body, FULL)
