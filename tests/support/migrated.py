"""Migrated databases: each deployable is migrated once in a process, and every test gets a copy of its own."""

import asyncio
import secrets
import tempfile
from functools import cache
from pathlib import Path
from typing import Self

from sqlalchemy import make_url

from hubkit import migrations
from tests.support.access import Databases, finish

_COPIES: set[str] = set()


async def migrated(module: str, url: str) -> None:
    """Bring a test's database to the newest migration, by a copy where there is nothing yet."""
    path = Path(make_url(url).database or "") if url.startswith("sqlite") else None
    if path is not None and not path.exists():
        path.write_bytes(await asyncio.to_thread(_file, module))
    elif url not in _COPIES:
        await migrations.upgrade(module, url)


@cache
def _file(module: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "template.db"
        finish(migrations.upgrade(module, f"sqlite+aiosqlite:///{path}"))
        return path.read_bytes()


class Copies:
    """Copies of migrated databases on one PostgreSQL server."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        self._templates: dict[str, str] = {}

    def create(self, module: str, name: str) -> str:
        """Make a database that stands at a deployable's newest migration; return its SQLAlchemy URL."""
        template = self._templates.get(module)
        if template is None:
            template = f"template_{secrets.token_hex(6)}"
            finish(migrations.upgrade(module, self._databases.create_database(template)))
            self._templates[module] = template
        url = self._databases.create_database(name, template)
        _COPIES.add(url)
        return url

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        for template in self._templates.values():
            self._databases.drop_database(template)
