"""Event contracts: a snapshot each, changed only by addition; a publisher and a consumer each; no personal details."""

import copy
import importlib
import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest

from hubkit.contracts import BY_TYPE, CONSUMERS, PRODUCERS, Contract
from tests.contracts.snapshots import FOLDER, breaches, schema_of

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("intake", "triage", "routing", "partners")
PERSONAL = re.compile(r"name|address|postcode|phone|mail|birth|narrative|instruction(?!s$)|line|free_text|comment")
#: Fields whose names look personal and are codes or flags.
CODES = {"phone", "voicemail", "email", "has_instructions"}


@pytest.mark.parametrize("event_type", sorted(BY_TYPE))
def test_contract_changes_only_by_addition(event_type: str) -> None:
    path = FOLDER / f"{event_type}.json"
    assert path.exists(), "write it with: .venv/bin/python -m tests.contracts"
    snapshot = json.loads(path.read_text())
    current = schema_of(BY_TYPE[event_type])
    assert breaches(snapshot, current) == [], "make a new version of the event instead"
    assert json.loads(json.dumps(current)) == snapshot, (
        "additive: write the snapshot with .venv/bin/python -m tests.contracts"
    )


def test_no_snapshot_is_left_over() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == set(BY_TYPE)


def test_removed_changed_and_newly_required_fields_are_breaches() -> None:
    old = schema_of(BY_TYPE["case.opened.v1"])
    for breach, change in {
        "referral_id is gone": lambda new: new["properties"].pop("referral_id"),
        "age changed": lambda new: new["properties"].update(age={"type": "string"}),
        "age became required": lambda new: new["required"].append("age"),
        "ConsentFacts.hop is gone": lambda new: new["$defs"]["ConsentFacts"]["properties"].pop("hop"),
    }.items():
        new = copy.deepcopy(old)
        change(new)
        assert breach in breaches(old, new)
    added = copy.deepcopy(old)
    added["properties"]["new_field"] = {"type": "string"}
    assert breaches(old, added) == []


def _handlers(service: str) -> set[type[Contract]]:
    consumers = importlib.import_module(f"services.{service}.consumers")
    takes_deps = inspect.signature(consumers.handlers).parameters
    return set(consumers.handlers(*([None] * len(takes_deps))))


@pytest.mark.parametrize("service", SERVICES)
def test_declared_queues_are_the_consumed_ones(service: str) -> None:
    declared = {contract for contract, services in CONSUMERS.items() if service in services}
    assert _handlers(service) == declared


def test_every_contract_has_a_producer_and_consumers() -> None:
    assert set(PRODUCERS) == set(CONSUMERS)
    assert set(PRODUCERS.values()) <= set(SERVICES)


@pytest.mark.parametrize("event_type", sorted(BY_TYPE))
def test_contract_names_its_publisher_and_has_one(event_type: str) -> None:
    contract = BY_TYPE[event_type]
    documented = "".join(inspect.getdoc(c) or "" for c in contract.__mro__ if issubclass(c, Contract))
    publisher = re.search(r"Publisher: (\w+)", documented)
    assert publisher, f"{contract.__name__} does not say who publishes it"
    assert publisher[1] == PRODUCERS[contract]
    source = "".join(path.read_text() for path in (ROOT / "services" / publisher[1]).rglob("*.py"))
    assert contract.__name__ in source


@pytest.mark.parametrize("event_type", sorted(BY_TYPE))
def test_contract_has_no_field_for_personal_details(event_type: str) -> None:
    assert [
        name for name in _names(schema_of(BY_TYPE[event_type])) if PERSONAL.search(name) and name not in CODES
    ] == []


def _names(schema: dict[str, Any]) -> set[str]:
    parts = [schema, *schema.get("$defs", {}).values()]
    return {name for part in parts for name in part.get("properties", {})}
