"""What the partners service is told by its environment."""

from typing import ClassVar

from pydantic import Field
from typing_extensions import override

from hubkit.config import Settings


class PartnersSettings(Settings):
    """Settings with the prefix `PARTNERS_`."""

    PREFIX: ClassVar[str] = "PARTNERS_"

    field_keys: str = Field(description="keyring (JSON) for the encrypted columns: webhook secrets and signing keys")
    internal_key: str = Field(description="private JWK (JSON) that signs calls to intake; its kid begins `partners-`")
    intake_url: str = Field("http://127.0.0.1:8001", description="where intake answers")
    public_url: str = Field("http://127.0.0.1:8000", description="the gateway's address as partners see it, for links")
    allow_private_endpoints: bool = Field(False, description="webhooks to private addresses and over plain HTTP")
    demonstration: bool = Field(False, description="load the demonstration partners at start")
    endpoint_concurrency: int = Field(16, ge=1, le=256, description="webhook attempts at once to one endpoint")
    dispatch_concurrency: int = Field(64, ge=1, le=1024, description="webhook attempts at once in this process")
    acknowledge_working_days: int = Field(
        5, ge=0, le=60, description="working days a partner has to say what it did with data that was taken back"
    )

    @override
    def unsafe(self) -> list[str]:
        faults = super().unsafe()
        if self.allow_private_endpoints:
            faults.append("allow_private_endpoints is on")
        if self.demonstration:
            faults.append("demonstration is on")
        if not self.public_url.startswith("https://"):
            faults.append("public_url is not https")
        return faults
