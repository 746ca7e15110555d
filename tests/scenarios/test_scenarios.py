"""Every scenario holds on the one-machine hub."""

import pytest

from onward.scenarios.book import Scenario
from onward.scenarios.grounds import Grounds
from onward.scenarios.play import play
from tests.scenarios.support import FURTHER, PLAYED, PROFILES, identified


@pytest.mark.parametrize("scenario", PLAYED + FURTHER, ids=identified)
async def test_scenario_holds(grounds: Grounds, scenario: Scenario):
    result = await play(grounds, scenario, PROFILES)

    assert result.status == "passed", result.faults
