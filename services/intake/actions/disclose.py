"""Opens sealed details: for a disclosure that the gate of partners has allowed, and to seal them under a new key."""

from typing import Any
from uuid import UUID

from hubkit.db import Tx
from hubkit.errors import NotFoundError
from services.intake.actions.deps import Deps
from services.intake.policy.messages import unusable_details
from services.intake.schemas import DisclosureView
from services.intake.store import persons

_METHODS = ("phone", "text", "voicemail", "email", "letter")


async def read_fields(tx: Tx, deps: Deps, referral_id: UUID, fields: list[str]) -> DisclosureView:
    """Return exactly the named fields of a referral; no other sealed value is opened.

    Raises
    ------
    NotFoundError
        When there is no such referral.
    """
    row = await persons.find_person(tx, referral_id)
    if row is None:
        raise NotFoundError
    wanted = frozenset(fields)
    sealed = wanted & frozenset(persons.SEALED)
    if "safe_contact" in wanted:
        sealed |= {"instructions"}
    plain = persons.opened(deps.keyring, row, sealed)
    values = fields_of(row.facts, plain)
    return DisclosureView(
        referral_id=referral_id, version=row.version, fields={name: values.get(name) for name in sorted(wanted)}
    )


def fields_of(facts: dict[str, Any], plain: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a disclosure from the codes of a referral and what was opened of its person.

    A contact detail that nobody may use is none.
    """
    values = _coded(facts) | plain | dict.fromkeys(unusable_details(facts.get("safe_contact") or {}))
    if "instructions" in plain:
        values["safe_contact"] = _safe_contact(facts.get("safe_contact"), plain["instructions"])
    return values


def _coded(facts: dict[str, Any]) -> dict[str, Any]:
    return {
        **{name: facts.get(name) for name in ("role", "language", "preferred_method", "needs", "markers", "risk")},
        "crime_category": facts["crime"]["category"],
        "occurred_on": facts["crime"].get("occurred_on"),
    }


def _safe_contact(facts: dict[str, Any] | None, instructions: str | None) -> dict[str, Any] | None:
    if facts is None:
        return None
    return {**{method: facts.get(method) for method in _METHODS}, "instructions": instructions}


async def rotate_keys(tx: Tx, deps: Deps, limit: int) -> int:
    """Seal up to `limit` persons under the current key; returns how many. Done when it returns 0.

    Replicas and running requests may go on meanwhile. The old key stays in the keyring until then.
    """
    return await persons.reseal_stale(tx, deps.keyring, limit)


async def count_keys(tx: Tx) -> dict[str, int]:
    """Return how many persons are sealed under each key id."""
    return await persons.count_by_key(tx)
