"""Tokens: keys, access tokens (RFC 9068), internal tokens between deployables, client assertions, and route guards."""

from hubkit.auth.assertion import InvalidClientError, check_client_assertion, check_client_jwks
from hubkit.auth.guards import ScopeGuard, bearer, caller_dependency, requires, route_guards
from hubkit.auth.internal import InternalIssuer, InternalVerifier
from hubkit.auth.keys import SigningKeys, new_signing_key
from hubkit.auth.tokens import Caller, Verifier, issue_access_token

__all__ = [
    "Caller",
    "InternalIssuer",
    "InternalVerifier",
    "InvalidClientError",
    "ScopeGuard",
    "SigningKeys",
    "Verifier",
    "bearer",
    "caller_dependency",
    "check_client_assertion",
    "check_client_jwks",
    "issue_access_token",
    "new_signing_key",
    "requires",
    "route_guards",
]
