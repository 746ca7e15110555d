"""Agreements taken out of the register as plain documents, and taken in as drafts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from hubkit.db import Tx
from hubkit.errors import FieldError, HubError, InvalidError
from services.partners.actions.agreements import By, change_agreement, draft_agreement, read_agreement
from services.partners.policy import agreement_terms
from services.partners.policy.agreement_terms import Standing, from_json, to_json
from services.partners.store import agreements as store
from services.partners.store import registry

_ALL = 1_000_000


@dataclass(frozen=True, slots=True)
class Imported:
    """An agreement of a file. `said` are its terms as a JSON object."""

    organisation: str
    reference: str
    said: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an agreement of a file: drafted, changed, proposed or unchanged."""

    reference: str
    agreement_id: UUID
    became: str


async def export_agreements(tx: Tx) -> list[dict[str, Any]]:
    """Return every agreement as a document that can be imported; what is not stated is left out."""
    organisations = {partner.id: partner.organisation for partner in await registry.list_partners(tx, None, _ALL)}
    found = [store.standing_of(row) for row in await registry.list_agreements(tx, None, _ALL)]
    return [_document(organisations[standing.partner_id], standing) for standing in found]


def _document(organisation: str, standing: Standing) -> dict[str, Any]:
    said = {name: value for name, value in to_json(standing.terms).items() if value is not None and value != []}
    how = {
        "id": str(standing.id),
        "version": standing.version,
        "status": standing.status,
        "drafted_by": standing.drafted_by,
        "approved_by": standing.approved_by,
    }
    return {"organisation": organisation, "reference": standing.reference, **said, "standing": how}


async def import_agreements(tx: Tx, documents: Sequence[Imported], by: By) -> list[Outcome]:
    """Draft agreements that the register lacks by their reference, and change those whose terms differ.

    All of it or nothing. A second person approves them as any other.

    Raises
    ------
    InvalidError
        With every fault of every document, each with its place under `/agreements/<number>`.
    """
    partners = {partner.organisation: partner.id for partner in await registry.list_partners(tx, None, _ALL)}
    faults: list[FieldError] = []
    outcomes = []
    seen: set[str] = set()
    for number, document in enumerate(documents):
        if document.reference in seen:
            faults.append(_at(number, "/reference", "reference_twice", "appears twice in the file"))
            continue
        seen.add(document.reference)
        if document.organisation not in partners:
            known = ", ".join(sorted(partners))
            faults.append(_at(number, "/organisation", "unknown_partner", f"is not a partner; there are: {known}"))
            faults += _within(number, agreement_terms.faults(from_json(document.said)))
            continue
        try:
            outcomes.append(await _take(tx, partners[document.organisation], document, by))
        except HubError as error:
            faults += _within(number, error.errors or [FieldError("", error.reason, error.detail)])
    if faults:
        raise InvalidError(errors=faults)
    return outcomes


async def _take(tx: Tx, partner_id: UUID, document: Imported, by: By) -> Outcome:
    standing_id = await store.with_reference(tx, document.reference)
    if standing_id is None:
        made = await draft_agreement(tx, partner_id, document.said, by, document.reference)
        return Outcome(document.reference, made.id, "drafted")
    found = await read_agreement(tx, standing_id)
    if found.partner_id != partner_id:
        raise InvalidError(errors=[FieldError("/organisation", "another_partner", "the agreement is with another")])
    wanted = to_json(from_json(document.said))
    if wanted in (to_json(each.terms) for each in (found.proposed, found) if each is not None):
        return Outcome(document.reference, found.id, "unchanged")
    changed = await change_agreement(tx, found.id, found.version, wanted, by)
    became = "proposed" if changed.proposed is not None else "changed"
    return Outcome(document.reference, found.id, became)


def _within(number: int, faults: Sequence[FieldError]) -> list[FieldError]:
    return [_at(number, fault.pointer, fault.code, fault.detail) for fault in faults]


def _at(number: int, pointer: str, code: str, detail: str) -> FieldError:
    return FieldError(f"/agreements/{number}{pointer}", code, detail)
