"""Tokens between deployables: short, signed by the calling one, believed only for the name in their key's id."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from typing_extensions import override

from hubkit.auth.keys import Jwks, SigningKeys
from hubkit.auth.tokens import Caller, Verifier, caller_claims
from hubkit.clock import Clock

INTERNAL_TYP: Final = "internal+jwt"
_LIFETIME_S: Final = 120
_KEPT: Final = 4096


class InternalIssuer:
    """Signs tokens with which a deployable calls another on behalf of a caller.

    Parameters
    ----------
    name
        The deployable's name, without a hyphen (`gateway`).
    key
        Its private JWK; the `kid` is the name, a hyphen and anything.
    """

    def __init__(self, name: str, key: str | Mapping[str, Any]) -> None:
        self._keys = SigningKeys.parse(f'{{"keys":[{key}]}}') if isinstance(key, str) else SigningKeys([dict(key)])
        if not name or "-" in name or not self._keys.kid.startswith(f"{name}-"):
            raise ValueError("the kid of an internal key is the issuer's name, a hyphen and more")
        self._name = name
        self._issued: dict[tuple[str, Caller], tuple[float, str]] = {}

    def public_jwks(self) -> dict[str, Any]:
        """Return what the called deployables need among their trusted keys."""
        return self._keys.public_jwks()

    def token(self, audience: str, caller: Caller, now: datetime) -> str:
        """Return a token for the deployable `audience`; the same one until half of its 120 seconds are over."""
        moment = now.timestamp()
        # The incoming token's id does not matter here, so that a client's next token finds the same entry.
        subject = Caller(caller.client_id, caller.organisation, caller.scopes)
        renew_at, token = self._issued.get((audience, subject), (0.0, ""))
        if not renew_at - _LIFETIME_S / 2 <= moment < renew_at:
            if len(self._issued) >= _KEPT:
                self._issued.clear()
            claims = {"iss": self._name, **caller_claims(subject, audience, now, _LIFETIME_S)}
            token = self._keys.sign(INTERNAL_TYP, claims)
            self._issued[audience, subject] = (moment + _LIFETIME_S / 2, token)
        return token


class InternalVerifier(Verifier):
    """Checks internal tokens; `Caller.issuer` is the calling deployable.

    Parameters
    ----------
    trusted_jwks
        Public keys, as text or parsed. A key speaks only for the name before the first hyphen of its `kid`.
    audience
        The name of this deployable.
    """

    def __init__(self, trusted_jwks: Jwks, audience: str, clock: Clock | None = None) -> None:
        super().__init__(trusted_jwks, issuers=(), audience=audience, typ=INTERNAL_TYP, clock=clock)

    @override
    def _believes(self, issuer: str, kid: str) -> bool:
        name, hyphen, _ = kid.partition("-")
        return bool(hyphen) and issuer == name
