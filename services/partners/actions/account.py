"""What partners has to say in the account of a person: what was allowed, and what went out."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from hubkit.account import Line
from hubkit.db import Tx
from services.partners.store import account

#: What of a permit says why an attempt was allowed.
_GROUNDS: Final = ("basis", "agreement_id", "agreement_version", "consent_ids")
#: What of a delivery says what an attempt told, and whom.
_NEWS: Final = ("onward_referral_id", "partner_id", "endpoint_id", "type", "body_sha256")


@dataclass(frozen=True, slots=True)
class Account:
    """The lines, and what those are called whom they name by their ids."""

    lines: list[Line]
    names: Mapping[UUID, str]


async def account_of(tx: Tx, case_ids: Collection[UUID]) -> Account:
    """Return what was decided, allowed, sent and read of cases, in order of time.

    An attempt to deliver says what it told whom, and the permit under which it was made. A permit stands by itself
    only when no attempt and no disclosure is known to have used it. A row that is settled was not used; one that was
    not may have been, by a process that died before it could say so.
    """
    lines = await account.lines(tx, case_ids)
    permits = {line.id: line for line in lines if line.what == "permit"}
    deliveries = {line.id: line for line in lines if line.what == "delivery"}
    shown = [_told(line, deliveries, permits) if line.what == "attempt" else line for line in lines]
    used = _permits_in(shown)
    kept = [line for line in shown if line.what != "permit" or line.id not in used]
    return Account([_unused(line) if line.what == "permit" else line for line in kept], await account.names(tx))


def _told(line: Line, deliveries: Mapping[str, Line], permits: Mapping[str, Line]) -> Line:
    codes: dict[str, Any] = dict(line.codes)
    news = deliveries[str(codes["delivery_id"])].codes
    permit = permits.get(str(codes.get("permit_id")))
    codes |= {name: news[name] for name in _NEWS if name in news}
    codes |= {name: permit.codes[name] for name in _GROUNDS if name in permit.codes} if permit else {}
    return replace(line, codes=codes)


def _permits_in(lines: Iterable[Line]) -> set[str]:
    return {str(line.codes["permit_id"]) for line in lines if line.what != "permit" and "permit_id" in line.codes}


def _unused(line: Line) -> Line:
    use = "none" if "settled_at" in line.codes else "unknown"
    return replace(line, codes={**line.codes, "use": use})
