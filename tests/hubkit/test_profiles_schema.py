"""The JSON Schema that editors use: current, and of one mind with what is checked."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from hubkit.profiles import editor_schema
from hubkit.profiles.document import read_documents
from tests.hubkit.test_profiles_mistakes import CHANNELS, HEAD, MISTAKES

SNAPSHOT = Path("profiles/schema/profile.schema.json")
FILES = [*sorted(Path("profiles").glob("*.yaml")), Path("tests/hubkit/whole.yaml")]
#: Mistakes of form and vocabulary: an editor sees them as well.
FORMAL = (
    "channel", "crime", "marker, nested", "role, nested", "finding", "plea", "decision", "hop", "basis", "method",
    "kind", "category", "location", "ground", "unknown key", "key of a condition", "missing key", "text for list",
    "no group", "clock unit", "clock start", "negative clock", "time of day",
)  # fmt: skip


def faults(document: Any) -> list[str]:
    return [error.message for error in jsonschema.Draft202012Validator(editor_schema()).iter_errors(document)]


def test_the_snapshot_is_current() -> None:
    written = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    assert written == editor_schema(), f"onward profile schema > {SNAPSHOT}"


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(editor_schema())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_profiles_are_right_by_it_parameters_and_all(path: Path) -> None:
    assert [faults(document.value) for document in read_documents(path)] == [[] for _ in read_documents(path)]


@pytest.mark.parametrize("mistake", FORMAL)
def test_mistakes_of_form_are_seen_by_editors(tmp_path: Path, mistake: str) -> None:
    text, _ = MISTAKES[mistake]
    (tmp_path / "hub.yaml").write_text(HEAD + ("" if text.startswith("channels") else CHANNELS) + text)
    [document] = read_documents(tmp_path / "hub.yaml")

    assert faults(document.value) != []
