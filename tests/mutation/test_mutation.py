"""The mutation run covers what decides about disclosure, and its figures are counted right."""

import tomllib
from pathlib import Path

from tests.mutation.report import report

ROOT = Path(__file__).resolve().parents[2]
CONFIGURED = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mutmut"]
#: Policy of the partners service that decides neither about disclosure nor about agreements.
ELSEWHERE = {
    "__init__", "amendments", "breaker", "demonstration", "feed", "information", "listing", "oruk", "payloads",
    "retry", "telling", "transitions",
}  # fmt: skip


def test_every_policy_that_decides_about_disclosure_is_mutated():
    policy = {path.stem for path in (ROOT / "services" / "partners" / "policy").glob("*.py")}
    assert {Path(path).stem for path in CONFIGURED["only_mutate"]} == policy - ELSEWHERE


def test_the_run_has_every_test_that_it_names():
    selected = CONFIGURED["pytest_add_cli_args_test_selection"]
    assert [path for path in selected if not (ROOT / path).is_file()] == []


def test_the_page_names_every_mutated_file():
    page = (ROOT / "docs" / "mutation.md").read_text(encoding="utf-8")
    assert [path for path in CONFIGURED["only_mutate"] if f"`{path}`" not in page] == []


def test_what_is_killed_is_counted_by_module_and_what_lives_is_named():
    lines, good = report([
        "    services.a.x_one__mutmut_1: killed\n",
        "    services.a.x_one__mutmut_2: survived\n",
        "    services.a.xǁTermǁholds_on__mutmut_1: timeout\n",
        "    services.b.x_two__mutmut_1: no tests\n",
        "anything else\n",
    ])  # fmt: skip
    assert [line.split() for line in lines] == [
        ["services.a", "2", "of", "3", "66.7", "%"],
        ["services.b", "0", "of", "1", "0.0", "%"],
        ["all", "2", "of", "4", "50.0", "%"],
        ["survived:", "services.a.x_one__mutmut_2"],
        ["no", "tests:", "services.b.x_two__mutmut_1"],
    ]
    assert not good


def test_the_goal_is_95_percent_of_something():
    def results(alive: int) -> list[str]:
        return [f"services.a.x_one__mutmut_{n}: {'survived' if n < alive else 'killed'}" for n in range(100)]

    assert report(results(alive=5))[1]
    assert not report(results(alive=6))[1]
    assert not report([])[1]
