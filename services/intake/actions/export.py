"""What a person may have of what is held about them, and the record that they were given it."""

from collections.abc import Collection, Sequence
from typing import Any, Final
from uuid import UUID

from hubkit.db import Tx
from services.intake.actions.deps import Deps
from services.intake.store import persons, register

#: Written by others in words of their own: it may be about a third person, and is read by staff before it goes out.
FREE_TEXT: Final = ("narrative", "instructions")
#: Why a field is not in an export.
NOT_REVIEWED: Final = "free_text_not_reviewed"
EXPORTED: Final = "export"


async def held_about(
    tx: Tx, deps: Deps, referral_ids: Collection[UUID], *, is_reviewed: bool = False
) -> list[dict[str, Any]]:
    """Return all that is held of the person in each referral, opened; free text only when it has been reviewed."""
    found = await persons.find_persons(tx, referral_ids)
    return [_held(deps, found[id], is_reviewed=is_reviewed) for id in sorted(found)]


def _held(deps: Deps, row: Any, *, is_reviewed: bool) -> dict[str, Any]:
    wanted = frozenset(persons.SEALED) - (frozenset() if is_reviewed else frozenset(FREE_TEXT))
    opened = persons.opened(deps.keyring, row, wanted)
    withheld = () if is_reviewed else [name for name in FREE_TEXT if row._mapping[name] is not None]
    return {
        "referral_id": str(row.referral_id),
        "version": row.version,
        "fields": {name: opened[name] for name in persons.SEALED if opened.get(name) is not None},
        "codes": row.facts,
        "withheld": dict.fromkeys(withheld, NOT_REVIEWED),
    }


async def record_export(
    tx: Tx, deps: Deps, referral_ids: Sequence[UUID], *, made_by: str, reviewed_by: str | None, hash: str
) -> None:
    """Keep for good that this was exported, before it is handed over.

    Parameters
    ----------
    hash
        SHA-256 of what is handed over.
    """
    details = {"hash": hash, "reviewed_by": reviewed_by}
    rows = [{"kind": EXPORTED, "referral_id": id, "details": details, "made_by": made_by} for id in referral_ids]
    await register.append(tx, deps.register_mac, rows)


async def register_fault(tx: Tx, deps: Deps) -> int | None:
    """Return the first number at which the register was changed otherwise than by appending, or None."""
    return await register.first_broken(tx, deps.register_mac)
