"""What the actions of intake are given besides their transaction."""

import base64
import hmac
from dataclasses import dataclass, field
from typing import Self
from uuid import UUID
from zoneinfo import ZoneInfo

from hubkit.contracts.profile import Profile
from hubkit.crypto import BlindIndex, Keyring


@dataclass(frozen=True, slots=True)
class Deps:
    """The hub's profile, and the keys by which persons are sealed and found."""

    profile: Profile
    zone: ZoneInfo
    keyring: Keyring = field(repr=False)
    index: BlindIndex = field(repr=False)
    digest_key: bytes = field(repr=False)
    cursor_key: bytes = field(repr=False)

    @classmethod
    def of(cls, profile: Profile, field_keys: str, index_key: str) -> Self:
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
        return cls(profile, ZoneInfo(profile.timezone), keyring, index, digest_key, cursor_key)

    def content_digest(self, body: bytes) -> bytes:
        """Return what tells two contents apart and, without the key, nothing about either."""
        return hmac.digest(self.digest_key, b"content\0" + body, "sha256")

    def slot_of(self, client_id: str, key: str) -> UUID:
        """Return the place of a client's Idempotency-Key. The key itself is not kept: it may say anything."""
        name = client_id.encode()
        message = b"slot\0" + len(name).to_bytes(4, "big") + name + key.encode()
        return UUID(bytes=hmac.digest(self.digest_key, message, "sha256")[:16])
