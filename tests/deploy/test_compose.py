"""`docker-compose.yml` is valid, complete, closed, and uses only settings that exist."""

import importlib
import json
import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.development import generate
from hubkit.bus.rabbit import EXCHANGE
from hubkit.config import Settings
from hubkit.contracts import BY_TYPE, PRODUCERS

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
DEVELOPMENT = ROOT / "deploy" / "development"
MODULES = {
    "gateway": "gateway.settings",
    "intake": "services.intake.settings",
    "triage": "services.triage.settings",
    "routing": "services.routing.settings",
    "partners": "services.partners.settings",
}


@cache
def settings_class(deployable: str) -> type[Settings]:
    """Return the one class of settings that the deployable's `settings` module defines."""
    module = importlib.import_module(MODULES[deployable])
    (found,) = (
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Settings) and value.__module__ == module.__name__
    )
    return found


@cache
def broker_definitions() -> dict[str, Any]:
    """Return what the development broker loads at its start."""
    definitions: dict[str, Any] = json.loads((DEVELOPMENT / "rabbitmq-definitions.json").read_text(encoding="utf-8"))
    return definitions


def environment(deployable: str) -> dict[str, str]:
    """Return the variables of a deployable, its mounted secrets found in the repository."""
    variables: dict[str, str] = {}
    for name, value in COMPOSE["services"][deployable]["environment"].items():
        variables[name] = value.replace("${PORT:-8000}", "8000").replace("/app/profiles", str(ROOT / "profiles"))
        if value.startswith("/run/secrets/"):
            file = COMPOSE["secrets"][value.removeprefix("/run/secrets/")]["file"]
            variables[name] = str(ROOT / file)
    return variables


def test_the_compose_file_is_valid():
    command = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.compose-spec",
        "docker-compose.yml",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("deployable", MODULES)
def test_the_compose_file_sets_only_settings_that_exist_and_all_that_are_needed(deployable: str):
    settings = settings_class(deployable).load(environment(deployable))

    assert settings.environment == "development"


@pytest.mark.parametrize("deployable", MODULES)
def test_every_variable_has_the_prefix_of_its_deployable(deployable: str):
    prefix = settings_class(deployable).PREFIX

    assert all(name.startswith(prefix) for name in COMPOSE["services"][deployable]["environment"])


@pytest.mark.parametrize("deployable", MODULES)
def test_production_refuses_every_development_secret(deployable: str):
    variables = environment(deployable)
    for name in [name for name in variables if name.endswith("_FILE")]:
        assert "development" in Path(variables[name]).read_text(encoding="utf-8"), name


@pytest.mark.parametrize("deployable", MODULES)
def test_a_deployable_mounts_exactly_the_secrets_that_it_reads(deployable: str):
    service = COMPOSE["services"][deployable]
    read = {
        value.removeprefix("/run/secrets/")
        for value in service["environment"].values()
        if value.startswith("/run/secrets/")
    }

    assert read == set(service["secrets"])


@pytest.mark.parametrize("kind", ["secrets", "configs"])
def test_every_mounted_file_is_committed_and_used(kind: str):
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    known = tracked.stdout.split() if tracked.returncode == 0 else []
    used = {
        entry if isinstance(entry, str) else entry["source"]
        for service in COMPOSE["services"].values()
        for entry in service.get(kind, [])
    }

    assert used == set(COMPOSE[kind])
    for entry in COMPOSE[kind].values():
        assert (ROOT / entry["file"]).is_file(), entry["file"]
        assert not known or entry["file"] in known, f"{entry['file']} is not committed"


def test_every_file_of_development_says_so():
    for path in DEVELOPMENT.iterdir():
        if path.is_file():
            assert "development" in path.read_text(encoding="utf-8"), path.name


def test_only_the_gateway_is_reachable_and_only_from_this_machine():
    published = {name: service["ports"] for name, service in COMPOSE["services"].items() if "ports" in service}

    assert published == {"gateway": ["127.0.0.1:${PORT:-8000}:8000"]}
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    outside = {name for name, service in COMPOSE["services"].items() if "outside" in service["networks"]}
    assert outside == {"gateway", "partners"}


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_every_container_is_confined(name: str):
    service = COMPOSE["services"][name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["deploy"]["resources"]["limits"]["memory"]


@pytest.mark.parametrize("user", ["intake", "triage", "routing", "partners"])
def test_a_broker_user_reads_only_its_own_queues(user: str):
    """Row 44 of the bad-input matrix."""
    (permission,) = (entry for entry in broker_definitions()["permissions"] if entry["user"] == user)

    assert permission["read"] == rf"^(hub\.events|{user}\..+)$"


@pytest.mark.parametrize("user", ["intake", "triage", "routing", "partners"])
def test_a_broker_user_says_only_its_own_events(user: str):
    """Row 44 of the bad-input matrix; that the broker keeps to it is tested in test_broker.py."""
    (permission,) = (entry for entry in broker_definitions()["topic_permissions"] if entry["user"] == user)
    own = {contract.TYPE for contract, producer in PRODUCERS.items() if producer == user}

    assert (permission["vhost"], permission["exchange"]) == ("onward", EXCHANGE)
    assert {kind for kind in BY_TYPE if re.search(permission["write"], kind)} == own
    assert not [
        kind
        for kind in own
        if re.search(permission["write"], f"x.{kind}") or re.search(permission["write"], f"{kind}.x")
    ]


@pytest.mark.parametrize(
    ("part", "of"), [("permissions", generate.broker_permission), ("topic_permissions", generate.topic_permission)]
)
def test_the_broker_definitions_are_those_that_are_generated(part: str, of: Callable[[str], dict[str, str]]):
    assert broker_definitions()[part] == [of(user["name"]) for user in broker_definitions()["users"]]


@pytest.mark.parametrize("caller", ["gateway", "partners"])
def test_services_trust_the_keys_that_gateway_and_partners_sign_with(caller: str):
    private = json.loads((DEVELOPMENT / f"{caller}-internal-key.json").read_text(encoding="utf-8"))
    trusted = json.loads((DEVELOPMENT / "trusted-keys.json").read_text(encoding="utf-8"))["keys"]

    assert {name: value for name, value in private.items() if name != "d"} in trusted
    assert not [key for key in trusted if "d" in key]
