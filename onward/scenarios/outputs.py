"""Reads what came of an event from the hub's public answers, in the shape of what a scenario asserts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from hubkit.contracts.codes import ONWARD_HOP
from onward.scenarios import events
from onward.scenarios.compare import Closed, Unordered, Words
from onward.scenarios.directory import Directory
from onward.scenarios.stage import Stage
from onward.scenarios.world import CallError

#: Lists whose order means nothing.
_SETS: Final = frozenset({
    "basis", "content", "decides", "elements", "matched", "method_decided_by", "methods", "on_behalf_of", "sections",
})  # fmt: skip
_DECISION: Final = ("outcome", "reason", "case_status", "expected_route", "basis", "by_unit")
_TRIAGE: Final = ("performed_by", "basis", "level", "enhanced", "vulnerable", "prioritised", "matched")
_CONTACT: Final = (
    "purpose", "by", "unit", "methods", "mode", "at", "clock", "automated", "content", "on_behalf_of",
    "method_decided_by", "state",
)  # fmt: skip
_ASSESSMENT: Final = ("required", "kind", "by", "decides", "offered", "sections")
_PLAN: Final = ("kind", "required", "created_after", "elements")
_ASSIGNMENT: Final = (
    "unit", "role", "specialism", "department", "location", "purpose", "method", "service_level", "offered",
    "automatic", "initial_risk_and_needs_assessment_by",
)  # fmt: skip
_SURVEY: Final = ("unit", "instrument", "trigger", "sent", "eligible", "reason", "methods")
#: Attributes of a case that a scenario may say are not there.
_ATTRIBUTES: Final = ("function", "funding_tag", "immediate_care", "reasonable_adjustments")
_TRANSFER: Final = ("at", "max_interval_hours", "clock", "due")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of the event for one case.

    Attributes
    ----------
    facts
        Keys as in a scenario's `then`, but for lists of which each item is compared on its own.
    contacts, partners, disclosures, surveys
        These lists.
    """

    case: Mapping[str, Any]
    facts: Closed
    contacts: Sequence[Closed]
    partners: Sequence[Closed]
    disclosures: Sequence[Closed]
    surveys: Sequence[Closed]

    @property
    def figures(self) -> dict[str, int]:
        """Return counts, as the public answers give them."""
        released = [each for each in self.disclosures if each["outcome"] == "released"]
        referred = [each for each in self.partners if each["outcome"] == "referred"]
        return {
            "referrals": 1,
            "cases": int(self.case["opened_at"] is not None),
            "contacts": len(self.contacts),
            "automated_offers": sum(bool(each["automated"] and each["purpose"] == "offer") for each in self.contacts),
            "disclosures_to_partners": sum(not each["is_inbound"] and not each["is_internal"] for each in released),
            "onward_referrals": len(referred),
            "external_referrals": sum(each["location"] == "external" for each in referred),
        }


async def read_by_partners(stage: Stage) -> None:
    """Let every partner read what is new to it, as its demonstration client: only then is anything disclosed."""
    for case_id in stage.cases:
        for onward, client in await events.sent(stage, case_id):
            if onward["status"] not in ("ready", "sent"):
                continue
            try:
                await stage.world.get(f"/v1/onward-referrals/{onward['id']}", client)
            except CallError as error:
                if error.status not in (403, 404):
                    raise


async def outcome_of(stage: Stage, case_id: str) -> Outcome:
    """Return what came of the event for a case."""
    world = stage.world
    await stage.directory.read()
    case = await stage.case(case_id)
    onward = await world.items(f"/v1/cases/{case_id}/onward-referrals")
    passages = await world.items(f"/v1/cases/{case_id}/disclosures")
    # Triage plans what it finds to be due, whenever the referral came.
    since = None if stage.part.referrals or stage.scenario.event == "triage_completed" else stage.now
    return Outcome(
        case,
        facts_of(case, stage.directory, [rule.name for rule in stage.profile.attributes]),
        [contact(each, case) for each in case["contacts"] if _is_since(each["planned_at"], since)],
        partners_of(case, onward, stage.directory),
        disclosures_of(case, passages, stage),
        [_closed(each, _SURVEY) for each in case["surveys"]],
    )


def _is_since(at: str, since: datetime | None) -> bool:
    return since is None or datetime.fromisoformat(at) >= since


def _closed(given: Mapping[str, Any] | None, keys: Sequence[str]) -> Any:
    if given is None:
        return None
    return Closed({key: _unordered(key, given.get(key)) for key in keys})


def _unordered(key: str, value: Any) -> Any:
    return Unordered(value) if key in _SETS and isinstance(value, list) else value


def contact(view: Mapping[str, Any], case: Mapping[str, Any]) -> Closed:
    """Return a contact of the public case in a scenario's words; it has priority where its case has."""
    has_priority = case["level"] == "priority" or bool((case["triage"] or {}).get("prioritised"))
    return Closed(_closed(view, _CONTACT) | {"due": view["due_at"], "priority": has_priority})


def facts_of(case: Mapping[str, Any], directory: Directory, attributes: Iterable[str]) -> Closed:
    """Return everything of a public case that is asserted as one value; `attributes` are those that the hub gives."""
    review = case["review"] or {}
    lead = directory.service(case["lead_service_id"]) if case["lead_service_id"] else None
    meeting = Closed(area=review.get("area"), at=review.get("meeting_at")) if review else None
    facts = {
        "decision": _closed(case["decision"], _DECISION),
        "triage": _closed(case["triage"], _TRIAGE),
        "level": case["level"],
        "entitlement": case["entitlement"],
        "case_status": case["case_status"],
        "transfer": _closed(case["transfer"], _TRANSFER),
        "refused_methods": Unordered(case["refused_methods"]),
        "needs_assessment": _closed(case["needs_assessment"], _ASSESSMENT),
        "plan": _closed(case["plan"], _PLAN),
        "assignment": _assignment(case["assignment"], directory),
        "single_point_of_contact": _contact_point(case["single_point_of_contact"], lead),
        "opt_in": case["opt_in"],
        "case_updates": _updates(case["case_updates"]),
        "lead_provider": _names(lead) if lead else None,
        "meeting": meeting,
        "linked_to_previous": case["linked_to_previous"],
    }
    return Closed(facts | dict.fromkeys((*_ATTRIBUTES, *attributes)) | case["attributes"])


def _contact_point(by: str | None, lead: Mapping[str, Any] | None) -> Words | None:
    """Return who stays with the person: the role, or the service that leads where one does."""
    return None if by is None else Words.of(by, *(_names(lead) if lead else ()))


def _assignment(view: Mapping[str, Any] | None, directory: Directory) -> Any:
    """Return who works on the case; a department of the hub goes by its own word, and by its name and kind."""
    assignment = _closed(view, _ASSIGNMENT)
    if assignment is not None and assignment["department"] is not None:
        department = directory.department(assignment["department"])
        assignment["department"] = Words.of(assignment["department"], department.get("kind"), department.get("name"))
    return assignment


def _updates(view: Mapping[str, Any] | None) -> Any:
    return _closed(view, ("started", "content"))


def _names(service: Mapping[str, Any]) -> Words:
    name, partner = service.get("name"), service.get("partner_name")
    teams = service.get("teams") or ()
    return Words.of(name, partner, *(f"{each} {team}" for each in (name, partner) for team in teams))


def partners_of(case: Mapping[str, Any], onward: Sequence[Mapping[str, Any]], directory: Directory) -> list[Closed]:
    """Return what became of each need: the onward referrals, then what never became one."""
    found = [_referred(each, directory) for each in onward]
    asked = {each["id"] for each in onward}
    for pathway in case["pathways"]:
        if pathway["onward_referral_id"] not in asked:
            candidates = {each["service_id"] for each in pathway["candidates"] if each["eligible"]}
            only = candidates.pop() if len(candidates) == 1 else None
            service = directory.service(pathway["service_id"] or only)
            found.append(_partner(pathway, service, pathway.get("team")))
    found += [_partner({**held, "outcome": "pending"}, {}, None) for held in case["held_needs"]]
    return found


def _referred(onward: Mapping[str, Any], directory: Directory) -> Closed:
    shown = onward.get("service") or {}
    return _partner(onward, {**directory.service(shown.get("id")), **shown}, onward.get("team"))


def _partner(entry: Mapping[str, Any], service: Mapping[str, Any], team: str | None) -> Closed:
    return Closed(
        kind=Words.of(entry["need"], service.get("kind")),
        need=entry["need"],
        name=Words.of(service.get("name"), service.get("partner_name")),
        location=service.get("location"),
        commissioned=service.get("commissioned"),
        outcome=entry.get("outcome"),
        reason=Words.of(entry.get("reason"), *(entry.get("reasons") or ())),
        status=entry.get("status"),
        transport=service.get("transport"),
        team=team,
        told_about=Unordered(entry.get("told_about") or ()),
        then=service.get("follow_up"),
        found_in=service.get("listed_in"),
        route=service.get("route"),
        next=entry.get("next"),
    )


def disclosures_of(case: Mapping[str, Any], passages: Sequence[Mapping[str, Any]], stage: Stage) -> list[Closed]:
    """Return what was released or withheld since the event began: what came in, what went out, what was asked for.

    Where the hub's text names no basis of sharing, that of the agreements is the demonstration's, and none is told.
    """
    hub = ("hub", stage.profile.name, *_unit_of(case, stage))
    found = []
    received = case["received"]
    if received is not None and stage.part.referrals:
        found.append(_disclosure(received, Words.of(received["to"], *_alias(received["to"], hub)), hub))
    asked = {each["id"] for each in stage.access}
    for each in passages:
        if each["id"] not in asked and _is_since(each["at"], stage.now):
            service = stage.directory.service(each["to"].get("service_id"))
            view = {**each, "basis": each["basis"] if stage.profile.basis_for(ONWARD_HOP) else None}
            to = _recipient(each["to"], service, stage)
            found.append(_disclosure(view, to, hub, service.get("location") == "in_house"))
    found += [_disclosure(each, Words.of(each["to"]), hub) for each in stage.access]
    return [*found, *(_kept_back(each, hub) for each in case["pathways"] if _is_waiting(each))]


def _is_waiting(pathway: Mapping[str, Any]) -> bool:
    """Whether no partner is asked yet, for a reason."""
    return bool(pathway["outcome"] == "pending" and pathway["reasons"] and not pathway["onward_referral_id"])


def _kept_back(pathway: Mapping[str, Any], hub: tuple[str, ...]) -> Closed:
    """Return that nothing goes to a partner while a pathway waits: nobody has been asked, so no record has a name."""
    view = {**pathway, "from": "hub", "what": "case_data", "outcome": "withheld", "basis": None}
    return _disclosure(view, Words.of("partner"), hub, is_internal=True)


def _unit_of(case: Mapping[str, Any], stage: Stage) -> tuple[str, ...]:
    """Return the names of the unit that has the case, where it came to one."""
    id = stage.bodies[stage.cases.index(case["id"])]["source"].get("unit")
    return next(((unit.id, unit.name or unit.id) for unit in stage.profile.units if unit.id == id), ())


def _recipient(to: Mapping[str, Any], service: Mapping[str, Any], stage: Stage) -> Words:
    """Return what a recipient may be called; a service may be a unit of the hub too."""
    roles = ("partner",) if to["role"] == "external_provider" else ()
    units = [unit.id for unit in stage.profile.units if unit.name in (service.get("name"), service.get("partner_name"))]
    names = (to["name"], *_names(service), *units)
    return Words.of(*names, to["role"], *roles, to.get("organisation"), service.get("kind"))


def _alias(name: str, hub: tuple[str, ...]) -> tuple[str, ...]:
    return hub if name in hub else ()


def _disclosure(view: Mapping[str, Any], to: Words, hub: tuple[str, ...], is_internal: bool = False) -> Closed:
    holder = view["from"]
    return Closed(
        {
            "from": Words.of(holder, *_alias(holder, hub)),
            "to": to,
            "what": view["what"],
            "outcome": view["outcome"],
            "basis": view.get("basis"),
            "reason": Words.of(view.get("reason"), *(view.get("reasons") or ())),
            "is_inbound": holder == "police",
            "is_internal": is_internal,
        }
    )
