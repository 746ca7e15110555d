"""What the partners service is told by its environment."""

from typing import ClassVar, Self

from pydantic import Field, model_validator
from typing_extensions import override

from hubkit.config import Settings
from hubkit.egress import ClientIdentity, IdentityError


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
    client_certificate_file: str | None = Field(
        None, description="PEM file of the certificate that the hub presents to endpoints with mutual TLS"
    )
    client_key_file: str | None = Field(None, description="PEM file of its private key")

    def identity(self) -> ClientIdentity | None:
        """Return the hub's client certificate, if it has one.

        Raises
        ------
        IdentityError
            When it cannot be used.
        """
        if self.client_certificate_file is None or self.client_key_file is None:
            return None
        return ClientIdentity(self.client_certificate_file, self.client_key_file)

    @model_validator(mode="after")
    def _refuse_half_an_identity(self) -> Self:
        if (self.client_certificate_file is None) != (self.client_key_file is None):
            raise ValueError("client_certificate_file and client_key_file go together")
        try:
            self.identity()
        except IdentityError as error:
            raise ValueError(str(error)) from None
        return self

    @override
    def unsafe(self) -> list[str]:
        faults = super().unsafe()
        if self._is_development_identity():
            faults.append("client_certificate_file is of a development certificate")
        if self.allow_private_endpoints:
            faults.append("allow_private_endpoints is on")
        if self.demonstration:
            faults.append("demonstration is on")
        if not self.public_url.startswith("https://"):
            faults.append("public_url is not https")
        return faults

    def _is_development_identity(self) -> bool:
        try:
            found = self.identity()
        except IdentityError:
            return False  # said by itself
        return found is not None and found.is_for_development
