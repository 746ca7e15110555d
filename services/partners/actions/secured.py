"""How what goes to an endpoint is secured beside its signatures: encrypted for its key, shown the hub's certificate."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hubkit.errors import FieldError, InvalidError
from hubkit.jwe import check_encryption_key
from services.partners.actions.deps import Deps


@dataclass(frozen=True, slots=True)
class Secured:
    """What an endpoint asks for.

    `encryption_key` is the receiver's public JWK, for agreements under which webhooks carry the disclosure; with
    `mutual_tls` the hub presents its certificate.
    """

    encryption_key: Mapping[str, Any] | None = field(default=None, repr=False)
    mutual_tls: bool = False


def columns_of(deps: Deps, secured: Secured) -> dict[str, Any]:
    """Return the columns that keep it; of a key that is refused nothing is kept.

    Raises
    ------
    InvalidError
        When the key is not one to encrypt with (codes as `check_encryption_key`), or the hub has no certificate to
        present (`no_client_certificate`).
    """
    if secured.mutual_tls and deps.identity is None:
        detail = "The hub has no certificate to present; ask it for one"
        fault = FieldError("/mutual_tls", "no_client_certificate", detail)
        raise InvalidError("The hub cannot do mutual TLS", errors=[fault])
    key = secured.encryption_key
    try:
        checked = check_encryption_key(key) if key is not None else None
    except InvalidError as error:
        faults = [FieldError(f"/encryption_key{each.pointer}", each.code, each.detail) for each in error.errors]
        raise InvalidError(error.detail, errors=faults) from None
    return {"encryption_key": checked, "mutual_tls": secured.mutual_tls}
