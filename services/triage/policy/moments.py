"""Moments as the public contract writes them."""

from datetime import UTC, datetime


def as_text(at: datetime) -> str:
    """Return a moment in UTC, as in 2024-06-12T01:00:00Z."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
