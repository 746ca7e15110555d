"""Keep the keys that sign access tokens: make the first, replace it, and let every process know."""

from gateway import store
from gateway.actions.deps import Deps
from gateway.policy.keys import ANNOUNCED, OVERLAP, in_order
from hubkit.auth import SigningKeys, Verifier, new_signing_key
from hubkit.crypto import Keyring
from hubkit.db import Tx


async def ensure_signing_key(tx: Tx, keyring: Keyring) -> None:
    """Make the first signing key unless there is one. Several processes that start together end with one key."""
    if await store.latest_generation(tx) == 0:
        await store.add_signing_key(tx, keyring, new_signing_key(), 1)


async def rotate_signing_key(tx: Tx, keyring: Keyring) -> str:
    """Make a new signing key and return its id.

    It is published at once, signs after two minutes, and the older ones are published for ten minutes more.
    """
    generation = await store.latest_generation(tx) + 1
    key = new_signing_key()
    if await store.add_signing_key(tx, keyring, key, generation):
        await store.retire_signing_keys(tx, generation, tx.now + ANNOUNCED + OVERLAP)
    return str(key["kid"])


async def refresh_identity(tx: Tx, deps: Deps) -> None:
    """Take note of the signing keys and disabled clients that stand in the database."""
    deps.identity.disabled = await store.disabled_clients(tx)
    ordered = [key.private_jwk for key in in_order(await store.signing_keys(tx, deps.keyring), tx.now)]
    kids = [str(key["kid"]) for key in ordered]
    if deps.identity.knows(kids):
        return
    keys = SigningKeys(ordered)
    verifier = Verifier(keys.public_jwks(), issuers=[deps.issuer], audience=deps.issuer, clock=deps.clock)
    deps.identity.use(kids, keys, verifier)


async def forget_assertions(tx: Tx) -> None:
    """Delete the used assertions that have expired."""
    await store.forget_assertions(tx)
