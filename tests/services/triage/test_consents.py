"""What the person decides after the referral was received: rules that ask for it are asked again."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hubkit.contracts import ConsentRecordedV1, ConsentWithdrawnV1
from hubkit.ids import new_id
from tests.services.triage.support import NOW, Triage, profile_file, running

HUB = """
exclusions:
  - id: refused
    when: {consents: [{hop: police_to_hub, decisions: [refused, withdrawn]}]}
    reason: victim_opted_out
    withheld_reason: opted_out
contacts: [{id: first, purpose: initial}]
surveys: [{id: during, instrument: survey, trigger: during_service, sent_on: survey_due, methods: [email],
           refused_reason: no_survey_consent}]
"""


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Triage]:
    async with running(tmp_path, profile_file(tmp_path, HUB)) as service:
        yield service


def said(case: dict[str, Any], hop: str, decision: str, minutes: int = 0, **more: Any) -> ConsentRecordedV1:
    contract = ConsentWithdrawnV1 if decision == "withdrawn" else ConsentRecordedV1
    at = NOW + timedelta(minutes=minutes)
    return contract(consent_id=new_id(), case_id=case["id"], hop=hop, decision=decision, recorded_at=at, **more)


async def read(hub: Triage, case: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = (await hub.get(f"/v1/cases/{case['id']}")).json()
    return answer


async def test_a_survey_goes_to_who_agreed_later(hub: Triage) -> None:
    case = await hub.open_case()
    await hub.hear(said(case, "survey", "given"))
    case = await hub.done(await read(hub, case), "surveys", {})
    assert [(each["sent"], each["reason"]) for each in case["surveys"]] == [(True, None)]


async def test_who_opts_out_later_is_excluded_and_may_come_back(hub: Triage) -> None:
    case = await hub.open_case()
    await hub.hear(said(case, "police_to_hub", "withdrawn", 10))
    left = await read(hub, case)
    assert (left["status"], left["decision"]["reason"], left["contacts"]) == ("excluded", "victim_opted_out", [])
    assert "consent.decided" in {entry["type"] for entry in left["timeline"]}
    await hub.hear(said(case, "police_to_hub", "given", 20))
    assert (await read(hub, case))["status"] == "open"


async def test_older_news_changes_nothing(hub: Triage) -> None:
    case = await hub.open_case()
    await hub.hear(said(case, "police_to_hub", "refused", 10))
    await hub.hear(said(case, "police_to_hub", "given", 5))
    assert (await read(hub, case))["status"] == "excluded"


@pytest.mark.parametrize(
    "about", [{"hop": "hub_to_partner"}, {"hop": "survey", "recipients": ("counselling",)}], ids=["gate", "recipient"]
)
async def test_what_no_rule_asks_for_is_only_noted(hub: Triage, about: dict[str, Any]) -> None:
    case = await hub.open_case()
    await hub.hear(said(case, decision="given", **about))
    after = await read(hub, case)
    assert after["version"] == case["version"]
    assert after["timeline"][-1]["type"] == "consent.recorded.v1"
