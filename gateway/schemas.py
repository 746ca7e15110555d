"""Bodies that the gateway itself reads and answers."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.model import SCOPES


class TokenAnswer(BaseModel):
    """An access token (RFC 6749, section 5.1)."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the name of the kind of token
    expires_in: int = Field(description="seconds")
    scope: str = Field(description="what the token allows, space-separated")


class TokenErrorAnswer(BaseModel):
    """Why there is no token (RFC 6749, section 5.2)."""

    error: Literal[
        "invalid_request", "invalid_client", "unsupported_grant_type", "invalid_scope", "slow_down", "server_error"
    ]
    error_description: str


class TokenForm(BaseModel):
    """What is posted to the token endpoint, as a form."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    grant_type: Literal["client_credentials"]
    scope: str | None = Field(None, description="part of the client's scopes; all of them when absent")
    client_id: str | None = None
    client_assertion_type: Literal["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"] | None = None
    client_assertion: str | None = Field(None, description="JWT signed with the client's key (RFC 7523)")


class PublicKeys(BaseModel):
    """A JWKS (RFC 7517)."""

    keys: list[dict[str, Any]]


class ServerMetadata(BaseModel):
    """What an OAuth client can find out by itself (RFC 8414)."""

    issuer: str
    token_endpoint: str
    jwks_uri: str
    scopes_supported: list[str] = list(SCOPES)
    response_types_supported: list[str] = []
    grant_types_supported: list[str] = ["client_credentials"]
    token_endpoint_auth_methods_supported: list[str] = ["private_key_jwt", "client_secret_basic"]
    token_endpoint_auth_signing_alg_values_supported: list[str] = ["Ed25519", "ES256", "PS256"]
    service_documentation: str


class DemonstrationClient(BaseModel):
    """A client whose keys are published, for trying the hub out."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    client_id: str
    client_secret: str = Field(repr=False)
    private_jwk: dict[str, str] = Field(repr=False)
    scopes: list[str]
    organisation: str


class DemonstrationClients(BaseModel):
    """The setting `demonstration_clients`: clients by their kind."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    clients: dict[str, DemonstrationClient]
