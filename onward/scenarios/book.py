"""Files of scenarios: read them, and take a scenario apart into what happens in one world each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

#: Events that ask for reports or publications.
REPORTING = frozenset({"report_due", "publication_requested"})


class ScenarioError(Exception):
    """A file cannot be read, or a scenario cannot be brought about; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario as its file has it."""

    hub: str
    id: str
    title: str = ""
    given: Mapping[str, Any] = field(default_factory=dict)
    when: Mapping[str, Any] = field(default_factory=dict)
    then: Mapping[str, Any] = field(default_factory=dict)

    @property
    def event(self) -> str:
        """What happens."""
        return str(self.when.get("event"))

    @property
    def is_reporting(self) -> bool:
        """Whether it asks for a report or a publication."""
        return self.event in REPORTING


@dataclass(frozen=True, slots=True)
class Part:
    """What happens in one world: some referrals, or one state, or both.

    Attributes
    ----------
    refs
        The `ref` of each referral, or of the state; None where the scenario has only one.
    then
        What is asserted of each ref; what is asserted of all stands under None.
    """

    refs: tuple[str | None, ...]
    referrals: tuple[Mapping[str, Any], ...]
    state: Mapping[str, Any]
    then: Mapping[str | None, Mapping[str, Any]]


def read_book(path: Path) -> list[Scenario]:
    """Return the scenarios of a file in its order.

    Raises
    ------
    ScenarioError
        When it is not a file of hubs with scenarios.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), loader)  # noqa: S506 - both loaders are safe ones
    except OSError as error:
        raise ScenarioError(f"{path}: {error.strerror}") from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ScenarioError(f"{path}: not YAML: {error}") from None
    hubs = document.get("hubs") if isinstance(document, dict) else None
    if not isinstance(hubs, list) or not all(isinstance(hub, dict) and "id" in hub for hub in hubs):
        raise ScenarioError(f"{path}: has no list `hubs` of hubs with an id")
    return [_scenario(hub["id"], each) for hub in hubs for each in hub.get("scenarios") or ()]


def _scenario(hub: str, each: Any) -> Scenario:
    if not isinstance(each, dict) or "id" not in each:
        raise ScenarioError(f"{hub}: a scenario has no id")
    blocks = {name: each.get(name) or {} for name in ("given", "when", "then")}
    faults = [name for name, block in blocks.items() if not isinstance(block, dict)]
    if faults:
        raise ScenarioError(f"{each['id']}: {', '.join(faults)} must have keys and values")
    return Scenario(str(hub), str(each["id"]), str(each.get("title", "")), **blocks)


def parts_of(scenario: Scenario) -> Iterator[Part]:
    """Yield the parts of a scenario: each of several states has a world of its own, referrals come into one."""
    given = scenario.given
    states: Sequence[Mapping[str, Any]] = given.get("states") or [given.get("state") or {}]
    referrals = tuple(given.get("referrals") or ([given["referral"]] if given.get("referral") else []))
    by_ref: Mapping[str, Any] = scenario.then.get("by_ref") or {}
    common = {key: value for key, value in scenario.then.items() if key != "by_ref"}
    for state in states:
        items = referrals or (state,)
        refs = tuple(item.get("ref") for item in items)
        then: dict[str | None, Mapping[str, Any]] = {ref: by_ref[ref] for ref in refs if ref in by_ref}
        yield Part(refs, referrals, state, {**then, None: common})


def instant(value: Any, what: str) -> datetime:
    """Return a moment that a scenario names.

    Raises
    ------
    ScenarioError
        When it is not one, or has no offset.
    """
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        raise ScenarioError(f"{what}: {value} is not a date and time") from None
    if moment.tzinfo is None:
        raise ScenarioError(f"{what}: {value} has no offset")
    return moment
