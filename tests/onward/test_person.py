"""`onward person` on a hub of SQLite files: what a person is given, and that it is on record."""

import asyncio
import copy
import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from examples.police_client import REFERRAL
from hubkit.clock import SystemClock
from hubkit.db import Database
from hubkit.profiles import load_profile
from onward import cli, composition, development
from services.intake.actions.deps import Deps
from services.intake.actions.export import register_fault
from services.intake.actions.register import Register, content_of, register_referrals
from services.intake.schemas import Referral

PROFILE = Path("profiles/cambridgeshire.yaml")
Run = Callable[..., list[str]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hub")
    development.load_secrets(folder)
    asyncio.run(composition.migrate(composition.Place(folder, "http://127.0.0.1:8000", PROFILE)))
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "data")


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def go(*arguments: str, status: int = 0) -> list[str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(["--data", str(folder), *arguments])
        shown = capsys.readouterr()
        assert ended.value.code == status, shown.err
        return (shown.out if status == 0 else shown.err).splitlines()

    return go


def intake_deps(folder: Path) -> Deps:
    secrets = json.loads((folder / "secrets.json").read_text())
    hub = load_profile(PROFILE)
    return Deps.of(lambda _now: hub, json.dumps(secrets["field_keys"]["intake"]), secrets["index_key"])


def received(folder: Path, **person: Any) -> str:
    """Take a referral in and return its id."""
    body = copy.deepcopy(REFERRAL)
    body["source"]["reference"] = person.pop("reference", "CMS-1")
    body["narrative"] = person.pop("narrative", None)
    body["person"] |= person
    deps = intake_deps(folder)
    parsed = Referral.model_validate(body)

    async def do() -> str:
        db = Database(f"sqlite+aiosqlite:///{folder}/intake.db", source="intake", clock=SystemClock())
        async with db.transaction() as tx:
            [answer] = await register_referrals(tx, deps, [Register("police", parsed, content_of(deps, parsed), None)])
        await db.aclose()
        return str(answer.referral_id)  # type: ignore[union-attr]

    return asyncio.run(do())


def fault(folder: Path) -> int | None:
    async def do() -> int | None:
        db = Database(f"sqlite+aiosqlite:///{folder}/intake.db", source="intake", clock=SystemClock())
        async with db.reading() as tx:
            found = await register_fault(tx, intake_deps(folder))
        await db.aclose()
        return found

    return asyncio.run(do())


def change(folder: Path, statement: str) -> None:
    with sqlite3.connect(folder / "intake.db") as connection:
        connection.execute(statement)
    connection.close()


def test_an_export_holds_every_referral_of_the_person_opened_and_free_text_only_when_reviewed(
    run: Run, folder: Path, tmp_path: Path
) -> None:
    first = received(folder, narrative="her neighbour Jo Other said it")
    received(folder, reference="CMS-2", given_name="ALEX")
    received(folder, reference="CMS-3", given_name="Somebody")

    run("person", "export", "--referral", first, "--by", "dpo", "--out", str(tmp_path / "a.json"))
    run("person", "export", "--reference", "police:CMS-2", "--by", "dpo", "--reviewed-by", "reader",
        "--out", str(tmp_path / "b.json"))  # fmt: skip

    given = json.loads((tmp_path / "a.json").read_text())
    assert [held["fields"]["given_name"] for held in given["held"]] == ["Alex", "ALEX"]
    assert given["held"][0]["fields"]["address"]["postcode"] == "ZZ99 9ZZ"
    assert given["held"][0]["withheld"] == {"narrative": "free_text_not_reviewed"}
    assert "Jo Other" not in json.dumps(given)
    assert json.loads((tmp_path / "b.json").read_text())["held"][0]["fields"]["narrative"].startswith("her neighbour")
    assert (tmp_path / "a.json").stat().st_mode & 0o077 == 0


def test_a_page_escapes_what_the_person_is_called(run: Run, folder: Path, tmp_path: Path) -> None:
    id = received(folder, given_name="<script>alert(1)</script>")
    page = tmp_path / "a.html"

    run("person", "export", "--referral", id, "--by", "dpo", "--out", str(tmp_path / "a.json"), "--html", str(page))

    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.read_text()
    assert "<script" not in page.read_text()
    assert "default-src 'none'" in page.read_text()


def test_an_export_is_on_record_before_it_is_handed_over_and_the_register_shows_any_change(
    run: Run, folder: Path, tmp_path: Path
) -> None:
    id = received(folder)
    run("person", "export", "--referral", id, "--by", "dpo", "--out", str(tmp_path / "a.json"))
    run("person", "export", "--referral", id, "--by", "dpo", "--out", str(tmp_path / "b.json"))

    account = json.loads("\n".join(run("person", "account", "--referral", id, "--json")))
    records = [line["codes"] for line in account["lines"] if line["what"] == "subject_record"]
    assert [record["details"]["hash"] for record in records] == [
        json.loads((tmp_path / f"{name}.json").read_text())["hash"] for name in "ab"
    ]
    assert fault(folder) is None
    change(folder, "UPDATE subject_record SET made_by = 'nobody' WHERE number = 1")
    assert fault(folder) == 1
    change(folder, "DELETE FROM subject_record WHERE number = 1")
    assert fault(folder) == 1


def test_nothing_is_overwritten_and_nobody_unknown_is_found(run: Run, folder: Path, tmp_path: Path) -> None:
    id = received(folder)
    (tmp_path / "a.json").write_text("mine")

    [said] = run("person", "export", "--referral", id, "--by", "dpo", "--out", str(tmp_path / "a.json"), status=1)
    assert "is there already" in said
    assert (tmp_path / "a.json").read_text() == "mine"
    [said] = run("person", "account", "--reference", "police:none", status=1)
    assert "no referral of this source" in said
