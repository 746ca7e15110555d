"""Write a new set of development secrets beside this file.

Run it from the repository: `.venv/bin/python deploy/development/generate.py`. Never use its output in production; every
value carries the word `development`, which production refuses.
"""

import base64
import hashlib
import json
import secrets
from pathlib import Path
from typing import Any

from joserfc.jwk import OKPKey

HERE = Path(__file__).parent
DATABASES = ("gateway", "intake", "triage", "routing", "partners")
BROKER_USERS = ("intake", "triage", "routing", "partners")
CALLERS = ("gateway", "partners")
ENCRYPTING = ("gateway", "intake", "partners")
SCOPES = {
    "police": ["referrals:write", "referrals:read", "transfers:write"],
    "hub": ["cases:read", "cases:write"],
}
PARTNERS = ("idva", "isva", "witness_care", "counselling", "restorative_justice")
PARTNER_SCOPES = ["onward:read", "onward:write", "webhooks:manage"]


def password() -> str:
    """Return a password that says what it is for and is fit for a URL."""
    return f"development-{secrets.token_hex(12)}"


def key(kid: str) -> OKPKey:
    """Return a new Ed25519 key pair."""
    return OKPKey.generate_key("Ed25519", {"kid": kid, "use": "sig"})


def random_bytes() -> str:
    """Return 32 random bytes in base64."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


def demonstration_clients() -> dict[str, Any]:
    """Return what each demonstration client signs in with, by its kind."""
    organisations = {"police": "police-development", "hub": "hub-development"}
    organisations |= {kind: f"demo-{kind.replace('_', '-')}" for kind in PARTNERS}
    clients = {}
    for kind, organisation in organisations.items():
        client_id = f"development-{kind.replace('_', '-')}"
        clients[kind] = {
            "client_id": client_id,
            "client_secret": password(),
            "private_jwk": key(f"{client_id}-1").as_dict(private=True),
            "scopes": SCOPES.get(kind, PARTNER_SCOPES),
            "organisation": organisation,
        }
    return clients


def broker_user(name: str, secret: str) -> dict[str, Any]:
    """Return a RabbitMQ user with its salted password hash."""
    salt = secrets.token_bytes(4)
    digest = hashlib.sha256(salt + secret.encode()).digest()
    return {
        "name": name,
        "password_hash": base64.b64encode(salt + digest).decode(),
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": [],
    }


def broker_permission(name: str) -> dict[str, str]:
    """Return what one deployable may do: declare and bind everything, publish to the exchange, read its own queues."""
    topology = rf"^(hub\.events|({'|'.join(BROKER_USERS)})\..+)$"
    return {
        "user": name,
        "vhost": "onward",
        "configure": topology,
        "write": topology,
        "read": rf"^(hub\.events|{name}\..+)$",
    }


def files() -> dict[str, Any]:
    """Return every secret by its file name; what is not text becomes JSON."""
    made: dict[str, Any] = {"postgres-password": password(), "intake-index-key": f"development:{random_bytes()}"}
    for name in DATABASES:
        made[f"{name}-database-url"] = f"postgresql+asyncpg://{name}:{password()}@postgres:5432/{name}"
    broker_passwords = {name: password() for name in BROKER_USERS}
    for name, secret in broker_passwords.items():
        made[f"{name}-amqp-url"] = f"amqp://{name}:{secret}@rabbitmq:5672/onward"
    made["rabbitmq-definitions.json"] = {
        "global_parameters": [{"name": "cluster_name", "value": "onward-development"}],
        "vhosts": [{"name": "onward"}],
        "users": [broker_user(name, secret) for name, secret in broker_passwords.items()],
        "permissions": [broker_permission(name) for name in BROKER_USERS],
    }
    for name in ENCRYPTING:
        made[f"{name}-field-keys.json"] = {"current": "development-1", "keys": {"development-1": random_bytes()}}
    internal = {name: key(f"{name}-development-1") for name in CALLERS}
    for name, pair in internal.items():
        made[f"{name}-internal-key.json"] = pair.as_dict(private=True)
    made["trusted-keys.json"] = {"keys": [pair.as_dict(private=False) for pair in internal.values()]}
    made["demo.json"] = {"base_url": "http://127.0.0.1:8000", "clients": demonstration_clients()}
    return made


def main() -> None:
    """Write the files, readable for the users of the containers."""
    for name, content in files().items():
        text = content if isinstance(content, str) else json.dumps(content, indent=2)
        path = HERE / name
        path.write_text(text + "\n", encoding="utf-8")
        path.chmod(0o644)


if __name__ == "__main__":
    main()
