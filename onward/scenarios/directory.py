"""Makes the hub's directory match what a scenario says of it, by the calls that staff have for it."""

import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from hubkit.contracts import codes
from hubkit.contracts.profile import Profile
from onward.scenarios.book import ScenarioError
from onward.scenarios.world import World

#: What a scenario says of an agreement, and what the hub calls it.
_AGREEMENTS: Final[Mapping[Any, str]] = {
    "active": "active",
    True: "active",
    "draft": "draft",
    "suspended": "suspended",
    "ended": "ended",
    "expired": "ended",
    "none": "ended",
    "missing": "ended",
    False: "ended",
    None: "ended",
}
_CATCH_ALL: Final = "other"


class Directory:
    """The hub's partners and services, as staff see and change them."""

    def __init__(self, world: World, profile: Profile) -> None:
        self._world = world
        self._profile = profile
        self.services: list[dict[str, Any]] = []

    async def read(self) -> None:
        """Read every service anew."""
        self.services = await self._world.items("/v1/services")

    def service(self, id: Any) -> dict[str, Any]:
        """Return the service with an id, empty when there is none."""
        return next((each for each in self.services if each["id"] == id), {})

    def named(self, name: str) -> dict[str, Any] | None:
        """Return the service, or a service of the partner, with a name."""
        return next((each for key in ("name", "partner_name") for each in self.services if _is(each[key], name)), None)

    def department(self, word: str) -> dict[str, Any]:
        """Return the service in the house whose name has every part of a word for it, empty when there is none."""
        parts = set(_parts(word))
        in_house = (each for each in self.services if each["location"] == "in_house")
        return next((each for each in in_house if parts <= set(_parts(each["name"]))), {})

    def takers(self, need: str) -> list[dict[str, Any]]:
        """Return the services in the directory that take a need: those for it, else those that take any."""
        active = [each for each in self.services if each["status"] == "active"]
        direct = [each for each in active if _is_for(each, need)]
        return direct or [each for each in active if each["kind"] == _CATCH_ALL]

    async def have(self, need: str, count: int, *, commissioned: bool) -> None:
        """Let as many services match a need, of those that are commissioned or of those that are not."""
        takers = self.takers(need)
        fitting = [each for each in takers if (each["commissioned"] is True) is commissioned]
        for each in fitting[count:]:
            await self.change(each, status="suspended")
        kind = _CATCH_ALL if takers and not any(_is_for(each, need) for each in takers) else need
        for number in range(count - len(fitting)):
            await self.add(f"another {need} service {number + 1}", kind=kind, commissioned=commissioned)

    async def offer(self, need: str, count: int) -> list[dict[str, Any]]:
        """Return as many services for a need; those that the directory lacks are added."""
        while len(self.takers(need)) < count:
            await self.add(f"{need} service {len(self.takers(need)) + 1}", kind=need)
        return self.takers(need)[:count]

    async def one(self, name: str, need: str) -> dict[str, Any]:
        """Return the service of a name, added for a need when the directory lacks it."""
        return self.named(name) or await self.add(name, kind=need)

    async def add(self, name: str, **offer: Any) -> dict[str, Any]:
        """Add a partner with one service, and an agreement with it like those that the hub has."""
        slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40]
        organisation = f"{slug}-{secrets.token_hex(3)}"
        partner = await self._world.post("/v1/partners", {"organisation": organisation, "name": name})
        body = {"name": name, "location": "external", **offer}
        made = await self._world.post(f"/v1/partners/{partner['id']}/services", body)
        await self._agree(partner["id"], "active")
        await self.read()
        return self.service(made["id"])

    async def change(self, service: Mapping[str, Any], **changes: Any) -> None:
        """Change a service."""
        headers = {"If-Match": f'"{service["version"]}"'}
        await self._world.call("hub", "PUT", f"/v1/services/{service['id']}", json=changes, headers=headers)
        await self.read()

    async def match(self, names: Sequence[str]) -> list[str]:
        """Let exactly the named services match; returns a need for each. `<name> <kind>` is a team of the service."""
        teams: dict[str, list[str]] = {}
        others: list[str] = []
        for name in names:
            service, team = self._team(name)
            if service is not None and team is not None:
                teams.setdefault(service["id"], []).append(team)
            else:
                others.append(name)
        needs = [team for listed in teams.values() for team in listed]
        kept = set(teams)
        for id, listed in teams.items():
            await self.change(self.service(id), teams=listed, also=[])
        for name in others:
            service = self.named(name) or await self._add_for_the_rest(name, needs)
            kept.add(service["id"])
            needs.append(service["kind"])
        for each in list(self.services):
            if each["id"] not in kept and each["status"] == "active":
                await self.change(each, status="suspended")
        return needs

    def _team(self, name: str) -> tuple[dict[str, Any] | None, str | None]:
        first, _, last = name.rpartition(" ")
        return (self.named(first), last) if last in codes.KINDS else (None, None)

    async def _add_for_the_rest(self, name: str, taken: Sequence[str]) -> dict[str, Any]:
        """Add a service for whatever the others do not take; its kind is the code that its name is most like."""
        free = sorted(codes.KINDS - set(taken) - {_CATCH_ALL, codes.HUB})
        words = set(_parts(name))
        kind = max(free, key=lambda code: len(words & set(code.split("_"))))
        return await self.add(name, kind=kind, also=[code for code in free if code != kind])

    def lead(self, name: str) -> dict[str, Any]:
        """Return the service that a scenario names as a lead, with or without its team.

        Raises
        ------
        ScenarioError
            When there is none.
        """
        found = self.named(name) or self._team(name)[0]
        if found is None:
            raise ScenarioError(f"no service {name} in the directory")
        return found

    async def agree(self, need: str, word: Any) -> None:
        """Let the agreements with those who take a need stand as a scenario says."""
        status = _AGREEMENTS.get(word) if isinstance(word, (str, bool, type(None))) else None
        if status is None:
            raise ScenarioError(f"unknown state of an agreement: {word}")
        for partner_id in {each["partner_id"] for each in self.takers(need)}:
            await self._agree(partner_id, status)

    async def _agree(self, partner_id: str, status: str) -> None:
        agreements = await self._world.items("/v1/agreements")
        standing = [each for each in agreements if each["partner_id"] == partner_id and each["status"] != "ended"]
        if status == "draft" or not standing:
            for each in standing:
                await self._set(each["id"], "ended")
            await self._draft(partner_id, agreements, status)
            return
        for each in standing:
            await self._set(each["id"], status)

    async def _set(self, id: str, status: str) -> None:
        await self._world.change(f"/v1/agreements/{id}", f"/v1/agreements/{id}", {"status": status}, method="PUT")

    async def _draft(self, partner_id: str, others: Sequence[Mapping[str, Any]], status: str) -> None:
        """Draft an agreement as one person, and let another put it in force where it is to be more than a draft."""
        basis = others[0]["lawful_basis"] if others else self._profile.basis_for("hub_to_partner")
        body = {
            "partner_id": partner_id,
            "lawful_basis": basis or "consent",
            "purposes": sorted(codes.KINDS),
            "data_categories": sorted(codes.DATA_CATEGORIES),
            "starts_on": (self._world.clock.now() - timedelta(days=365)).date().isoformat(),
            "drafted_by": "Scenario Drafter",
        }
        made = await self._world.post("/v1/agreements", body)
        path = f"/v1/agreements/{made['id']}"
        if status in ("active", "suspended"):
            await self._world.change(path, f"{path}/approve", {"approved_by": "Scenario Approver"})
        if status in ("suspended", "ended"):
            await self._set(made["id"], status)


def _is_for(service: Mapping[str, Any], need: str) -> bool:
    return need == service["kind"] or need in service["also"] or need in service["teams"]


def _parts(name: str) -> list[str]:
    return re.findall(r"[a-z]+", name.lower())


def _is(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()


async def prepare(directory: Directory, state: Mapping[str, Any], needs: Sequence[str]) -> list[str]:
    """Make the directory match a state; returns a need for each of its `matching_services`."""
    for need in needs:
        for key, commissioned in (("commissioned_services_matching", True), ("other_services_matching", False)):
            if state.get(key) is not None:
                await directory.have(need, int(state[key]), commissioned=commissioned)
    for key in ("information_sharing_agreement", "information_sharing_protocol"):
        stated = state.get(key)
        by_need = stated if isinstance(stated, Mapping) else dict.fromkeys(needs, stated) if key in state else {}
        for need, word in by_need.items():
            await directory.agree(need, word)
    return await directory.match(state["matching_services"]) if state.get("matching_services") is not None else []
