"""What the operator's command does to a running or a stopped hub; every change goes through an action and its events."""

import argparse
import contextlib
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import gateway.actions as gateway_actions
import services.intake.actions as intake_actions
import services.partners.actions.agreements as agreement_actions
import services.partners.actions.deliveries as delivery_actions
from hubkit import inbox, migrations, outbox
from hubkit.clock import SystemClock
from hubkit.config import Settings, SettingsError
from hubkit.db import Database
from onward import composition, development

_SERVICES = ("intake", "triage", "routing", "partners")


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
