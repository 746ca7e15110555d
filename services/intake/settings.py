"""Settings of the intake service."""

import json
from typing import ClassVar

from pydantic import Field, field_validator
from typing_extensions import override

from hubkit.config import Settings
from hubkit.crypto import BlindIndex, CryptoError, Keyring
from hubkit.messenger import NOTIFY_URL


class IntakeSettings(Settings):
    """Read from `INTAKE_…`."""

    PREFIX: ClassVar[str] = "INTAKE_"

    field_keys: str = Field(description="keyring that seals personal details, as JSON", repr=False)
    index_key: str = Field(description="base64 of 32 bytes, for blind indexes, request digests and cursors", repr=False)
    transfer_limit_bytes: int = Field(1 << 30, ge=1, description="the largest transfer")
    notify_api_key: str | None = Field(None, description="GOV.UK Notify; without it nothing is sent", repr=False)
    notify_templates: dict[str, str] = Field(
        {}, description="template ids by method, or by method.purpose or method.purpose.language, as JSON"
    )
    notify_url: str = Field(NOTIFY_URL, description="where Notify answers")
    messages_folder: str | None = Field(None, description="messages are written to a file here instead of being sent")
    message_contact: str | None = Field(
        None, max_length=200, description="how a person reaches the hub: the last line of each message"
    )

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

    @field_validator("notify_templates", mode="before")
    @classmethod
    def _is_map(cls, value: object) -> object:
        return json.loads(value) if isinstance(value, str) else value

    @override
    def unsafe(self) -> list[str]:
        faults = super().unsafe()
        if self.messages_folder is not None:
            faults.append("messages_folder is set")
        if not self.notify_url.startswith("https://"):
            faults.append("notify_url is not https")
        return faults


def _usable(parse: object, value: str) -> str:
    try:
        parse(value)  # type: ignore[operator]
    except CryptoError as error:
        raise ValueError(str(error)) from None
    return value
