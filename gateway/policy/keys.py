"""Which key signs access tokens, and which are still published."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from gateway.model import SigningKey

#: A new key is published for so long before it signs, so that every process knows it by then.
ANNOUNCED: Final = timedelta(minutes=2)
#: A replaced key is published for so long after its successor signs: longer than any token it signed lives.
OVERLAP: Final = timedelta(minutes=10)


def in_order(keys: Sequence[SigningKey], now: datetime) -> list[SigningKey]:
    """Return the keys that are not retired, first the one that signs: the newest announced, else the oldest of all."""
    live = sorted((key for key in keys if key.retired_at is None or key.retired_at > now), key=lambda k: k.generation)
    announced = [key for key in live if key.created_at + ANNOUNCED <= now]
    signer = announced[-1:] or live[:1]
    return [*signer, *(key for key in live if key not in signer)]
