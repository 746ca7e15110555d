"""Keeps what other services say about a case on its timeline."""

from collections.abc import Sequence
from typing import Any

from hubkit.contracts import Event
from hubkit.db import Tx
from services.triage.store import entries


async def note_events(tx: Tx, events: Sequence[Event[Any]]) -> None:
    """Add an entry for each event; its contract has a `case_id`, and ids and codes alone."""
    rows = [
        {
            "id": event.id,
            "case_id": event.data.case_id,
            "type": event.type,
            "at": event.time,
            "codes": event.data.model_dump(mode="json", exclude={"case_id", "referral_id"}, exclude_none=True),
        }
        for event in events
    ]
    await entries.insert_entries(tx, rows)
