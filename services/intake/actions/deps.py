"""What the actions of intake are given besides their transaction."""

import base64
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self
from uuid import UUID
from zoneinfo import ZoneInfo

from hubkit.contracts.profile import Profile
from hubkit.crypto import BlindIndex, Keyring


@dataclass(frozen=True, slots=True)
class Deps:
    """The hub's profile, and the keys by which persons are sealed and found.

    `profile_at` returns the hub's profile as it is on the local day of a moment; `contact` is how a person reaches the
    hub.
    """

    profile_at: Callable[[datetime], Profile]
    keyring: Keyring = field(repr=False)
    index: BlindIndex = field(repr=False)
    digest_key: bytes = field(repr=False)
    cursor_key: bytes = field(repr=False)
    contact: str | None = None

    @classmethod
    def of(
        cls, profile_at: Callable[[datetime], Profile], field_keys: str, index_key: str, contact: str | None = None
    ) -> Self:
        """Make them from the settings' texts.

        Raises
        ------
        CryptoError
            When a key is malformed.
        """
        keyring, index = Keyring.parse(field_keys), BlindIndex.parse(index_key)
        secret = base64.b64decode(index_key.rpartition(":")[2])
        digest_key, cursor_key = (
            hmac.digest(secret, f"intake {use}".encode(), "sha256") for use in ("digest", "cursor")
        )
        return cls(profile_at, keyring, index, digest_key, cursor_key, contact)

    def zone_at(self, now: datetime) -> ZoneInfo:
        """Return the hub's time zone."""
        return ZoneInfo(self.profile_at(now).timezone)

    def content_digest(self, body: bytes) -> bytes:
        """Return what tells two contents apart and, without the key, nothing about either."""
        return hmac.digest(self.digest_key, b"content\0" + body, "sha256")

    def register_mac(self, body: bytes) -> bytes:
        """Return what shows that a row of the register of persons' rights was written by who has the key."""
        return hmac.digest(self.digest_key, b"register\0" + body, "sha256")

    def slot_of(self, client_id: str, key: str) -> UUID:
        """Return the place of a client's Idempotency-Key. The key itself is not kept: it may say anything."""
        name = client_id.encode()
        message = b"slot\0" + len(name).to_bytes(4, "big") + name + key.encode()
        return UUID(bytes=hmac.digest(self.digest_key, message, "sha256")[:16])
