"""The service as a whole: demonstration partners, unsafe settings, and migrations that match the tables."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from hubkit import migrations
from hubkit.config import SettingsError
from services.partners.settings import PartnersSettings
from services.partners.tables import METADATA
from tests.services.partners.support import FIELD_KEYS, running

KINDS = ["counselling", "idva", "isva", "restorative_justice", "witness_care"]


async def test_demonstration_partners_are_added_once(url: str, tmp_path: Path) -> None:
    seen = []
    for _ in range(2):
        async with running(url, tmp_path, demonstration=True) as made:
            answer = await made.call("GET", "/v1/partners", "cases:read")
            seen.append([(each["id"], each["organisation"]) for each in answer.json()["items"]])
            agreements = (await made.call("GET", "/v1/agreements", "agreements:read")).json()["items"]
    assert seen[0] == seen[1]
    assert sorted(organisation for _, organisation in seen[0]) == [f"demo-{kind.replace('_', '-')}" for kind in KINDS]
    assert {each["lawful_basis"] for each in agreements} == {"consent"}
    assert {each["starts_on"] for each in agreements} == {"2025-01-01"}
    assert all("narrative" not in each["data_categories"] for each in agreements)


async def test_routing_hears_of_every_demonstration_service(url: str, tmp_path: Path) -> None:
    async with running(url, tmp_path, demonstration=True) as made:
        partners = (await made.call("GET", "/v1/partners", "cases:read")).json()["items"]
        for partner in partners:
            [service] = partner["services"]
            [listed] = await made.said(service["id"])
            assert (listed.TYPE, listed.kind, str(listed.partner_id)) == (
                "service.listed.v1",
                service["kind"],
                partner["id"],
            )


async def test_migrations_make_what_the_tables_say(url: str) -> None:
    await migrations.upgrade("services.partners", url)
    engine = create_async_engine(url)

    def difference(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found = compare_metadata(context, METADATA)
        return [each for each in found if "alembic_version" not in str(each)]

    async with engine.connect() as connection:
        assert await connection.run_sync(difference) == []
    await engine.dispose()


def test_what_is_unsafe_is_refused_in_production() -> None:
    given = {
        "PARTNERS_DATABASE_URL": "sqlite+aiosqlite:///partners.db",
        "PARTNERS_FIELD_KEYS": FIELD_KEYS,
        "PARTNERS_INTERNAL_KEY": "{}",
        "PARTNERS_PUBLIC_URL": "https://hub.example.org",
    }
    PartnersSettings.load(given)
    for name, value in (
        ("ALLOW_PRIVATE_ENDPOINTS", "true"),
        ("DEMONSTRATION", "true"),
        ("PUBLIC_URL", "http://hub.example.org"),
    ):
        with pytest.raises(SettingsError, match=name.lower()):
            PartnersSettings.load(given | {f"PARTNERS_{name}": value})
