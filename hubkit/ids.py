"""Identifiers: UUID version 7, so that rows sort by the time they were made."""

import os
import threading
import time
from uuid import UUID

_lock = threading.Lock()
_last_ms = 0
_counter = 0


def new_id() -> UUID:
    """Return a new UUIDv7, unique, and greater than every one made before it in this process.

    Notes
    -----
    RFC 9562 section 6.2, method 1: the 12 bits after the timestamp count up within a millisecond, from a random start
    in their lower half. When they run out the timestamp runs ahead of the clock by a millisecond.
    """
    global _last_ms, _counter
    random = int.from_bytes(os.urandom(10), "big")
    with _lock:
        now_ms = time.time_ns() // 1_000_000
        if now_ms > _last_ms:
            _last_ms, _counter = now_ms, random >> 69
        else:
            _counter += 1
            if _counter > 0xFFF:
                _last_ms, _counter = _last_ms + 1, random >> 69
        ms, counter = _last_ms, _counter
    return UUID(int=(ms << 80) | (0x7 << 76) | (counter << 64) | (0b10 << 62) | (random & 0x3FFF_FFFF_FFFF_FFFF))
