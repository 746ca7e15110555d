"""The words of routing, made for tests of its policy."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from hubkit.ids import new_id
from services.routing.model import Candidate, CaseFacts, Listing, News, Pathway, PathwayStatus

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)


def facts(**changes: Any) -> CaseFacts:
    """Return a burglary of somebody who is 36."""
    known = CaseFacts(new_id(), new_id(), 1, "burglary.residential", 36, "E07000008", None)
    return replace(known, **changes)


def listing(number: int = 1, **changes: Any) -> Listing:
    """Return an active counselling service of its own partner."""
    made = Listing(UUID(int=number), UUID(int=1000 + number), "counselling", "active")
    return replace(made, **changes)


def pathway(*candidates: Candidate, **changes: Any) -> Pathway:
    """Return a pathway whose asked or accepted candidate, if it has one, is the one that it waits for."""
    current = next((c.onward_referral_id for c in candidates if c.outcome in ("asked", "accepted")), None)
    made = Pathway(new_id(), new_id(), new_id(), "counselling", PathwayStatus.REQUESTED, 1, candidates, current)
    return replace(made, **changes)


def candidate(number: int, outcome: str | None = None, *, eligible: bool = True, **changes: Any) -> Candidate:
    """Return a candidate, with the onward referral under which it was asked where it was."""
    onward_referral_id = UUID(int=2000 + number) if outcome else None
    made = Candidate(UUID(int=number), UUID(int=1000 + number), eligible, (), outcome, onward_referral_id)
    return replace(made, **changes)


def news(number: int, status: str, *reasons: str, version: int = 3, **changes: Any) -> News:
    """Return news of the onward referral under which a candidate was asked."""
    return replace(News(UUID(int=2000 + number), version, status, NOW, reasons), **changes)


def outcomes(of: Pathway) -> list[str | None]:
    """Return what came of asking each candidate."""
    return [each.outcome for each in of.candidates]
