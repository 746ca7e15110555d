"""The decisions: Cambridgeshire as its text says, and what other hubs' texts need of the same schema."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hubkit.contracts.profile import Condition
from hubkit.profiles import load_profile
from services.triage.model import ContactState, LeftOut, Progress, Subject, Triaged
from services.triage.policy.conditions import CHECKS, compile_condition
from services.triage.policy.entitlement import categories, decide_entitlement
from services.triage.policy.rulebook import Rulebook
from services.triage.policy.triage import decide
from tests.services.triage.facts import CAMBRIDGESHIRE, NOW, profile, received, with_profile

CAMBRIDGESHIRE_RULES = Rulebook.of(load_profile(CAMBRIDGESHIRE))


def cambridgeshire(**facts: Any) -> Triaged:
    return decide(CAMBRIDGESHIRE_RULES, received(**facts), NOW)


def subject(**facts: Any) -> Subject:
    return Subject(**{"crime": "theft.other", "channel": "police_automatic", "received_at": NOW, **facts})


# Acceptance


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"crime": "violence.with_injury", "markers": ["domestic_abuse", "da_risk_high"]}, "high_risk_domestic_abuse"),
        ({"markers": ["domestic_abuse"], "risk": {"instrument": "dash", "grade": "high"}}, "high_risk_domestic_abuse"),
        ({"crime": "non_crime.domestic_incident", "risk": {"grade": "high"}}, "high_risk_domestic_abuse"),
        ({"crime": "sexual.rape", "markers": ["sexual_violence"]}, "rape"),
        ({"crime": "sexual.sexual_assault"}, "serious_sexual_violence"),
        (
            {"crime": "violence.modern_slavery", "markers": ["child", "child_exploitation"]},
            "child_abuse_or_exploitation",
        ),
        ({"crime": "sexual.exposure_voyeurism", "age": 17}, "child_abuse_or_exploitation"),
        ({"crime": "violence.child_cruelty"}, "child_abuse_or_exploitation"),
    ],
)
def test_cambridgeshire_closes_these_without_contact(facts: dict[str, Any], reason: str) -> None:
    triaged = cambridgeshire(**facts)
    decision = triaged.decision
    assert (decision.outcome, decision.reason, decision.case_status) == ("excluded", reason, "closed_without_contact")
    assert decision.expected_route == "direct_by_investigating_officer"
    assert decision.rules[0] == reason
    assert (triaged.contacts, triaged.needs, triaged.entitlement) == ((), (), None)


@pytest.mark.parametrize(
    "facts",
    [
        {"markers": ["domestic_abuse", "da_risk_medium"]},
        {"markers": ["domestic_abuse"], "risk": {"grade": "medium"}},
        {"risk": {"grade": "high"}},
        {"crime": "violence.modern_slavery"},
        {"crime": "violence.with_injury", "age": 15, "markers": ["child"]},
        {"crime": "sexual.exposure_voyeurism", "age": 18},
        {"crime": "sexual.exposure_voyeurism", "age": None},
        {"channel": "neighbouring_hub", "crime": "robbery.personal"},
        {"channel": "action_fraud", "crime": "fraud.apf"},
        {"role": "witness"},
    ],
)
def test_cambridgeshire_takes_these_on(facts: dict[str, Any]) -> None:
    assert cambridgeshire(**facts).decision.outcome == "accepted"


def test_every_exclusion_that_applies_is_recorded_and_the_first_decides() -> None:
    decision = cambridgeshire(crime="sexual.rape", age=12, markers=["da_risk_high", "child"]).decision
    assert decision.reason == "high_risk_domestic_abuse"
    assert decision.rules == ("high_risk_domestic_abuse", "rape", "child_abuse_or_exploitation")


def test_a_channel_the_profile_does_not_have_is_not_active() -> None:
    decision = cambridgeshire(channel="agency").decision
    assert (decision.outcome, decision.reason) == ("channel_not_active", "channel_not_in_profile")


def test_a_channel_opens_and_ends_on_local_days() -> None:
    text = """
    channels: [{channel: police_automatic, active_from: 2026-07-02, active_to: 2026-07-03,
                early_reason: automatic_referral_not_started}]
    """
    at = datetime(2026, 7, 1, 23, 0, tzinfo=UTC)  # the first minute of 2 July in London
    early = with_profile(text, received_at=at - timedelta(seconds=1)).decision
    assert (early.outcome, early.reason) == ("channel_not_active", "automatic_referral_not_started")
    assert with_profile(text, received_at=at).decision.is_accepted
    assert with_profile(text, received_at=at + timedelta(days=2, seconds=-1)).decision.is_accepted
    assert with_profile(text, received_at=at + timedelta(days=2)).decision.reason == "channel_ended"


def test_a_profile_that_is_not_yet_or_no_longer_valid_takes_nothing_on() -> None:
    early = with_profile("{valid_from: 2027-01-01, early_reason: before_go_live}").decision
    late = with_profile("{valid_to: 2024-03-31, late_reason: contract_ended}").decision
    assert (early.outcome, early.reason) == ("no_active_profile", "before_go_live")
    assert (late.outcome, late.reason) == ("no_active_profile", "contract_ended")


def test_witnesses_are_out_of_scope_only_where_the_profile_says_so() -> None:
    assert with_profile("{witnesses: false}", role="witness").decision.reason == "witnesses_not_served"
    assert with_profile("{}", role="witness").decision.is_accepted


def test_an_opt_out_excludes_and_silence_does_not() -> None:
    text = """
    exclusions: [{id: opted_out, reason: opted_out,
                  when: {consents: [{hop: police_to_hub, decisions: [refused, withdrawn]}]}}]
    """
    given = {"hop": "police_to_hub", "decision": "given", "recorded_at": NOW}
    refused = {"hop": "police_to_hub", "decision": "refused", "recorded_at": NOW + timedelta(minutes=1)}
    assert with_profile(text).decision.is_accepted
    assert with_profile(text, consents=[given]).decision.is_accepted
    assert with_profile(text, consents=[refused, given]).decision.reason == "opted_out"


def test_consent_can_be_what_acceptance_needs() -> None:
    text = """
    exclusions: [{id: consent, reason: no_consent_to_police,
                  when: {channels: [police_case_by_case],
                         none_of: [{consents: [{hop: police_to_hub, decisions: [given]}]}]}}]
    """
    assert with_profile(text, channel="police_case_by_case").decision.reason == "no_consent_to_police"
    assert with_profile(text, channel="self_referral").decision.is_accepted


def test_over_60_means_61_or_more() -> None:
    text = """
    exclusions: [{id: marker, reason: no_vulnerability_marker, outcome: out_of_scope,
                  when: {no_marker: [hate_crime, domestic_abuse, child, young_person], none_of: [{min_age: 61}]}}]
    """
    outcomes = [with_profile(text, age=age).decision.outcome for age in (61, 60, None)]
    assert outcomes == ["accepted", "out_of_scope", "out_of_scope"]


# Entitlement


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        ({}, ()),
        ({"markers": {"repeat_victim"}}, ()),
        ({"markers": {"hate_crime"}}, ("most_serious_crime",)),
        ({"crime": "violence.gbh_intent"}, ("most_serious_crime",)),
        ({"crime": "violence.with_injury"}, ()),
        ({"role": "bereaved_relative"}, ("most_serious_crime",)),
        ({"crime": "stalking_harassment.stalking"}, ("persistently_targeted",)),
        ({"markers": {"vulnerable"}}, ("vulnerable_or_intimidated",)),
        ({"offence_age": 17}, ("vulnerable_or_intimidated",)),
        ({"offence_age": 18}, ()),
        ({"markers": {"enhanced"}}, ("judged_enhanced",)),
        ({"markers": {"domestic_abuse"}}, ("most_serious_crime", "vulnerable_or_intimidated")),
        ({"crime": "sexual.other"}, ("most_serious_crime", "vulnerable_or_intimidated")),
    ],
)
def test_entitlement_under_the_victims_code(facts: dict[str, Any], found: tuple[str, ...]) -> None:
    facts["markers"] = frozenset(facts.get("markers", ()))
    entitlement = decide_entitlement(categories(None), subject(**facts))
    assert entitlement.categories == found
    assert entitlement.level == ("enhanced" if found else "standard")


def test_a_hub_can_name_fewer_categories_than_the_code() -> None:
    text = "triage: {enhanced_categories: [vulnerable_or_intimidated, persistently_targeted]}"
    assert with_profile(text, crime="violence.attempted_murder").entitlement == with_profile("{}").entitlement


@pytest.mark.parametrize(("occurred_on", "level"), [("2023-11-20", "standard"), ("2023-11-18", "enhanced")])
def test_minority_counts_at_the_time_of_the_offence_as_far_as_it_is_certain(occurred_on: str, level: str) -> None:
    crime = {"category": "theft.other", "occurred_on": occurred_on}
    triaged = with_profile("{}", crime=crime, age=20)
    assert triaged.entitlement is not None
    assert triaged.entitlement.level == level


# Needs and levels


def test_needs_are_those_named_and_those_of_rules() -> None:
    text = """
    needs:
      - {id: fraud_need, when: {crimes: [fraud]}, needs: [fraud, counselling]}
      - {id: never, when: {crimes: [drugs]}, needs: [idva]}
    """
    triaged = with_profile(text, crime="fraud.apf", needs=["restorative_justice", "counselling"])
    assert triaged.needs == ("counselling", "fraud", "restorative_justice")
    assert "fraud_need" in triaged.decision.rules
    assert "never" not in triaged.decision.rules


def test_assessed_needs_replace_what_referral_and_rules_say() -> None:
    rules = Rulebook.of(profile("needs: [{id: fraud_need, when: {crimes: [fraud]}, needs: [fraud]}]"))
    assert decide(
        rules, received(crime="fraud.apf", needs=["idva"]), NOW, Progress(assessed_needs=("isva",))
    ).needs == ("isva",)
    assert decide(rules, received(crime="fraud.apf", needs=["idva"]), NOW, Progress(assessed_needs=())).needs == ()


def test_cambridgeshire_has_no_levels() -> None:
    assert cambridgeshire(markers=["vulnerable"]).level is None


def test_the_first_level_that_applies_decides_and_may_ask_for_the_entitlement() -> None:
    text = """
    triage: {levels: [{id: first, when: {entitlement: [enhanced]}, level: priority},
                      {id: rest, when: {}, level: other}]}
    """
    assert with_profile(text, markers=["vulnerable"]).level == "priority"
    assert with_profile(text).level == "other"


# Contacts


def test_cambridgeshire_contacts_who_asked_or_is_enhanced_and_nobody_else() -> None:
    for facts in ({"markers": ["support_requested"]}, {"needs": ["counselling"]}, {"markers": ["vulnerable"]}):
        (contact,) = cambridgeshire(**facts).contacts
        assert (contact.by, contact.methods, contact.due_at) == ("hub", None, None)
        assert contact.due_reason == "no_deadline_in_profile"
    assert cambridgeshire().contacts == ()


def test_each_contact_rule_that_applies_plans_its_own_contact_with_its_own_clock() -> None:
    text = """
    contacts:
      - {id: offer, purpose: offer, methods: [text, email], mode: all, within: {amount: 24, unit: hours}}
      - {id: call, purpose: offer, methods: [phone], mode: all, when: {entitlement: [enhanced]},
         within: {amount: 1, unit: working_days}}
    """
    offer, call = with_profile(text, markers=["enhanced"], received_at=datetime(2026, 11, 20, 9, tzinfo=UTC)).contacts
    assert (offer.methods, offer.mode, offer.due_at) == (
        ("text", "email"),
        "all",
        datetime(2026, 11, 21, 9, tzinfo=UTC),
    )
    assert call.due_at == datetime(2026, 11, 23, 23, 59, 59, tzinfo=UTC)


def test_a_contact_can_depend_on_the_level() -> None:
    text = """
    triage: {levels: [{id: p, when: {any_marker: [priority_crime]}, level: priority}, {id: o, when: {}, level: other}]}
    contacts:
      - {id: soon, when: {levels: [priority]}, within: {amount: 1, unit: working_days}}
      - {id: later, when: {levels: [other]}, within: {amount: 5, unit: working_days}}
    """
    assert [contact.rule_id for contact in with_profile(text, markers=["priority_crime"]).contacts] == ["soon"]
    assert [contact.rule_id for contact in with_profile(text).contacts] == ["later"]


def test_a_clock_starts_where_the_rule_says_and_not_without_that_moment() -> None:
    text = "contacts: [{id: a, within: {amount: 2, unit: hours, starts: crime_recorded}}]"
    crime = {"category": "theft.other", "recorded_at": NOW - timedelta(hours=1)}
    assert with_profile(text, crime=crime).contacts[0].due_at == NOW + timedelta(hours=1)
    (contact,) = with_profile(text).contacts
    assert (contact.due_at, contact.due_reason) == (None, "clock_not_started")
    opened = with_profile("contacts: [{id: a, within: {amount: 2, unit: hours, starts: case_opened}}]")
    assert opened.contacts[0].due_at == NOW + timedelta(hours=2)


def test_the_preferred_method_is_taken_where_the_rule_asks_for_it() -> None:
    text = "contacts: [{id: a, methods: [email, letter], mode: preferred}]"
    (known,) = with_profile(text, preferred_method="phone").contacts
    (unknown,) = with_profile(text).contacts
    assert (known.methods, known.mode) == (("phone",), "all")
    assert (unknown.methods, unknown.mode) == (("email", "letter"), "any")


# Safe contact

OFFER = "contacts: [{id: a, methods: [text, email, phone], mode: all, within: {amount: 24, unit: hours}}]"


def test_an_unsafe_method_is_left_out_with_its_reason() -> None:
    (contact,) = with_profile(OFFER, safe_contact={"text": False, "voicemail": False}).contacts
    assert contact.methods == ("email", "phone")
    assert contact.left_out == (LeftOut("text", "said_unsafe"),)
    assert contact.cautions == ("no_voicemail",)


@pytest.mark.parametrize(
    "facts",
    [
        {"markers": ["domestic_abuse"]},
        {"markers": ["da_risk_standard"]},
        {"crime": "stalking_harassment.stalking"},
        {"crime": "violence.fgm_forced_marriage"},
    ],
)
def test_with_unknown_safety_and_signs_of_abuse_there_is_no_text_letter_or_voicemail(facts: dict[str, Any]) -> None:
    text = "contacts: [{id: a, methods: [text, email, phone, letter, home_visit], mode: any}]"
    (contact,) = with_profile(text, **facts).contacts
    assert contact.methods == ("email", "phone")
    assert {item.reason for item in contact.left_out} == {"safety_unknown"}
    assert contact.cautions == ("police_safe_contact_check_first", "no_voicemail")


def test_a_method_that_the_person_called_safe_stays() -> None:
    safe = {"phone": True, "text": True, "email": True, "voicemail": True, "has_instructions": True}
    (contact,) = with_profile(OFFER, markers=["domestic_abuse"], safe_contact=safe).contacts
    assert contact.methods == ("text", "email", "phone")
    assert contact.cautions == ("read_contact_instructions",)


def test_without_any_safe_method_the_contact_is_suspended_and_its_clock_stops() -> None:
    safe = {"phone": False, "text": False, "email": False}
    (contact,) = with_profile(OFFER, safe_contact=safe).contacts
    assert (contact.state, contact.methods, contact.due_at) == (ContactState.SUSPENDED, (), None)
    assert contact.due_reason == "no_safe_method"
    assert len(contact.left_out) == 3


def test_where_staff_choose_they_are_told_what_is_unsafe() -> None:
    (contact,) = cambridgeshire(markers=["vulnerable"], safe_contact={"letter": False}).contacts
    assert (contact.methods, contact.state) == (None, ContactState.PLANNED)
    assert contact.left_out == (LeftOut("letter", "said_unsafe"),)


# Conditions


@pytest.mark.parametrize(
    ("condition", "facts", "holds"),
    [
        ({}, {}, True),
        ({"crimes": ("theft",)}, {}, True),
        ({"crimes": ("theft.other",)}, {}, True),
        ({"crimes": ("theft.bicycle", "fraud")}, {}, False),
        ({"all_markers": ("child", "enhanced")}, {"markers": {"child"}}, False),
        ({"all_markers": ("child", "enhanced")}, {"markers": {"child", "enhanced", "lgbtq"}}, True),
        ({"no_marker": ("child",)}, {"markers": {"child"}}, False),
        ({"units": ("bureau",)}, {}, False),
        ({"units": ("bureau",)}, {"unit": "bureau"}, True),
        ({"risk_grades": ("high",)}, {}, False),
        ({"needs": ("idva",)}, {"needs": {"idva", "isva"}}, True),
        ({"has_needs": False}, {}, True),
        ({"min_age": 18, "max_age": 20}, {"age": 20}, True),
        ({"min_age": 18, "max_age": 20}, {"age": 21}, False),
        ({"min_age": 0}, {"age": None}, False),
        ({"reported_to_police": False}, {}, False),
        ({"reported_to_police": False}, {"reported_to_police": False}, True),
        ({"consents": ({"hop": "police_to_hub", "decisions": ("not_asked",)},)}, {}, True),
        ({"purposes": ("support",)}, {}, False),
        ({"purposes": ("support",)}, {"purpose": "support"}, True),
        ({"lives_in_area": False}, {}, False),
        ({"lives_in_area": False}, {"lives_in_area": False}, True),
        ({"recording_time_known": False}, {}, True),
        ({"recording_time_known": True}, {"crime_recorded_at": NOW}, True),
        ({"languages_other_than": ("en", "cy")}, {}, False),
        ({"languages_other_than": ("en", "cy")}, {"language": "en-GB"}, False),
        ({"languages_other_than": ("en", "cy")}, {"language": "pl"}, True),
        ({"offer": ("accepted",)}, {}, False),
        ({"offer": ("accepted",)}, {"progress": Progress(offer="accepted")}, True),
        ({"judged_enhanced": False}, {}, False),
        ({"judged_enhanced": False}, {"progress": Progress(judged_enhanced=False)}, True),
        ({"findings": ("no_needs",)}, {}, False),
        (
            {"findings": ("no_needs", "additional_needs")},
            {"progress": Progress(findings=frozenset({"no_needs"}))},
            True,
        ),
        ({"assessed": False}, {}, True),
        ({"assessed": True}, {"progress": Progress(assessed_needs=())}, True),
        ({"assessed_needs": ("idva",)}, {"needs": {"idva"}}, False),
        ({"assessed_needs": ("idva",)}, {"progress": Progress(assessed_needs=("idva", "isva"))}, True),
        ({"requested_needs": ("idva",)}, {}, False),
        ({"requested_needs": ("idva",)}, {"progress": Progress(requested_needs={"idva": NOW})}, True),
        ({"requested_methods": ("video",)}, {"progress": Progress(requested_methods=("phone",))}, False),
        ({"requested_methods": ("video",)}, {"progress": Progress(requested_methods=("phone", "video"))}, True),
        ({"spoken_with": True}, {"progress": Progress(failed_attempts=1)}, False),
        ({"spoken_with": False}, {"progress": Progress(failed_attempts=1)}, True),
        ({"spoken_with": True}, {"progress": Progress(was_reached=True)}, True),
        ({"spoken_with": True}, {"progress": Progress(offer="declined")}, True),
        ({"spoken_with": True}, {"progress": Progress(assessed_needs=())}, True),
        ({"min_failed_attempts": 2}, {"progress": Progress(failed_attempts=1)}, False),
        ({"min_failed_attempts": 2}, {"progress": Progress(failed_attempts=2)}, True),
        ({"court_events": ("charge", "trial")}, {}, False),
        ({"court_events": ("charge", "trial")}, {"progress": Progress(court_event="trial")}, True),
        ({"court_events": ("charge", "trial")}, {"progress": Progress(court_event="sentence")}, False),
        ({"pleas": ("not_guilty",)}, {}, False),
        ({"pleas": ("not_guilty",)}, {"progress": Progress(plea="not_guilty")}, True),
        ({"any_of": ({"roles": ("witness",)}, {"channels": ("police_automatic",)})}, {}, True),
        ({"none_of": ({"roles": ("witness",)}, {"channels": ("police_automatic",)})}, {}, False),
    ],
)
def test_conditions(condition: dict[str, Any], facts: dict[str, Any], holds: bool) -> None:
    for name in ("markers", "needs"):
        facts[name] = frozenset(facts.get(name, ()))
    assert compile_condition(Condition.model_validate(condition))(subject(**facts)) is holds


def test_every_field_of_a_condition_is_asked() -> None:
    assert CHECKS.keys() == set(Condition.model_fields)
