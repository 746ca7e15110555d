"""What the operator's command does, to a running or a stopped hub; every change is an action with its events."""

import argparse
import contextlib
import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import delete

from gateway.actions import clients
from gateway.actions.keys import rotate_signing_key
from hubkit import inbox, migrations, outbox
from hubkit.clock import SystemClock
from hubkit.config import Settings, SettingsError, default_profile
from hubkit.crypto import Keyring
from hubkit.db import Database
from hubkit.messaging import OUTBOX
from hubkit.profiles import ProfileBook
from onward import composition, development
from services.intake.actions.deps import Deps as IntakeDeps
from services.intake.actions.disclose import rotate_keys as rotate_sealed
from services.intake.settings import IntakeSettings
from services.partners.actions import deliveries

_SERVICES = ("intake", "triage", "routing", "partners")
#: Columns of a delivery that the operator has no use for on a screen.
_SECRET = ("body", "secrets", "lease_token")
#: Events of so many days are kept: a replay sends them again, and consumers know them by their ids.
_KEPT = timedelta(days=90)


def _module(name: str) -> str:
    return name if name == "gateway" else f"services.{name}"


def _kind(name: str) -> type[Settings]:
    return migrations.settings_class(_module(name))


def _here(arguments: argparse.Namespace, name: str) -> Settings:
    """Return a deployable's settings in the one-machine hub."""
    folder: Path = arguments.data
    if not (folder / "secrets.json").exists():
        needed = f"{_kind(name).PREFIX}DATABASE_URL"
        raise SettingsError(f"no hub in {folder} (start one with `onward run`) and no {needed}")
    place = composition.Place(folder, "http://127.0.0.1:8000", Path(default_profile()))
    return composition.settings_for(place, development.load_secrets(folder))[_module(name)]


def _setting(arguments: argparse.Namespace, name: str, setting: str = "database_url") -> str:
    """Return one setting of a deployable: from its own variables if they name a database, else of the hub here."""
    kind = _kind(name)
    if kind.given("database_url") is None:
        return str(getattr(_here(arguments, name), setting))
    value = kind.given(setting)
    if value is None:
        raise SettingsError(f"{kind.PREFIX}{setting.upper()} is needed")
    return value


def partners_setting(arguments: argparse.Namespace, setting: str, default: str | None = None) -> str:
    """Return one setting of partners; `default` where its own variables name a database and not this."""
    kind = _kind("partners")
    if default is not None and kind.given("database_url") is not None and kind.given(setting) is None:
        return default
    return _setting(arguments, "partners", setting)


def _chosen(arguments: argparse.Namespace, names: Sequence[str] = _SERVICES) -> Sequence[str]:
    """Return the service that was named, or else all whose databases are given, or else all of the hub here."""
    if getattr(arguments, "service", None):
        return [arguments.service]
    return [name for name in names if _kind(name).given("database_url")] or names


@contextlib.asynccontextmanager
async def open_database(arguments: argparse.Namespace, name: str) -> AsyncIterator[Database]:
    """Open the database of a deployable, if it is at the newest schema."""
    url = _setting(arguments, name)
    await migrations.check_current(_module(name), url)
    db = Database(url, source=name, clock=SystemClock(), pool_size=2)
    try:
        yield db
    finally:
        await db.aclose()


def _show(rows: Iterable[Mapping[str, Any]]) -> int:
    count = 0
    for row in rows:
        print(json.dumps(dict(row), default=str))
        count += 1
    return count


async def migrate(arguments: argparse.Namespace) -> int:
    """Bring every database to the newest schema."""
    for name in _chosen(arguments, (*_SERVICES, "gateway")):
        await migrations.upgrade(_module(name), _setting(arguments, name))
        print(f"{name}: at {migrations.newest(_module(name))}")
    return 0


async def create_client(arguments: argparse.Namespace) -> int:
    """Register a client and print what it signs in with; it cannot be shown again."""
    scopes = [scope.strip() for scope in arguments.scopes.split(",") if scope.strip()]
    async with open_database(arguments, "gateway") as db, db.transaction() as tx:
        made = await clients.create_client(
            tx, organisation=arguments.organisation, scopes=scopes, client_id=arguments.id
        )
    shown = {
        "client_id": made.id,
        "client_secret": made.secret,
        "private_jwk": made.private_jwk,
        "scopes": list(made.scopes),
        "organisation": made.organisation,
    }
    print(json.dumps(shown, indent=2))
    return 0


async def disable_client(arguments: argparse.Namespace) -> int:
    """Let a client in no more."""
    async with open_database(arguments, "gateway") as db, db.transaction() as tx:
        await clients.disable_client(tx, arguments.id)
    print(f"{arguments.id} is disabled")
    return 0


async def enable_client(arguments: argparse.Namespace) -> int:
    """Let a disabled client in again, with the secret and key that it had."""
    async with open_database(arguments, "gateway") as db, db.transaction() as tx:
        await clients.enable_client(tx, arguments.id)
    print(f"{arguments.id} is enabled")
    return 0


async def list_clients(arguments: argparse.Namespace) -> int:
    """Print every client, without what it signs in with."""
    async with open_database(arguments, "gateway") as db, db.reading() as tx:
        for each in await clients.list_clients(tx):
            _show([{
                "client_id": each.id,
                "organisation": each.organisation,
                "scopes": sorted(each.scopes),
                "disabled_at": each.disabled_at,
            }])  # fmt: skip
    return 0


async def list_outbox(arguments: argparse.Namespace) -> int:
    """Print events that the bus has not confirmed."""
    for name in _chosen(arguments):
        async with open_database(arguments, name) as db:
            _show({"service": name, **row} for row in await outbox.list_unpublished(db))
    return 0


async def replay_outbox(arguments: argparse.Namespace) -> int:
    """Publish events again."""
    async with open_database(arguments, arguments.service) as db:
        count = await outbox.replay_since(db, arguments.since, arguments.type)
        print(f"{count} events will be published again")
    return 0


async def prune_outbox(arguments: argparse.Namespace) -> int:
    """Forget events that the bus has confirmed."""
    before = _before(arguments)
    for name in _chosen(arguments):
        async with open_database(arguments, name) as db, db.transaction() as tx:
            old = delete(OUTBOX).where(OUTBOX.c.published_at.is_not(None), OUTBOX.c.created_at < before)
            print(f"{name}: {(await tx.run(old)).rowcount} events forgotten")
    return 0


def _before(arguments: argparse.Namespace) -> datetime:
    """Return the beginning (UTC) of the day before which rows may go."""
    before = datetime.combine(arguments.before, time(), UTC)
    if before > SystemClock().now() - _KEPT and not arguments.force:
        raise SettingsError(f"the last {_KEPT.days} days are kept for replays; --force forgets them all the same")
    return before


async def list_inbox(arguments: argparse.Namespace) -> int:
    """Print events that wait or are dead."""
    for name in _chosen(arguments):
        async with open_database(arguments, name) as db:
            _show({"service": name, **row} for row in await inbox.list_events(db, arguments.state))
    return 0


async def replay_inbox(arguments: argparse.Namespace) -> int:
    """Try dead events again."""
    async with open_database(arguments, arguments.service) as db:
        count = await inbox.replay_dead(db, arguments.id)
        print(f"{count} events will be tried again")
    return 0 if count or not arguments.id else 1


async def prune_inbox(arguments: argparse.Namespace) -> int:
    """Forget the ids of events that have taken effect."""
    before = _before(arguments)
    for name in _chosen(arguments):
        async with open_database(arguments, name) as db:
            print(f"{name}: {await inbox.prune(db, before)} events forgotten")
    return 0


async def list_deliveries(arguments: argparse.Namespace) -> int:
    """Print deliveries in a state."""
    async with open_database(arguments, "partners") as db, db.reading() as tx:
        rows = await deliveries.list_deliveries(tx, state=arguments.state, limit=100)
        _show({key: value for key, value in row._mapping.items() if key not in _SECRET} for row in rows)
    return 0


async def replay_deliveries(arguments: argparse.Namespace) -> int:
    """Queue parked deliveries afresh; the gate is asked again for each."""
    async with open_database(arguments, "partners") as db, db.transaction() as tx:
        count = await deliveries.replay(tx, [arguments.id] if arguments.id else None)
    print(f"{count} deliveries will be sent again")
    return 0 if count or not arguments.id else 1


def intake_deps(arguments: argparse.Namespace) -> IntakeDeps:
    """Return intake's keys and profile: what opens, finds and seals persons."""
    kind = _kind("intake")
    settings = _here(arguments, "intake") if kind.given("database_url") is None else kind.load()
    if not isinstance(settings, IntakeSettings):
        raise SettingsError("intake's settings are needed")
    return IntakeDeps.of(ProfileBook.load(settings.profile).current, settings.field_keys, settings.index_key)


async def rotate_keys(arguments: argparse.Namespace) -> int:
    """Seal every person under the current field key, in steps, while the hub goes on; or replace the signing key."""
    if arguments.signing:
        return await _rotate_signing(arguments)
    deps = intake_deps(arguments)
    total = 0
    async with open_database(arguments, "intake") as db:
        while True:
            async with db.transaction() as tx:
                count = await rotate_sealed(tx, deps, 200)
            total += count
            if not count:
                break
    print(f"{total} persons are sealed anew under the current key")
    return 0


async def _rotate_signing(arguments: argparse.Namespace) -> int:
    keyring = Keyring.parse(_setting(arguments, "gateway", "field_keys"))
    async with open_database(arguments, "gateway") as db, db.transaction() as tx:
        kid = await rotate_signing_key(tx, keyring)
    print(f"{kid} is published now and signs access tokens in two minutes")
    return 0
