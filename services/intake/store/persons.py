"""The person of a referral: sealed on the way in, opened on the way out, found again by blind indexes."""

from collections.abc import Collection, Mapping
from hashlib import sha256
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import ARRAY, Column, Row, Uuid, bindparam, func, or_, select, type_coerce, union_all
from sqlalchemy.sql.selectable import CompoundSelect, Select

from hubkit.crypto import BlindIndex, Keyring
from hubkit.db import Rows, Tx, table_of
from services.intake.model import PersonKeys
from services.intake.schemas import Person, Referral
from services.intake.tables import PersonRow, ReferralRow

_PERSON = table_of(PersonRow)
_REFERRAL = table_of(ReferralRow)

#: Of a person too little is known to be found again.
UNKNOWN = PersonKeys(None, None, None)

#: The columns that hold personal details, each sealed by itself.
SEALED = (
    "given_name",
    "family_name",
    "date_of_birth",
    "address",
    "phone",
    "email",
    "instructions",
    "crime_reference",
    "narrative",
)


def sealed_row(keyring: Keyring, referral_id: UUID, referral: Referral, keys: PersonKeys) -> dict[str, Any]:
    """Return the row that keeps the personal details of a referral."""
    sealer = keyring.record("person", referral_id)
    plain = _plain(referral)
    sealed = {name: None if plain[name] is None else sealer.seal(name, plain[name]) for name in SEALED}
    indexes = {"identity_index": keys.identity, "phone_index": keys.phone, "email_index": keys.email}
    return {"referral_id": referral_id, "key_id": keyring.current, **sealed, **indexes}


def _plain(referral: Referral) -> dict[str, Any]:
    person = referral.person or Person()
    born, address = person.date_of_birth, person.address
    return {
        "given_name": person.given_name,
        "family_name": person.family_name,
        "date_of_birth": born.isoformat() if born else None,
        "address": orjson.dumps({"lines": address.lines, "postcode": address.postcode}) if address else None,
        "phone": person.phone,
        "email": person.email,
        "instructions": referral.safe_contact.instructions if referral.safe_contact else None,
        "crime_reference": referral.crime.reference,
        "narrative": referral.narrative,
    }


def plain_of(referral: Referral) -> dict[str, Any]:
    """Return what of a referral is kept sealed, in plain, as `opened` returns it."""
    plain = _plain(referral)
    return plain | {"address": orjson.loads(plain["address"]) if plain["address"] else None}


def keys_of(index: BlindIndex, person: Person | None) -> PersonKeys:
    """Return the blind indexes of a person.

    The name goes into the indexes of phone and email, since families and households share those: two persons are the
    same when name and date of birth, name and phone, or name and email are. Without a name there is none.
    """
    if person is None or not (person.given_name and person.family_name):
        return UNKNOWN
    name = index.of("name", f"{person.given_name} {person.family_name}")
    born = person.date_of_birth.isoformat() if person.date_of_birth else None
    return PersonKeys(
        identity=_joint(name, index.of("date", born) if born else None),
        phone=_joint(name, index.of("phone", person.phone) if person.phone else None),
        email=_joint(name, index.of("email", person.email) if person.email else None),
    )


def _joint(name: bytes | None, other: bytes | None) -> UUID | None:
    # Both are keyed already; the hash only joins them.
    return UUID(bytes=sha256(name + other).digest()[:16]) if name and other else None


async def add_persons(tx: Tx, rows: Rows) -> None:
    """Store the persons of new referrals."""
    await tx.insert(PersonRow, rows)


async def change_persons(tx: Tx, rows: Rows) -> None:
    """Replace the persons of corrected referrals."""
    await tx.update_each(PersonRow, "referral_id", rows)


async def earliest_by_keys(tx: Tx, keys: list[PersonKeys]) -> dict[UUID, UUID]:
    """Return the first stored referral under each blind index, by index; one probe of an index for each."""
    wanted = {
        "identity": [key.identity for key in keys if key.identity],
        "phone": [key.phone for key in keys if key.phone],
        "email": [key.email for key in keys if key.email],
    }
    if not any(wanted.values()):
        return {}
    if tx.is_postgresql:
        rows = await tx.rows(_EARLIEST_POSTGRESQL, wanted)
    else:
        rows = await tx.rows(
            _EARLIEST_SQLITE, {n: orjson.dumps([v.hex for v in w]).decode() for n, w in wanted.items()}
        )
    return {row.key: row.referral_id for row in rows if row.referral_id is not None}


def _probe(column: Column[Any], keys: Any) -> Select[Any]:
    first = select(_PERSON.c.referral_id).where(column == keys).order_by(_PERSON.c.referral_id).limit(1)
    return select(type_coerce(keys, Uuid()).label("key"), first.scalar_subquery().label("referral_id"))


def _earliest(keys: Mapping[str, Any]) -> CompoundSelect[Any]:
    return union_all(*(_probe(_PERSON.c[f"{name}_index"], column) for name, column in keys.items()))


_KINDS = ("identity", "phone", "email")
_EARLIEST_POSTGRESQL = _earliest(
    {kind: func.unnest(bindparam(kind, type_=ARRAY(Uuid()))).column_valued(f"{kind}_key") for kind in _KINDS}
)
_EARLIEST_SQLITE = _earliest(
    {kind: func.json_each(bindparam(kind)).table_valued("value", name=f"{kind}_keys").c.value for kind in _KINDS}
)


async def find_person(tx: Tx, referral_id: UUID) -> Row[Any] | None:
    """Return the sealed columns of a referral's person, with the referral's version and facts."""
    return await tx.row(_WITH_FACTS.where(_PERSON.c.referral_id == referral_id))


async def find_persons(tx: Tx, referral_ids: Collection[UUID]) -> dict[UUID, Row[Any]]:
    """Return what `find_person` does for each of several referrals that are here."""
    rows = await tx.rows(_WITH_FACTS.where(tx.among(_PERSON.c.referral_id, referral_ids)))
    return {row.referral_id: row for row in rows}


_WITH_FACTS = select(
    _PERSON.c.referral_id, *(_PERSON.c[name] for name in SEALED), _REFERRAL.c.version, _REFERRAL.c.facts
).select_from(_PERSON.join(_REFERRAL, _PERSON.c.referral_id == _REFERRAL.c.id))


def opened(keyring: Keyring, row: Row[Any], names: frozenset[str]) -> dict[str, Any]:
    """Return the named sealed columns of a row in plain; the address is `{"lines", "postcode"}`.

    Raises
    ------
    CryptoError
        When the keyring lacks the key, or the row has been tampered with.
    """
    sealer = keyring.record("person", row.referral_id)
    values: dict[str, Any] = {}
    for name in names:
        blob = row._mapping[name]
        values[name] = None if blob is None else sealer.open_text(name, blob)
    if values.get("address"):
        values["address"] = orjson.loads(values["address"])
    return values


async def reseal_stale(tx: Tx, keyring: Keyring, limit: int) -> int:
    """Seal up to `limit` persons, that stand under another key, under the current one; returns how many."""
    stale = or_(_PERSON.c.key_id < keyring.current, _PERSON.c.key_id > keyring.current)  # both use the index
    columns = (_PERSON.c.referral_id, *(_PERSON.c[name] for name in SEALED))
    query = select(*columns).where(stale).order_by(_PERSON.c.referral_id).limit(limit)
    rows = await tx.rows(query.with_for_update(skip_locked=True))
    await tx.update_each(PersonRow, "referral_id", [_resealed(keyring, row) for row in rows])
    return len(rows)


def _resealed(keyring: Keyring, row: Row[Any]) -> dict[str, Any]:
    sealer = keyring.record("person", row.referral_id)
    sealed: dict[str, Any] = {"referral_id": row.referral_id, "key_id": keyring.current}
    for name in SEALED:
        blob = row._mapping[name]
        sealed[name] = None if blob is None else sealer.seal(name, sealer.open(name, blob))
    return sealed


async def count_by_key(tx: Tx) -> dict[str, int]:
    """Return how many persons stand under each key id."""
    rows = await tx.rows(select(_PERSON.c.key_id, func.count().label("total")).group_by(_PERSON.c.key_id))
    return {row.key_id: row.total for row in rows}
