"""What happens at court opens a need, by the hub's rule alone: with a made-up hub."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.services.triage.support import Triage, profile_file, running

HUB = """
channels: [{channel: police_automatic}]
sharing: [{hop: police_to_hub, basis: public_task}]
needs:
  - {id: charged, needs: [witness_care], when: {court_events: [charge, hearing_listed]}}
  - {id: denied, needs: [witness_care], when: {court_events: [plea_entered], pleas: [not_guilty]}}
"""


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Triage]:
    async with running(tmp_path, profile_file(tmp_path, HUB)) as service:
        yield service


async def asked(hub: Triage) -> list[str]:
    """Return the needs of the case as routing heard of them last."""
    needs: list[str] = (await hub.said_of("case.triaged.v1"))[-1]["data"]["needs"]
    return needs


@pytest.mark.parametrize(
    ("event", "opens"),
    [
        ({"type": "charge", "on": "2026-12-01"}, True),
        ({"type": "hearing_listed", "on": "2026-12-01"}, True),
        ({"type": "plea_entered", "plea": "not_guilty", "on": "2026-12-01"}, True),
        ({"type": "plea_entered", "plea": "guilty", "on": "2026-12-01"}, False),
        ({"type": "sentence", "on": "2026-12-01"}, False),
    ],
)
async def test_an_event_at_court_opens_the_need_that_the_hub_names(
    hub: Triage, event: dict[str, str], opens: bool
) -> None:
    case = await hub.open_case()
    assert "witness_care" not in case["needs"]
    case = await hub.done(case, "events", event)
    assert ("witness_care" in case["needs"]) is opens
    assert ("witness_care" in await asked(hub)) is opens


async def test_news_of_an_older_event_changes_nothing(hub: Triage) -> None:
    case = await hub.done(await hub.open_case(), "events", {"type": "sentence", "on": "2027-02-01"})
    case = await hub.done(case, "events", {"type": "charge", "on": "2026-12-01"})
    assert "witness_care" not in case["needs"]


async def test_it_opens_after_an_assessment_too(hub: Triage) -> None:
    case = await hub.open_case()
    await hub.done(case, "assessments", {"needs": ["counselling"]})
    case = (await hub.get(f"/v1/cases/{case['id']}")).json()
    case = await hub.done(case, "events", {"type": "charge"})
    assert case["needs"] == ["counselling", "witness_care"]
