"""`onward profile`: check, explain, diff, replay, schema, and which hub is meant when none is named."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hubkit import config, migrations
from hubkit.clock import ManualClock
from hubkit.config import SettingsError
from hubkit.db import Database
from hubkit.profiles import ProfileBook, editor_schema
from onward import cli
from services.triage.actions.deps import Deps
from services.triage.actions.triage import triage_referrals
from tests.services.triage.facts import received
from tests.services.triage.support import event

HUB = """\
id: small
name: Small Hub
version: "1"
valid_to: 2026-12-31
channels:
- {channel: police_automatic}
partners:
- {name: anybody, kind: other}
exclusions:
- {id: fraud, when: {crimes: [fraud]}, reason: fraud_elsewhere, source: "Rules, page 1"}
triage:
  levels:
  - {id: urgent, when: {any_marker: [vulnerable]}, level: urgent}
contacts:
- {id: call, methods: [phone], mode: all, within: {amount: 2, unit: working_days}}
---
id: small
name: Small Hub
version: "2"
valid_from: 2027-01
channels:
- {channel: police_automatic}
"""
Run = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Return the operator's command: its status, and its lines."""

    def go(*arguments: object) -> tuple[int, list[str]]:
        with pytest.raises(SystemExit) as ended:
            cli.main([str(each) for each in arguments])
        shown = capsys.readouterr()
        return int(str(ended.value.code)), (shown.out + shown.err).splitlines()

    return go


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(HUB, encoding="utf-8")
    return path


def changed(hub: Path, *changes: tuple[str, str]) -> Path:
    """Return a copy of a profile with other words in it."""
    text = hub.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = hub.with_name("changed.yaml")
    path.write_text(text, encoding="utf-8")
    return path


def test_a_right_profile_is_right(run: Run, hub: Path) -> None:
    assert run("profile", "check", hub) == (0, [f"{hub}: right (Small Hub, version 1, 2)"])


def test_every_mistake_of_every_file_is_told_with_its_place(run: Run, hub: Path) -> None:
    bad = changed(hub, ("[vulnerable]", "[vulnrable]"), ("working_days", "days"), ("2027-01", "2026-12"))

    status, lines = run("profile", "check", hub, bad)

    assert status == 1
    assert lines[0].startswith(f"{hub}: right")
    assert [line.split(" ")[0] for line in lines[1:-1]] == [f"{bad}:13:38:", f"{bad}:15:63:", f"{bad}:20:1:"]
    assert lines[-1] == f"{bad}: 3 mistakes"


def test_a_hub_that_does_not_exist_is_told_with_the_nearest(run: Run) -> None:
    assert run("profile", "check", "cambridgshire") == (
        1,
        ["onward: no hub cambridgshire; did you mean cambridgeshire?"],
    )


def test_a_profile_is_explained_in_words_with_its_sources(run: Run, hub: Path) -> None:
    status, lines = run("profile", "explain", hub, "--on", "2026-05-01")

    assert status == 0
    assert "  When the crime is any of the group fraud: excluded (fraud elsewhere)  [Rules, page 1]" in lines
    assert "  When it is marked vulnerable: level urgent" in lines
    assert "  Always: contact, initial, using phone, within 2 working days of receiving the referral" in lines
    assert lines[-1].startswith("It says nothing of: who triages, assessments, a plan")


@pytest.mark.parametrize("path", sorted(Path("profiles").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_hub_is_explained(run: Run, path: Path) -> None:
    status, lines = run("profile", "explain", path.stem)
    assert status == 0
    assert not [line for line in lines if "None" in line or "{" in line or "Undefined" in line]


def test_a_version_is_chosen_by_day_or_by_name(run: Run, hub: Path) -> None:
    assert run("profile", "explain", hub, "--on", "2027-01-01")[1][2].startswith("  Small Hub, version 2,")
    assert run("profile", "explain", f"{hub}@1")[1][2].startswith("  Small Hub, version 1,")
    assert run("profile", "explain", f"{hub}@3") == (1, [f"onward: {hub} has no version 3; there are: 1, 2"])


def test_what_changes_between_two_profiles_is_told_in_words(run: Run, hub: Path) -> None:
    other = changed(hub, ("amount: 2", "amount: 5"), ("crimes: [fraud]", "crimes: [fraud, drugs]"))

    status, lines = run("profile", "diff", hub, other, "--on", "2026-05-01")

    assert (status, lines) == (
        0,
        [
            "",
            "Not taken on",
            "  fraud",
            "  - When the crime is any of the group fraud: excluded (fraud elsewhere)",
            "  + When the crime is any of the group fraud or any of the group drugs: excluded (fraud elsewhere)",
            "",
            "Contacts",
            "  call",
            "  - Always: contact, initial, using phone, within 2 working days of receiving the referral",
            "  + Always: contact, initial, using phone, within 5 working days of receiving the referral",
        ],
    )


def test_two_versions_are_compared_for_machines(run: Run, hub: Path) -> None:
    status, [line] = run("profile", "diff", f"{hub}@1", f"{hub}@2", "--json")

    gone = {(change["section"], change["key"]) for change in json.loads(line) if change["after"] is None}
    assert status == 0
    assert gone == {
        ("Not taken on", "fraud"),
        ("Levels", "urgent"),
        ("Contacts", "call"),
        ("Partners", "anybody (other)"),
    }


def test_other_words_for_the_same_change_nothing(run: Run, hub: Path) -> None:
    other = changed(hub, ('source: "Rules, page 1"', 'source: "Rules, page 2", text: Fraud is not for us.'))
    assert run("profile", "diff", hub, other, "--on", "2026-05-01") == (0, ["They do the same."])


def test_the_schema_is_printed(run: Run) -> None:
    status, lines = run("profile", "schema")
    assert (status, json.loads("\n".join(lines))) == (0, editor_schema())


def test_the_default_hub_is_what_the_file_beside_the_profiles_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Path(config.default_profile()).is_file()
    monkeypatch.setattr(config, "PROFILES", tmp_path)
    with pytest.raises(SettingsError, match="names a hub; name one"):
        config.default_profile()
    (tmp_path / "default").write_text("small\n", encoding="utf-8")
    assert config.default_profile() == str(tmp_path / "small.yaml")


# Replay


@pytest.fixture
def triaged(tmp_path: Path, hub: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the database of triage with three cases: one plain, one vulnerable, one of fraud."""
    file = tmp_path / "triage.db"
    url = f"sqlite+aiosqlite:///{file}"
    monkeypatch.setenv("TRIAGE_DATABASE_URL", url)

    async def fill() -> None:
        await migrations.upgrade("services.triage", url)
        db = Database(url, source="triage", clock=ManualClock(datetime(2026, 5, 5, 9, 0, tzinfo=UTC)))
        at = datetime(2026, 5, 5, 8, 0, tzinfo=UTC)
        referrals = [
            received(received_at=at),
            received(received_at=at, markers=["vulnerable"]),
            received(received_at=at, crime="fraud.banking"),
            received(received_at=datetime(2026, 4, 1, tzinfo=UTC), crime="fraud.banking"),
        ]
        async with db.transaction() as tx:
            await triage_referrals(tx, Deps(ProfileBook.load(hub)), [event(referral) for referral in referrals])
        await db.aclose()

    asyncio.run(fill())
    return file


def replayed(run: Run, profile: Path, since: str = "2026-05-01") -> dict[str, Any]:
    status, [line] = run("profile", "replay", "--profile", profile, "--since", since, "--json")
    assert status == 0
    found: dict[str, Any] = json.loads(line)
    return found


@pytest.mark.usefixtures("triaged")
def test_the_same_profile_would_change_nothing(run: Run, hub: Path) -> None:
    report = replayed(run, hub)
    assert (report["cases"], report["differ"], report["case_ids"]) == (3, 0, [])


@pytest.mark.usefixtures("triaged")
def test_what_would_differ_is_counted_and_named(run: Run, hub: Path) -> None:
    other = changed(
        hub,
        ("crimes: [fraud]}, reason: fraud_elsewhere", "any_marker: [vulnerable]}, reason: not_ours"),
    )

    report = replayed(run, other)

    assert (report["cases"], report["differ"]) == (3, 2)
    assert report["changes"]["outcome"] == [
        {"before": "accepted", "after": "excluded (not_ours)", "count": 1},
        {"before": "excluded (fraud_elsewhere)", "after": "accepted", "count": 1},
    ]
    assert report["changes"]["level"] == [{"before": "urgent", "after": "none", "count": 1}]
    assert len(report["case_ids"]) == 2


@pytest.mark.usefixtures("triaged")
def test_another_deadline_shows_as_another_contact(run: Run, hub: Path) -> None:
    status, lines = run(
        "profile", "replay", "--profile", changed(hub, ("amount: 2", "amount: 5")), "--since", "2026-05-01"
    )
    assert status == 0
    assert lines[:3] == ["3 cases, 2 would differ", "contacts", "       2  others would wait, or for another time"]
    assert len(lines) == 5


@pytest.mark.usefixtures("triaged")
def test_only_referrals_since_a_day_are_decided_again(run: Run, hub: Path) -> None:
    other = changed(hub, ("crimes: [fraud]", "crimes: [drugs]"))
    assert (replayed(run, other)["cases"], replayed(run, other, "2026-03-01")["cases"]) == (3, 4)


def test_replay_changes_nothing(run: Run, hub: Path, triaged: Path, tmp_path: Path) -> None:
    before = shutil.copy(triaged, tmp_path / "before.db")
    replayed(run, changed(hub, ("crimes: [fraud]", "crimes: [drugs]")))
    assert triaged.read_bytes() == Path(before).read_bytes()


def test_a_day_that_is_none_is_told(run: Run, hub: Path) -> None:
    status, lines = run("profile", "replay", "--profile", hub, "--since", "yesterday")
    assert status == 2
    assert lines[-1].endswith("yesterday is not a day, such as 2026-11-21")


def test_a_reader_may_stop_reading(hub: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "onward", "profile", "explain", str(hub)]
    with os.fdopen(writer, "w") as out:
        ended = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
