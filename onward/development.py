"""Development secrets: made on first start, kept beside the data, refused by production because of the word in them."""

import base64
import json
import secrets
from pathlib import Path
from typing import Any

from hubkit.auth import new_signing_key
from hubkit.contracts.profile import Profile
from hubkit.crypto import new_keyring
from services.partners.policy.demonstration import demonstration_partners

_SCOPES = {
    "police": ["referrals:write", "referrals:read", "transfers:write"],
    "hub": ["cases:read", "cases:write", "directory:write", "agreements:read", "agreements:write"],
}
_PARTNER_SCOPES = ["onward:read", "onward:write", "webhooks:manage"]
#: The deployables that call others and sign for it, and those that encrypt what they store.
CALLERS = ("gateway", "partners")
ENCRYPTING = ("gateway", "intake", "partners")


def demonstration_clients(profile: Profile | None) -> dict[str, dict[str, Any]]:
    """Return what each demonstration client signs in with: `police`, `hub`, and one per demonstration partner.

    A partner's client is named by the kind of its service (`idva`), with a number where several offer it (`idva_2`).
    """
    organisations = {"police": "police-development", "hub": "hub-development"}
    if profile is not None:
        organisations |= {partner.key: partner.organisation for partner in demonstration_partners(profile)}
    return {name: _client(name, organisation) for name, organisation in organisations.items()}


def new_secrets(profile: Profile | None = None) -> dict[str, Any]:
    """Return a new set: keyrings, the key of the blind indexes, internal keys, demonstration clients of a hub."""
    internal = {name: new_signing_key(f"{name}-development-1") for name in CALLERS}
    public = [{key: value for key, value in jwk.items() if key != "d"} for jwk in internal.values()]
    return {
        "field_keys": {name: json.loads(new_keyring("development-1")) for name in ENCRYPTING},
        "index_key": f"development:{base64.b64encode(secrets.token_bytes(32)).decode()}",
        "internal_keys": internal,
        "trusted_keys": {"keys": public},
        "clients": demonstration_clients(profile),
    }


def load_secrets(folder: Path, profile: Profile | None = None) -> dict[str, Any]:
    """Return the secrets kept in `folder`, made there when it has none. The file is readable by its owner alone.

    Clients of the hub that the folder lacks are added; those that it has keep their keys and get today's scopes.
    """
    path = folder / "secrets.json"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        made = new_secrets(profile)
        path.write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")
        return made
    kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    clients = with_clients(kept["clients"], profile)
    if clients != kept["clients"]:
        kept["clients"] = clients
        path.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    return kept


def with_clients(kept: dict[str, dict[str, Any]], profile: Profile | None) -> dict[str, dict[str, Any]]:
    """Return kept clients with today's scopes, and with them the hub's that are missing."""
    wanted = demonstration_clients(profile)
    return wanted | {name: {**client, "scopes": _scopes(name)} for name, client in kept.items()}


def _client(name: str, organisation: str) -> dict[str, Any]:
    client_id = f"development-{name.replace('_', '-')}"
    return {
        "client_id": client_id,
        "client_secret": f"development-{secrets.token_hex(16)}",
        "private_jwk": new_signing_key(f"{client_id}-1"),
        "scopes": _scopes(name),
        "organisation": organisation,
    }


def _scopes(name: str) -> list[str]:
    return _SCOPES.get(name, _PARTNER_SCOPES)


def write_demo(folder: Path, base_url: str, clients: dict[str, Any]) -> Path:
    """Write `demo.json`, what examples and people need to call this hub; return its path."""
    path, draft = folder / "demo.json", folder / "demo.json.new"
    draft.touch(mode=0o600)
    draft.write_text(json.dumps({"base_url": base_url, "clients": clients}, indent=2) + "\n", encoding="utf-8")
    return draft.replace(path)  # whoever waits for it finds it whole
