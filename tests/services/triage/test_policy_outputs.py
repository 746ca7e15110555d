"""What is decided beside acceptance, level, needs and contacts."""

from datetime import UTC, datetime
from typing import Any

import pytest

from services.triage.model import Outputs, Progress
from tests.services.triage.facts import NOW, with_profile

#: Recorded on a summer evening: 22:30 in London.
RECORDED = datetime(2026, 7, 1, 21, 30, tzinfo=UTC)


def outputs(text: str, done: Progress | None = None, **facts: Any) -> Outputs:
    return with_profile(text, done, **facts).outputs


def recorded(**facts: Any) -> dict[str, Any]:
    return {"crime": {"category": "theft.other", "recorded_at": RECORDED}, "received_at": RECORDED, **facts}


def test_a_silent_profile_says_nothing() -> None:
    found = outputs("{}", channel="self_referral")
    triage = {
        "performed_by": None, "basis": None, "level": None, "enhanced": False, "vulnerable": None, "prioritised": None,
        "matched": [],
    }  # fmt: skip
    assert found == Outputs(triage=triage)


# Triage


def test_who_triages_and_on_what_basis_is_that_of_the_first_performer() -> None:
    text = """
    triage:
      performed_by: managers
      basis: [need]
      vulnerable: {any_marker: [vulnerable]}
      prioritised: {any_marker: [repeat_victim]}
      matches: [{id: young, when: {max_age: 20}}, {id: adult, when: {min_age: 18}}]
      performers:
        - {id: p1, by: team_a, when: {any_marker: [child]}}
        - {id: p2, by: team_b, has_no_basis: true, when: {any_marker: [child, lgbtq]}}
        - {id: p3, basis: [severity], when: {any_marker: [hate_crime]}}
    """
    default = outputs(text, age=19, markers=["vulnerable"]).triage
    assert default is not None
    assert (default["performed_by"], default["basis"]) == ("managers", ["need"])
    assert (default["vulnerable"], default["prioritised"], default["enhanced"]) == (True, False, True)
    assert default["matched"] == ["young", "adult"]
    found = [outputs(text, markers=[marker]).triage for marker in ("child", "lgbtq", "hate_crime")]
    assert [(each["performed_by"], each["basis"]) for each in found if each] == [
        ("team_a", ["need"]),
        ("team_b", None),
        (None, ["severity"]),
    ]
    rules = with_profile(text, age=19, markers=["child"]).decision.rules
    assert rules[-3:] == ("p1", "young", "adult")


# Assessment, plan, assignment


ASSESSED = """
assessments:
  - {id: later, kind: detailed, by: case_manager, offered: true, decides: [department],
     when: {findings: [case_manager_required]}}
  - {id: first, when: {offer: [accepted]}}
"""


def test_the_first_assessment_rule_that_applies_says_what_is_required() -> None:
    assert outputs(ASSESSED).needs_assessment == {
        "required": False, "kind": None, "by": None, "decides": [], "offered": None, "sections": [],
    }  # fmt: skip
    required = outputs(ASSESSED, Progress(offer="accepted")).needs_assessment
    assert required is not None
    assert (required["required"], required["by"]) == (True, None)
    found = Progress(
        assessed_needs=(),
        assessed_by="officer",
        assessment_kind="initial",
        findings=frozenset({"case_manager_required"}),
    )
    detailed = outputs(ASSESSED, found).needs_assessment
    assert detailed is not None
    assert (detailed["kind"], detailed["by"], detailed["offered"]) == ("detailed", "case_manager", True)
    assert detailed["decides"] == ["department"]


def test_a_recorded_assessment_tells_who_made_it_and_what_it_covers() -> None:
    done = Progress(assessed_needs=("idva",), assessed_by="client", assessed_sections=("impact", "risks"))
    silent = outputs("{}", done).needs_assessment
    assert silent is not None
    assert (silent["required"], silent["by"], silent["sections"]) == (None, "client", ["impact", "risks"])
    named = outputs("assessed_by: support_staff", done).needs_assessment
    assert named is not None
    assert named["by"] == "support_staff"
    assert outputs("assessed_by: support_staff").needs_assessment is None


def test_a_plan_has_the_elements_that_apply() -> None:
    text = """
    plan:
      kind: support_plan
      after: needs_assessment
      when: {assessed: true}
      elements:
        - {element: counselling_referral, when: {assessed_needs: [counselling]}}
        - {element: in_house_support, when: {findings: [in_house_support]}}
        - {element: never, when: {findings: [no_needs]}}
    """
    assert outputs(text, needs=["counselling"]).plan is None
    done = Progress(assessed_needs=("counselling",), findings=frozenset({"in_house_support"}))
    assert outputs(text, done).plan == {
        "kind": "support_plan",
        "required": True,
        "created_after": "needs_assessment",
        "elements": ["counselling_referral", "in_house_support"],
    }


def test_an_assignment_tells_the_given_words_alone_of_the_first_rule() -> None:
    text = """
    assignments:
      - {id: a, role: case_worker, specialism: fraud, automatic: true, when: {crimes: [fraud]}}
      - {id: b, role: volunteer, method: face_to_face, when: {requested_methods: [face_to_face]}}
    """
    done = Progress(requested_methods=("face_to_face",))
    assert outputs(text, done, crime="fraud.apf").assignment == {
        "role": "case_worker", "specialism": "fraud", "automatic": True,
    }  # fmt: skip
    assert outputs(text, done).assignment == {"role": "volunteer", "method": "face_to_face"}
    assert outputs(text).assignment is None
    assert "b" in with_profile(text, done).decision.rules


def test_attributes_are_set_by_the_first_rule_for_each_name() -> None:
    text = """
    attributes:
      - {id: a, name: adjustments, value: {translation: true}, when: {languages_other_than: [en]}}
      - {id: b, name: adjustments, value: {translation: false}}
      - {id: c, name: function, value: reporting_centre, when: {purposes: [hate_crime_report]}}
    """
    assert outputs(text, language="pl").attributes == {"adjustments": {"translation": True}}
    assert outputs(text, purpose="hate_crime_report").attributes == {
        "adjustments": {"translation": False}, "function": "reporting_centre",
    }  # fmt: skip


def test_one_person_stays_with_the_victim_where_the_rule_applies() -> None:
    text = "single_point_of_contact: {by: liaison_officer, when: {roles: [victim]}}"
    assert outputs(text).single_point_of_contact == "liaison_officer"
    assert outputs(text, role="witness").single_point_of_contact is None


def test_the_door_stays_open_with_or_without_an_end() -> None:
    assert outputs("opt_in: {}").opt_in == {"open": True, "expires": None}
    assert outputs("opt_in: {days: 90}").opt_in == {"open": True, "expires": "2027-02-17"}
    assert outputs("opt_in: {when: {offer: [declined]}}").opt_in is None


def test_updates_begin_when_their_condition_holds() -> None:
    text = "case_updates: {content: [case_progress], when: {pleas: [not_guilty]}}"
    assert outputs(text, Progress(plea="not_guilty")).case_updates == {"started": True, "content": ["case_progress"]}
    assert outputs(text, Progress(plea="guilty")).case_updates == {"started": False, "content": []}
    assert outputs("{}", Progress(plea="not_guilty")).case_updates is None


# What came over


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (
            "{within: {amount: 24, unit: hours, starts: crime_recorded}}",
            {
                "at": None,
                "max_interval_hours": None,
                "clock": {"start": "2026-07-01T21:30:00Z", "amount": 24, "unit": "hours"},
                "due": "2026-07-02T21:30:00Z",
            },
        ),
        (
            '{at: "22:30", max_interval_hours: 24}',
            {"at": "2026-07-02T21:30:00Z", "max_interval_hours": 24, "clock": None, "due": None},
        ),
        (
            '{at: "22:31"}',
            {"at": "2026-07-01T21:31:00Z", "max_interval_hours": None, "clock": None, "due": None},
        ),
    ],
)
def test_a_transfer_is_told_where_its_channel_has_a_rule_and_the_recording_is_known(
    rule: str, told: dict[str, Any]
) -> None:
    text = f"channels: [{{channel: police_automatic, transfer: {rule}}}, {{channel: self_referral}}]"
    assert outputs(text, **recorded()).transfer == told
    assert outputs(text, **recorded(channel="self_referral")).transfer is None
    assert outputs(text).transfer is None


INBOUND = """
channels: [{channel: police_automatic, receiver: Charity}, {channel: police_case_by_case}, {channel: self_referral},
           {channel: police_system_capture, active_from: 2030-01-01}]
sharing: [{hop: police_to_hub, basis: public_task}]
exclusions:
  - {id: kept_back, reason: no_consent_to_police, withheld_reason: no_consent,
     when: {consents: [{hop: police_to_hub, decisions: [refused]}]}}
  - {id: closed, reason: rape, when: {crimes: [sexual.rape]}}
"""


def test_the_police_release_what_they_refer_on_the_basis_of_the_hop() -> None:
    triaged = with_profile(INBOUND)
    assert triaged.decision.basis == "public_task"
    assert triaged.outputs.received == {
        "from": "police", "to": "Charity", "what": "referral_data", "outcome": "released", "basis": "public_task",
        "reason": None,
    }  # fmt: skip
    received = outputs(INBOUND, channel="police_case_by_case", crime="sexual.rape").received
    assert received is not None
    assert (received["to"], received["outcome"]) == ("hub", "released")


def test_what_the_source_keeps_back_is_withheld_with_its_reason() -> None:
    consents = [{"hop": "police_to_hub", "decision": "refused", "recorded_at": NOW}]
    triaged = with_profile(INBOUND, consents=consents, channel="police_case_by_case")
    assert (triaged.decision.basis, triaged.decision.withheld_reason) == (None, "no_consent")
    received = triaged.outputs.received
    assert received is not None
    assert (received["outcome"], received["basis"], received["reason"]) == ("withheld", None, "no_consent")


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        (INBOUND, {"channel": "self_referral"}),
        (INBOUND, {"channel": "police_system_capture"}),
        (INBOUND.replace("public_task", "controller_internal"), {}),
    ],
)
def test_nothing_changed_hands_without_the_police_inside_one_controller_or_by_a_closed_channel(
    text: str, facts: dict[str, Any]
) -> None:
    assert outputs(text, **facts).received is None


def test_only_what_comes_from_the_police_has_the_basis_of_that_hop() -> None:
    assert with_profile(INBOUND, channel="self_referral").decision.basis is None
    assert with_profile(INBOUND.replace("public_task", "controller_internal")).decision.basis == "controller_internal"


# Surveys

SURVEYS = """
surveys:
  - {id: s1, instrument: exit_survey, trigger: on_leaving, sent_on: case_closed}
  - {id: s2, instrument: star, trigger: during_service, sent_on: survey_due}
  - {id: s3, instrument: insight, when: {reported_to_police: true}, sent_on: case_closed}
  - {id: s4, instrument: asked, sent_on: survey_due, refused_reason: no_survey_consent}
  - {id: s5, instrument: elsewhere}
"""


def survey_consent(decision: str) -> list[dict[str, Any]]:
    return [{"hop": "survey", "decision": decision, "recorded_at": NOW}]


def sent(found: Outputs) -> list[str]:
    return [survey["instrument"] for survey in found.surveys if survey["sent"]]


def test_a_survey_goes_out_when_what_it_waits_for_has_happened() -> None:
    assert outputs(SURVEYS).surveys == ()
    closed = outputs(SURVEYS, Progress(closed_at=NOW))
    assert sent(closed) == ["exit_survey"]
    assert closed.surveys[0] == {
        "unit": None, "instrument": "exit_survey", "trigger": "on_leaving", "sent": True, "eligible": True,
        "reason": None, "methods": None,
    }  # fmt: skip
    assert [survey["eligible"] for survey in closed.surveys] == [True, True, False, True, True]
    reported = {"crime": {"category": "theft.other", "reported_to_police": True}}
    assert sent(outputs(SURVEYS, Progress(closed_at=NOW), **reported)) == ["exit_survey", "insight"]
    assert sent(outputs(SURVEYS, Progress(is_survey_due=True))) == ["star"]
    assert sent(outputs(SURVEYS, Progress(is_survey_due=True, closed_at=NOW))) == ["exit_survey", "star"]


@pytest.mark.parametrize("decision", ["refused", "withdrawn", "not_asked", None])
def test_a_survey_that_needs_agreement_is_not_sent_without_it(decision: str | None) -> None:
    consents = survey_consent(decision) if decision else []
    found = outputs(SURVEYS, Progress(is_survey_due=True), consents=consents)
    assert found.surveys[3]["reason"] == "no_survey_consent"
    assert "asked" not in sent(found)


def test_with_agreement_it_is_sent() -> None:
    found = outputs(SURVEYS, Progress(is_survey_due=True), consents=survey_consent("given"))
    assert (sent(found), found.surveys[3]["reason"]) == (["star", "asked"], None)
