"""No hub's id or name, and no scenario's id, stands in Python outside the tests: what differs is in profiles."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FOLDERS = ("hubkit", "services", "gateway", "onward", "examples", "bench", "deploy")
PROFILES = sorted((ROOT / "profiles").glob("*.yaml"))
FILES = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]


@cache
def hub_words() -> set[str]:
    """Return ids, names and areas of all hubs; of a name with an addition, also the name alone."""
    words: set[str] = set()
    for path in PROFILES:
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            given = {document["id"], document["name"], document.get("force_area") or document["id"]}
            words |= given | {re.sub(r"\s*[(,].*", "", word) for word in given}
    return {word for word in words if not is_generic(word)}


def is_generic(word: str) -> bool:
    """Return whether a name is made of words that every hub uses, such as "Victim Hub"."""
    generic = {"victim", "victims'", "victims", "hub", "hubs", "care", "unit", "bureau", "service", "services", "first"}
    return set(re.split(r"[\s-]+", word.lower())) <= generic


@cache
def scenario_ids() -> set[str]:
    known = yaml.safe_load((ROOT / "tests" / "scenarios" / "hubs.yaml").read_text(encoding="utf-8"))
    return {str(scenario["id"]) for scenario in _scenarios(known)}


def _scenarios(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "scenarios":
                yield from item
            else:
                yield from _scenarios(item)
    elif isinstance(value, list):
        for item in value:
            yield from _scenarios(item)


def found(words: set[str], text: str) -> list[str]:
    """Return which of the words stand in a text by themselves: ids in any letters, names as they are written.

    A part of a longer name in code counts too (`north_wales_rules`), and so does a word without its hyphen.
    """
    lowered = text.lower()
    return [word for word in sorted(words) if _SEAM.split(word.lower())[0] in lowered and _stands(word, text)]


#: What parts a name, in prose and in code.
_SEAM = re.compile(r"[\s_-]+")


def _stands(word: str, text: str) -> bool:
    flags = re.IGNORECASE if " " not in word else re.NOFLAG
    spelled = r"[\s_-]*".join(re.escape(part) for part in _SEAM.split(word))
    return re.search(rf"(?<![^\W_]){spelled}(?![^\W_])", text, flags) is not None


def test_there_is_something_to_look_for() -> None:
    assert len(PROFILES) >= 20
    assert len(hub_words()) > 40
    assert len(scenario_ids()) > 50
    assert len(FILES) > 150


@pytest.mark.parametrize(
    "text",
    ["North-Wales", "Thames Valley", 'hub == "kent"', "# as in Dyfed-Powys", "AVS-02", "is_kent", "NORTH_WALES_RULES",
     "def thamesvalley()"],
)  # fmt: skip
def test_a_hub_or_scenario_is_found(text: str) -> None:
    assert found(hub_words() | scenario_ids(), text) != []


@pytest.mark.parametrize("text", ["victim hub", "kentish", "the victim care unit", "first", "on supporting victims"])
def test_generic_words_are_not(text: str) -> None:
    assert found(hub_words() | scenario_ids(), text) == []


def test_no_hub_and_no_scenario_stands_in_python() -> None:
    words = hub_words() | scenario_ids()
    named = {
        str(path.relative_to(ROOT)): hits for path in FILES if (hits := found(words, path.read_text(encoding="utf-8")))
    }
    assert named == {}
