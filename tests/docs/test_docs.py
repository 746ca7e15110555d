"""The documentation names what there is, and all of it."""

import ast
import re
from pathlib import Path
from typing import get_args

import prometheus_client
import pytest

from hubkit import telemetry
from hubkit.contracts import BY_TYPE, codes
from hubkit.contracts.profile import Basis
from hubkit.migrations import settings_class
from services.partners import model
from services.partners.model import Status
from services.partners.policy import gate
from services.routing.model import PathwayStatus
from tests.docs import lifecycle, pages
from tests.docs.catalogue import PAGE, catalogue

ROOT = pages.ROOT
TOUR, GLOSSARY = ROOT / "docs" / "tour.md", ROOT / "docs" / "glossary.md"
OPERATIONS = ROOT / "docs" / "operations.md"
DEPLOYABLES = ("gateway", "services.intake", "services.triage", "services.routing", "services.partners")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def gate_reasons() -> set[str]:
    """Return the reason codes of the gate: the codes in its source that are not bases."""
    source = ast.parse(Path(gate.__file__).read_text(encoding="utf-8"))
    words = {node.value for node in ast.walk(source) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return {word for word in words if re.fullmatch(r"[a-z]+(_[a-z]+)+", word)} - set(get_args(Basis))


@pytest.mark.parametrize("page", pages.PAGES, ids=name_of)
def test_every_path_on_a_page_exists(page: Path):
    assert pages.missing_paths(page) == []


@pytest.mark.parametrize("page", pages.PAGES, ids=name_of)
def test_every_function_on_a_page_is_in_its_file(page: Path):
    named = list(pages.named_functions(page))

    assert [(name, path) for name, path in named if not pages.has_function(ROOT / path, name)] == []
    assert named or page != TOUR


@pytest.mark.parametrize("page", pages.PAGES, ids=name_of)
def test_every_make_target_on_a_page_exists(page: Path):
    assert pages.named_targets(page) <= pages.make_targets()


@pytest.mark.parametrize("page", pages.PAGES, ids=name_of)
def test_every_command_on_a_page_exists(page: Path):
    wrong = {" ".join(words): pages.wrong_word(words) for words in pages.named_commands(page)}

    assert {line: word for line, word in wrong.items() if word is not None} == {}


def test_the_readme_is_short_and_begins_with_two_commands():
    text = (ROOT / "README.md").read_text(encoding="utf-8")

    assert len(text.splitlines()) < 120
    assert {"run", "test"} <= pages.named_targets(ROOT / "README.md")


def test_every_decision_page_has_its_parts():
    found = {
        page.name: re.findall(
            r"^(?:## )?\**(Status|Date|Context|Decision|Consequences|Alternatives|Enforced by)", text, re.M
        )
        for page in sorted((ROOT / "docs" / "adr").glob("0*.md"))
        if (text := page.read_text(encoding="utf-8"))
    }

    parts = ["Status", "Date", "Context", "Decision", "Consequences", "Alternatives", "Enforced by"]
    assert found
    assert {name: each for name, each in found.items() if each != parts} == {}


def test_the_event_catalogue_is_in_step_with_the_contracts():
    assert PAGE.read_text(encoding="utf-8") == catalogue(), "write it with: .venv/bin/python -m tests.docs"


def test_the_states_are_drawn_as_the_table_of_moves_has_them():
    found = lifecycle.PAGE.read_text(encoding="utf-8")
    assert found == lifecycle.page(), "write it with: .venv/bin/python -m tests.docs"
    assert "sent --> received: receive" in found
    assert "in_support --> recalled" in found


def test_every_reason_of_the_gate_has_words():
    assert gate_reasons() - model.SHARES - set(model.GATE_REASONS) == set()


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(set(BY_TYPE), id="event types"),
        pytest.param(set(Status), id="states of an onward referral"),
        pytest.param(gate_reasons(), id="reasons of the gate"),
        pytest.param(set(get_args(Basis)), id="lawful bases"),
        pytest.param(set(PathwayStatus), id="states of a pathway"),
        pytest.param(set(codes.OUTCOMES), id="outcomes of triage"),
        pytest.param(set(codes.DATA_CATEGORIES), id="data categories"),
        pytest.param(set(codes.PAUSE_REASONS), id="reasons of a pause"),
    ],
)
def test_the_glossary_has_every_code(words: set[str]):
    assert len(words) > 4
    assert {str(word) for word in words} - set(re.findall(r"`([^`]+)`", GLOSSARY.read_text(encoding="utf-8"))) == set()


def test_the_glossary_has_every_acronym():
    text = "\n".join(pages.prose(page) for page in pages.PAGES if page != GLOSSARY)
    shouted = {word.upper() for word in re.findall(r"\b[a-z]+\b", text)}
    used = set(re.findall(r"\b[A-Z][A-Z0-9]+[A-Z]\b", text)) - shouted
    explained = set(re.findall(r"^\| ([A-Z0-9]+) \|", GLOSSARY.read_text(encoding="utf-8"), re.MULTILINE))

    assert {"API", "RFC"} <= used
    assert used - explained == set()


@pytest.mark.parametrize("module", DEPLOYABLES)
def test_operations_names_every_setting(module: str):
    settings = settings_class(module)
    text = OPERATIONS.read_text(encoding="utf-8")
    own = set(settings.model_fields) - set(settings.__mro__[1].model_fields)
    wanted = {f"{settings.PREFIX}{name.upper()}" for name in own}
    wanted |= {f"…_{name.upper()}" for name in settings.__mro__[1].model_fields}

    assert {name for name in wanted if f"`{name}`" not in text} == set()


def test_operations_names_every_command_and_every_metric():
    text = OPERATIONS.read_text(encoding="utf-8")
    metrics = {
        f"{each._name}{'_total' if isinstance(each, prometheus_client.Counter) else ''}"
        for each in vars(telemetry).values()
        if isinstance(each, (prometheus_client.Counter, prometheus_client.Gauge, prometheus_client.Histogram))
    }

    assert {command for command in pages.commands() if f"onward {command}" not in text} == set()
    assert {metric for metric in metrics if metric not in text} == set()
    assert len(metrics) > 10
