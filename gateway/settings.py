"""What the gateway is told when it starts."""

from typing import ClassVar, Self

from pydantic import Field, model_validator
from typing_extensions import override

from hubkit.config import Settings


class GatewaySettings(Settings):
    """The gateway's settings, from `GATEWAY_…`."""

    PREFIX: ClassVar[str] = "GATEWAY_"

    field_keys: str = Field(description="keyring (JSON) that seals the keys which sign access tokens")
    internal_key: str = Field(description="private Ed25519 JWK for calls to services; its kid begins with `gateway-`")
    intake_url: str = Field("http://127.0.0.1:8001", description="where the intake service answers")
    triage_url: str = Field("http://127.0.0.1:8002", description="where the triage service answers")
    routing_url: str = Field("http://127.0.0.1:8003", description="where the routing service answers")
    partners_url: str = Field("http://127.0.0.1:8004", description="where the partners service answers")
    public_url: str = Field(description="how clients reach the hub: issuer and audience of access tokens")
    demonstration_clients: str | None = Field(
        None, description="JSON of clients with published keys, registered at every start; refused in production"
    )
    rate_per_second: float = Field(500, gt=0, le=100_000, description="requests of one client, per process")
    rate_burst: int = Field(1000, ge=1, le=1_000_000, description="requests of one client at once, per process")

    public_rate_per_second: float = Field(
        20, gt=0, le=100_000, description="requests of one address without a token (the public directory), per process"
    )
    public_rate_burst: int = Field(100, ge=1, le=1_000_000, description="requests of one address at once, per process")

    @model_validator(mode="after")
    def _plain_public_url(self) -> Self:
        if self.public_url.endswith("/") or not self.public_url.startswith(("https://", "http://")):
            raise ValueError("public_url begins with https:// (or http://) and has no slash at its end")
        return self

    @override
    def unsafe(self) -> list[str]:
        """Return what must not stand in production."""
        faults = super().unsafe()
        if self.demonstration_clients is not None:
            faults.append("demonstration_clients have published keys")
        if not self.public_url.startswith("https://"):
            faults.append("public_url is not https")
        return faults
