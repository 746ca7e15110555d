"""What a data folder is given for a hub, what it keeps, and what somebody is told to try first."""

import json
import stat
from pathlib import Path
from typing import Any

from hubkit.contracts.profile import Profile
from onward.development import load_secrets, write_demo
from onward.run import tries


def hub(*partners: dict[str, Any], channel: str = "police_automatic", **parts: Any) -> Profile:
    channels = [{"channel": "self_referral"}, {"channel": channel}]
    values = {"id": "x", "name": "X", "version": "1", "channels": channels, "partners": partners}
    return Profile.model_validate(values | parts)


ADVISERS = hub(
    {"name": "Advisers", "kind": "idva"},
    {"name": "More advisers", "kind": "idva"},
    {"name": "Young people", "organisation": "Advisers", "kind": "children_young_people"},
    demonstration_kinds=["counselling"],
)
ROADS = hub({"name": "Roads", "kind": "road_harm"}, {"name": "Other advisers", "kind": "idva"})


def test_a_folder_gets_a_client_for_every_partner_of_the_hub(tmp_path: Path) -> None:
    made = load_secrets(tmp_path / "data", ADVISERS)
    assert {name: each["organisation"] for name, each in made["clients"].items()} == {
        "police": "police-development",
        "hub": "hub-development",
        "idva": "demo-idva",
        "idva_2": "demo-idva-2",
        "counselling": "demo-counselling",
    }
    assert set(made["clients"]["hub"]["scopes"]) == {
        "cases:read", "cases:write", "directory:write", "agreements:read", "agreements:write",
    }  # fmt: skip
    assert made["clients"]["idva"]["scopes"] == ["onward:read", "onward:write", "webhooks:manage"]
    assert stat.S_IMODE((tmp_path / "data" / "secrets.json").stat().st_mode) == 0o600


def test_another_hub_in_the_same_folder_adds_what_is_missing_and_changes_no_key(tmp_path: Path) -> None:
    first = load_secrets(tmp_path, ADVISERS)
    second = load_secrets(tmp_path, ROADS)
    assert set(second["clients"]) - set(first["clients"]) == {"road_harm"}
    assert {name: second["clients"][name] for name in first["clients"]} == first["clients"]
    assert {**second, "clients": first["clients"]} == first
    assert load_secrets(tmp_path, ROADS) == load_secrets(tmp_path) == second


def test_a_folder_of_before_gets_todays_scopes(tmp_path: Path) -> None:
    made = load_secrets(tmp_path, ROADS)
    path = tmp_path / "secrets.json"
    old = json.loads(path.read_text())
    old["clients"]["hub"]["scopes"] = ["cases:read"]
    path.write_text(json.dumps(old))
    assert load_secrets(tmp_path, ROADS) == made


def test_what_to_try_first_fits_the_hub(tmp_path: Path) -> None:
    demo = write_demo(tmp_path, "http://hub", {})
    said = tries(hub({"name": "Roads", "kind": "road_harm"}, channel="police_case_by_case"), "http://hub", demo)
    assert f"partner_receiver.py --demo {demo} --kind road_harm" in said
    assert f"police_client.py --demo {demo} --need road_harm --channel police_case_by_case" in said
    assert f"onward --data {tmp_path} --help" in said


def test_a_service_that_takes_anything_is_asked_for_counselling(tmp_path: Path) -> None:
    said = tries(hub({"name": "Anybody", "kind": "other"}, {"name": "A", "kind": "idva"}), "http://hub", tmp_path / "d")
    assert "--kind other" in said
    assert "--need" not in said


def test_nobody_is_suggested_where_the_hub_refers_to_nobody() -> None:
    said = tries(hub({"name": "A", "kind": "other", "route": "signpost"}), "http://hub", Path(".data/demo.json"))
    assert "examples/" not in said


def test_the_usual_folder_needs_no_options() -> None:
    said = tries(ADVISERS, "http://hub", Path(".data/demo.json"))
    assert "partner_receiver.py  " in said
    assert "police_client.py  " in said
    assert "--demo" not in said
