"""What triage says of cases: the gate's facts, and the decisions that the person gave with the referral."""

import hashlib
from collections.abc import Sequence
from typing import Any

import orjson

from hubkit.contracts import CaseClosedV1, CaseExcludedV1, CaseOpenedV1, Event
from hubkit.db import Tx
from hubkit.ids import new_id
from services.partners.actions.amendments import note_changes
from services.partners.actions.deps import Deps
from services.partners.actions.onward import reconsider
from services.partners.store import cases


async def open_cases(tx: Tx, deps: Deps, events: Sequence[Event[CaseOpenedV1]]) -> None:
    """Keep the facts of opened and re-triaged cases and the decisions that came with them.

    Of a case that was known before, everything live is reconsidered, and what partners have read is amended.
    """
    known = await cases.put_cases(tx, [_opened(tx, event.data) for event in events])
    consents = {row["source_key"]: row for event in events for row in _consents(tx, event.data)}
    await cases.add_consents(tx, [consents[key] for key in sorted(consents)])
    await reconsider(tx, deps, known)
    await note_changes(tx, deps, events, known)


async def exclude_cases(tx: Tx, deps: Deps, events: Sequence[Event[CaseExcludedV1]]) -> None:
    """Close the gate for cases: what is live is withdrawn."""
    known = await cases.put_cases(
        tx, [cases.Case(e.data.case_id, e.data.referral_id, e.data.version, "excluded", None, tx.now) for e in events]
    )
    await reconsider(tx, deps, known)


async def close_cases(tx: Tx, deps: Deps, events: Sequence[Event[CaseClosedV1]]) -> None:
    """Close the gate for what no partner has been told of: it is withdrawn. The rest stays with the partners.

    A case that is triaged afterwards is open again.
    """
    known = await cases.put_cases(
        tx, [cases.Case(e.data.case_id, e.data.referral_id, e.data.version, "closed", None, tx.now) for e in events]
    )
    await reconsider(tx, deps, known)


def _opened(tx: Tx, data: CaseOpenedV1) -> cases.Case:
    return cases.Case(
        data.case_id,
        data.referral_id,
        data.version,
        "open",
        data.crime_category,
        tx.now,
        data.markers,
        data.age,
        data.source_organisation,
    )


def _consents(tx: Tx, data: CaseOpenedV1) -> list[dict[str, Any]]:
    rows = []
    for consent in data.consents:
        content = orjson.dumps([str(data.case_id), consent.model_dump(mode="json")], option=orjson.OPT_SORT_KEYS)
        rows.append({
            "id": new_id(),
            "case_id": data.case_id,
            # The same decision comes again with every correction of the referral.
            "source_key": hashlib.sha256(content).hexdigest(),
            "hop": consent.hop,
            "decision": consent.decision,
            "recipients": list(consent.recipients),
            "data_categories": list(consent.data_categories),
            "method": consent.method,
            # A clock ahead of ours must not make a decision later than its arrival, and so later than a withdrawal.
            "recorded_at": min(consent.recorded_at, tx.now),
            "expires_at": consent.expires_at,
            "recorded_by": None,
            "created_at": tx.now,
        })  # fmt: skip
    return rows
