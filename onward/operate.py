"""What the operator's command does, to a running or a stopped hub; every change is an action with its events."""

import argparse
import contextlib
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from gateway.actions import clients
from hubkit import inbox, migrations, outbox
from hubkit.clock import SystemClock
from hubkit.config import Settings, SettingsError
from hubkit.db import Database
from hubkit.profiles import load_profile
from onward import composition, development
from services.intake.actions.deps import Deps as IntakeDeps
from services.intake.actions.disclose import rotate_keys as rotate_sealed
from services.intake.settings import IntakeSettings
from services.partners.actions import agreements, deliveries

_SERVICES = ("intake", "triage", "routing", "partners")
#: Columns of a delivery that the operator has no use for on a screen.
_SECRET = ("body", "secrets", "lease_token")


def _module(name: str) -> str:
    return name if name == "gateway" else f"services.{name}"


def _settings(arguments: argparse.Namespace, name: str) -> Settings:
    """Return a deployable's settings: its own variables where they are set, else those of the one-machine hub."""
    kind = migrations.settings_class(_module(name))
    if kind.is_given():
        return kind.load()
    folder: Path = arguments.data
    if not (folder / "secrets.json").exists():
        raise SettingsError(f"no hub in {folder} (start one with `onward run`) and no {kind.PREFIX}DATABASE_URL")
    place = composition.Place(folder, "http://127.0.0.1:8000", Path("profiles/cambridgeshire.yaml"))
    return composition.settings_for(place, development.load_secrets(folder))[_module(name)]


@contextlib.asynccontextmanager
async def _database(arguments: argparse.Namespace, name: str) -> AsyncIterator[Database]:
    db = Database(_settings(arguments, name).database_url, source=name, clock=SystemClock(), pool_size=2)
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
    for name in (*_SERVICES, "gateway"):
        await migrations.upgrade(_module(name), _settings(arguments, name).database_url)
        print(f"{name}: at {migrations.newest(_module(name))}")
    return 0


async def create_client(arguments: argparse.Namespace) -> int:
    """Register a client and print what it signs in with; it cannot be shown again."""
    scopes = [scope.strip() for scope in arguments.scopes.split(",") if scope.strip()]
    async with _database(arguments, "gateway") as db, db.transaction() as tx:
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
    async with _database(arguments, "gateway") as db, db.transaction() as tx:
        await clients.disable_client(tx, arguments.id)
    print(f"{arguments.id} is disabled")
    return 0


async def list_outbox(arguments: argparse.Namespace) -> int:
    """Print events that the bus has not confirmed."""
    for name in [arguments.service] if arguments.service else _SERVICES:
        async with _database(arguments, name) as db:
            _show({"service": name, **row} for row in await outbox.list_unpublished(db))
    return 0


async def replay_outbox(arguments: argparse.Namespace) -> int:
    """Publish events again."""
    since = datetime.fromisoformat(arguments.since)
    if since.tzinfo is None:
        raise SettingsError("--since needs an offset, such as +00:00")
    async with _database(arguments, arguments.service) as db:
        print(f"{await outbox.replay_since(db, since, arguments.type)} events will be published again")
    return 0


async def list_inbox(arguments: argparse.Namespace) -> int:
    """Print events that wait or are dead."""
    for name in [arguments.service] if arguments.service else _SERVICES:
        async with _database(arguments, name) as db:
            _show({"service": name, **row} for row in await inbox.list_events(db, arguments.state))
    return 0


async def replay_inbox(arguments: argparse.Namespace) -> int:
    """Try dead events again."""
    async with _database(arguments, arguments.service) as db:
        count = await inbox.replay_dead(db, UUID(arguments.id) if arguments.id else None)
        print(f"{count} events will be tried again")
    return 0 if count or not arguments.id else 1


async def list_deliveries(arguments: argparse.Namespace) -> int:
    """Print deliveries in a state."""
    async with _database(arguments, "partners") as db, db.reading() as tx:
        rows = await deliveries.list_deliveries(tx, state=arguments.state, limit=100)
        _show({key: value for key, value in row._mapping.items() if key not in _SECRET} for row in rows)
    return 0


async def replay_deliveries(arguments: argparse.Namespace) -> int:
    """Queue parked deliveries afresh; the gate is asked again for each."""
    async with _database(arguments, "partners") as db, db.transaction() as tx:
        count = await deliveries.replay(tx, [UUID(arguments.id)] if arguments.id else None)
    print(f"{count} deliveries will be sent again")
    return 0 if count or not arguments.id else 1


async def list_agreements(arguments: argparse.Namespace) -> int:
    """Print every agreement with its partner's code."""
    async with _database(arguments, "partners") as db, db.reading() as tx:
        organisations = {
            partner.id: partner.organisation for partner, _ in await agreements.list_partners(tx, None, 1000)
        }
        for row in await agreements.list_agreements(tx, None, 1000):
            shown = {
                key: row._mapping[key] for key in ("id", "version", "status", "starts_on", "ends_on", "lawful_basis")
            }
            _show([{"organisation": organisations.get(row.partner_id), **shown}])
    return 0


async def set_agreement(arguments: argparse.Namespace) -> int:
    """Change when a partner's agreement runs, or whether it stands."""
    async with _database(arguments, "partners") as db, db.transaction() as tx:
        found = {partner.organisation: partner.id for partner, _ in await agreements.list_partners(tx, None, 1000)}
        if arguments.organisation not in found:
            raise SettingsError(f"no partner {arguments.organisation}; there are: {', '.join(sorted(found))}")
        standing = await agreements.list_agreements(tx, None, 1000)
        row = [each for each in standing if each.partner_id == found[arguments.organisation]][-1]
        terms = agreements.Terms(
            status=arguments.status or row.status,
            starts_on=date.fromisoformat(arguments.starts_on) if arguments.starts_on else row.starts_on,
            ends_on=date.fromisoformat(arguments.ends_on) if arguments.ends_on else row.ends_on,
        )
        await agreements.change_agreement(tx, row.id, row.version, terms)
    print(f"{arguments.organisation}: {terms.status}, from {terms.starts_on} to {terms.ends_on or 'no end'}")
    return 0


async def rotate_keys(arguments: argparse.Namespace) -> int:
    """Seal every person under the current field key, in steps, while the hub goes on."""
    settings = _settings(arguments, "intake")
    if not isinstance(settings, IntakeSettings):
        raise SettingsError("intake's settings are needed")
    deps = IntakeDeps.of(load_profile(settings.profile), settings.field_keys, settings.index_key)
    total = 0
    async with _database(arguments, "intake") as db:
        while True:
            async with db.transaction() as tx:
                count = await rotate_sealed(tx, deps, 200)
            total += count
            if not count:
                break
    print(f"{total} persons are sealed anew under the current key")
    return 0
