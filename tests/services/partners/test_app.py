"""The service as a whole: demonstration partners, unsafe settings, and migrations that match the tables."""

from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from hubkit import migrations
from hubkit.config import SettingsError
from hubkit.contracts import ServiceListedV1
from hubkit.contracts.codes import KINDS
from services.partners.settings import PartnersSettings
from services.partners.tables import METADATA
from tests.services.partners.support import FIELD_KEYS, running

HUB = {
    "partners": [
        {"name": "Everyone's multi-crime service", "organisation": "Everyone", "kind": "multi_crime",
         "teams": ["fraud", "hate_crime"], "location": "co_located", "commissioned": True, "transport": "secure_email"},
        {"name": "Everyone's witness service", "organisation": "Everyone", "kind": "witness_service"},
        {"name": "One adviser", "kind": "idva", "also": ["isva"], "listed_in": "service_directory"},
        {"name": "Another adviser", "kind": "idva", "without_marker": ["child"], "follow_up": "a call"},
        {"name": "Anybody else", "kind": "other", "location": "external", "route": "signpost"},
    ],
    "demonstration_kinds": ["counselling"],
}  # fmt: skip


async def test_demonstration_partners_are_those_of_the_profile_and_added_once(url: str, tmp_path: Path) -> None:
    seen = []
    for _ in range(2):
        async with running(url, tmp_path, HUB, demonstration=True) as made:
            listed = (await made.call("GET", "/v1/partners", "cases:read")).json()["items"]
            seen.append([each["id"] for each in listed])
            agreements = (await made.call("GET", "/v1/agreements", "agreements:read")).json()["items"]
    assert seen[0] == seen[1]
    assert [(each["organisation"], each["name"]) for each in listed] == [
        ("demo-multi-crime", "Everyone"),
        ("demo-idva", "One adviser"),
        ("demo-idva-2", "Another adviser"),
        ("demo-other", "Anybody else"),
        ("demo-counselling", "Demonstration counselling service"),
    ]
    assert [each["kind"] for each in listed[0]["services"]] == ["multi_crime", "witness_service"]
    assert [(each["partner_id"], each["starts_on"]) for each in agreements] == [(id, "2000-01-01") for id in seen[0]]
    purposes = [each["purposes"] for each in agreements]
    assert purposes[0] == ["fraud", "hate_crime", "multi_crime", "witness_service"]
    assert purposes[1:3] == [["idva", "isva"], ["idva"]]
    assert purposes[3] == sorted(KINDS - {"hub"})
    assert all("narrative" not in each["data_categories"] for each in agreements)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({}, "agreement_in_place"),
        ({"sharing": []}, "consent"),
        ({"demonstration_basis": "explicit_consent"}, "explicit_consent"),
    ],
)
async def test_demonstration_agreements_stand_on_the_basis_of_the_profile(
    url: str, tmp_path: Path, parts: dict[str, Any], expected: str
) -> None:
    async with running(url, tmp_path, HUB | parts, demonstration=True) as made:
        agreements = (await made.call("GET", "/v1/agreements", "agreements:read")).json()["items"]
    assert {each["lawful_basis"] for each in agreements} == {expected}


async def test_another_hub_on_the_same_database_adds_what_is_missing(url: str, tmp_path: Path) -> None:
    async with running(url, tmp_path, HUB, demonstration=True):
        pass
    other = {"partners": [{"name": "A third adviser", "kind": "idva"}, {"name": "Road harm", "kind": "road_harm"}]}
    async with running(url, tmp_path, other, demonstration=True) as made:
        listed = (await made.call("GET", "/v1/partners", "cases:read")).json()["items"]
    named = {each["organisation"]: each["name"] for each in listed}
    assert len(named) == 6
    assert (named["demo-idva"], named["demo-road-harm"]) == ("One adviser", "Road harm")


async def test_routing_hears_of_every_demonstration_service(url: str, tmp_path: Path) -> None:
    async with running(url, tmp_path, HUB, demonstration=True) as made:
        services = (await made.call("GET", "/v1/services", "cases:read")).json()["items"]
        listed = [event for service in services for event in await made.said(service["id"])]
    assert len(listed) == 6
    told = set(ServiceListedV1.model_fields) - {"service_id", "capacity"}
    for service, event in zip(services, listed, strict=True):
        assert event.model_dump(mode="json", include=told) == {name: service[name] for name in told}
    assert [service["shares"] for service in services] == [*["case_data"] * 4, "nothing", "case_data"]
    assert (services[0]["transport"], services[2]["listed_in"], services[3]["follow_up"]) == (
        "secure_email",
        "service_directory",
        "a call",
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
