"""What a scenario has brought into its world so far, and the few ways in which it acts there."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from hubkit.contracts.profile import Profile
from hubkit.ids import new_id
from onward.scenarios.book import Part, Scenario, ScenarioError
from onward.scenarios.directory import Directory
from onward.scenarios.referrals import referral, unit_of
from onward.scenarios.vocabulary import as_list
from onward.scenarios.world import World

#: The name of the police's client, and of the hub's own.
POLICE: Final = "police"


@dataclass
class Stage:
    """One part of a scenario in its world.

    Attributes
    ----------
    now
        When the event happens.
    bodies
        The referrals as they were sent, in the order of `part.refs`.
    cases
        The ids of their cases, in the same order.
    access
        What requests for access were answered.
    matching
        A need for each service that is to match the case.
    """

    world: World
    profile: Profile
    scenario: Scenario
    part: Part
    now: datetime
    directory: Directory
    bodies: list[dict[str, Any]] = field(default_factory=list)
    cases: list[str] = field(default_factory=list)
    access: list[dict[str, Any]] = field(default_factory=list)
    matching: list[str] = field(default_factory=list)

    @property
    def state(self) -> Mapping[str, Any]:
        """What the scenario says was so before the event."""
        return self.part.state

    @property
    def when(self) -> Mapping[str, Any]:
        """The event."""
        return self.scenario.when

    @property
    def needs(self) -> list[str]:
        """The needs that the event is about: its own, else those of the state."""
        return list(as_list(self.when.get("need", self.when.get("needs"))) or as_list(self.state.get("needs")))

    async def case(self, case_id: str) -> dict[str, Any]:
        """Return a case as staff see it."""
        found: dict[str, Any] = await self.world.get(f"/v1/cases/{case_id}")
        return found

    async def act(self, case_id: str, call: str, body: Mapping[str, Any]) -> Any:
        """Make a call about a case, with its version."""
        path = f"/v1/cases/{case_id}"
        return await self.world.change(path, f"{path}/{call}", {k: v for k, v in body.items() if v is not None})

    async def send(self, facts: Sequence[Mapping[str, Any]], at: datetime, *, as_file: bool = False) -> list[str]:
        """Send referrals, together or as one file, and return the ids of their cases once the hub is at rest."""
        bodies = [referral(self._whole(each), at, each.get("purpose")) for each in facts]
        sent = await (self._transfer(bodies) if as_file else self._post(bodies))
        await self.world.rest()
        self.bodies, self.cases = bodies, [await self._case_of(id) for id in sent]
        return self.cases

    def _whole(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a referral says, with its unit as the hub calls it, and the needs of all that is to match it."""
        needs = dict.fromkeys([*as_list(facts.get("needs")), *self.matching])
        return {**facts, "unit": unit_of(self.profile, facts.get("unit")), "needs": list(needs)}

    async def correct(self, number: int, changes: Mapping[str, Any]) -> None:
        """Send a referral again with changes: a correction of its source."""
        body = self.bodies[number]
        self.bodies[number] = {
            key: {**value, **changes[key]} if isinstance(value, dict) and key in changes else changes.get(key, value)
            for key, value in (dict.fromkeys(changes) | body).items()
        }
        await self._post([self.bodies[number]])

    async def _post(self, bodies: Sequence[Mapping[str, Any]]) -> list[str]:
        async def post(body: Mapping[str, Any]) -> str:
            headers = {"Idempotency-Key": str(new_id())}
            return str((await self.world.call(POLICE, "POST", "/v1/referrals", json=body, headers=headers)).body["id"])

        return list(await asyncio.gather(*(post(body) for body in bodies)))

    async def _transfer(self, bodies: Sequence[Mapping[str, Any]]) -> list[str]:
        content = "".join(f"{json.dumps(body)}\n" for body in bodies)
        headers = {"Content-Type": "application/x-ndjson"}
        taken = await self.world.call(POLICE, "POST", "/v1/transfers", content=content, headers=headers)
        rows = (await self.world.get(f"/v1/transfers/{taken.body['id']}/rows", POLICE))["items"]
        faults = [f"{fault['pointer']} {fault['code']}" for row in rows for fault in row["errors"]]
        if faults:
            raise ScenarioError(f"the transfer was refused: {'; '.join(faults)}")
        return [row["referral_id"] for row in sorted(rows, key=lambda row: int(row["line"]))]

    async def _case_of(self, referral_id: str) -> str:
        found = (await self.world.get(f"/v1/cases?referral_id={referral_id}"))["items"]
        if not found:
            raise ScenarioError("a referral has no case")
        return str(found[0]["id"])
