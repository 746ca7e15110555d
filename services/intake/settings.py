"""Settings of the intake service."""

from typing import ClassVar

from pydantic import Field, field_validator

from hubkit.config import Settings
from hubkit.crypto import BlindIndex, CryptoError, Keyring


class IntakeSettings(Settings):
    """Read from `INTAKE_…`."""

    PREFIX: ClassVar[str] = "INTAKE_"

    field_keys: str = Field(description="keyring that seals personal details, as JSON", repr=False)
    index_key: str = Field(description="base64 of 32 bytes, for blind indexes, request digests and cursors", repr=False)
    transfer_limit_bytes: int = Field(1 << 30, ge=1, description="the largest transfer")

    @field_validator("field_keys")
    @classmethod
    def _is_keyring(cls, value: str) -> str:
        return _usable(Keyring.parse, value)

    @field_validator("index_key")
    @classmethod
    def _is_index_key(cls, value: str) -> str:
        return _usable(BlindIndex.parse, value)

    @field_validator("transfer_limit_bytes", mode="before")
    @classmethod
    def _whole_number(cls, value: object) -> object:
        return int(value) if isinstance(value, str) and value.isdecimal() else value


def _usable(parse: object, value: str) -> str:
    try:
        parse(value)  # type: ignore[operator]
    except CryptoError as error:
        raise ValueError(str(error)) from None
    return value
