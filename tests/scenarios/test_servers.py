"""Every scenario holds on RabbitMQ and PostgreSQL too."""

import pytest

from onward.scenarios.book import Scenario
from onward.scenarios.grounds import Grounds
from onward.scenarios.play import play
from tests.scenarios.support import PLAYED, PROFILES, identified
from tests.support.access import Databases


@pytest.mark.parametrize("scenario", PLAYED, ids=identified)
async def test_scenario_holds(server_grounds: Grounds, scenario: Scenario):
    result = await play(server_grounds, scenario, PROFILES)

    assert result.status == "passed", result.faults


def test_nothing_else_stands_on_the_server(server_grounds: Grounds, postgres_server: Databases):
    found = postgres_server.execute("SELECT datname FROM pg_database WHERE datname LIKE 'onward_scenarios%'")

    assert len(found) == 5
