"""Every word that a scenario may use. What is not here fails the scenario by its name; nothing is ever skipped."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from hubkit.contracts import codes
from onward.scenarios.book import REPORTING, Scenario

#: What came before the scenario or stands around it.
_GIVEN: Final = frozenset({
    "now", "clock", "referral", "referrals", "state", "states", "profile_parameters", "period",
})  # fmt: skip
REFERRAL_KEYS: Final = frozenset({
    "consents", "crime", "date_of_birth", "from", "intake_method", "language", "lives_in_area",
    "local_authority_area", "markers", "preferred_contact", "received_at", "received_at_by_unit", "recorded_at", "ref",
    "reported_to_police", "source", "unit", "victim_age",
})  # fmt: skip
#: What a state says of the referral from which its case came.
REFERRAL_STATE: Final = frozenset({
    "consents", "crime", "level", "markers", "needs", "reported_to_police", "source", "unit",
})  # fmt: skip
DIRECTORY_STATE: Final = frozenset({
    "commissioned_services_matching", "information_sharing_agreement", "information_sharing_protocol",
    "matching_services", "other_services_matching",
})  # fmt: skip
#: What an assessment found. Each of `codes.FINDINGS` may also be a key of its own.
ASSESSMENT_STATE: Final = frozenset({
    "additional_needs", "advisor_required", "assessed_need", "assessed_needs", "enhanced_professional_support",
    "initial_assessment", "needs_assessment",
})  # fmt: skip
_OTHER_STATE: Final = frozenset({
    "case", "declined_at", "direct_contacts", "failed_attempts", "first_hearing", "manager_judgement", "meeting_held",
    "onward_referrals", "options_offered", "outcome_star_readings", "plea", "ref", "requested_method",
    "safeguarding_risk", "support_provided", "victim_choice",
})  # fmt: skip
#: Counts and lists that reports are made of.
_REPORT_STATE: Final = frozenset({
    "automated_offers", "automatic_referrals", "case_studies", "closed", "engaged", "external_referrals",
    "identified_and_referred", "idva_open_cases", "increased_safety", "increased_wellbeing",
    "isva_open_cases", "letters_sent", "measured", "month_end", "months_since_detailed_return", "other_referrals",
    "partners", "reduced_risk", "referrals", "referrals_by_month", "referrals_by_source", "referrals_sent",
    "rejections", "reporter", "sections_present", "services", "supported", "victim_bureau", "victim_care_unit",
    "victim_support", "waiting",
})  # fmt: skip
STATE_KEYS: Final = REFERRAL_STATE | DIRECTORY_STATE | ASSESSMENT_STATE | _OTHER_STATE
CASE_STATES: Final = frozenset({"open", "accepted", "offered", "pending", "declined", "closed"}) | codes.OUTCOMES

#: What referrals may bring, and what may be corrected later.
_FACTS: Final = REFERRAL_KEYS - {"ref"}
_FINDINGS: Final = ASSESSMENT_STATE | codes.FINDINGS | {"findings", "kind", "needs"}
_POSTED: Final = _FACTS | {"purpose"}
#: What each event may say, beside `event`, `at` and `by`.
WHEN: Final[Mapping[str, frozenset[str]]] = {
    "crime_recorded": _POSTED,
    "transfer_received": _POSTED,
    "referral_received": _POSTED,
    "referral_requested": _POSTED,
    "onward_referral_received": _POSTED | {"need", "to"},
    "triage_completed": _FINDINGS | {"manager_judgement"},
    "offer_accepted": frozenset(),
    "offer_declined": frozenset(),
    "contact_attempt_failed": frozenset({"method", "outcome"}),
    "assessment_completed": _FINDINGS,
    "onward_referral_requested": frozenset({"need", "needs"}),
    "access_requested": frozenset({"requester", "what", "ground", "reason", "decided_by", "approved_by"}),
    "reassessed": _FACTS | _FINDINGS | {"manager_judgement"},
    "re_offer": frozenset({"victim_accepts"}),
    "case_closed": frozenset({"reason"}),
    "case_in_progress": frozenset({"action", "method", "purpose"}),
    "lead_proposed": frozenset({"leads", "lead", "views"}),
    "rejection_recorded": frozenset({"need", "partner", "reason", "reasons"}),
    "plea_entered": frozenset({"plea", "on"}),
    "survey_due": frozenset({"instrument"}),
    "report_due": frozenset(),
    "publication_requested": frozenset({"what"}),
}
_NOT_IN_CODES: Final = re.compile(r"[^A-Za-z0-9_.:-]+")
_CODE_LENGTH: Final = 40
#: Words for help that is not a kind of partner: what the hub gives itself.
_HELP: Final = frozenset({"emotional_support", "practical_support", "in_house"})
_WORDS: Final = {
    "crime": codes.CRIMES,
    "source": codes.CHANNELS,
    "markers": codes.MARKERS,
    "needs": codes.KINDS | _HELP,
    "need": codes.KINDS,
    "assessed_need": codes.KINDS | _HELP,
    "assessed_needs": codes.KINDS | _HELP,
    "case": CASE_STATES,
    "plea": codes.PLEAS,
    "method": codes.METHODS,
    "requested_method": codes.METHODS,
    "preferred_contact": codes.METHODS,
    "intake_method": codes.INTAKE_METHODS,
}
_DECISIONS: Final = frozenset({
    "given", "refused", "withdrawn", "not_asked", "explicit", "implied", "opted_out",
})  # fmt: skip


def faults_of(scenario: Scenario) -> list[str]:
    """Return what of a scenario is not known, each with its place."""
    event = scenario.event
    if event not in WHEN:
        return [f"when.event: unknown event {event}"]
    if event in REPORTING:
        return []
    ill_formed = _ill_formed(scenario)
    if ill_formed:
        return ill_formed
    faults = [f"given.{key}: unknown key" for key in scenario.given if key not in _GIVEN]
    known = WHEN[event] | {"event", "at", "by"}
    faults += [f"when.{key}: unknown key" for key in scenario.when if key not in known]
    faults += _strange_words(scenario.when, "when")
    for place, block, keys in _blocks(scenario.given):
        faults += [f"{place}.{key}: unknown key" for key in block if key not in keys and not _is_nothing(key, block)]
        faults += _strange_words(block, place)
    if not scenario.then:
        faults.append("then: asserts nothing")
    return faults


def _ill_formed(scenario: Scenario) -> list[str]:
    """Return what is a list, a text or a number where keys and values belong."""
    given = scenario.given
    single = {"given": ("referral", "state", "profile_parameters"), "then": ("by_ref",)}
    blocks = {"given": given, "then": scenario.then}
    named = [(f"{block}.{key}", blocks[block].get(key)) for block, keys in single.items() for key in keys]
    for key in ("referrals", "states"):
        if isinstance(given.get(key), (list, tuple)):
            named += [(f"given.{key}[{number}]", item or "nothing") for number, item in enumerate(given[key])]
        elif given.get(key) is not None:
            return [f"given.{key}: must be a list"]
    by_ref = scenario.then.get("by_ref")
    if isinstance(by_ref, Mapping):
        named += [(f"then.by_ref.{ref}", item or "nothing") for ref, item in by_ref.items()]
    people = [each for _, each in named if isinstance(each, Mapping)]
    named += [("consents", each.get("consents")) for each in people]
    strange = [place for place, each in named if each is not None and not isinstance(each, Mapping)]
    return [f"{place}: must have keys and values" for place in strange]


def _blocks(given: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], frozenset[str]]]:
    for one, several, keys in (("referral", "referrals", REFERRAL_KEYS), ("state", "states", STATE_KEYS)):
        if given.get(one):
            yield f"given.{one}", given[one], keys
        for number, block in enumerate(given.get(several) or ()):
            yield f"given.{several}[{number}]", block, keys


def _is_nothing(key: str, block: Mapping[str, Any]) -> bool:
    """Whether a key of reports says that there is nothing, as in every new world."""
    return key in _REPORT_STATE and not block[key]


def _strange_words(block: Mapping[str, Any], place: str) -> list[str]:
    faults = []
    for key, known in _WORDS.items():
        for word in as_list(block.get(key)):
            if not isinstance(word, str) or word not in known:
                faults.append(f"{place}.{key}: unknown code {word}")
    consents = block.get("consents") or {}
    faults += [f"{place}.consents.{hop}: unknown hop" for hop in consents if hop not in codes.HOPS]
    faults += [f"{place}.consents.{hop}: unknown code {word}" for hop, word in consents.items() if _is_strange(word)]
    return faults


def _is_strange(decision: Any) -> bool:
    return decision is not None and (not isinstance(decision, str) or decision not in _DECISIONS)


def code(words: Any) -> str:
    """Return words of a scenario as a code: what the hub keeps as one, a scenario may say in a sentence."""
    return _NOT_IN_CODES.sub("_", str(words))[:_CODE_LENGTH].strip("_.:-") or "unsaid"


def as_list(value: Any) -> Sequence[Any]:
    """Return a list of what may be none, one or several."""
    if value is None:
        return ()
    return value if isinstance(value, (list, tuple)) else (value,)
