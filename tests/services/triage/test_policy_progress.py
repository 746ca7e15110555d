"""What staff and the person did since, and what is decided of it: judgements, offers, needs, bookings, the end."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from services.triage.model import Booking, CaseStatus, ContactState, LeftOut, Progress, Reviewed, Triaged
from tests.services.triage.facts import NOW, with_profile

LATER = NOW + timedelta(hours=5)
SERVICES = tuple(Reviewed(UUID(int=n), UUID(int=10 + n), "idva", "team") for n in (1, 2))
EVERYTHING = Progress(
    judged_enhanced=True, offer="accepted", offer_at=LATER, assessed_needs=("idva",), requested_needs={"isva": LATER},
    requested_methods=("phone",), review=SERVICES, lead_service_id=UUID(int=1), reopened_at=LATER,
    is_survey_due=True, closed_at=LATER,
)  # fmt: skip


def planned(triaged: Triaged) -> list[str]:
    return [contact.rule_id for contact in triaged.contacts]


# Judgement


def test_a_judgement_stands_over_the_rules_of_entitlement_either_way() -> None:
    raised = with_profile("{}", Progress(judged_enhanced=True), markers=["hate_crime"]).entitlement
    assert raised is not None
    assert (raised.level, raised.categories) == ("enhanced", ("most_serious_crime", "judged_enhanced"))
    lowered = with_profile("{}", Progress(judged_enhanced=False), markers=["enhanced"]).entitlement
    assert lowered is not None
    assert (lowered.level, lowered.categories) == ("standard", ())
    narrow = "triage: {enhanced_categories: [persistently_targeted]}"
    assert with_profile(narrow, Progress(judged_enhanced=True)).entitlement is not None
    assert with_profile(narrow, Progress(judged_enhanced=True)).outputs.triage["enhanced"] is True  # type: ignore[index]


def test_levels_and_contacts_follow_a_judgement() -> None:
    text = """
    triage: {levels: [{id: judged, when: {judged_enhanced: true}, level: enhanced}]}
    contacts: [{id: call, when: {entitlement: [enhanced]}}]
    """
    assert (with_profile(text).level, planned(with_profile(text))) == (None, [])
    judged = with_profile(text, Progress(judged_enhanced=True))
    assert (judged.level, planned(judged)) == ("enhanced", ["call"])
    assert planned(with_profile(text, Progress(judged_enhanced=False), markers=["enhanced"])) == []


# Exclusions


LATE = """
exclusions: [{id: late, reason: rape, case_status: closed_without_contact, when: {crimes: [sexual.rape]}}]
contacts: [{id: call, when: {}}]
"""


def test_a_late_exclusion_wins_over_all_that_was_done() -> None:
    triaged = with_profile(LATE, EVERYTHING, crime="sexual.rape")
    assert (triaged.decision.reason, triaged.status, triaged.contacts) == ("rape", CaseStatus.EXCLUDED, ())
    assert (triaged.needs, triaged.entitlement, triaged.outputs.surveys) == ((), None, ())
    assert triaged.outputs.case_status == "closed_without_contact"


def test_an_exclusion_asks_for_the_referral_and_not_for_what_was_found_later() -> None:
    text = "exclusions: [{id: no_need, reason: no_need, when: {has_needs: false}}]"
    assert with_profile(text, Progress(assessed_needs=()), needs=["idva"]).decision.is_accepted
    assert with_profile(text, Progress(assessed_needs=("idva",))).decision.reason == "no_need"


def test_an_exclusion_can_ask_for_the_entitlement_that_follows_from_the_referral() -> None:
    text = "exclusions: [{id: standard, outcome: not_referred, reason: not_eligible, when: {entitlement: [standard]}}]"
    assert with_profile(text).decision.reason == "not_eligible"
    assert with_profile(text, Progress(judged_enhanced=True)).decision.reason == "not_eligible"
    assert with_profile(text, Progress(judged_enhanced=False), markers=["enhanced"]).decision.is_accepted


def test_a_hub_may_write_to_people_whom_it_does_not_take_on() -> None:
    text = """
    exclusions: [{id: no_need, outcome: not_referred, reason: no_need, when: {any_marker: [no_needs_identified]}},
                 {id: other, reason: other, when: {crimes: [fraud]}}]
    triage: {levels: [{id: rest, level: other, when: {entitlement: [standard]}}]}
    contacts:
      - {id: letter, outcomes: [not_referred], methods: [letter], mode: all, when: {levels: [other]}}
      - {id: both, outcomes: [not_referred, accepted]}
      - {id: call}
    """
    triaged = with_profile(text, markers=["no_needs_identified"])
    assert (planned(triaged), triaged.status) == (["letter", "both"], CaseStatus.EXCLUDED)
    assert triaged.decision.rules == ("no_need", "rest", "letter", "both")
    assert triaged.outputs.triage is not None
    assert triaged.outputs.triage["level"] == triaged.level == "other"
    assert planned(with_profile(text)) == ["both", "call"]
    assert planned(with_profile(text, crime="fraud.apf")) == []
    booked = Progress(requested_methods=("phone",))
    assert planned(with_profile(text, booked, markers=["no_needs_identified"])) == ["letter", "both"]
    for ended in (Progress(closed_at=NOW), Progress(offer="declined")):
        assert planned(with_profile(text, ended, markers=["no_needs_identified"])) == []


# The offer


OFFER = """
contacts:
  - {id: offer, purpose: offer, ends_with_offer: true}
  - {id: support, when: {offer: [accepted]}, within: {amount: 48, unit: hours, starts: offer_accepted}}
  - {id: who_to_call, when: {offer: [declined]}}
  - {id: always}
  - {id: started, within: {amount: 1, unit: hours, starts: offer_accepted}}
re_offer: {case_status: door_open, reopened_status: back}
"""


def test_before_an_answer_the_offer_stands_and_its_clock_does_not_run() -> None:
    triaged = with_profile(OFFER)
    assert planned(triaged) == ["offer", "always", "started"]
    assert (triaged.contacts[2].due_reason, triaged.contacts[2].clock_amount) == ("clock_not_started", None)
    assert (triaged.outputs.case_status, triaged.outputs.linked_to_previous) == (None, False)


def test_an_accepted_offer_starts_the_clock_of_support() -> None:
    triaged = with_profile(OFFER, Progress(offer="accepted", offer_at=LATER))
    assert planned(triaged) == ["support", "always", "started"]
    assert triaged.contacts[0].due_at == LATER + timedelta(hours=48)
    assert triaged.status is CaseStatus.OPEN


def test_who_declined_is_contacted_only_where_a_rule_asks_for_just_that() -> None:
    declined = Progress(offer="declined", offer_at=LATER, requested_methods=("phone",))
    triaged = with_profile(OFFER, declined)
    assert planned(triaged) == ["who_to_call"]
    assert (triaged.status, triaged.decision.outcome) == (CaseStatus.DECLINED, "accepted")
    assert triaged.outputs.case_status == "door_open"


def test_who_declined_needs_no_assessment_plan_or_worker() -> None:
    text = """
    assessments: [{id: a}]
    plan: {kind: care_plan}
    assignments: [{id: w, role: case_worker}]
    """
    before, after = (with_profile(text, done).outputs for done in (Progress(), Progress(offer="declined")))
    assert before.needs_assessment is not None
    assert (before.plan, before.assignment) != (None, None)
    assert (after.needs_assessment, after.plan, after.assignment) == (None, None, None)


def test_a_reopened_case_is_linked_to_what_was_before() -> None:
    triaged = with_profile(OFFER, Progress(offer="accepted", offer_at=LATER, reopened_at=LATER))
    assert (triaged.status, triaged.decision.outcome) == (CaseStatus.OPEN, "accepted")
    assert (triaged.outputs.case_status, triaged.outputs.linked_to_previous) == ("back", True)
    again = with_profile(OFFER, Progress(offer="declined", reopened_at=LATER))
    assert again.outputs.case_status == "door_open"


def test_nobody_is_contacted_in_a_closed_case() -> None:
    done = Progress(offer="declined", requested_methods=("phone",), closed_at=LATER, reopened_at=LATER)
    triaged = with_profile(OFFER, done)
    assert (triaged.status, triaged.contacts, triaged.outputs.case_status) == (CaseStatus.CLOSED, (), None)
    assert triaged.decision.is_accepted


# Needs


HELD = "needs: [{id: first_here, when: {any_marker: [domestic_abuse]}, needs: [domestic_abuse], next: community}]"


def test_a_need_that_the_hub_works_on_first_is_held_until_staff_ask() -> None:
    held = with_profile(HELD, markers=["domestic_abuse"], needs=["fraud"])
    assert held.needs == ("fraud",)
    assert held.outputs.held_needs == ({"need": "domestic_abuse", "next": "community"},)
    asked = with_profile(HELD, Progress(requested_needs={"domestic_abuse": LATER}), markers=["domestic_abuse"])
    assert (asked.needs, asked.outputs.held_needs) == (("domestic_abuse",), ())


def test_who_names_a_held_need_does_not_send_it_out() -> None:
    named = with_profile(HELD, markers=["domestic_abuse"], needs=["domestic_abuse"])
    found = with_profile(HELD, Progress(assessed_needs=("domestic_abuse", "idva")), markers=["domestic_abuse"])
    assert (named.needs, found.needs) == ((), ("idva",))
    assert named.outputs.held_needs == found.outputs.held_needs
    assert "first_here" in found.decision.rules
    other = with_profile(HELD, Progress(assessed_needs=("idva",)), markers=["domestic_abuse"])
    assert (other.needs, other.outputs.held_needs) == (("idva",), ())
    assert "first_here" not in other.decision.rules


def test_requested_needs_join_those_of_the_referral_and_of_an_assessment() -> None:
    asked = {"counselling": LATER}
    assert with_profile("{}", Progress(requested_needs=asked), needs=["idva"]).needs == ("counselling", "idva")
    done = Progress(requested_needs=asked, assessed_needs=("isva",))
    assert with_profile("{}", done, needs=["idva"]).needs == ("counselling", "isva")


def test_after_an_assessment_only_what_it_found_adds_a_need() -> None:
    text = """
    needs:
      - {id: from_crime, when: {crimes: [fraud]}, needs: [fraud]}
      - {id: from_finding, when: {findings: [advisor_required]}, needs: [idva]}
    """
    found = Progress(assessed_needs=(), findings=frozenset({"advisor_required"}))
    triaged = with_profile(text, found, crime="fraud.apf")
    assert triaged.needs == ("idva",)
    assert "from_finding" in triaged.decision.rules
    assert "from_crime" not in triaged.decision.rules


def test_rules_after_the_needs_see_all_of_them() -> None:
    text = HELD + "\nattributes: [{id: a, name: tag, value: 1, when: {needs: [domestic_abuse]}}]"
    assert with_profile(text, markers=["domestic_abuse"]).outputs.attributes == {"tag": 1}
    assert with_profile(text).outputs.attributes == {}


# Contacts


def test_a_request_starts_the_clock_of_the_contact_that_asks_for_that_need() -> None:
    text = """
    contacts:
      - {id: handed_over, when: {requested_needs: [multi_crime]},
         within: {amount: 24, unit: hours, starts: need_requested}}
      - {id: any, within: {amount: 24, unit: hours, starts: need_requested}}
    """
    asked = {"multi_crime": NOW, "idva": LATER}
    first, second = with_profile(text, Progress(requested_needs=asked)).contacts
    assert (first.clock_start, second.clock_start) == (NOW, LATER)
    (waiting,) = with_profile(text).contacts
    assert (waiting.rule_id, waiting.due_at, waiting.due_reason) == ("any", None, "clock_not_started")


def test_an_automated_contact_happens_at_its_time() -> None:
    text = """
    contacts:
      - {id: message, purpose: offer, automated: true, methods: [text, email], mode: any, content: [code_rights],
         on_behalf_of: [hub, police], method_decided_by: [need], when: {recording_time_known: true},
         at: {amount: 24, unit: hours, starts: crime_recorded}}
    """
    recorded = NOW - timedelta(hours=3)
    (contact,) = with_profile(text, crime={"category": "theft.other", "recorded_at": recorded}).contacts
    assert (contact.at, contact.automated) == (recorded + timedelta(hours=24), True)
    assert (contact.clock_start, contact.clock_amount, contact.clock_unit) == (recorded, 24, "hours")
    assert (contact.due_at, contact.due_reason) == (None, "no_deadline_in_profile")
    assert (contact.content, contact.on_behalf_of) == (("code_rights",), ("hub", "police"))
    assert contact.method_decided_by == ("need",)
    assert with_profile(text).contacts == ()


def test_a_contact_can_stand_instead_of_another() -> None:
    text = """
    contacts:
      - {id: call}
      - {id: letter, when: {min_failed_attempts: 2}, instead_of: [call]}
    """
    assert planned(with_profile(text, Progress(failed_attempts=1))) == ["call"]
    triaged = with_profile(text, Progress(failed_attempts=2))
    assert planned(triaged) == ["letter"]
    assert "call" not in triaged.decision.rules


def test_a_hub_with_few_ways_of_contact_keeps_to_them() -> None:
    one = "contact_methods: [phone]\ncontacts: [{id: a}, {id: b, methods: [phone], mode: preferred}]"
    for contact in with_profile(one, preferred_method="email").contacts:
        assert (contact.methods, contact.mode) in ((("phone",), "all"), (("phone",), "any"))
    two = "contact_methods: [phone, email]\ncontacts: [{id: a}, {id: b, methods: [phone], mode: preferred}]"
    chosen, preferred = with_profile(two, preferred_method="email").contacts
    assert (chosen.methods, chosen.mode) == (("phone", "email"), "any")
    assert (preferred.methods, preferred.mode) == (("email",), "all")


def test_a_booked_contact_goes_by_what_was_asked_for_or_by_what_the_hub_has() -> None:
    asked = Progress(requested_methods=("face_to_face",))
    (contact,) = with_profile("contact_methods: [phone]", asked).contacts
    assert (contact.purpose, contact.methods, contact.mode) == ("support", ("phone",), "all")
    assert (contact.due_at, contact.due_reason, contact.rule_id) == (None, "no_deadline_in_profile", "booked")
    assert with_profile("contact_methods: [phone]", asked).outputs.refused_methods == ("face_to_face",)
    free = with_profile("{}", asked)
    assert (free.contacts[0].methods, free.outputs.refused_methods) == (("face_to_face",), ())
    assert free.decision.rules == ()


def test_each_booking_is_a_contact_of_its_own_under_the_rules_of_safe_contact() -> None:
    bookings = (Booking("letter", "support"), Booking("phone", "court"))
    done = Progress(bookings=bookings, requested_methods=("letter", "phone"))
    letter, call = with_profile("{}", done, safe_contact={"letter": False}).contacts
    assert (letter.rule_id, letter.state) == ("booked", ContactState.SUSPENDED)
    assert letter.left_out == (LeftOut("letter", "said_unsafe"),)
    assert (call.rule_id, call.purpose, call.methods) == ("booked.2", "court", ("phone",))


# Joint review

REVIEWED = """
lead_provider: {next_meeting: {area_x: "2026-11-24T10:00:00+00:00", area_y: "2027-06-01T10:00:00"}}
contacts: [{id: call}]
"""


@pytest.mark.parametrize(
    ("done", "outcome", "reason", "status"),
    [
        ({}, "pending", "lead_provider_not_agreed", CaseStatus.PENDING),
        ({"proposed_leads": SERVICES[:1]}, "pending", "lead_provider_not_agreed", CaseStatus.PENDING),
        ({"proposed_leads": SERVICES}, "pending", "exactly_one_lead_required", CaseStatus.PENDING),
        ({"lead_service_id": UUID(int=2)}, "accepted", None, CaseStatus.OPEN),
        ({"closed_at": NOW}, "pending", "lead_provider_not_agreed", CaseStatus.CLOSED),
        ({"offer": "declined"}, "pending", "lead_provider_not_agreed", CaseStatus.DECLINED),
    ],
)
def test_a_case_under_review_waits_for_exactly_one_lead(
    done: dict[str, Any], outcome: str, reason: str | None, status: CaseStatus
) -> None:
    triaged = with_profile(REVIEWED, Progress(review=SERVICES, **done))
    assert (triaged.decision.outcome, triaged.decision.reason, triaged.status) == (outcome, reason, status)
    assert triaged.entitlement is not None


def test_contacts_stand_while_a_meeting_decides() -> None:
    assert planned(with_profile(REVIEWED, Progress(review=SERVICES))) == ["call"]


def test_the_meeting_is_the_next_one_of_the_area() -> None:
    done = Progress(review=SERVICES)
    review = with_profile(REVIEWED, done, local_authority_area="area_x").outputs.review
    assert review is not None
    assert (review["area"], review["meeting_at"]) == ("area_x", "2026-11-24T10:00:00Z")
    assert review["services"][0] == {
        "service_id": str(UUID(int=1)), "partner_id": str(UUID(int=11)), "need": "idva", "team": "team",
    }  # fmt: skip
    local = with_profile(REVIEWED, done, local_authority_area="area_y").outputs.review
    assert local is not None
    assert local["meeting_at"] == "2027-06-01T09:00:00Z"
    for area in ("area_z", None):
        unknown = with_profile(REVIEWED, done, local_authority_area=area).outputs.review
        assert unknown is not None
        assert (unknown["area"], unknown["meeting_at"]) == (area, None)
    assert with_profile(REVIEWED, local_authority_area="area_x").outputs.review is None


def test_a_hub_without_lead_providers_knows_no_review() -> None:
    triaged = with_profile("{}", Progress(review=SERVICES))
    assert (triaged.decision.outcome, triaged.status, triaged.outputs.review) == ("accepted", CaseStatus.OPEN, None)
