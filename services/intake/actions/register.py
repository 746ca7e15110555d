"""Registers referrals, from single requests and from transfers alike: a batch in a constant number of statements."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from hubkit.contracts.referral import ReferralReceivedV1
from hubkit.db import Tx
from hubkit.errors import FieldError, HubError, InvalidError
from hubkit.ids import new_id
from hubkit.telemetry import reset_traceparent, use_traceparent
from services.intake.actions.deps import Deps
from services.intake.actions.disclose import fields_of
from services.intake.model import RECEIVED, Outcome, PersonKeys, Registered, Step, Stored
from services.intake.policy import arrivals, corrections
from services.intake.schemas import DISCLOSABLE, Person, Referral
from services.intake.store import persons, referrals


@dataclass(frozen=True, slots=True)
class Register:
    """One checked referral to register.

    Parameters
    ----------
    content
        Digest of the referral, from `content_of`.
    slot
        The place of its Idempotency-Key, from `Deps.slot_of`; a row of a transfer has none.
    """

    organisation: str
    referral: Referral
    content: bytes
    slot: UUID | None = None
    traceparent: str | None = None


def content_of(deps: Deps, referral: Referral) -> bytes:
    """Return the digest by which an unchanged referral is known. Fields at their default do not count."""
    return deps.content_digest(referral.model_dump_json(exclude_defaults=True).encode())


def check_referral(deps: Deps, referral: Referral, now: datetime) -> None:
    """Refuse a referral that contradicts itself or the calendar.

    Raises
    ------
    InvalidError
        With every fault.
    """
    faults = arrivals.faults_of(referral, now, deps.zone_at(now))
    if faults:
        raise InvalidError(errors=faults)


@dataclass(slots=True)
class _Item:
    """One command on its way. `request` is the content that its Idempotency-Key stands for."""

    command: Register
    id: UUID
    request: bytes
    leader: "_Item | None" = None
    answer: Registered | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    def result(self) -> Registered | HubError:
        first = self.leader or self
        if first.request != self.command.content:
            place = FieldError("Idempotency-Key", "idempotency_key_reused", "was used for another body")
            return InvalidError("This Idempotency-Key was used for another body", code=place.code, errors=[place])
        if first.answer is None:
            raise AssertionError("every leader has an answer")
        return first.answer


@dataclass(slots=True)
class _Chain:
    """Arrivals of one and the same referral in this batch, in order; nearly always a single one."""

    items: list[_Item]
    id: UUID
    received_at: datetime
    steps: list[Step]
    keys: PersonKeys = persons.UNKNOWN

    @property
    def last(self) -> Register:
        return self.items[-1].command

    @property
    def changes(self) -> bool:
        return any(step.outcome is not Outcome.DUPLICATE for step in self.steps)


async def register_referrals(tx: Tx, deps: Deps, commands: Sequence[Register]) -> list[Registered | HubError]:
    """Register referrals and say so with `referral.received`; returns one result for each, in order.

    A reference that the organisation has sent before is a correction (or, unchanged, a duplicate without effect). An
    Idempotency-Key that was used before gets the first answer, or `InvalidError` when the content differs.
    """
    items = [_Item(command, new_id(), command.content) for command in commands]
    await _claim_keys(tx, items)
    chains = _chains(tx, [item for item in items if item.leader is None and item.answer is None])
    new, old = await _store_new(tx, chains)
    changed = await _store_changed(tx, deps, old)
    for chain in new + changed:
        chain.keys = persons.keys_of(deps.index, chain.last.referral.person)
    # Asked before they are written, so that the writes go together at the end.
    earliest = await _earliest(tx, new + changed)
    await persons.add_persons(tx, [_person_row(deps, chain) for chain in new])
    await persons.change_persons(tx, [_person_row(deps, chain) for chain in changed])
    _announce(tx, deps, new + changed, earliest)
    await _answer(tx, chains)
    return [item.result() for item in items]


async def _claim_keys(tx: Tx, items: list[_Item]) -> None:
    leaders: dict[UUID, _Item] = {}
    for item in items:
        if item.command.slot is not None:
            leader = leaders.setdefault(item.command.slot, item)
            item.leader = leader if leader is not item else None
    rows = [
        {"slot": slot, "request": item.request, "referral_id": item.id, "created_at": tx.now}
        for slot, item in leaders.items()
    ]
    for slot, (request, referral_id) in (await referrals.claim_keys(tx, rows)).items():
        leaders[slot].request = request
        leaders[slot].answer = Registered(referral_id, Outcome.DUPLICATE, 0)


def _chains(tx: Tx, items: list[_Item]) -> list[_Chain]:
    grouped: dict[object, list[_Item]] = {}
    for item in items:
        grouped.setdefault(_source(item.command) or item.id, []).append(item)
    for item in items:
        item.facts = facts_of(item.command.referral)
    return [
        _Chain(
            items=group,
            id=group[0].id,
            received_at=group[0].command.referral.received_at or tx.now,
            steps=arrivals.steps_of(None, [item.command.content for item in group]),
        )
        for group in grouped.values()
    ]


def _source(command: Register) -> tuple[str, str] | None:
    reference = command.referral.source.reference
    return (command.organisation, reference) if reference is not None else None


async def _store_new(tx: Tx, chains: list[_Chain]) -> tuple[list[_Chain], list[_Chain]]:
    """Store those that do not stand yet; return them and the others."""
    rows = [
        _referral_row(tx, chain)
        | {
            "source_organisation": chain.last.organisation,
            "source_reference": chain.last.referral.source.reference,
            "received_at": chain.received_at,
            "status": RECEIVED,
            "case_version": 0,
        }
        for chain in chains
    ]
    stored = await referrals.add_referrals(tx, rows)
    return [chain for chain in chains if chain.id in stored], [chain for chain in chains if chain.id not in stored]


async def _store_changed(tx: Tx, deps: Deps, chains: list[_Chain]) -> list[_Chain]:
    """Compare those that stand with what arrived; store and return the corrected ones."""
    sources = {source: chain for chain in chains if (source := _source(chain.last)) is not None}
    standing = await referrals.lock_by_source(tx, sources)
    for source, chain in sources.items():
        row = standing[source]
        chain.id, chain.received_at = row.id, row.received_at
        stored = Stored(row.version, row.content)
        chain.steps = arrivals.steps_of(stored, [item.command.content for item in chain.items])
    changed = [chain for chain in chains if chain.changes]
    await _note_corrections(tx, deps, changed)
    await referrals.change_referrals(tx, [_referral_row(tx, chain) for chain in changed])
    return changed


async def _note_corrections(tx: Tx, deps: Deps, chains: list[_Chain]) -> None:
    """Add to the facts of corrected referrals which fields were corrected: partners may have read the old ones."""
    if not chains:
        return
    standing = await persons.find_persons(tx, [chain.id for chain in chains])
    for chain in chains:
        row = standing[chain.id]
        before = fields_of(row.facts, persons.opened(deps.keyring, row, frozenset(persons.SEALED)))
        after = fields_of(chain.items[-1].facts, persons.plain_of(chain.last.referral))
        known = row.facts.get("changed_in", {})
        changed = corrections.changed_in(before, after, DISCLOSABLE, known, chain.steps[-1].version)
        for item in chain.items if changed else ():
            item.facts["changed_in"] = changed


def _referral_row(tx: Tx, chain: _Chain) -> dict[str, Any]:
    source = chain.last.referral.source
    return {
        "id": chain.id,
        "version": chain.steps[-1].version,
        "content": chain.last.content,
        "source_from": source.from_,
        "intake_method": source.intake_method,
        "facts": chain.items[-1].facts,
        "changed_at": tx.now,
    }


def _person_row(deps: Deps, chain: _Chain) -> dict[str, Any]:
    return persons.sealed_row(deps.keyring, chain.id, chain.last.referral, chain.keys)


async def _earliest(tx: Tx, chains: list[_Chain]) -> dict[UUID, UUID]:
    """Return the first referral under each blind index, these included."""
    earliest = await persons.earliest_by_keys(tx, [chain.keys for chain in chains])
    for chain in chains:
        for key in (chain.keys.identity, chain.keys.phone, chain.keys.email):
            if key is not None:
                earliest[key] = min(earliest.get(key, chain.id), chain.id)
    return earliest


def _announce(tx: Tx, deps: Deps, chains: list[_Chain], earliest: dict[UUID, UUID]) -> None:
    for chain in chains:
        keys = (chain.keys.identity, chain.keys.phone, chain.keys.email)
        others = [earliest[key] for key in keys if key is not None and earliest[key].int < chain.id.int]
        repeat_of = min(others, key=lambda id: id.int, default=None)
        for item, step in zip(chain.items, chain.steps, strict=True):
            if step.outcome is not Outcome.DUPLICATE:
                token = use_traceparent(item.command.traceparent)
                tx.emit(_event(deps, chain, item, step.version, repeat_of), chain.id)
                reset_traceparent(token)


async def _answer(tx: Tx, chains: list[_Chain]) -> None:
    moved: dict[UUID, UUID] = {}
    for chain in chains:
        for item, step in zip(chain.items, chain.steps, strict=True):
            item.answer = Registered(chain.id, step.outcome, step.version)
            if item.command.slot is not None and item.id != chain.id:
                moved[item.command.slot] = chain.id
    await referrals.point_keys(tx, moved)


def facts_of(referral: Referral) -> dict[str, Any]:
    """Return the codes of a referral as `referral.received` carries them, in JSON types, without what is empty."""
    person, source, safe = referral.person or Person(), referral.source, referral.safe_contact
    coded = referral.model_dump(mode="json", include=_CODED, exclude_none=True)
    coded["crime"].pop("reference", None)
    if safe is not None and coded["safe_contact"].pop("instructions", None):
        coded["safe_contact"]["has_instructions"] = True
    facts = {
        **coded,
        "channel": source.channel,
        "unit": source.unit,
        "received_by_unit": [receipt.model_dump(mode="json") for receipt in source.received_by_unit] or None,
        "purpose": referral.purpose,
        "role": person.role,
        "area_code": person.area_code,
        "lives_in_area": person.lives_in_area,
        "local_authority_area": person.local_authority_area,
        "language": person.language,
        "preferred_method": person.preferred_method,
        "markers": sorted(set(referral.markers)),
        "needs": list(dict.fromkeys(referral.needs)),
    }
    return {name: value for name, value in facts.items() if value is not None}


_CODED = {"crime", "safe_contact", "risk", "consents"}


def _event(deps: Deps, chain: _Chain, item: _Item, version: int, repeat_of: UUID | None) -> ReferralReceivedV1:
    day = chain.received_at.astimezone(deps.zone_at(chain.received_at)).date()
    return ReferralReceivedV1.model_validate(
        {
            **item.facts,
            "referral_id": chain.id,
            "version": version,
            "source_organisation": item.command.organisation,
            "received_at": chain.received_at,
            "age": arrivals.age_of(item.command.referral.person, day),
            "repeat_of": repeat_of,
        }
    )
