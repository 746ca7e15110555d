"""Plays scenarios, each in a world of its own, and says what came of them."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import yaml

from hubkit.contracts.codes import ONWARD_HOP
from hubkit.profiles import ProfileError, load_profile
from onward.scenarios import events, judge, outputs, prior, vocabulary
from onward.scenarios.book import LOADER, Part, Scenario, ScenarioError, instant, parts_of
from onward.scenarios.directory import Directory, prepare
from onward.scenarios.grounds import Grounds
from onward.scenarios.outputs import Outcome
from onward.scenarios.stage import Stage

#: How long before the earliest thing that a scenario says the hub is started.
_HEAD_START: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a scenario: it passed when it was played and nothing is said against it."""

    scenario: Scenario
    faults: tuple[str, ...]
    seconds: float
    is_played: bool = True

    @property
    def status(self) -> str:
        """`passed`, `failed` or `not_run`."""
        if not self.is_played:
            return "not_run"
        return "failed" if self.faults else "passed"


async def play(grounds: Grounds, scenario: Scenario, profiles: Path) -> Result:
    """Play one scenario; whatever goes wrong is said in its result."""
    started = time.monotonic()
    try:
        faults = list(scenario.faults) or vocabulary.faults_of(scenario)
        if not faults and scenario.is_reporting:
            return Result(scenario, (), 0.0, is_played=False)
        faults = faults or await _faults(grounds, scenario, profiles)
    except (ScenarioError, ProfileError) as error:
        faults = [str(error)]
    except Exception as error:  # a fault of the runner or the hub is this scenario's, and the others go on
        faults = [f"{type(error).__name__}: {error}"]
    return Result(scenario, tuple(faults), time.monotonic() - started)


async def _faults(grounds: Grounds, scenario: Scenario, profiles: Path) -> list[str]:
    profile = profile_file(scenario, profiles, grounds.folder)
    found: list[str] = []
    everything: list[Outcome] = []
    asserted = set(scenario.then.get("by_ref") or ())
    for part in parts_of(scenario):
        outcomes = await _play_part(grounds, scenario, part, profile)
        everything += outcomes
        for ref, outcome in zip(part.refs, outcomes, strict=True):
            asserted.discard(ref)
            if ref is not None and ref in part.then:
                found += judge.faults_of(part.then[ref], [outcome], place=f"by_ref.{ref}.")
    found += [f"by_ref.{ref}: no referral or state has this ref" for ref in sorted(map(str, asserted))]
    common = {key: value for key, value in scenario.then.items() if key != "by_ref"}
    return [*judge.faults_of(common, everything), *found]


async def _play_part(grounds: Grounds, scenario: Scenario, part: Part, profile: Path) -> list[Outcome]:
    now = moment_of(scenario, part)
    hub = load_profile(profile)
    declined_at = part.state.get("declined_at")
    first = instant(declined_at, "given.state.declined_at") if declined_at else now
    async with grounds.world(profile, prior.before(hub, first) - _HEAD_START) as world:
        stage = Stage(world, hub, scenario, part, now, Directory(world, hub))
        await stage.directory.read()
        stage.matching = await prepare(stage.directory, part.state, stage.needs)
        await world.rest()
        has_arrived = scenario.event not in events.POSTING or not part.referrals
        if has_arrived and scenario.event not in events.ARRIVALS:
            await prior.bring_about(stage)
            await world.rest()
            if part.state.get("onward_referrals"):
                await outputs.read_by_partners(stage)
        world.clock.hold(now)
        await events.happen(stage)
        await world.rest()
        await outputs.read_by_partners(stage)
        await world.rest()
        return [await outputs.outcome_of(stage, case_id) for case_id in stage.cases]


def moment_of(scenario: Scenario, part: Part) -> datetime:
    """Return when the event happens: the latest moment that the scenario names for it."""
    given, when = scenario.given, scenario.when
    named: dict[str, Any] = {"given.now": given.get("now", given.get("clock")), "when.at": when.get("at")}
    moments = [instant(value, place) for place, value in named.items() if value is not None]
    moments += [moment for each in part.referrals for moment in prior.moments_of(each)]
    if not moments:
        raise ScenarioError("given.now: missing")
    return max(moments)


def profile_file(scenario: Scenario, profiles: Path, folder: Path) -> Path:
    """Return the hub's profile, or a copy with the parameters that the scenario sets.

    What a demonstration adds to the text is left out where the text itself speaks: a scenario is about the hub.

    Raises
    ------
    ScenarioError
        When there is no such hub, or it has no such parameter.
    """
    path = profiles / f"{scenario.hub}.yaml"
    if not path.is_file():
        raise ScenarioError(f"no profile {path}")
    parameters: Mapping[str, Any] = scenario.given.get("profile_parameters") or {}
    documents = list(yaml.load_all(path.read_text(encoding="utf-8"), LOADER))
    made_up = [document for document in documents if _has_own_basis(document) and "demonstration_basis" in document]
    if not parameters and not made_up:
        return path
    for document in made_up:
        del document["demonstration_basis"]
    for document in documents if parameters else ():
        known = document.setdefault("parameters", {})
        unknown = sorted(set(parameters) - set(known))
        if unknown:
            raise ScenarioError(f"given.profile_parameters.{unknown[0]}: unknown parameter of this hub")
        known.update(parameters)
    copy = folder / f"{scenario.hub}-{vocabulary.code(scenario.id)}.yaml"
    copy.write_text(yaml.safe_dump_all(documents, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return copy


def _has_own_basis(document: Mapping[str, Any]) -> bool:
    """Whether a hub's text says on what basis it shares with partners."""
    return any(each.get("hop") == ONWARD_HOP and each.get("basis") for each in document.get("sharing") or ())
