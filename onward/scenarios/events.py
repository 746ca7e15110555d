"""Lets the event of a scenario happen: one function for each kind, by the calls of those who do it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from hubkit.contracts import codes
from onward.scenarios import findings, prior
from onward.scenarios.book import ScenarioError, instant
from onward.scenarios.stage import Stage
from onward.scenarios.vocabulary import REFERRAL_KEYS, REFERRAL_STATE, as_list, code
from services.partners.model import DECLINE_REASONS

#: Events by which referrals come.
ARRIVALS: Final = frozenset({
    "crime_recorded", "transfer_received", "referral_received", "referral_requested", "onward_referral_received",
})  # fmt: skip
#: Events before which a referral of the scenario has not come yet.
POSTING: Final = ARRIVALS | {"triage_completed"}
_MEMBERS: Final = ("hub_member_service", "neighbouring_hub", "agency")


async def happen(stage: Stage) -> None:
    """Let the event happen, at one instant as far as the hub's callers do it."""
    event = stage.scenario.event
    if event in ARRIVALS:
        await _arrive(stage)
    elif event == "triage_completed":
        await _triage(stage)
    else:
        for number, case_id in enumerate(stage.cases):
            await _ON_CASES[event](stage, case_id, number)


async def _arrive(stage: Stage) -> None:
    event = stage.scenario.event
    said = {key: stage.when[key] for key in (*REFERRAL_KEYS, "purpose") if key in stage.when}
    state = {key: value for key, value in stage.state.items() if key in REFERRAL_STATE and key != "level"}
    facts = [{**_from_member(stage), **each, **said} for each in stage.part.referrals or (state,)]
    await stage.send(facts, stage.now, as_file=event == "transfer_received")
    for case_id in stage.cases:
        await prior.find_competent(stage, case_id)


def _from_member(stage: Stage) -> dict[str, Any]:
    """Return how a referral comes where a scenario does not say: from a service of the model, or from the police."""
    open_ = [channel.channel for channel in stage.profile.channels]
    likely = _MEMBERS if stage.scenario.event == "onward_referral_received" else ()
    return {"source": next((each for each in likely if each in open_), open_[0])}


async def _triage(stage: Stage) -> None:
    """Send the referrals, and record what staff judged and found of them."""
    if stage.part.referrals:
        await _arrive(stage)
        stage.world.clock.hold(stage.now)
    for case_id in stage.cases:
        block = {**stage.state, **{key: value for key, value in stage.when.items() if key not in ("event", "at")}}
        await findings.judge(stage, case_id, block)
        await findings.assess(stage, case_id, block)


async def _answer_offer(stage: Stage, case_id: str, _number: int) -> None:
    answer = "accepted" if stage.scenario.event == "offer_accepted" else "declined"
    at = instant(stage.when["at"], "when.at") if "at" in stage.when else stage.now
    await stage.act(case_id, "offers", {"answer": answer, "at": at.isoformat()})


async def _fail_to_reach(stage: Stage, case_id: str, _number: int) -> None:
    body = {"method": stage.when.get("method", "phone"), "outcome": stage.when.get("outcome", "no_answer")}
    await stage.act(case_id, "attempts", body)


async def _assess(stage: Stage, case_id: str, _number: int) -> None:
    said = {key: value for key, value in stage.when.items() if key not in ("event", "at")}
    block = {**stage.state, **said}
    body = findings.assessment(block)
    if body["needs"] is None:
        named = [need for need in as_list(block.get("needs")) if need in codes.KINDS]
        body["needs"] = named or await findings.known_needs(stage, case_id)
    await stage.act(case_id, "assessments", body)


async def _request_onward(stage: Stage, case_id: str, _number: int) -> None:
    needs = [need for need in stage.needs if need in codes.KINDS]
    if not needs:
        raise ScenarioError("onward_referral_requested: no need is named")
    await stage.act(case_id, "onward-referrals", {"needs": needs})


async def _request_access(stage: Stage, case_id: str, _number: int) -> None:
    when, risk = stage.when, stage.state.get("safeguarding_risk")
    said = risk if isinstance(risk, Mapping) else {}
    ground = when.get("ground") or ("safeguarding_risk" if risk else None)
    body = {
        "requester": when.get("requester", "police"),
        "what": when.get("what", "case_information"),
        "ground": ground,
    }
    if ground is not None:
        for name, made_up in _GROUNDED.items():
            body[name] = when.get(name) or said.get(name) or made_up
    body = {key: value for key, value in body.items() if value is not None}
    stage.access.append(await stage.world.post(f"/v1/cases/{case_id}/access-requests", body))


#: What goes with a ground for access, where a scenario leaves it open.
_GROUNDED: Final = {"reason": "a risk to somebody's life", "decided_by": "team_leader", "approved_by": "unit_manager"}


async def _reassess(stage: Stage, case_id: str, number: int) -> None:
    """Correct the referral's facts, and record what staff judged and found anew."""
    said = {key: value for key, value in stage.when.items() if key not in ("event", "at", "by")}
    source = {**(stage.state if stage.part.referrals else {}), **said}
    changes = _corrections(source)
    if changes:
        await stage.correct(number, changes)
        await stage.world.rest()
        stage.world.clock.hold(stage.now)
    block = {**stage.state, **said}
    judged = await findings.judge(stage, case_id, block)
    assessed = await findings.assess(stage, case_id, block)
    if not (changes or judged or assessed):
        await _assess(stage, case_id, number)


def _corrections(facts: Mapping[str, Any]) -> dict[str, Any]:
    changes: dict[str, Any] = {key: list(as_list(facts[key])) for key in ("markers", "needs") if key in facts}
    crime = {"crime": "category", "reported_to_police": "reported_to_police", "recorded_at": "recorded_at"}
    found = {name: facts[key] for key, name in crime.items() if key in facts}
    return changes | ({"crime": found} if found else {})


async def _offer_again(stage: Stage, case_id: str, _number: int) -> None:
    body = {"by": code(stage.when.get("by", "hub_staff")), "accepted": bool(stage.when.get("victim_accepts", True))}
    await stage.act(case_id, "reopen", body)


async def _close(stage: Stage, case_id: str, _number: int) -> None:
    reason = stage.when.get("reason")
    await stage.act(case_id, "close", {"reason": None if reason is None else code(reason)})


async def _go_on(stage: Stage, case_id: str, _number: int) -> None:
    action = stage.when.get("action")
    if action is None:
        return
    if action != "book_contact":
        raise ScenarioError(f"when.action: unknown action {action}")
    method = stage.when.get("method", stage.state.get("requested_method"))
    await stage.act(case_id, "contacts", {"method": method, "purpose": stage.when.get("purpose")})


async def _propose_leads(stage: Stage, case_id: str, _number: int) -> None:
    names = as_list(stage.when.get("leads", stage.when.get("lead")))
    ids = [stage.directory.lead(name)["id"] for name in names]
    views = stage.when.get("views") or {}
    said = [{"service_id": stage.directory.lead(name)["id"], "view": view} for name, view in views.items()]
    await stage.act(case_id, "leads", {"service_ids": ids, "views": said})


async def _reject(stage: Stage, case_id: str, _number: int) -> None:
    """Let the partner decline what was referred to it."""
    if not await declinable(stage, case_id):
        await _request_onward(stage, case_id, 0)
        await stage.world.rest()
        stage.world.clock.hold(stage.now)
    found = await declinable(stage, case_id)
    if not found:
        raise ScenarioError("rejection_recorded: nothing was referred to a partner")
    reasons = as_list(stage.when.get("reasons", stage.when.get("reason"))) or ("outside_criteria",)
    strange = [reason for reason in reasons if reason not in DECLINE_REASONS]
    if strange:
        raise ScenarioError(f"when.reason: unknown code {strange[0]}; known are: {', '.join(DECLINE_REASONS)}")
    for onward, client in found:
        path = f"/v1/onward-referrals/{onward['id']}"
        await stage.world.change(path, f"{path}/decline", {"reasons": list(reasons)}, client=client)


async def declinable(stage: Stage, case_id: str) -> list[tuple[dict[str, Any], str]]:
    """Return the onward referrals of a case that wait for their partner, with the partner's client."""
    name = stage.when.get("partner", stage.when.get("by"))
    return [
        (onward, client)
        for onward, client in await sent(stage, case_id)
        if onward["status"] in ("ready", "sent", "received")
        and (name is None or stage.directory.named(name) in (None, stage.directory.service(onward["service"]["id"])))
    ]


async def sent(stage: Stage, case_id: str) -> list[tuple[dict[str, Any], str]]:
    """Return the onward referrals of a case that their partners may read, each with the partner's client."""
    found = (await stage.world.get(f"/v1/cases/{case_id}/onward-referrals"))["items"]
    open_ = [each for each in found if each["status"] in ("ready", "sent", "received", "accepted", "in_support")]
    if not open_:
        return []
    await stage.directory.read()
    organisations = {each["id"]: each["organisation"] for each in await stage.world.items("/v1/partners")}
    by_service = {each["id"]: organisations[each["partner_id"]] for each in stage.directory.services}
    return [(each, await stage.world.let_in(by_service[each["service"]["id"]])) for each in open_]


async def _enter_plea(stage: Stage, case_id: str, _number: int) -> None:
    await prior.enter_plea(stage, case_id)


async def _survey(stage: Stage, case_id: str, _number: int) -> None:
    await stage.act(case_id, "surveys", {"instrument": stage.when.get("instrument")})


_ON_CASES: Final[Mapping[str, Callable[[Stage, str, int], Awaitable[None]]]] = {
    "offer_accepted": _answer_offer,
    "offer_declined": _answer_offer,
    "contact_attempt_failed": _fail_to_reach,
    "assessment_completed": _assess,
    "onward_referral_requested": _request_onward,
    "access_requested": _request_access,
    "reassessed": _reassess,
    "re_offer": _offer_again,
    "case_closed": _close,
    "case_in_progress": _go_on,
    "lead_proposed": _propose_leads,
    "rejection_recorded": _reject,
    "plea_entered": _enter_plea,
    "survey_due": _survey,
}
