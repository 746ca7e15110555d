"""Write a new set of development secrets beside this file.

Run it from the repository: `.venv/bin/python -m deploy.development.generate`. Never use its output in production; every
value carries the word `development`, which production refuses.
"""

import base64
import hashlib
import json
import re
import secrets
from pathlib import Path
from typing import Any

from hubkit.bus.rabbit import EXCHANGE
from hubkit.config import default_profile
from hubkit.contracts import PRODUCERS
from hubkit.profiles import load_profile
from onward.development import CALLERS, ENCRYPTING, new_secrets

HERE = Path(__file__).parent
DATABASES = ("gateway", "intake", "triage", "routing", "partners")
BROKER_USERS = ("intake", "triage", "routing", "partners")


def password() -> str:
    """Return a password that says what it is for and is fit for a URL."""
    return f"development-{secrets.token_hex(12)}"


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


def topic_permission(name: str) -> dict[str, str]:
    """Return which events one deployable may say: those it is the producer of. It may bind every queue."""
    own = "|".join(re.escape(contract.TYPE) for contract, producer in PRODUCERS.items() if producer == name)
    return {"user": name, "vhost": "onward", "exchange": EXCHANGE, "write": f"^({own})$", "read": ".*"}


def broker_definitions(passwords: dict[str, str]) -> dict[str, Any]:
    """Return what RabbitMQ loads when it starts: the virtual host, and each deployable's user with its permissions."""
    return {
        "global_parameters": [{"name": "cluster_name", "value": "onward-development"}],
        "vhosts": [{"name": "onward"}],
        "users": [broker_user(name, secret) for name, secret in passwords.items()],
        "permissions": [broker_permission(name) for name in passwords],
        "topic_permissions": [topic_permission(name) for name in passwords],
    }


def files() -> dict[str, Any]:
    """Return every secret by its file name; what is not text becomes JSON."""
    shared = new_secrets(load_profile(default_profile()))
    broker_passwords = {name: password() for name in BROKER_USERS}
    made: dict[str, Any] = {
        "postgres-password": password(),
        "intake-index-key": shared["index_key"],
        "trusted-keys.json": shared["trusted_keys"],
        "demo.json": {"base_url": "http://127.0.0.1:8000", "clients": shared["clients"]},
        "rabbitmq-definitions.json": broker_definitions(broker_passwords),
    }
    made |= {
        f"{name}-amqp-url": f"amqp://{name}:{word}@rabbitmq:5672/onward" for name, word in broker_passwords.items()
    }
    made |= {f"{name}-field-keys.json": shared["field_keys"][name] for name in ENCRYPTING}
    made |= {f"{name}-internal-key.json": shared["internal_keys"][name] for name in CALLERS}
    for name in DATABASES:
        made[f"{name}-database-url"] = f"postgresql+asyncpg://{name}:{password()}@postgres:5432/{name}"
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
