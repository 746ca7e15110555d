"""The page that leads an analyst to a profile: its reference is current, its example works, its scenarios hold."""

import re
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from hubkit.contracts.referral import ReferralReceivedV1
from hubkit.profiles import ProfileBook
from hubkit.profiles.schema import model_schema
from onward import cli
from services.triage.model import Progress, Triaged
from services.triage.policy.rulebook import Rulebook
from services.triage.policy.triage import decide
from tests.docs import reference
from tests.services.triage.facts import received

SCENARIOS = ("WEX-01", "WEX-02", "WEX-03")


@cache
def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", reference.PAGE.read_text(encoding="utf-8"), re.M | re.S)


def block_with(words: str, language: str = "yaml") -> str:
    [found] = [block for block in blocks(language) if words in block]
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of profiles that has the page's example."""
    path = tmp_path / "profiles"
    path.mkdir()
    (path / "wexmoor.yaml").write_text(block_with("name: Wexmoor"), encoding="utf-8")
    return path


def ended(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main([str(each) for each in arguments])
    return int(str(ended.value.code))


def test_the_reference_is_current() -> None:
    assert reference.page() == reference.PAGE.read_text(encoding="utf-8"), "python -m tests.docs"


def test_the_reference_has_every_part_and_field_with_words() -> None:
    text = reference.reference()
    parts = {"Profile": model_schema(), **model_schema()["$defs"]}
    fields = {(name, field) for name, part in parts.items() for field in part.get("properties", ())}
    assert len(fields) > 150
    assert [field for _, field in fields if f"| `{field}`" not in text] == []
    assert [
        (name, field) for name, field in sorted(fields) if not parts[name]["properties"][field].get("description")
    ] == []


def test_the_example_has_no_mistake(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("profile", "check", folder / "wexmoor.yaml") == 0
    assert "right (Wexmoor Support for Victims, version 2026, 2027)" in capsys.readouterr().out


def test_the_mistakes_that_the_page_shows_are_told_so(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = folder / "wexmoor.yaml"
    text = file.read_text(encoding="utf-8").replace("non_crime.fire]", "non_crime.firee]")
    file.write_text(text.replace("unit: working_days}\n    source: Hub", "unit: working_day}\n    source: Hub"))
    monkeypatch.chdir(folder.parent)

    assert ended("profile", "check", "profiles/wexmoor.yaml") == 1

    told = capsys.readouterr().out.splitlines()[:-1]
    assert told == block_with("profiles/wexmoor.yaml:", "text").splitlines()


def example(folder: Path, day: datetime, **parameters: Any) -> Rulebook:
    return Rulebook.of(ProfileBook.load(folder / "wexmoor.yaml", parameters).current(day))


def scenario(id: str) -> dict[str, Any]:
    [hub] = yaml.safe_load(block_with("WEX-01"))["hubs"]
    found: dict[str, Any] = next(each for each in hub["scenarios"] if each["id"] == id)
    return found


def decided(folder: Path, referral: ReferralReceivedV1, **parameters: Any) -> Triaged:
    return decide(example(folder, referral.received_at, **parameters), referral, referral.received_at)


@pytest.mark.parametrize("id", SCENARIOS)
def test_the_scenarios_hold_by_the_rules_alone(folder: Path, id: str) -> None:
    given, then = scenario(id)["given"]["referral"], scenario(id)["then"]
    facts = {"channel": given["source"], "crime": given["crime"], "markers": given["markers"], "age": None}

    found = decided(folder, received(received_at=given["received_at"], **facts))

    decision = then.get("decision", {"outcome": "accepted"})
    assert {name: getattr(found.decision, name) for name in decision} == decision
    assert found.level == then.get("triage", {}).get("level")
    assert [contact.due_at for contact in found.contacts] == [
        datetime.fromisoformat(contact["due"]) for contact in then["contacts"]
    ]


def test_the_scenarios_hold_when_they_are_played(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "wexmoor-scenarios.yaml").write_text(block_with("WEX-01"), encoding="utf-8")

    status = ended("scenarios", tmp_path / "wexmoor-scenarios.yaml", "--profiles", folder)

    assert (status, capsys.readouterr().out.splitlines()[-1]) == (0, "3 passed, 0 failed")


def test_the_second_version_begins_on_its_day(folder: Path) -> None:
    last, first = datetime(2026, 12, 31, 23, 59, tzinfo=UTC), datetime(2027, 1, 1, 0, 0, tzinfo=UTC)

    assert [example(folder, moment).profile.version for moment in (last, first)] == ["2026", "2027"]
    assert [
        decided(folder, received(received_at=at, crime="damage.arson")).decision.outcome for at in (last, first)
    ] == [
        "excluded",
        "accepted",
    ]


def test_the_parameter_brings_its_rule(folder: Path) -> None:
    referral = received(received_at=datetime(2026, 6, 3, 9, 0, tzinfo=UTC))

    def contacts(**parameters: Any) -> list[str]:
        rulebook = example(folder, referral.received_at, **parameters)
        found = decide(rulebook, referral, referral.received_at, Progress(failed_attempts=3))
        return [contact.rule_id for contact in found.contacts]

    assert contacts() == ["later_call"]
    assert contacts(attempts_before_letter=3) == ["later_call", "letter"]
    assert contacts(attempts_before_letter=4) == ["later_call"]
