"""Where the scenarios of the tests come from, and how they are chosen."""

from pathlib import Path

from onward.scenarios.book import Scenario, read_book

HERE = Path(__file__).parent
PROFILES = HERE.parents[1] / "profiles"
SCENARIOS = read_book(HERE / "hubs.yaml")
PLAYED = [scenario for scenario in SCENARIOS if not scenario.is_reporting]
#: What else the sources say, in the same words.
FURTHER = [scenario for path in sorted(HERE.glob("further*.yaml")) for scenario in read_book(path)]


def identified(scenario: Scenario) -> str:
    return scenario.id
