"""`onward retention`: by the profile, not before its day, not while it is held, recorded and proved."""

import asyncio
import json
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml

from hubkit.clock import SystemClock
from hubkit.contracts import Event, ReferralReceivedV1
from hubkit.db import Database
from hubkit.ids import new_id
from hubkit.profiles import ProfileBook
from onward import operate
from services.intake.actions.retention import Erased, is_gone
from services.intake.store import persons
from services.triage.actions.deps import Deps
from services.triage.actions.triage import triage_referrals
from tests.onward.test_person import PROFILE, Run, fault, folder, intake_deps, made, received, run

__all__ = ["folder", "made", "run"]

KEEPS = [
    {"ends": ["closed"], "days": 100},
    {"ends": ["closed"], "days": 1000, "when": {"max_age": 17}},
    {"ends": ["excluded"], "days": 30},
]
DETAILS = ("given_name", "phone", "narrative", "identity_index", "phone_index", "email_index")


@pytest.fixture(autouse=True)
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the hub here a profile that says how long persons are kept."""
    [document] = list(yaml.safe_load_all(PROFILE.read_text()))
    path = tmp_path / "kept.yaml"
    path.write_text(yaml.safe_dump(document | {"retention": KEEPS}))
    monkeypatch.setattr(operate, "default_profile", lambda: str(path))


def triaged(folder: Path, status: str, days_ago: int) -> None:
    """Let triage take up what intake said, and let every case have ended so long ago."""
    with sqlite3.connect(folder / "intake.db") as connection:
        bodies = [json.loads(body) for (body,) in connection.execute("SELECT body FROM outbox")]
    connection.close()

    async def do() -> None:
        db = Database(f"sqlite+aiosqlite:///{folder}/triage.db", source="triage", clock=SystemClock())
        events: list[Event[Any]] = [
            Event(new_id(), body["type"], "intake", "s", datetime.now(UTC), ReferralReceivedV1(**body["data"]))
            for body in bodies
        ]
        async with db.transaction() as tx:
            await triage_referrals(tx, Deps(ProfileBook.load(str(PROFILE))), events)
        await db.aclose()

    asyncio.run(do())
    at = (datetime.now(UTC) - timedelta(days=days_ago)).isoformat()
    with sqlite3.connect(folder / "triage.db") as connection:
        connection.execute("UPDATE case_record SET status = ?, changed_at = ?", (status, at.replace("T", " ")[:26]))
    connection.close()


def left(folder: Path, id: str) -> list[str]:
    with sqlite3.connect(folder / "intake.db") as connection:
        query = f"SELECT {', '.join(DETAILS)} FROM person WHERE referral_id = '{id.replace('-', '')}'"
        [row] = connection.execute(query).fetchall()
    connection.close()
    return [name for name, value in zip(DETAILS, row, strict=True) if value is not None]


def plan(run: Run) -> dict[str, Any]:
    return dict(json.loads("\n".join(run("retention", "plan", "--json"))))


def test_a_person_is_deleted_once_the_time_is_over_and_it_is_recorded_and_proved(run: Run, folder: Path) -> None:
    id, other = received(folder, narrative="a story"), received(folder, reference="CMS-2")
    triaged(folder, "closed", 101)
    assert plan(run)["intake"]["ids"] == sorted([id, other])
    assert len(left(folder, id)) == len(DETAILS)

    [said] = run("retention", "run", "--by", "dpo")

    assert said == "2 persons deleted and recorded, 2 proved, 0 held"
    assert left(folder, id) == []
    account = json.loads("\n".join(run("person", "account", "--referral", id, "--json")))
    assert account["referrals"] == [id]  # no index finds the other one
    [record] = [line["codes"] for line in account["lines"] if line["what"] == "subject_record"]
    assert (record["kind"], record["details"]["end"], record["details"]["days"]) == ("deletion", "closed", 100)
    assert "narrative" in record["details"]["fields"]
    assert [line["what"] for line in account["lines"] if line["service"] == "triage"].count("decision") == 1
    assert fault(folder) is None
    assert plan(run)["intake"] == {"would_be_deleted": 0, "held": 0, "ids": [], "held_ids": {}}


@pytest.mark.parametrize(
    ("status", "days_ago", "born"),
    [("closed", 99, "1990-02-03"), ("open", 5000, "1990-02-03"), ("closed", 999, "2015-02-03")],
)
def test_nobody_is_deleted_before_the_longest_time_that_applies(
    run: Run, folder: Path, status: str, days_ago: int, born: str
) -> None:
    id = received(folder, date_of_birth=born)
    triaged(folder, status, days_ago)
    assert plan(run)["triage"]["due"] == 0
    run("retention", "run", "--by", "dpo")
    assert left(folder, id)


def test_a_silent_profile_keeps_everybody(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operate, "default_profile", lambda: str(PROFILE))
    received(folder)
    triaged(folder, "closed", 30_000)
    assert plan(run)["triage"]["due"] == 0


def test_a_hold_keeps_a_person_until_it_ends(run: Run, folder: Path) -> None:
    id = received(folder)
    triaged(folder, "closed", 101)
    arguments = ("--referral", id, "--reason", "live_prosecution", "--by", "dpo")
    run("retention", "hold", "add", *arguments, "--until", "2001-01-01")
    [hold] = run("retention", "hold", "add", *arguments)
    assert [json.loads(line)["id"] for line in run("retention", "hold", "list")] == [hold]
    assert plan(run)["intake"]["held_ids"] == {id: ["live_prosecution"]}
    assert run("retention", "run", "--by", "dpo") == ["0 persons deleted and recorded, 0 proved, 1 held"]
    assert left(folder, id)

    run("retention", "hold", "remove", hold, "--by", "dpo")
    run("retention", "run", "--by", "dpo")
    assert left(folder, id) == []
    [said] = run("retention", "hold", "remove", hold, "--by", "dpo", status=1)
    assert "no such hold" in said


def test_the_proof_fails_while_anything_of_the_person_is_left(folder: Path) -> None:
    id = received(folder)

    async def proved() -> bool:
        db = Database(f"sqlite+aiosqlite:///{folder}/intake.db", source="intake", clock=SystemClock())
        async with db.reading() as tx:
            found = await is_gone(tx, intake_deps(folder), Erased(UUID(id), persons.UNKNOWN))
        await db.aclose()
        return found

    assert not asyncio.run(proved())
    with sqlite3.connect(folder / "intake.db") as connection:
        connection.execute(f"UPDATE person SET {', '.join(f'{name} = NULL' for name in persons.SEALED)}")
    connection.close()
    assert not asyncio.run(proved())  # an index is left, and nothing is on record
