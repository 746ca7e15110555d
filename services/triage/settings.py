"""Settings of the triage service."""

from typing import ClassVar

from pydantic import Field

from hubkit.config import Settings


class TriageSettings(Settings):
    """Read from `TRIAGE_…`."""

    PREFIX: ClassVar[str] = "TRIAGE_"

    cursor_key: str = Field(
        "development:triage-cursors", min_length=16, description="secret that signs the cursors of lists"
    )
