"""All queries of the gateway."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, update
from sqlmodel import col, select

from gateway.model import Client, SigningKey
from gateway.tables import AssertionRow, ClientRow, SigningKeyRow
from hubkit.crypto import Keyring
from hubkit.db import Tx
from hubkit.ids import new_id


async def client(tx: Tx, client_id: str) -> Client | None:
    """Return a registered client, disabled or not."""
    row = await tx.model(select(ClientRow).where(col(ClientRow.id) == client_id))
    return _client(row) if row is not None else None


async def clients(tx: Tx) -> list[Client]:
    """Return all clients, by id."""
    return [_client(row) for row in await tx.models(select(ClientRow).order_by(col(ClientRow.id)))]


async def disabled_clients(tx: Tx) -> frozenset[str]:
    """Return the ids of the clients that are disabled."""
    rows = await tx.rows(select(col(ClientRow.id)).where(col(ClientRow.disabled_at).is_not(None)))
    return frozenset(row[0] for row in rows)


async def add_clients(tx: Tx, added: Sequence[Client]) -> set[str]:
    """Register clients; return the ids of those that did not stand yet, the others are left as they are."""
    rows = [{"id": each.id, "created_at": tx.now, "disabled_at": None, **_columns(each)} for each in added]
    return await tx.insert_new(ClientRow, rows, conflict=["id"], returning="id")


async def change_clients(tx: Tx, changed: Sequence[Client]) -> None:
    """Give clients their new organisation, scopes, secret and keys; whether they are disabled stays."""
    await tx.update_each(ClientRow, "id", [{"id": each.id, **_columns(each)} for each in changed])


async def set_disabled(tx: Tx, client_id: str, at: datetime | None) -> bool:
    """Disable a client, or (None) enable it again; return whether there is such a client."""
    done = await tx.run(update(ClientRow).where(col(ClientRow.id) == client_id).values(disabled_at=at))
    return done.rowcount > 0


async def use_assertion(tx: Tx, digest: str, expires_at: datetime) -> bool:
    """Note that an assertion is used; False when it was before, in whichever process."""
    rows = [{"digest": digest, "expires_at": expires_at}]
    return bool(await tx.insert_new(AssertionRow, rows, conflict=["digest"], returning="digest"))


async def forget_assertions(tx: Tx) -> None:
    """Delete the used assertions that have expired."""
    await tx.run(delete(AssertionRow).where(col(AssertionRow.expires_at) < tx.now))


async def signing_keys(tx: Tx, keyring: Keyring) -> list[SigningKey]:
    """Return the keys that sign access tokens, without those long retired, oldest first."""
    rows = await tx.models(
        select(SigningKeyRow)
        .where(col(SigningKeyRow.retired_at).is_(None) | (col(SigningKeyRow.retired_at) > tx.now))
        .order_by(col(SigningKeyRow.generation))
    )
    return [
        SigningKey(
            row.id,
            row.generation,
            json.loads(keyring.record("signing_key", row.id).open_text("private_jwk", row.private_jwk)),
            row.created_at,
            row.retired_at,
        )
        for row in rows
    ]


async def latest_generation(tx: Tx) -> int:
    """Return the generation of the newest signing key; 0 when there is none."""
    row = await tx.row(select(func.max(SigningKeyRow.generation)))
    return int(row[0] or 0) if row is not None else 0


async def add_signing_key(tx: Tx, keyring: Keyring, private_jwk: dict[str, Any], generation: int) -> bool:
    """Store a sealed signing key; False when another process made this generation."""
    key_id = new_id()
    sealed = keyring.record("signing_key", key_id).seal("private_jwk", json.dumps(private_jwk))
    row = {
        "id": key_id,
        "generation": generation,
        "private_jwk": sealed,
        "created_at": tx.now,
        "retired_at": None,
    }
    return bool(await tx.insert_new(SigningKeyRow, [row], conflict=["generation"], returning="generation"))


async def retire_signing_keys(tx: Tx, before: int, at: datetime) -> None:
    """Set when the keys older than a generation are no longer published."""
    await tx.run(
        update(SigningKeyRow)
        .where(col(SigningKeyRow.generation) < before, col(SigningKeyRow.retired_at).is_(None))
        .values(retired_at=at)
    )


def _client(row: ClientRow) -> Client:
    return Client(row.id, row.organisation, frozenset(row.scopes), row.secret_hash, row.jwks, row.disabled_at)


def _columns(each: Client) -> dict[str, Any]:
    return {
        "organisation": each.organisation,
        "scopes": sorted(each.scopes),
        "secret_hash": each.secret_hash,
        "jwks": each.jwks,
    }
