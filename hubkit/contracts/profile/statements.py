"""A profile as statements in plain words: what a commissioner reads, and what two profiles are compared by.

What a part says beyond the sentences made here is added by the names of its fields, so that nothing is kept back.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hubkit.contracts.profile.conditions import Condition
from hubkit.contracts.profile.hub import Profile
from hubkit.contracts.profile.part import ProfilePart
from hubkit.contracts.profile.retention import Retention
from hubkit.contracts.profile.rules import ContactRule, ExclusionRule, NeedRule, SurveyRule
from hubkit.contracts.profile.sharing import HubPartner
from hubkit.contracts.profile.time import Channel, Unit, Within
from hubkit.contracts.profile.words import clock, holds, listed, plain

#: What stands in a part beside what it does.
_BESIDE = {"id", "when", "text", "source"}


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing that a profile says: under which heading, about what (by a name that lasts), and in which words."""

    section: str
    key: str
    words: str
    source: str | None = None


def statements(profile: Profile) -> list[Statement]:
    """Return all that a profile says."""
    return [
        *_identity(profile),
        *(Statement("Units", unit.id, _unit(unit), unit.source) for unit in profile.units),
        *_numbered(
            "Channels", ((_channel_key(channel), _channel(channel), channel.source) for channel in profile.channels)
        ),
        *_rules("Not taken on", profile.exclusions, _exclusion, is_ordered=True),
        *_triage(profile),
        *_rules("Needs", profile.needs, _need),
        *_contacts(profile),
        *_care(profile),
        *_partners(profile),
        *_sharing(profile),
        *_afterwards(profile),
    ]


def silent(profile: Profile) -> list[str]:
    """Return what a profile says nothing of."""
    spoken = {
        "who triages": profile.triage.performed_by or profile.triage.performers,
        "levels": profile.triage.levels,
        "contacts": profile.contacts,
        "deadlines of contacts": any(rule.within or rule.at for rule in profile.contacts),
        "methods of contact": any(rule.methods for rule in profile.contacts),
        "assessments": profile.assessments,
        "a plan": profile.plan,
        "a single point of contact": profile.single_point_of_contact,
        "partners": profile.partners,
        "the lawful basis from the police to the hub": profile.basis_for("police_to_hub"),
        "the lawful basis from the hub to partners": profile.basis_for("hub_to_partner"),
        "a lead provider": profile.lead_provider,
        "a door that stays open": profile.opt_in,
        "a re-offer": profile.re_offer.allowed is not None,
        "ring-fences": profile.ring_fences,
        "updates from the courts": profile.case_updates,
        "surveys": profile.surveys,
    }
    return [name for name, value in spoken.items() if not value]


def _identity(profile: Profile) -> Iterator[Statement]:
    days = f"from {profile.valid_from or 'the beginning'} to {profile.valid_to or 'no end'}"
    yield Statement("The hub", "name", f"{profile.name}, version {profile.version}, valid {days}")
    yield from _stated("The hub", profile, "force_area", "timezone", "witnesses", "early_reason", "late_reason")
    yield from _stated("The hub", profile.calendar, *type(profile.calendar).model_fields)
    for name, value in profile.parameters.items():
        said = "left open: what names it does not apply" if value is None else _value(value)
        yield Statement("Parameters", name, f"${name}: {said}")


def _unit(unit: Unit) -> str:
    decides = ", decides by itself" if unit.decides else ""
    return f"{unit.name or plain(unit.id)}{decides}{_more(_rest(unit, 'name', 'decides'))}"


def _channel_key(channel: Channel) -> str:
    return " to ".join(filter(None, [channel.channel, channel.unit]))


def _channel(channel: Channel) -> str:
    to = f" to {plain(channel.unit)}" if channel.unit else ""
    opened = f", from {channel.active_from} ({channel.early_reason} before)" if channel.active_from else ""
    closed = f", until {channel.active_to} ({channel.late_reason} after)" if channel.active_to else ""
    transfer = f", transferred {_transfer(channel)}" if channel.transfer else ""
    rest = _rest(channel, "channel", "unit", "active_from", "active_to", "early_reason", "late_reason", "transfer")
    return f"{plain(channel.channel)}{to}{opened}{closed}{transfer}{_more(rest)}"


def _transfer(channel: Channel) -> str:
    transfer = channel.transfer
    if transfer is None:
        return ""
    said = [
        f"within {clock(transfer.within)}" if transfer.within else "",
        f"daily at {transfer.at:%H:%M}" if transfer.at else "",
        f"at most {transfer.max_interval_hours} hours apart" if transfer.max_interval_hours else "",
    ]
    return ", ".join(filter(None, said))


def _exclusion(rule: ExclusionRule) -> str:
    by = f" by {plain(rule.unit)}" if rule.unit else ""
    route = f"; help is expected by way of {plain(rule.expected_route)}" if rule.expected_route else ""
    status = f"; the case is {plain(rule.case_status)}" if rule.case_status else ""
    kept = f"; the data are kept back ({plain(rule.withheld_reason)})" if rule.withheld_reason else ""
    return f"{plain(rule.outcome)}{by} ({plain(rule.reason)}){route}{status}{kept}"


def _triage(profile: Profile) -> Iterator[Statement]:
    triage = profile.triage
    if triage.performed_by or triage.basis:
        by = f"By {plain(triage.performed_by)}" if triage.performed_by else "It is not said by whom"
        on = f", on {listed(triage.basis, 'and')}" if triage.basis else ""
        yield Statement("Triage", "performed_by", f"{by}{on}", triage.source)
    yield from _rules("Triage", triage.performers, _rest, is_ordered=True)
    if triage.enhanced_categories is not None:
        named = listed(triage.enhanced_categories, "and") if triage.enhanced_categories else "none"
        yield Statement("Triage", "enhanced_categories", f"Of the Victims' Code's categories it names: {named}")
    for name in ("vulnerable", "prioritised"):
        condition = getattr(triage, name)
        if condition is not None:
            yield Statement("Triage", name, f"{name.capitalize()} is a person of whom: {holds(condition)}")
    yield from _rules("Levels", triage.levels, lambda rule: f"level {plain(rule.level)}", is_ordered=True)
    yield from _rules("Why a case matches", triage.matches, lambda rule: plain(rule.id))


def _need(rule: NeedRule) -> str:
    later = f"; the hub works on it first, then {plain(rule.next)}" if rule.next else ""
    return f"need of {listed(rule.needs, 'and')}{later}"


def _contacts(profile: Profile) -> Iterator[Statement]:
    yield from _rules("Contacts", profile.contacts, _contact)
    if profile.contact_methods:
        words = f"The hub's only ways of contact are {listed(profile.contact_methods, 'and')}"
        yield Statement("Contacts", "contact_methods", words)


def _contact(rule: ContactRule) -> str:
    automatic = "automated " if rule.automated else ""
    said = [
        f"{automatic}contact, {plain(rule.purpose)}",
        f"by {plain(rule.by)}" if rule.by else "",
        f"of {plain(rule.unit)}" if rule.unit else "",
        _methods(rule),
        f"{clock(rule.at).replace(' of ', ' after ')}" if rule.at else "",
        f"within {clock(rule.within)}" if rule.within else "",
        "" if rule.within or rule.at else "without a deadline",
        "until the offer is answered" if rule.ends_with_offer else "",
        f"instead of {listed(rule.instead_of, 'and')}" if rule.instead_of else "",
        f"after {listed(rule.outcomes)}" if rule.outcomes != ("accepted",) else "",
    ]
    told = ("unit", "purpose", "by", "methods", "mode", "within", "at", "automated", "ends_with_offer")
    return ", ".join(filter(None, said)) + _more(_rest(rule, *told, "instead_of", "outcomes"))


def _methods(rule: ContactRule) -> str:
    match rule.mode:
        case "preferred":
            return f"using what the person prefers{f' of {listed(rule.methods)}' if rule.methods else ''}"
        case "all" | "any":
            return f"using {listed(rule.methods, 'and' if rule.mode == 'all' else 'or')}"
        case None:
            one_or_all = " (one or all is not said)" if len(rule.methods) > 1 else ""
            return f"using {listed(rule.methods, 'and')}{one_or_all}" if rule.methods else ""


def _care(profile: Profile) -> Iterator[Statement]:
    yield from _rules("Assessments", profile.assessments, _rest, is_ordered=True)
    yield from _stated("Assessments", profile, "assessed_by")
    for name, part in (("plan", profile.plan), ("single_point_of_contact", profile.single_point_of_contact)):
        if part is not None:
            yield Statement("Plan and people", name, f"{plain(name)}: {_rest(part)}, {_when(part.when)}", part.source)
    yield from _rules("Plan and people", profile.assignments, _rest, is_ordered=True)
    yield from _rules("Attributes", profile.attributes, lambda rule: f"{plain(rule.name)}: {_value(rule.value)}")


def _partners(profile: Profile) -> Iterator[Statement]:
    partners = sorted(profile.partners, key=lambda partner: _preference(profile, partner))
    named = ((f"{partner.name} ({partner.kind})", _partner(partner), partner.source) for partner in partners)
    yield from _numbered("Partners", named)
    order = "; ".join(partner.name for partner in partners)
    if len(partners) > 1:
        yield Statement("Partners", "order", f"Asked in this order, where several can help: {order}")
    yield from _stated("Partners", profile, "demonstration_basis", "demonstration_kinds")
    said = _rest(profile.routing, "answer_within", "chase_after")
    if profile.routing.chase_after:
        said += f"; who has not answered within {clock(profile.routing.chase_after)} is reminded"
    if profile.routing.answer_within:
        said += f"; the next is asked without an answer within {clock(profile.routing.answer_within)}"
    if said:
        yield Statement("Partners", "routing", f"How they are chosen: {said.lstrip('; ')}", profile.routing.source)
    if profile.lead_provider:
        words = f"A case that matches several services goes to the meeting of its area: {_rest(profile.lead_provider)}"
        yield Statement("Partners", "lead_provider", words, profile.lead_provider.source)


def _preference(profile: Profile, partner: HubPartner) -> tuple[bool, int, int]:
    routing, location = profile.routing, partner.location
    places = routing.prefer_locations
    place = places.index(location) if location is not None and location in places else len(places)
    return routing.commissioned_first and not partner.commissioned, place, partner.preference


def _partner(partner: HubPartner) -> str:
    kinds = (
        listed((partner.kind, *partner.also), "and") if partner.kind != "other" else "whatever no other service meets"
    )
    rest = _rest(partner, "name", "kind", "also", "route", "preference")
    return f"{partner.name}: {plain(partner.route)} for {kinds}{_more(rest)}"


def _sharing(profile: Profile) -> Iterator[Statement]:
    for sharing in profile.sharing:
        basis = plain(sharing.basis) if sharing.basis else "not said"
        words = f"{plain(sharing.hop)}, lawful basis: {basis}{_more(_rest(sharing, 'hop', 'basis'))}"
        yield Statement("Sharing", sharing.hop, words, sharing.source)
    for fence in profile.ring_fences:
        reach = (
            f"{listed(fence.data, 'and')} held by {plain(fence.held_by)} must not reach {listed(fence.must_not_reach)}"
        )
        open_ = f", except for {listed(fence.exceptions)}" if fence.exceptions else ", without exception"
        rest = _rest(fence, "data", "held_by", "must_not_reach", "exceptions")
        yield Statement("Sharing", f"ring-fence {fence.id}", f"{reach}{open_}{_more(rest)}", fence.source)
    back = profile.flow_back
    told = [
        word for word, is_told in (("the decision", back.decision), ("the onward referrals", back.onward)) if is_told
    ]
    yield Statement(
        "Sharing", "flow_back", f"The source of a referral may see {' and '.join(told) or 'nothing'}", back.source
    )


def _afterwards(profile: Profile) -> Iterator[Statement]:
    if profile.opt_in:
        end = f"for {profile.opt_in.days} days" if profile.opt_in.days else "without end"
        words = f"The door stays open {end}, {_when(profile.opt_in.when)}"
        yield Statement("Afterwards", "opt_in", words, profile.opt_in.source)
    offer = profile.re_offer
    if said := _rest(offer):
        yield Statement("Afterwards", "re_offer", f"After a declined offer: {said}", offer.source)
    if profile.case_updates:
        words = f"Updates on the way through the courts, {_when(profile.case_updates.when)}"
        rest = _rest(profile.case_updates)
        yield Statement("Afterwards", "case_updates", f"{words}{_more(rest)}", profile.case_updates.source)
    yield from _rules("Surveys", profile.surveys, _survey)
    kept = ((listed(rule.ends), _kept(rule), rule.source) for rule in profile.retention)
    yield from _numbered("How long persons are kept", kept)
    for name, items in profile.facts:
        listed_ = [{key: value} for key, value in items.items()] if isinstance(items, dict) else items
        for index, item in enumerate(listed_, 1):
            source = item.get("source") if isinstance(item, dict) else None
            yield Statement(f"Facts: {plain(name)}", str(index), _fact(item), str(source) if source else None)


def _kept(rule: Retention) -> str:
    return f"{rule.days} days after the end of a case that ended {listed(rule.ends)}, {_when(rule.when)}"


def _fact(item: Any) -> str:
    if not isinstance(item, dict):
        return _value(item)
    name = [str(item["name"])] if "name" in item else []
    rest = (f"{plain(key)}: {_value(value)}" for key, value in item.items() if key not in ("name", "source"))
    return "; ".join([*name, *rest])


def _survey(rule: SurveyRule) -> str:
    sent = f"sent on {plain(rule.sent_on)}" if rule.sent_on else "not sent by the hub"
    asked = f"; not without consent ({plain(rule.refused_reason)})" if rule.refused_reason else ""
    return f"{plain(rule.instrument)}, {sent}{asked}{_more(_rest(rule, 'instrument', 'sent_on', 'refused_reason'))}"


def _rules(section: str, rules: Sequence[Any], words: Any, *, is_ordered: bool = False) -> Iterator[Statement]:
    """Yield what each rule says; where the first that applies decides, also in which order they are asked."""
    for rule in rules:
        yield Statement(section, rule.id, f"{_first_upper(_when(rule.when))}: {words(rule)}", rule.source)
    if is_ordered and len(rules) > 1:
        order = "; ".join(rule.id for rule in rules)
        yield Statement(section, f"order of {section}", f"The first of these that applies decides: {order}")


def _first_upper(words: str) -> str:
    return words[:1].upper() + words[1:]


def _when(condition: Any) -> str:
    words = holds(condition)
    return "always" if words == "always" else f"when {words}"


def _numbered(section: str, said: Iterable[tuple[str, str, str | None]]) -> Iterator[Statement]:
    """Yield statements about things that may be named alike."""
    seen: dict[str, int] = {}
    for key, words, source in said:
        seen[key] = seen.get(key, 0) + 1
        yield Statement(section, key if seen[key] == 1 else f"{key} ({seen[key]})", words, source)


def _stated(section: str, part: ProfilePart, *names: str) -> Iterator[Statement]:
    """Yield fields that are not as they are by default, by their names."""
    for name in names:
        value = getattr(part, name)
        if value != type(part).model_fields[name].get_default(call_default_factory=True):
            yield Statement(section, name, f"{plain(name)}: {_value(value)}")


def _rest(part: ProfilePart, *told: str) -> str:
    """Return what else a part says, by the names of its fields."""
    said = []
    for name, value in part:
        default = type(part).model_fields[name].get_default(call_default_factory=True)
        if name not in _BESIDE and name not in told and value != default:
            said.append(f"{plain(name)}: {_value(value)}")
    return "; ".join(said)


def _more(rest: str) -> str:
    return f"; {rest}" if rest else ""


def _value(value: Any) -> str:
    if isinstance(value, Within):
        return clock(value)
    if isinstance(value, Condition):
        return holds(value)
    if isinstance(value, ProfilePart):
        when = getattr(value, "when", None)
        return f"{_rest(value)}{f' {_when(when)}' if when is not None else ''}"
    if isinstance(value, dict):
        return ", ".join(
            f"{plain(key)}{' → ' if isinstance(item, str) else ' '}{_value(item)}" for key, item in value.items()
        )
    if isinstance(value, tuple | list):
        return ", ".join(_value(item) for item in value)
    return plain(value) if value is not None else "not said"
