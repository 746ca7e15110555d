"""Development secrets: made on first start, kept beside the data, refused by production because of the word in them."""

import base64
import json
import secrets
from pathlib import Path
from typing import Any

from hubkit.auth import new_signing_key
from hubkit.crypto import new_keyring

#: The partners that demonstrate the way of a referral; a client's name is the kind of service that its partner offers.
PARTNER_KINDS = ("idva", "isva", "witness_care", "counselling", "restorative_justice")

_SCOPES = {
    "police": ["referrals:write", "referrals:read", "transfers:write"],
    "hub": ["cases:read", "cases:write"],
}
_PARTNER_SCOPES = ["onward:read", "onward:write", "webhooks:manage"]
#: The deployables that call others and sign for it, and those that encrypt what they store.
CALLERS = ("gateway", "partners")
ENCRYPTING = ("gateway", "intake", "partners")


def demonstration_clients() -> dict[str, dict[str, Any]]:
    """Return what each demonstration client signs in with: `police`, `hub`, and one per kind of partner."""
    organisations = {"police": "police-development", "hub": "hub-development"}
    organisations |= {kind: f"demo-{kind.replace('_', '-')}" for kind in PARTNER_KINDS}
    clients = {}
    for name, organisation in organisations.items():
        client_id = f"development-{name.replace('_', '-')}"
        clients[name] = {
            "client_id": client_id,
            "client_secret": f"development-{secrets.token_hex(16)}",
            "private_jwk": new_signing_key(f"{client_id}-1"),
            "scopes": _SCOPES.get(name, _PARTNER_SCOPES),
            "organisation": organisation,
        }
    return clients


def new_secrets() -> dict[str, Any]:
    """Return a new set: keyrings, the key of the blind indexes, internal keys, demonstration clients."""
    internal = {name: new_signing_key(f"{name}-development-1") for name in CALLERS}
    public = [{key: value for key, value in jwk.items() if key != "d"} for jwk in internal.values()]
    return {
        "field_keys": {name: json.loads(new_keyring("development-1")) for name in ENCRYPTING},
        "index_key": f"development:{base64.b64encode(secrets.token_bytes(32)).decode()}",
        "internal_keys": internal,
        "trusted_keys": {"keys": public},
        "clients": demonstration_clients(),
    }


def load_secrets(folder: Path) -> dict[str, Any]:
    """Return the secrets kept in `folder`, made there when it has none. The file is readable by its owner alone."""
    path = folder / "secrets.json"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(json.dumps(new_secrets(), indent=2) + "\n", encoding="utf-8")
    kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return kept


def write_demo(folder: Path, base_url: str, clients: dict[str, Any]) -> Path:
    """Write `demo.json`, what examples and people need to call this hub; return its path."""
    path = folder / "demo.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps({"base_url": base_url, "clients": clients}, indent=2) + "\n", encoding="utf-8")
    return path
