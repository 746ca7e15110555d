"""Units of a hub that decide by themselves, and what one of them does for its own cases alone."""

from datetime import UTC, datetime, timedelta
from typing import Any

from services.triage.model import CaseStatus, Progress, Triaged, UnitDecision
from tests.services.triage.facts import NOW, with_profile

TWO_UNITS = """
units: [{id: bureau, decides: true}, {id: charity, decides: true}]
channels:
  - {channel: police_automatic, unit: bureau}
  - {channel: police_automatic, unit: charity, active_from: 2026-11-01}
  - {channel: self_referral, unit: charity}
exclusions:
  - {id: needs_report, unit: bureau, outcome: out_of_scope, reason: crime_not_reported, case_status: not_ours,
     when: {reported_to_police: false}}
contacts:
  - {id: bureau_call, unit: bureau, within: {amount: 1, unit: working_days}}
  - {id: charity_call, unit: charity, within: {amount: 24, unit: hours}}
  - {id: either, when: {}}
surveys:
  - {id: bureau_survey, unit: bureau, instrument: form, sent_on: case_closed}
  - {id: charity_survey, unit: charity, instrument: questionnaire, sent_on: case_closed}
"""
REPORTED: dict[str, Any] = {"crime": {"category": "theft.other", "reported_to_police": True}}
UNREPORTED: dict[str, Any] = {"crime": {"category": "theft.other", "reported_to_police": False}}


def planned(triaged: Triaged) -> list[str]:
    return [contact.rule_id for contact in triaged.contacts]


def test_both_units_take_on_what_comes_to_both() -> None:
    triaged = with_profile(TWO_UNITS, **REPORTED)
    assert triaged.decision.by_unit == {"bureau": UnitDecision("accepted"), "charity": UnitDecision("accepted")}
    assert planned(triaged) == ["bureau_call", "charity_call", "either"]


def test_one_unit_that_takes_it_on_is_enough_and_the_other_contacts_nobody() -> None:
    triaged = with_profile(TWO_UNITS, channel="self_referral", **UNREPORTED)
    decision = triaged.decision
    assert (decision.outcome, decision.reason, triaged.status) == ("accepted", None, CaseStatus.OPEN)
    assert decision.by_unit == {
        "bureau": UnitDecision("out_of_scope", "crime_not_reported"),
        "charity": UnitDecision("accepted"),
    }
    assert "needs_report" in decision.rules
    assert planned(triaged) == ["charity_call", "either"]


def test_a_unit_without_the_channel_is_absent() -> None:
    triaged = with_profile(TWO_UNITS, channel="self_referral", **REPORTED)
    assert triaged.decision.by_unit == {"charity": UnitDecision("accepted")}
    early = with_profile(TWO_UNITS, received_at=datetime(2026, 10, 1, 9, tzinfo=UTC), **REPORTED)
    assert early.decision.by_unit == {"bureau": UnitDecision("accepted")}


def test_a_referral_for_one_unit_asks_that_one_alone() -> None:
    triaged = with_profile(TWO_UNITS, unit="bureau", **REPORTED)
    assert triaged.decision.by_unit == {"bureau": UnitDecision("accepted")}
    assert planned(triaged) == ["bureau_call", "either"]
    refused = with_profile(TWO_UNITS, unit="bureau", **UNREPORTED)
    assert (refused.decision.outcome, refused.decision.reason) == ("out_of_scope", "crime_not_reported")
    assert refused.decision.case_status == refused.outputs.case_status == "not_ours"
    assert (refused.status, refused.contacts) == (CaseStatus.EXCLUDED, ())


def test_what_a_unit_does_not_do_is_told_before_the_channels_that_it_has() -> None:
    refused = with_profile(TWO_UNITS, unit="bureau", channel="self_referral", **UNREPORTED)
    assert (refused.decision.outcome, refused.decision.reason) == ("out_of_scope", "crime_not_reported")
    closed = with_profile(TWO_UNITS, unit="bureau", channel="self_referral", **REPORTED)
    assert closed.decision.outcome == "channel_not_active"


def test_each_unit_counts_from_when_it_got_the_referral() -> None:
    later = NOW + timedelta(hours=16)
    receipts = [{"unit": "charity", "received_at": later}]
    bureau, charity, either = with_profile(TWO_UNITS, received_by_unit=receipts, **REPORTED).contacts
    assert (bureau.unit, bureau.by, bureau.clock_start) == ("bureau", "bureau", NOW)
    assert (charity.clock_start, charity.due_at) == (later, later + timedelta(hours=24))
    assert (charity.clock_amount, charity.clock_unit) == (24, "hours")
    assert (either.unit, either.clock_start, either.clock_unit) == (None, None, None)


def test_an_exclusion_without_a_unit_is_about_all() -> None:
    text = TWO_UNITS.replace("exclusions:", "exclusions:\n  - {id: all, reason: nobody, when: {crimes: [theft]}}")
    decision = with_profile(text, **REPORTED).decision
    assert (decision.outcome, decision.reason, decision.by_unit) == ("excluded", "nobody", {})


def test_a_unit_that_does_not_decide_has_a_say_in_its_own_referrals_alone() -> None:
    text = TWO_UNITS.replace("{id: bureau, decides: true}", "{id: bureau}")
    both = with_profile(text, **UNREPORTED)
    assert both.decision.by_unit == {"charity": UnitDecision("accepted")}
    assert planned(both) == ["bureau_call", "charity_call", "either"]
    assert with_profile(text, unit="bureau", **UNREPORTED).decision.reason == "crime_not_reported"
    assert planned(with_profile(text, unit="charity", **UNREPORTED)) == ["charity_call", "either"]


def test_a_unit_surveys_only_those_whom_it_took_on() -> None:
    closed = Progress(closed_at=NOW)
    (survey,) = with_profile(TWO_UNITS, closed, channel="self_referral", **REPORTED).outputs.surveys
    assert (survey["unit"], survey["instrument"], survey["sent"]) == ("charity", "questionnaire", True)
