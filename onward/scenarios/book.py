"""Files of scenarios: read them, and take a scenario apart into what happens in one world each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import yaml

#: The fast one of the two safe loaders, where there is one.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
#: Events that ask for reports or publications.
REPORTING = frozenset({"report_due", "publication_requested"})
#: What a scenario has beside its three blocks tells of it, and decides nothing.
_KEYS = frozenset({"id", "title", "source_line", "src", "relies_on", "note", "notes", "given", "when", "then"})


class ScenarioError(Exception):
    """A file cannot be read, or a scenario cannot be brought about; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario as its file has it; `faults` say what of its form keeps it from being read."""

    hub: str
    id: str
    title: str = ""
    given: Mapping[str, Any] = field(default_factory=dict)
    when: Mapping[str, Any] = field(default_factory=dict)
    then: Mapping[str, Any] = field(default_factory=dict)
    faults: tuple[str, ...] = ()

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
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), LOADER)  # noqa: S506 - both loaders are safe ones
    except OSError as error:
        raise ScenarioError(f"{path}: {error.strerror}") from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ScenarioError(f"{path}: not YAML: {error}") from None
    hubs = document.get("hubs") if isinstance(document, dict) else None
    if not isinstance(hubs, list) or not all(isinstance(hub, dict) and "id" in hub for hub in hubs):
        raise ScenarioError(f"{path}: has no list `hubs` of hubs with an id")
    return [
        _scenario(str(hub["id"]), number, _plain(each))
        for hub in hubs
        for number, each in enumerate(hub.get("scenarios") or ())
    ]


def _scenario(hub: str, number: int, each: Any) -> Scenario:
    """Return a scenario; what is wrong with its form is its own fault, and the others of the file go on."""
    name = f"{hub}[{number}]"
    if not isinstance(each, dict):
        return Scenario(hub, name, faults=("a scenario must have keys and values",))
    faults = [] if "id" in each else ["id: missing"]
    faults += [f"{key}: unknown key" for key in each if key not in _KEYS]
    blocks = {block: each.get(block) or {} for block in ("given", "when", "then")}
    faults += [f"{block} must have keys and values" for block in blocks if not isinstance(blocks[block], dict)]
    read = {block: found if isinstance(found, dict) else {} for block, found in blocks.items()}
    return Scenario(hub, str(each.get("id", name)), str(each.get("title", "")), **read, faults=tuple(faults))


def _plain(value: Any) -> Any:
    """Return a value as JSON would have it: YAML makes dates and times of what stands without quotation marks."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, (date, datetime)) else value


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
