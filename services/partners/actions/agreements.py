"""The agreement register: drafted by one person, approved by another, changed, suspended, ended.

What only takes away takes effect at once, on one person's word. Everything else waits for a second person; of an
agreement in force, the terms that were approved go on meanwhile. Each call is one version, kept for good.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any
from uuid import UUID

from hubkit.contracts import AgreementChangedV1
from hubkit.db import Tx
from hubkit.errors import ConflictError, FieldError, InvalidError, NotFoundError, PreconditionFailedError
from hubkit.ids import new_id
from services.partners.policy import agreement_terms, agreements
from services.partners.policy.agreement_terms import Proposal, Standing, Terms, from_json, to_json
from services.partners.policy.second_person import is_same_person
from services.partners.store import agreements as store
from services.partners.store import registry


@dataclass(frozen=True, slots=True)
class By:
    """Who does something to an agreement: a named person, if one was named, through a client. `today` is local."""

    client_id: str
    today: date
    name: str | None = None
    reason: str | None = None


async def draft_agreement(
    tx: Tx, partner_id: UUID, said: Mapping[str, Any], by: By, reference: str | None = None
) -> Standing:
    """Make an agreement that a second person has yet to approve; the gate refuses until then.

    Parameters
    ----------
    said
        Its terms as a JSON object; `by` names who drafted it.
    reference
        What it is called elsewhere, once in the register; its id when not given.

    Raises
    ------
    InvalidError
        `unknown_partner`, `missing` (drafted_by), and what of the terms contradicts itself.
    ConflictError
        `reference_exists`.
    """
    terms = from_json(said)
    faults = [*agreement_terms.faults(terms), *_unnamed(by)]
    if await registry.partner(tx, partner_id) is None:
        faults.append(FieldError("/partner_id", "unknown_partner", "is not a partner"))
    if faults:
        raise InvalidError(errors=faults)
    id = new_id()
    made = Standing(id, partner_id, reference or str(id), 1, "draft", terms, by.name)
    if not await store.add(tx, made):
        taken = await store.with_reference(tx, made.reference)
        detail = f"agreement {taken} has this reference already"
        raise ConflictError(
            "Another agreement has this reference",
            code="reference_exists",
            errors=[FieldError("/reference", "reference_exists", detail)],
        )
    await _keep(tx, made, ["drafted"], by)
    return made


async def change_agreement(
    tx: Tx, agreement_id: UUID, version: int, changes: Mapping[str, Any], by: By, status: str | None = None
) -> Standing:
    """Change what an agreement says, or whether it stands, or both; what is not given stays.

    A draft is changed as it is. Of any other, what only takes away is in force from the commit on; the rest is kept
    beside the terms in force until a second person approves it. Either replaces what was waiting before.

    Parameters
    ----------
    changes
        Some of its terms, as a JSON object. `by` must name a person when what is changed needs a second one.

    Raises
    ------
    NotFoundError
        When there is none.
    PreconditionFailedError
        When it has changed since `version`.
    InvalidError
        `missing` (drafted_by), and what of the terms contradicts itself.
    ConflictError
        `wrong_state`, `not_approved`, `agreement_overlaps`.
    """
    found = await _lock(tx, agreement_id, version)
    changed, acts = _changed(found, from_json(to_json(found.terms) | dict(changes)), by)
    if status is not None and _stored(status) != found.status:
        changed, moved = _moved(changed, _stored(status), by)
        acts += moved
    if not acts:
        return found
    await _refuse_overlap(tx, changed, changed.terms)
    if changed.proposed is not None:
        await _refuse_overlap(tx, changed, changed.proposed.terms)
    return await _save(tx, changed, acts, by)


async def approve_agreement(tx: Tx, agreement_id: UUID, version: int, by: By) -> Standing:
    """Put a draft, or what is proposed for an agreement, in force: `by` names the second person.

    Raises
    ------
    NotFoundError
        When there is none.
    PreconditionFailedError
        When it has changed since `version`.
    InvalidError
        `self_approved`.
    ConflictError
        `nothing_to_approve`, `agreement_overlaps`.
    """
    found = await _lock(tx, agreement_id, version)
    proposal = Proposal(found.terms, found.drafted_by or "") if found.status == "draft" else found.proposed
    if proposal is None:
        raise ConflictError("Nothing of it waits for approval", code="nothing_to_approve")
    if is_same_person(by.name, proposal.drafted_by):
        detail = "must be somebody else than who drafted it"
        raise InvalidError(errors=[FieldError("/approved_by", "self_approved", detail)])
    status = "active" if found.status == "draft" else found.status
    approved = replace(
        found,
        status=status,
        terms=proposal.terms,
        drafted_by=proposal.drafted_by,
        approved_by=by.name,
        proposed=None,
    )
    await _refuse_overlap(tx, approved, approved.terms)
    return await _save(tx, approved, ["approved"], by)


async def move_agreement(tx: Tx, agreement_id: UUID, version: int, to: str, by: By) -> Standing:
    """Suspend an agreement, let it stand again, or end it; from the commit on the gate goes by it.

    Raises
    ------
    NotFoundError
        When there is none.
    PreconditionFailedError
        When it has changed since `version`.
    ConflictError
        `wrong_state`, `not_approved`, `agreement_overlaps`.
    """
    moved, acts = _moved(await _lock(tx, agreement_id, version), to, by)
    await _refuse_overlap(tx, moved, moved.terms)
    return await _save(tx, moved, acts, by)


async def list_agreements(tx: Tx, after: UUID | None, limit: int) -> list[Standing]:
    """Return agreements in the order they were made."""
    return [store.standing_of(row) for row in await registry.list_agreements(tx, after, limit)]


async def read_agreement(tx: Tx, agreement_id: UUID) -> Standing:
    """Return one agreement.

    Raises
    ------
    NotFoundError
        When there is none.
    """
    found = await registry.agreement(tx, agreement_id)
    if found is None:
        raise NotFoundError
    return store.standing_of(found)


def shown(standing: Standing, today: date) -> dict[str, Any]:
    """Return an agreement as it is shown on a day: its terms and how it stands in one object."""
    terms = standing.terms
    state = agreements.state_on(standing.status, terms.starts_on, terms.ends_on, today)
    held = {field.name: getattr(standing, field.name) for field in fields(standing) if field.name != "terms"}
    return {name: getattr(terms, name) for name in agreement_terms.NAMES} | held | {"status": state}


async def _lock(tx: Tx, agreement_id: UUID, version: int) -> Standing:
    # The partner's row first, as the gate does; its lock keeps two that overlap from coming into force at once.
    partner_id = (await read_agreement(tx, agreement_id)).partner_id
    await registry.partner(tx, partner_id, for_update=True)
    row = await registry.agreement(tx, agreement_id, for_update=True)
    if row is None:
        raise NotFoundError
    if row.version != version:
        raise PreconditionFailedError
    return store.standing_of(row)


def _changed(found: Standing, terms: Terms, by: By) -> tuple[Standing, list[str]]:
    """Return an agreement with changed terms and what was done to it; nothing when they are the same."""
    if terms == found.terms:
        return found, []
    if found.status == "ended":
        raise _wrong_state(found)
    faults = agreement_terms.faults(terms)
    narrows = found.status != "draft" and agreement_terms.only_narrows(found.terms, terms)
    if not narrows:
        faults += _unnamed(by)
    if faults:
        raise InvalidError(errors=faults)
    if narrows:
        return replace(found, terms=terms, proposed=None), ["narrowed"]
    if found.status == "draft":
        return replace(found, terms=terms, drafted_by=by.name), ["redrafted"]
    return replace(found, proposed=Proposal(terms, by.name or "")), ["proposed"]


def _moved(found: Standing, to: str, by: By) -> tuple[Standing, list[str]]:
    """Return an agreement in another state and what was done to it."""
    if found.status == "draft" and to == "active":
        raise ConflictError("A second person has not approved it", code="not_approved")
    if to not in agreements.MOVES[found.status]:
        raise _wrong_state(found)
    act = {"active": "resumed"}.get(to, to)
    if to == "ended":
        return replace(found, status=to, ended_on=by.today, proposed=None), [act]
    return replace(found, status=to), [act]


def _wrong_state(found: Standing) -> ConflictError:
    return ConflictError(f"It is {found.status}", code="wrong_state")


def _stored(status: str) -> str:
    """Return the state that is kept: what is approved is active from its first day."""
    return "active" if status == "approved" else status


def _unnamed(by: By) -> list[FieldError]:
    return [] if by.name else [FieldError("/drafted_by", "missing", "is required where a second person must approve")]


async def _refuse_overlap(tx: Tx, standing: Standing, terms: Terms) -> None:
    if standing.status != "active":
        return
    mine = agreements.Term("active", frozenset(terms.purposes), terms.starts_on, terms.ends_on, standing.id)
    rows = await registry.agreements_of(tx, standing.partner_id)
    others = [row for row in rows if row.id != standing.id and agreements.overlap(mine, store.term_of(row))]
    if not others:
        return
    errors = [
        FieldError("/purposes", "agreement_overlaps", f"agreement {row.id} covers {_common(terms, row)} at that time")
        for row in others
    ]
    raise ConflictError(
        "Another active agreement with this partner covers some of these purposes at the same time",
        code="agreement_overlaps",
        errors=errors,
    )


def _common(terms: Terms, row: Any) -> str:
    return ", ".join(sorted(set(terms.purposes) & set(row.purposes)))


async def _save(tx: Tx, changed: Standing, acts: Sequence[str], by: By) -> Standing:
    saved = replace(changed, version=changed.version + 1)
    await store.save(tx, saved)
    await _keep(tx, saved, acts, by)
    return saved


async def _keep(tx: Tx, standing: Standing, acts: Sequence[str], by: By) -> None:
    """Keep the version and say that there is one."""
    made = {"by": by.name or by.client_id, "client_id": by.client_id, "reason": by.reason}
    await store.keep(tx, standing, acts, made)
    event = AgreementChangedV1(
        agreement_id=standing.id,
        partner_id=standing.partner_id,
        version=standing.version,
        status=standing.status,
        starts_on=standing.terms.starts_on,
        ends_on=standing.terms.ends_on,
    )
    tx.emit(event, standing.id)
