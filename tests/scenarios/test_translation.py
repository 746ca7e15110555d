"""From the words of a scenario to public calls, and from public answers back."""

from datetime import UTC, datetime
from typing import Any

import pytest

from hubkit.contracts.profile import Profile
from onward.scenarios import findings
from onward.scenarios.book import Scenario, ScenarioError, parts_of
from onward.scenarios.compare import Words
from onward.scenarios.directory import Directory
from onward.scenarios.judge import faults_of
from onward.scenarios.outputs import Outcome, contact, facts_of
from onward.scenarios.play import moment_of
from onward.scenarios.prior import before
from onward.scenarios.referrals import consent, referral, unit_of
from onward.scenarios.vocabulary import code
from services.intake.schemas import Referral

NOW = datetime(2024, 5, 14, 9, 10, tzinfo=UTC)


def test_a_referral_says_what_the_scenario_says():
    facts = {
        "source": "agency",
        "unit": "a_unit",
        "from": "A Service",
        "intake_method": "website",
        "received_at": "2024-05-14T09:00:00+01:00",
        "received_at_by_unit": {"a_unit": "2024-05-14T08:00:00+01:00"},
        "recorded_at": "2024-05-13T09:00:00+01:00",
        "crime": "fraud.apf",
        "reported_to_police": False,
        "markers": ["child"],
        "victim_age": 17,
        "language": "pl",
        "preferred_contact": "phone",
        "lives_in_area": True,
        "local_authority_area": "area_x",
        "consents": {"police_to_hub": "opted_out", "hub_to_partner": "given"},
    }
    body = Referral.model_validate(referral(facts, NOW, "hate_crime_report"))

    assert (body.source.channel, body.source.unit, body.source.from_) == ("agency", "a_unit", "A Service")
    assert body.source.received_by_unit[0].unit == "a_unit"
    assert body.received_at == datetime(2024, 5, 14, 8, tzinfo=UTC)
    assert body.person is not None
    assert (body.person.age, body.person.language, body.person.local_authority_area) == (17, "pl", "area_x")
    assert [(each.hop, each.decision, each.method) for each in body.consents] == [
        ("hub_to_partner", "given", None),
        ("police_to_hub", "refused", None),
    ]
    assert body.purpose == "hate_crime_report"
    assert (body.safe_contact.text, body.safe_contact.letter) == (True, True)


def test_a_referral_that_says_nothing_comes_now_with_express_consent_to_share():
    body = referral({"source": "agency"}, NOW)

    assert body["received_at"] == NOW.isoformat()
    assert [(each["decision"], each["method"]) for each in body["consents"]] == [("given", "spoken")]
    assert "unit" not in body["source"]


def test_nobody_is_sent_twice():
    one, other = referral({"source": "agency"}, NOW), referral({"source": "agency"}, NOW)

    assert one["source"]["reference"] != other["source"]["reference"]
    assert all(one["person"][name] != other["person"][name] for name in ("family_name", "phone", "email"))


@pytest.mark.parametrize(
    ("word", "decision", "method"),
    [
        ("explicit", "given", "spoken"),
        ("given", "given", None),
        ("implied", "given", "implied"),
        ("opted_out", "refused", None),
        ("not_asked", "not_asked", None),
    ],
)
def test_a_decision_of_the_person(word: str, decision: str, method: str | None):
    made = consent("hub_to_partner", word, NOW)

    assert (made["decision"], made["method"]) == (decision, method)
    assert bool(made["data_categories"]) is (decision == "given")


def hub(**parts: Any) -> Profile:
    return Profile.model_validate(
        {"id": "x", "name": "X", "version": "1", "channels": [{"channel": "agency"}], **parts}
    )


def test_units_are_found_by_id_and_name_and_never_made_up():
    profile = hub(units=[{"id": "bureau", "name": "Victim Bureau"}, {"id": "Team Two"}])

    assert unit_of(profile, "victim_bureau") == "bureau"
    assert unit_of(profile, "team_two") is None  # no referral can be addressed to it
    with pytest.raises(ScenarioError, match="unknown unit elsewhere"):
        unit_of(profile, "elsewhere")


def test_the_day_before_is_never_before_the_hub_opened_nor_after_it_closed():
    assert before(hub(), NOW) == datetime(2024, 5, 13, 9, 10, tzinfo=UTC)
    assert before(hub(valid_to="2024-03-31"), NOW) == datetime(2024, 3, 31, tzinfo=UTC)
    opened = before(hub(valid_from="2024-05-14"), NOW)
    assert datetime(2024, 5, 13, 23, tzinfo=UTC) < opened < NOW


def test_findings_of_every_kind():
    found = findings.assessment(
        {
            "assessed_needs": ["counselling", "in_house"],
            "advisor_required": True,
            "additional_needs": False,
            "needs_assessment": {"impact": "high", "needs": ["stalking"], "risks": []},
        }
    )
    assert found["needs"] == ["counselling", "stalking"]
    assert found["findings"] == ["advisor_required", "in_house_support"]
    assert found["sections"] == ["impact", "needs", "risks"]
    assert findings.assessment({"initial_assessment": {"case_manager_required": True}})["kind"] == "initial"
    assert findings.assessment({"assessed_needs": []})["findings"] == ["no_needs"]
    with pytest.raises(ScenarioError, match=r"initial_assessment.colour: unknown key"):
        findings.assessment({"initial_assessment": {"colour": "red"}})


def test_a_sentence_is_a_code_where_the_hub_keeps_one():
    assert code("was followed home, twice") == "was_followed_home_twice"
    assert code("hub_manager") == "hub_manager"
    assert len(code("word " * 20)) <= 40
    assert code("!") == "unsaid"
    assert findings.assessment({"by": "a worker", "needs_assessment": {"at home": 1}})["by"] == "a_worker"


def test_several_states_have_a_world_each_and_several_referrals_one():
    states = Scenario("x", "S", given={"states": [{"ref": "a"}, {"ref": "b"}]}, then={"by_ref": {"a": {"level": None}}})
    referrals = Scenario("x", "R", given={"referrals": [{"ref": "a"}, {"ref": "b"}]})

    assert [part.refs for part in parts_of(states)] == [("a",), ("b",)]
    assert [part.refs for part in parts_of(referrals)] == [("a", "b")]


def test_the_event_happens_now_or_when_it_says():
    scenario = Scenario("x", "S", given={"now": "2024-05-14T09:10:00+00:00"}, when={"event": "offer_accepted"})
    [part] = parts_of(scenario)
    assert moment_of(scenario, part) == NOW

    bare = Scenario("x", "S", given={"referral": {"received_at": "2024-05-14T09:10:00+00:00"}})
    [part] = parts_of(bare)
    assert moment_of(bare, part) == NOW
    with pytest.raises(ScenarioError, match=r"given.now: missing"):
        moment_of(Scenario("x", "S"), next(iter(parts_of(Scenario("x", "S")))))


CONTACT = {
    "purpose": "initial", "by": "team", "unit": None, "methods": ["text", "email"], "mode": "any", "at": None,
    "due_at": "2024-05-15T09:10:00Z", "clock": {"start": "2024-05-14T09:10:00Z", "amount": 24, "unit": "hours"},
    "automated": False, "content": [], "on_behalf_of": [], "method_decided_by": [], "state": "planned",
}  # fmt: skip

CASE = {"level": None, "triage": None}


class OneDepartment(Directory):
    """A directory with a department of the hub's own."""

    def __init__(self) -> None:
        self.services = [
            {"id": "1", "name": "serious fires support", "kind": "serious_fire", "location": "in_house"},
            {"id": "2", "name": "road harm charity", "kind": "road_harm", "location": "external"},
        ]


def outcome(**changes: Any) -> Outcome:
    view: dict[str, Any] = dict.fromkeys(
        ("triage", "level", "entitlement", "case_status", "transfer", "needs_assessment", "plan", "assignment",
         "single_point_of_contact", "opt_in", "case_updates", "review", "lead_service_id")
    )  # fmt: skip
    view |= {"refused_methods": [], "attributes": {}, "linked_to_previous": False, "opened_at": "2024-05-14T09:10:00Z"}
    view |= {"decision": {"outcome": "accepted", "reason": None}}
    lists = {name: changes.pop(name, []) for name in ("contacts", "partners", "disclosures", "surveys")}
    facts = facts_of(view | changes, OneDepartment(), ["own_attribute"])
    return Outcome(view, facts, **lists)


def judged(then: dict[str, Any], **changes: Any) -> list[str]:
    return faults_of(then, [outcome(**changes)])


def test_a_contact_in_the_words_of_a_scenario():
    then = {"contacts": [{"methods": ["email", "text"], "due": "2024-05-15T10:10:00+01:00", "clock": {"amount": 24}}]}

    assert judged(then, contacts=[contact(CONTACT, CASE)]) == []
    assert judged(then, contacts=[contact(CONTACT | {"due_at": None}, CASE)]) == [
        "contacts[0].due: expected 2024-05-15T10:10:00+01:00, got none"
    ]


def test_contacts_match_one_to_one():
    assert judged({"contacts": []}) == []
    [fault] = judged({"contacts": []}, contacts=[contact(CONTACT, CASE)])
    assert fault.startswith("contacts: not expected, got")
    [fault] = judged({"contacts": [{"by": "team"}]}, contacts=[contact(CONTACT, CASE), contact(CONTACT, CASE)])
    assert fault.startswith("contacts: not expected, got")
    assert judged({"contacts": [{"by": "team"}]}) == ['contacts[0]: expected {"by": "team"}, got none']


def test_a_key_that_no_hub_knows_is_named():
    assert judged({"colour": "red"}) == ["colour: unknown key, or the hub says nothing of it"]
    assert judged({"decision": {"colour": "red"}}) == ["decision.colour: unknown key"]
    assert judged({"own_attribute": None, "function": None}) == []
    assert judged({"own_attribute": True}, attributes={"own_attribute": True}) == []


@pytest.mark.parametrize("word", ["serious_fires", "serious_fire", "serious fires support"])
def test_a_department_goes_by_its_word_its_kind_and_its_name(word: str):
    assert judged({"assignment": {"department": word}}, assignment={"department": "serious_fires"}) == []
    assert judged({"assignment": {"department": word}}, assignment={"department": "road_harm"}) != []


def passage(**changes: Any) -> dict[str, Any]:
    return {
        "from": Words.of("hub"), "to": Words.of("A Service", "partner"), "what": "case_data", "outcome": "released",
        "basis": "consent", "reason": Words(), "is_inbound": False, "is_internal": False, **changes,
    }  # fmt: skip


def test_nothing_beside_what_is_listed_is_disclosed():
    then = {"disclosure": [{"from": "hub", "to": "partner", "outcome": "withheld", "reason": "no_consent"}]}
    kept = passage(outcome="withheld", reason=Words.of("no_consent"), basis=None)
    inbound = passage(**{"from": Words.of("police"), "is_inbound": True})

    assert judged(then, disclosures=[kept, inbound]) == []
    [fault] = judged(then, disclosures=[kept, passage(to=Words.of("Another", "partner"))])
    assert fault.startswith("disclosure: not expected")
    assert judged({"disclosure": []}, disclosures=[passage(is_internal=True)]) == []
    [fault] = judged({"disclosure": []}, disclosures=[passage()])
    assert fault.startswith("disclosure: not expected")


def test_a_survey_that_nobody_expected_is_named():
    sent = {"instrument": "survey", "trigger": "on_exit", "sent": True}

    assert judged({"survey": [{"instrument": "survey", "sent": True}]}, surveys=[sent]) == []
    [fault] = judged({"survey": []}, surveys=[sent])
    assert fault.startswith("survey: not expected")
    assert judged({"survey": []}, surveys=[sent | {"sent": False}]) == []


def test_who_was_not_needed_is_not_there():
    partner = {"kind": Words.of("idva"), "outcome": "referred"}

    assert judged({"partner": {"kind": "idva", "outcome": "not_needed"}}) == []
    assert judged({"partner": {"kind": "idva", "outcome": "not_needed"}}, partners=[partner]) == [
        "partner.outcome: expected not_needed, got referred"
    ]
    assert judged({"partners": [{"kind": "idva"}]}, partners=[partner]) == []
    [fault] = judged({"partners": [{"kind": "idva"}]}, partners=[partner, partner | {"kind": Words.of("isva")}])
    assert fault.startswith("partners: not expected")
    assert judged({"partner": {"kind": "idva"}}, partners=[partner, partner | {"kind": Words.of("isva")}]) == []
    assert judged({"partner": None}) == []
    assert judged({"partner": None}, partners=[partner]) != []
