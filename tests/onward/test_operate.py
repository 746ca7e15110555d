"""The operator's command on a hub of SQLite files, and on one database that a variable names."""

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml

from hubkit.clock import SystemClock
from hubkit.contracts import CaseAssessedV1
from hubkit.db import Database, Tx
from hubkit.ids import new_id
from hubkit.messaging import INBOX, OUTBOX
from hubkit.migrations import newest
from hubkit.profiles import load_profile
from onward import cli, composition, development
from services.partners.actions.demonstration import add_demonstration_partners

PROFILE = Path("profiles/cambridgeshire.yaml")
Run = Callable[..., list[str]]


def on(folder: Path, name: str, work: Callable[[Tx], Awaitable[Any]]) -> None:
    """Do something in one transaction on a deployable's database."""

    async def do() -> None:
        db = Database(f"sqlite+aiosqlite:///{folder}/{name}.db", source=name, clock=SystemClock())
        async with db.transaction() as tx:
            await work(tx)
        await db.aclose()

    asyncio.run(do())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a migrated hub with the demonstration partners, which nobody runs."""
    folder = tmp_path_factory.mktemp("hub")
    development.load_secrets(folder)
    asyncio.run(composition.migrate(composition.Place(folder, "http://127.0.0.1:8000", PROFILE)))
    hub = load_profile(PROFILE)
    on(folder, "partners", lambda tx: add_demonstration_partners(tx, hub))
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """Return a copy of it for one test."""
    return shutil.copytree(made, tmp_path / "data")


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return the operator's command on this hub: it succeeds, and its lines are returned."""

    def go(*arguments: str) -> list[str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(["--data", str(folder), *arguments])
        shown = capsys.readouterr()
        assert ended.value.code == 0, shown.err
        return shown.out.splitlines()

    return go


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return what a command that must fail says, in one line."""
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code not in (0, None)
    [*_, last] = capsys.readouterr().err.splitlines()
    return last


def keys_of(folder: Path) -> int:
    with sqlite3.connect(folder / "gateway.db") as connection:
        [(count,)] = connection.execute("SELECT count(*) FROM signing_key").fetchall()
    connection.close()
    return int(count)


def test_agreements_are_listed_and_changed(run: Run) -> None:
    listed = [json.loads(line) for line in run("agreement", "list")]
    assert {each["organisation"] for each in listed} >= {"demo-isva", "demo-counselling"}
    assert {each["status"] for each in listed} == {"active"}
    run("agreement", "set", "demo-isva", "--ends-on", "2099-12-31", "--status", "suspended")
    [isva] = [each for each in map(json.loads, run("agreement", "list")) if each["organisation"] == "demo-isva"]
    assert (isva["ends_on"], isva["status"], isva["version"]) == ("2099-12-31", "suspended", 3)


def listed(run: Run, organisation: str = "demo-isva") -> dict[str, Any]:
    lines = [json.loads(line) for line in run("agreement", "list")]
    return next(each for each in lines if each["organisation"] == organisation)


def test_what_adds_to_an_agreement_needs_two_persons(
    run: Run, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("agreement", "set", "demo-isva", "--ends-on", "2030-01-01")
    later = ("agreement", "set", "demo-isva", "--ends-on", "2031-01-01")
    assert "/drafted_by" in refused(capsys, "--data", str(folder), *later)
    one, other = ("--drafted-by", "One Person"), ("--approved-by", "Another Person")
    assert "/approved_by" in refused(capsys, "--data", str(folder), *later, *one, "--approved-by", "one person")
    assert run(*later, *one) == ["demo-isva: active, from 2000-01-01 to 2030-01-01; the change waits for approval"]
    found = listed(run)
    assert (found["ends_on"], found["waits_for_approval"]) == ("2030-01-01", True)
    assert run("agreement", "approve", found["reference"], *other) == [f"{found['reference']}: active"]
    assert run(*later, "--status", "active") == ["demo-isva: active, from 2000-01-01 to 2031-01-01"]
    assert run("agreement", "set", "demo-isva", "--ends-on", "2032-01-01", *one, *other) == [
        "demo-isva: active, from 2000-01-01 to 2032-01-01"
    ]


@pytest.mark.parametrize("format", ["yaml", "json"])
def test_agreements_go_out_and_come_in_as_drafts_once(run: Run, tmp_path: Path, format: str) -> None:
    text = "\n".join(run("agreement", "export", "--format", format))
    file = tmp_path / "agreements.yaml"
    file.write_text(text)
    take = ("agreement", "import", str(file), "--drafted-by", "One Person")
    assert {line.rpartition(": ")[2] for line in run(*take)} == {"unchanged"}
    [isva] = [each for each in yaml.safe_load(text)["agreements"] if each["organisation"] == "demo-isva"]
    renewal = isva | {"reference": "DSA-2040", "starts_on": "2040-01-01"}
    file.write_text(json.dumps({"agreements": [isva | {"benefit": "Another."}, renewal]}))
    assert run(*take) == [f"{isva['reference']}: proposed", "DSA-2040: drafted"]
    assert run(*take) == [f"{isva['reference']}: unchanged", "DSA-2040: unchanged"]
    lines = [json.loads(line) for line in run("agreement", "list")]
    found = {each["reference"]: each for each in lines if each["organisation"] == "demo-isva"}
    assert (found["DSA-2040"]["status"], found["DSA-2040"]["version"]) == ("draft", 1)
    run("agreement", "set", "demo-isva", "--ends-on", "2039-12-31")
    assert run("agreement", "approve", "DSA-2040", "--approved-by", "Another Person") == ["DSA-2040: approved"]


def test_every_fault_of_a_file_is_said_at_once_with_its_place_and_nothing_is_imported(
    run: Run, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    agreement = """
- organisation: {}
  reference: {}
  purposes: [counselling]
  data_categories: [identity]
  lawful_basis: {}
  starts_on: 2026-01-01
  ends_on: {}"""
    file = tmp_path / "agreements.yaml"

    def said(*agreements: tuple[str, ...]) -> list[str]:
        file.write_text("agreements:" + "".join(agreement.format(*each) for each in agreements))
        with pytest.raises(SystemExit) as ended:
            cli.main(["--data", str(folder), "agreement", "import", str(file), "--drafted-by", "One Person"])
        assert ended.value.code == 1
        return [line.removeprefix("onward: ").removeprefix(f"{file}:") for line in capsys.readouterr().err.splitlines()]

    before = run("agreement", "list")
    unknown = said(("demo-idva", "A", "magic", "2027-01-01"), ("demo-idva", "B", "consent", "soon"))
    assert [line.partition(": ")[0] for line in unknown] == ["6:3", "15:3"]
    assert "agreements[0].lawful_basis: is not a known lawful basis" in unknown[0]
    wrong = said(
        ("demo-idva", "A", "consent", "2025-12-31"),
        ("nobody", "B", "consent", "2027-01-01"),
        ("demo-idva", "A", "consent", "2027-01-01"),
        ("demo-idva", "C", "consent", "2027-01-01"),
    )
    assert [line.partition(": ")[0] for line in wrong] == ["8:3", "9:3", "17:3"]
    assert "agreements[0].ends_on: must not be before starts_on" in wrong[0]
    assert "agreements[1].organisation: is not a partner; there are: demo-" in wrong[1]
    assert "agreements[2].reference: appears twice" in wrong[2]
    assert run("agreement", "list") == before


def test_clients_are_created_listed_disabled_and_enabled(run: Run) -> None:
    made = json.loads("\n".join(run("client", "create", "--organisation", "police-1", "--scopes", "referrals:write")))
    assert made["client_secret"]
    run("client", "disable", made["client_id"])
    [disabled] = map(json.loads, run("client", "list"))
    assert (disabled["client_id"], disabled["scopes"]) == (made["client_id"], ["referrals:write"])
    assert disabled["disabled_at"]
    run("client", "enable", made["client_id"])
    [enabled] = run("client", "list")
    assert json.loads(enabled)["disabled_at"] is None
    assert made["client_secret"] not in enabled


def test_a_client_with_unknown_scopes_is_refused_with_those_there_are(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(capsys, "--data", str(folder), "client", "create", "--organisation", "x", "--scopes", "all")
    assert "/scopes must be of: referrals:write" in said


async def _old_events(tx: Tx) -> None:
    old = tx.now - timedelta(days=100)
    data = CaseAssessedV1(case_id=new_id(), referral_id=new_id(), version=2, needs=())
    for _ in range(3):
        tx.emit(data, data.case_id)
    first, second, third = tx.events
    first |= {"created_at": old, "published_at": old}
    second |= {"created_at": old, "published_at": None}
    third |= {"published_at": tx.now}
    await tx.insert(OUTBOX, tx.events)
    tx.events.clear()
    rows = [{"event_id": new_id(), "type": "x", "state": "done", "received_at": at} for at in (old, tx.now)]
    await tx.insert(INBOX, [*rows, {"event_id": UUID(int=1), "type": "x", "state": "dead", "received_at": old}])


def test_pruning_forgets_old_events_that_are_done_and_no_others(
    run: Run, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    on(folder, "triage", _old_events)
    day = (datetime.now(UTC) - timedelta(days=95)).date().isoformat()
    assert run("outbox", "prune", "--before", day, "--service", "triage") == ["triage: 1 events forgotten"]
    assert run("inbox", "prune", "--before", day) == [
        f"{name}: {int(name == 'triage')} events forgotten" for name in ("intake", "triage", "routing", "partners")
    ]
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    said = refused(capsys, "--data", str(folder), "outbox", "prune", "--before", tomorrow)
    assert "90 days" in said
    assert run("outbox", "prune", "--before", tomorrow, "--force", "--service", "triage") == [
        "triage: 1 events forgotten"
    ]
    assert len(run("outbox", "list", "--service", "triage")) == 1
    assert len(run("inbox", "list", "--service", "triage")) == 1


def test_dead_events_are_tried_again(run: Run, folder: Path) -> None:
    on(folder, "triage", _old_events)
    # It kept no body, so there is nothing to try again.
    assert run("inbox", "replay", "--service", "triage") == ["0 events will be tried again"]
    assert run("outbox", "replay", "--service", "triage", "--since", "2020-01-01T00:00:00+00:00") == [
        "2 events will be published again"
    ]


def test_keys_are_rotated(run: Run, folder: Path) -> None:
    assert run("keys", "rotate") == ["0 persons are sealed anew under the current key"]
    assert keys_of(folder) == 0
    [said] = run("keys", "rotate", "--signing")
    assert keys_of(folder) == 1
    assert "signs access tokens in two minutes" in said


def test_one_database_is_enough_for_what_needs_no_more(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    (folder / "secrets.json").unlink()
    address = tmp_path / "address"
    address.write_text(f"sqlite+aiosqlite:///{folder}/partners.db\n")
    monkeypatch.setenv("PARTNERS_DATABASE_URL_FILE", str(address))
    assert {json.loads(line)["status"] for line in run("agreement", "list")} == {"active"}
    assert run("deliveries", "list") == []
    assert run("migrate") == [f"partners: at {newest('services.partners')}"]
    assert {json.loads(line)["service"] for line in run("outbox", "list")} == {"partners"}


def test_the_signing_key_needs_the_gateways_keyring_and_no_more(
    folder: Path, monkeypatch: pytest.MonkeyPatch, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    keyring = json.dumps(development.load_secrets(folder)["field_keys"]["gateway"])
    (folder / "secrets.json").unlink()
    monkeypatch.setenv("GATEWAY_DATABASE_URL", f"sqlite+aiosqlite:///{folder}/gateway.db")
    assert refused(capsys, "keys", "rotate", "--signing") == "onward: GATEWAY_FIELD_KEYS is needed"
    monkeypatch.setenv("GATEWAY_FIELD_KEYS", keyring)
    run("keys", "rotate", "--signing")
    assert keys_of(folder) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("agreement", "list"), "no PARTNERS_DATABASE_URL"),
        (("agreement", "set", "demo-isva", "--ends-on", "soon"), "--ends-on"),
        (("inbox", "replay", "--service", "triage", "--id", "7"), "--id"),
        (("outbox", "replay", "--service", "triage", "--since", "2026-11-21T00:00:00"), "offset"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(
    arguments: tuple[str, ...], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert says in refused(capsys, "--data", str(tmp_path), *arguments)


def test_an_old_schema_or_an_absent_database_is_said_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GATEWAY_DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path}/empty.db")
    assert "run `onward migrate`" in refused(capsys, "client", "list")
    monkeypatch.setenv("GATEWAY_DATABASE_URL", "postgresql+asyncpg://nobody@127.0.0.1:1/none")
    assert "the database does not answer" in refused(capsys, "client", "list")
    monkeypatch.setenv("GATEWAY_DATABASE_URL_FILE", str(tmp_path / "absent"))
    assert refused(capsys, "client", "list") == "onward: GATEWAY_DATABASE_URL_FILE names a file that cannot be read"
