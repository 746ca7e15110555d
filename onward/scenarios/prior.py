"""Brings about what a scenario says was so before its event: a case, and what staff and the person did since."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from hubkit.contracts import codes
from hubkit.contracts.profile import Channel, Profile
from onward.scenarios import findings
from onward.scenarios.book import ScenarioError, instant
from onward.scenarios.referrals import SHARING, consent, is_child, unit_of
from onward.scenarios.stage import Stage
from onward.scenarios.vocabulary import as_list

#: What a case is when its state does not say.
_CRIME: Final = "theft.other"
_DAY: Final = timedelta(days=1)
#: Events that ask for needs themselves; the referral does not name them yet.
_ASKING: Final = frozenset({"onward_referral_requested", "rejection_recorded", "assessment_completed"})
#: Events that bring about what the state says of assessments and judgements.
_JUDGING: Final = frozenset({"triage_completed", "assessment_completed", "reassessed"})
#: Where a case can get to from a referral alone.
_OUTCOMES: Final = {"pending": "pending", **{outcome: outcome for outcome in codes.OUTCOMES}}


def before(profile: Profile, now: datetime) -> datetime:
    """Return a moment before the event at which the hub and its channels were open: the day before, where it was.

    Where the hub has closed since, it is the last day on which it was open.
    """
    zone = ZoneInfo(profile.timezone)
    if profile.valid_to is not None:
        now = min(now, datetime.combine(profile.valid_to + _DAY, time(), zone))
    firsts = [profile.valid_from, *(channel.active_from for channel in profile.channels)]
    opened = [datetime.combine(first, time(), zone) for first in firsts if isinstance(first, date)]
    latest = max((moment for moment in opened if moment <= now), default=now - 2 * _DAY)
    return now - _DAY if latest <= now - _DAY else latest + (now - latest) / 2


def moments_of(referral: Mapping[str, Any]) -> list[datetime]:
    """Return when a referral was recorded and received, as far as a scenario says."""
    named = {key: referral.get(key) for key in ("received_at", "recorded_at")}
    named |= referral.get("received_at_by_unit") or {}
    return [instant(value, f"given.referral.{key}") for key, value in named.items() if value is not None]


async def bring_about(stage: Stage) -> None:
    """Make the case of a state, and do what the state says was done."""
    at = before(stage.profile, stage.now)
    declined_at = stage.state.get("declined_at")
    if declined_at is not None:
        at = min(at, before(stage.profile, instant(declined_at, "given.state.declined_at")))
    at = max([at, *(moment for each in stage.part.referrals for moment in moments_of(each))])
    stage.world.clock.hold(at)
    if stage.part.referrals:
        await stage.send(stage.part.referrals, at)
    else:
        await _open_case(stage, at)
    for case_id in stage.cases:
        await _record(stage, case_id)


async def _open_case(stage: Stage, at: datetime) -> None:
    """Send referrals until the hub takes one on as the state has it: the likeliest first, then many together."""
    is_wanted = _wanted(stage)
    for round_ in _rounds(stage):
        stage.world.clock.hold(at)
        sent = await stage.send(round_, at)
        for number, case_id in enumerate(sent):
            if is_wanted(await stage.case(case_id)):
                stage.bodies, stage.cases = [stage.bodies[number]], [case_id]
                return
    raise ScenarioError("given.state: the hub takes no referral on in this way")


def _wanted(stage: Stage) -> Any:
    outcome = _OUTCOMES.get(stage.state.get("case", "open"), "accepted")

    def is_wanted(case: Mapping[str, Any]) -> bool:
        is_level = "level" not in stage.state or case["level"] == stage.state["level"]
        return bool(case["decision"]["outcome"] == outcome and is_level)

    return is_wanted


def _rounds(stage: Stage) -> Iterator[list[dict[str, Any]]]:
    state = stage.state
    markers = list(as_list(state.get("markers")))
    channels = _channels(stage.profile, state)
    marked = [need for need in stage.matching if need in codes.MARKERS and need not in markers]
    others = sorted(_mentioned(stage.profile.model_dump(mode="json")) - set(markers))
    for needs in _needs(stage):
        yield [_facts(stage, channels[0], [*markers, *marked], needs)]
        yield [_facts(stage, channel, [*markers, *marked], needs) for channel in channels]
        for channel in channels:
            yield [_facts(stage, channel, [*markers, *marked, marker], needs) for marker in others]
        # What waits for several may need all of them.
        yield [_facts(stage, channels[0], [*markers, *marked, *others], needs)]


def _needs(stage: Stage) -> Iterator[list[str]]:
    """Yield what needs the referral names: those of the state, unless the event asks for them.

    Where a meeting agrees who leads, it matters what else a case matches: there the state's needs are all, if they can.
    """
    named = list(as_list(stage.state.get("needs")))
    is_asked_later = stage.scenario.event in _ASKING
    if not is_asked_later or stage.profile.lead_provider is not None:
        yield named
    if is_asked_later:
        yield []


def _mentioned(document: Any) -> set[str]:
    """Return the markers that a profile speaks of."""
    if isinstance(document, Mapping):
        return set().union(*(_mentioned(value) for value in document.values()), document.keys() & codes.MARKERS)
    if isinstance(document, (list, tuple)):
        return set().union(*(_mentioned(value) for value in document))
    return {document} & codes.MARKERS if isinstance(document, str) else set()


def _channels(profile: Profile, state: Mapping[str, Any]) -> list[str]:
    """Return the channels by which the case may have come, the likeliest first."""
    if state.get("source"):
        return [state["source"]]
    unit = unit_of(profile, state.get("unit"))
    fitting = [channel for channel in profile.channels if unit in (None, channel.unit)] or list(profile.channels)
    was_reported = state.get("reported_to_police") is not False

    def strangeness(channel: Channel) -> tuple[bool, bool]:
        return channel.active_from is not None, channel.channel.startswith("police") is not was_reported

    return list(dict.fromkeys(channel.channel for channel in sorted(fitting, key=strangeness)))


def _facts(stage: Stage, channel: str, markers: list[str], needs: list[str]) -> dict[str, Any]:
    state = stage.state
    consents = {hop: word for hop, word in (state.get("consents") or {}).items() if hop != SHARING}
    areas = (stage.scenario.given.get("profile_parameters") or {}).get("next_meeting") or {}
    return {
        "source": channel,
        "unit": state.get("unit"),
        "crime": state.get("crime", _CRIME),
        "markers": markers,
        "reported_to_police": state.get("reported_to_police", True if channel.startswith("police") else None),
        "needs": needs,
        "consents": {"police_to_hub": "given", SHARING: None, **consents},
        "local_authority_area": next(iter(areas), None),
    }


async def _record(stage: Stage, case_id: str) -> None:
    """Do on a case what the state says was done before the event."""
    await _record_consents(stage, case_id)
    if stage.scenario.event not in _JUDGING:
        await findings.judge(stage, case_id, stage.state)
        await findings.assess(stage, case_id, stage.state)
    await _record_choices(stage, case_id)
    await _record_attempts(stage, case_id)
    await _record_answer(stage, case_id)
    await _record_onward_referrals(stage, case_id)
    requested = stage.state.get("requested_method")
    if requested is not None and stage.scenario.event != "case_in_progress":
        await stage.act(case_id, "contacts", {"method": requested})
    if stage.state.get("plea") is not None and stage.scenario.event != "plea_entered":
        await enter_plea(stage, case_id)


async def _record_consents(stage: Stage, case_id: str) -> None:
    stated = stage.state.get("consents") or {}
    if stage.part.referrals and SHARING not in stated:
        await find_competent(stage, case_id)
    # A referral of the scenario's own has said it already.
    usual = {} if stage.part.referrals else {SHARING: "explicit"}
    for hop, word in (usual | stated).items():
        if hop != "police_to_hub" and word not in (None, "not_asked"):
            await _record_consent(stage, case_id, hop, word)


async def find_competent(stage: Stage, case_id: str) -> None:
    """Record a child's consent to share anew, with what no referral can say: that the child is competent."""
    number = stage.cases.index(case_id)
    facts = stage.part.referrals[number] if stage.part.referrals else stage.state
    consents = stage.when.get("consents") or facts.get("consents") or {}
    word = consents.get(SHARING, "explicit")
    if word in ("given", "explicit") and _is_of_child(stage, case_id):
        await _record_consent(stage, case_id, SHARING, word)


async def _record_consent(stage: Stage, case_id: str, hop: str, word: str) -> None:
    """Record what the person decided; a child's consent comes with the finding that the child is competent."""
    body = consent(hop, word, stage.world.clock.now())
    if body["decision"] == "given" and _is_of_child(stage, case_id):
        body["competence"] = "gillick_assessed"
    await stage.world.post(f"/v1/cases/{case_id}/consents", body)


def _is_of_child(stage: Stage, case_id: str) -> bool:
    return is_child(stage.bodies[stage.cases.index(case_id)], stage.now.date())


async def _record_choices(stage: Stage, case_id: str) -> None:
    state = stage.state
    chosen = state.get("victim_choice") or {}
    if not isinstance(chosen, Mapping):
        chosen = dict.fromkeys(stage.needs, chosen)
    offered = state.get("options_offered")
    if offered is None and not chosen:
        return
    for need in chosen or stage.needs:
        options = await _options(stage, need, offered)
        choice = await stage.directory.one(chosen[need], need) if chosen.get(need) else None
        if choice is not None and choice["id"] not in options:
            options.append(choice["id"])
        await stage.world.rest()
        body = {"need": need, "options": options, "service_id": choice["id"] if choice else None}
        await stage.act(case_id, "choices", body)


async def _options(stage: Stage, need: str, offered: Any) -> list[str]:
    if isinstance(offered, (list, tuple)):
        return [(await stage.directory.one(name, need))["id"] for name in offered]
    return [each["id"] for each in await stage.directory.offer(need, int(offered or 0))]


async def _record_attempts(stage: Stage, case_id: str) -> None:
    """Record how often the person was reached, then the failed attempts; the last one may be the event itself."""
    for _ in range(int(stage.state.get("direct_contacts") or 0)):
        await stage.act(case_id, "attempts", {"method": "phone", "outcome": "reached"})
    count = int(stage.state.get("failed_attempts") or 0)
    if stage.scenario.event == "contact_attempt_failed":
        count -= 1
    for _ in range(count):
        await stage.act(case_id, "attempts", {"method": "phone", "outcome": "no_answer"})


async def _record_answer(stage: Stage, case_id: str) -> None:
    case = stage.state.get("case")
    if case == "declined":
        declined_at = stage.state.get("declined_at")
        if declined_at is not None:
            await stage.world.rest()
            stage.world.clock.hold(instant(declined_at, "given.state.declined_at"))
        await stage.act(case_id, "offers", {"answer": "declined", "at": declined_at})
    elif case == "closed":
        await stage.act(case_id, "close", {})


async def _record_onward_referrals(stage: Stage, case_id: str) -> None:
    """Refer the person onward as often as the state says, for the first of its needs."""
    count = int(stage.state.get("onward_referrals") or 0)
    needs = [need for need in as_list(stage.state.get("needs")) if need in codes.KINDS]
    if count > len(needs):
        raise ScenarioError(f"given.state.onward_referrals: {count}, but its needs name {len(needs)}")
    if count:
        await stage.act(case_id, "onward-referrals", {"needs": needs[:count]})
        await stage.world.rest()


async def enter_plea(stage: Stage, case_id: str) -> None:
    """Record the plea at the first hearing."""
    plea, on = stage.when.get("plea", stage.state.get("plea")), stage.when.get("on", stage.state.get("first_hearing"))
    body = {"type": "plea_entered", "plea": plea, "on": None if on is None else str(on)}
    await stage.act(case_id, "events", body)
