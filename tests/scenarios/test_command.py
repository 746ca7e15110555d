"""The command: what it prints, how it ends, and that nothing is ever skipped."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from onward import cli
from tests.scenarios.support import PROFILES, SCENARIOS

GIVEN: dict[str, Any] = {
    "now": "2024-05-14T09:10:00+01:00",
    "referral": {"source": "police_automatic", "crime": "robbery.personal", "received_at": "2024-05-14T09:10:00+01:00"},
}
GOOD: dict[str, Any] = {
    "id": "ONE",
    "title": "a robbery is taken on",
    "given": GIVEN,
    "when": {"event": "transfer_received"},
    "then": {"decision": {"outcome": "accepted", "reason": None}},
}


def changed(**changes: Any) -> dict[str, Any]:
    return {**GOOD, **changes}


def scenarios(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], *items: dict[str, Any] | str, options: tuple[str, ...] = ()
) -> tuple[int, list[str]]:
    path = tmp_path / "scenarios.yaml"
    path.write_text(yaml.safe_dump({"hubs": [{"id": "cambridgeshire", "scenarios": list(items)}]}))
    with pytest.raises(SystemExit) as ended:
        cli.main(["scenarios", str(path), "--profiles", str(PROFILES), *options])
    return int(ended.value.code or 0), capsys.readouterr().out.splitlines()


def test_one_line_each_and_a_sum(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    wrong = changed(id="TWO", then={"decision": {"outcome": "excluded"}})
    report = changed(id="THREE", title="a report", when={"event": "report_due"}, then={"report": {"every": "month"}})

    status, lines = scenarios(tmp_path, capsys, GOOD, wrong, report)

    assert status == 1
    assert lines == [
        "ok ONE a robbery is taken on",
        "FAILED TWO a robbery is taken on: decision.outcome: expected excluded, got accepted",
        "not run yet (reporting) THREE a report",
        "1 passed, 1 failed",
    ]


def test_for_machines(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    status, lines = scenarios(tmp_path, capsys, GOOD, options=("--json",))

    assert status == 0
    said = json.loads(lines[0])
    assert (said["id"], said["status"], said["faults"]) == ("ONE", "passed", [])
    assert json.loads(lines[1]) == {"passed": 1, "failed": 0, "not_run": 0}


@pytest.mark.parametrize(
    ("item", "named"),
    [
        (changed(when={"event": "volcano"}), "when.event: unknown event volcano"),
        (changed(when={}), "when.event: unknown event None"),
        (changed(when={"event": "transfer_received", "colour": "red"}), "when.colour: unknown key"),
        (changed(given={**GIVEN, "weather": "rain"}), "given.weather: unknown key"),
        (changed(given={**GIVEN, "state": {"mood": "good"}}), "given.state.mood: unknown key"),
        (changed(given={**GIVEN, "state": {"waiting": 12}}), "given.state.waiting: unknown key"),
        (changed(given={**GIVEN, "referral": {**GIVEN["referral"], "hat": 1}}), "given.referral.hat: unknown key"),
        (
            changed(given={**GIVEN, "referral": {**GIVEN["referral"], "crime": "piracy"}}),
            "given.referral.crime: unknown code piracy",
        ),
        (
            changed(given={**GIVEN, "referral": {**GIVEN["referral"], "consents": {"moon": "given"}}}),
            "given.referral.consents.moon: unknown hop",
        ),
        (
            changed(given={**GIVEN, "profile_parameters": {"size": 1}}),
            "given.profile_parameters.size: unknown parameter",
        ),
        (changed(then={"weather": "rain"}), "weather: unknown key"),
        (changed(then={"decision": {"weather": "rain"}}), "decision.weather: unknown key"),
        (changed(then={"figures": {"unicorns": 1}}), "figures.unicorns: unknown key"),
        (changed(then={"by_ref": {"z": {"level": None}}}), "by_ref.z: no referral or state has this ref"),
        (
            changed(given={"now": GIVEN["now"], "state": {"onward_referrals": 1}}, when={"event": "triage_completed"}),
            "given.state.onward_referrals: 1, but its needs name 0",
        ),
        (
            changed(
                given={"now": GIVEN["now"], "state": {"needs": ["idva"]}},
                when={"event": "rejection_recorded", "reason": "no_room"},
            ),
            "when.reason: unknown code no_room",
        ),
        (changed(then={}), "then: asserts nothing"),
        (changed(then=["accepted"]), "then must have keys and values"),
        (changed(expect={"decision": None}), "expect: unknown key"),
        (changed(given={**GIVEN, "referral": ["a"]}), "given.referral: must have keys and values"),
        (changed(given={**GIVEN, "states": {"a": {}}}), "given.states: must be a list"),
        (changed(then={"by_ref": {"a": "accepted"}}), "then.by_ref.a: must have keys and values"),
        (
            changed(given={**GIVEN, "referral": {**GIVEN["referral"], "markers": [["child"]]}}),
            "given.referral.markers: unknown code ['child']",
        ),
        (changed(given={"state": {"case": "open"}}), "given.now: missing"),
    ],
)
def test_what_is_not_known_fails_by_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], item: dict[str, Any], named: str
):
    status, lines = scenarios(tmp_path, capsys, item)

    assert status == 1
    assert lines[0].startswith("FAILED ONE")
    assert named in lines[0]
    assert lines[-1] == "0 passed, 1 failed"


def test_one_that_cannot_be_read_fails_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    nameless = {key: value for key, value in GOOD.items() if key != "id"}

    status, lines = scenarios(tmp_path, capsys, nameless, "a text", GOOD)

    assert status == 1
    assert lines == [
        "FAILED cambridgeshire[0] a robbery is taken on: id: missing",
        "FAILED cambridgeshire[1]: a scenario must have keys and values",
        "ok ONE a robbery is taken on",
        "1 passed, 2 failed",
    ]


def test_times_need_no_quotation_marks(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    now = datetime.fromisoformat(GIVEN["now"])
    referral = {**GIVEN["referral"], "received_at": now, "date_of_birth": now.date()}

    status, lines = scenarios(tmp_path, capsys, changed(given={"now": now, "referral": referral}))

    assert status == 0, lines


def test_a_hub_without_a_profile_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    status, lines = scenarios(tmp_path, capsys, GOOD, options=("--profiles", str(tmp_path)))

    assert status == 1
    assert "no profile" in lines[0]


def test_a_file_that_is_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "x.yaml"
    path.write_text("- 1")
    with pytest.raises(SystemExit) as ended:
        cli.main(["scenarios", str(path)])

    assert ended.value.code == 1
    assert "has no list `hubs`" in capsys.readouterr().err


def test_all_hubs_have_scenarios():
    assert {scenario.hub for scenario in SCENARIOS} == {path.stem for path in PROFILES.glob("*.yaml")}
