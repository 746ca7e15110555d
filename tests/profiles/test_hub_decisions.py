"""What the hubs' profiles decide, by the rules alone: the boundaries that a slip in a profile would move.

The whole way through the services is played by the scenarios.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from hubkit.contracts import ReferralReceivedV1
from hubkit.ids import new_id
from hubkit.profiles import ProfileBook
from services.triage.model import Progress, Triaged
from services.triage.policy.rulebook import Rulebook
from services.triage.policy.triage import decide

NOW: Final = datetime(2024, 3, 6, 9, 30, tzinfo=UTC)
_CONSENT: Final = {"data_categories": (), "recorded_at": NOW}


def at(hub: str, *, parameters: dict[str, Any] | None = None, done: Progress | None = None, **facts: Any) -> Triaged:
    """Return what a hub decides about a referral after what was done with it."""
    crime = {"category": facts.pop("crime", "theft.other")}
    crime |= {name: facts.pop(name) for name in ("recorded_at", "reported_to_police") if name in facts}
    consents = [{"hop": hop, "decision": decision, **_CONSENT} for hop, decision in facts.pop("consents", {}).items()]
    known = {"referral_id": new_id(), "version": 1, "source_organisation": "somebody", "received_at": NOW}
    referral = ReferralReceivedV1.model_validate({**known, "crime": crime, "consents": consents, **facts})
    profile = ProfileBook(Path("profiles") / f"{hub}.yaml", parameters).current(referral.received_at)
    return decide(Rulebook.of(profile), referral, referral.received_at, done or Progress())


REFUSALS: Final[dict[str, tuple[str, dict[str, Any], tuple[str, str | None]]]] = {
    "no need found by the police": (
        "bedfordshire",
        {"channel": "police_case_by_case", "markers": ["no_needs_identified"]},
        ("not_referred", "no_need_in_police_assessment"),
    ),
    "a need found by the police": (
        "bedfordshire",
        {"channel": "police_case_by_case", "markers": ["needs_identified"]},
        ("accepted", None),
    ),
    "anti-social behaviour": (
        "dyfed-powys",
        {"channel": "police_case_by_case", "crime": "non_crime.asb"},
        ("out_of_scope", "asb_not_high_risk"),
    ),
    "high-risk anti-social behaviour": (
        "dyfed-powys",
        {"channel": "police_case_by_case", "crime": "non_crime.asb", "markers": ["asb_high_risk"]},
        ("accepted", None),
    ),
    "the last day of the contract": (
        "dyfed-powys",
        {"channel": "self_referral", "received_at": datetime(2024, 3, 31, 22, 59, tzinfo=UTC)},
        ("accepted", None),
    ),
    "the day after the contract": (
        "dyfed-powys",
        {"channel": "self_referral", "received_at": datetime(2024, 3, 31, 23, 1, tzinfo=UTC)},
        ("no_active_profile", "contract_ended"),
    ),
    "a listed major crime from the police": (
        "gwent",
        {
            "parameters": {"major_crime_exceptions": ["violence.homicide"]},
            "channel": "police_automatic",
            "crime": "violence.homicide",
        },
        ("not_referred", "major_crime"),
    ),
    "a listed major crime by self-referral": (
        "gwent",
        {
            "parameters": {"major_crime_exceptions": ["violence.homicide"]},
            "channel": "self_referral",
            "crime": "violence.homicide",
        },
        ("accepted", None),
    ),
    "a major crime while none is listed": (
        "gwent",
        {"channel": "police_automatic", "crime": "violence.homicide", "markers": ["major_crime"]},
        ("accepted", None),
    ),
    "before the hub opened": (
        "hampshire-and-isle-of-wight",
        {"channel": "self_referral", "received_at": datetime(2024, 1, 31, 12, tzinfo=UTC)},
        ("no_active_profile", "before_go_live"),
    ),
    "opted out": (
        "kent",
        {"channel": "police_automatic", "consents": {"police_to_hub": "refused"}},
        ("excluded", "victim_opted_out"),
    ),
    "a crime type that is held back": (
        "kent",
        {
            "parameters": {"held_back_crime_types": ["sexual.rape"]},
            "channel": "police_automatic",
            "crime": "sexual.rape",
        },
        ("excluded", "certain_crime_types"),
    ),
    "no consent was asked": (
        "lincolnshire",
        {"channel": "police_case_by_case"},
        ("excluded", "no_consent_to_police"),
    ),
    "consent given to the police": (
        "lincolnshire",
        {"channel": "police_case_by_case", "consents": {"police_to_hub": "given"}},
        ("accepted", None),
    ),
    "who lives elsewhere": ("lincolnshire", {"channel": "agency", "lives_in_area": False}, ("accepted", None)),
    "domestic abuse from an agency": (
        "merseyside",
        {"channel": "agency", "markers": ["domestic_abuse"]},
        ("excluded", "domestic_abuse_or_sexual_violence_direct"),
    ),
    "domestic abuse by self-referral": (
        "merseyside",
        {"channel": "self_referral", "markers": ["domestic_abuse"]},
        ("accepted", None),
    ),
    "sexual violence in the automatic feed": (
        "north-yorkshire",
        {"channel": "police_automatic", "crime": "sexual.other"},
        ("excluded", "domestic_or_sexual_abuse"),
    ),
    "sexual violence from an agency": (
        "north-yorkshire",
        {"channel": "agency", "crime": "sexual.other"},
        ("accepted", None),
    ),
    "aged 61": ("sussex", {"channel": "police_case_by_case", "age": 61}, ("accepted", None)),
    "aged 60": ("sussex", {"channel": "police_case_by_case", "age": 60}, ("out_of_scope", "no_vulnerability_marker")),
    "the day before the move to automatic referral": (
        "thames-valley",
        {"parameters": {"automatic_referral_from": "2024-03-07"}, "channel": "police_automatic"},
        ("channel_not_active", "automatic_referral_not_started"),
    ),
    "captured without enhanced rights": (
        "wiltshire",
        {"channel": "police_system_capture"},
        ("not_referred", "not_enhanced_eligible"),
    ),
    "captured with enhanced rights": (
        "wiltshire",
        {"channel": "police_system_capture", "crime": "violence.attempted_murder"},
        ("accepted", None),
    ),
    "referred without enhanced rights": ("wiltshire", {"channel": "agency"}, ("accepted", None)),
    "unreported, to both units": (
        "dorset",
        {"channel": "self_referral", "reported_to_police": False},
        ("accepted", None),
    ),
    "unreported, to the bureau alone": (
        "dorset",
        {"channel": "police_automatic", "unit": "victim_bureau", "reported_to_police": False},
        ("out_of_scope", "crime_not_reported"),
    ),
}


@pytest.mark.parametrize(("hub", "facts", "expected"), REFUSALS.values(), ids=REFUSALS)
def test_whom_a_hub_takes_on(hub: str, facts: dict[str, Any], expected: tuple[str, str | None]) -> None:
    decision = at(hub, **facts).decision
    assert (decision.outcome, decision.reason) == expected


def test_data_that_is_kept_back_says_why() -> None:
    decided = at("lincolnshire", channel="police_case_by_case", consents={"police_to_hub": "refused"})
    assert decided.outputs.received is not None
    assert (decided.outputs.received["outcome"], decided.outputs.received["reason"]) == ("withheld", "no_consent")


def test_a_hub_writes_to_those_whom_it_does_not_take_on() -> None:
    decided = at("cambridgeshire-2015", channel="police_case_by_case", markers=["no_needs_identified"])
    assert decided.decision.outcome == "not_referred"
    assert [(each.purpose, each.methods) for each in decided.contacts] == [("service_information", ("letter",))]


def test_support_after_the_offer_has_a_clock_of_its_own() -> None:
    accepted = Progress(offer="accepted", offer_at=datetime(2024, 3, 8, 12, tzinfo=UTC))
    for markers, hours in (([], 48), (["enhanced"], 24)):
        hub = "hampshire-and-isle-of-wight"
        contact = at(hub, channel="police_automatic", markers=markers, done=accepted).contacts[0]
        assert (contact.purpose, contact.clock_start, contact.clock_amount) == ("support", accepted.offer_at, hours)


def test_who_declines_is_told_whom_to_contact() -> None:
    decided = at("northamptonshire", channel="police_automatic", done=Progress(offer="declined", offer_at=NOW))
    assert [each.purpose for each in decided.contacts] == ["who_to_contact_information"]
    assert decided.outputs.case_status == "declined_door_open"


@pytest.mark.parametrize(("attempts", "purpose"), [(1, "offer_needs_assessment"), (2, "how_to_contact")])
def test_who_is_not_reached_is_written_to_instead(attempts: int, purpose: str) -> None:
    decided = at(
        "thames-valley",
        parameters={"attempts_before_written_fallback": 2},
        channel="police_case_by_case",
        done=Progress(failed_attempts=attempts),
    )
    assert [each.purpose for each in decided.contacts] == [purpose]


def test_an_adviser_is_asked_only_where_the_assessment_finds_one_required() -> None:
    facts: dict[str, Any] = {"channel": "police_automatic", "markers": ["domestic_abuse", "at_risk_da"]}
    found = Progress(assessed_needs=(), findings=frozenset({"advisor_required"}))
    assert at("lancashire", **facts).needs == ()
    assert at("lancashire", done=found, **facts).needs == ("idva",)
    assert at("lancashire", channel="police_automatic", done=found).needs == ()


def test_needs_that_a_hub_meets_itself_go_to_no_service_until_staff_ask() -> None:
    assessed = Progress(offer="accepted", offer_at=NOW, assessed_needs=("idva",))
    decided = at("northamptonshire", channel="police_automatic", done=assessed)
    assert decided.needs == ()
    assert decided.outputs.assignment == {"department": "idva_marac", "location": "in_house"}
    asked = at("northamptonshire", channel="police_automatic", done=Progress(requested_needs={"idva": NOW}))
    assert asked.needs == ("idva",)


@pytest.mark.parametrize(
    ("facts", "specialism"),
    [
        ({"crime": "fraud.apf"}, "fraud"),
        ({"crime": "stalking_harassment.stalking", "markers": ["non_intimate"]}, "stalking_non_intimate"),
        ({"crime": "stalking_harassment.stalking", "markers": ["non_intimate", "intimate_partner"]}, None),
        ({"age": 17}, "children_young_people"),
        ({"age": 18}, None),
    ],
)
def test_a_case_worker_is_assigned_once_needs_are_found_and_support_is_accepted(
    facts: dict[str, Any], specialism: str | None
) -> None:
    accepted = Progress(offer="accepted", offer_at=NOW)
    markers = [*facts.pop("markers", ()), "needs_identified"]
    assert at("surrey", channel="police_automatic", done=accepted, **facts).outputs.assignment is None
    assert at("surrey", channel="police_automatic", markers=markers, **facts).outputs.assignment is None
    found = at("surrey", channel="police_automatic", markers=markers, done=accepted, **facts).outputs.assignment
    assert found is not None
    assert (found["role"], found.get("specialism"), found["automatic"]) == ("case_worker", specialism, True)


@pytest.mark.parametrize(
    ("facts", "needs"),
    [
        ({"markers": ["hate_crime"]}, ("hate_crime",)),
        ({"markers": ["domestic_abuse", "child"]}, ("children_young_people", "domestic_abuse")),
        ({"age": 75, "crime": "fraud.banking"}, ("fraud",)),
        ({"age": 75}, ("multi_crime",)),
    ],
)
def test_a_case_goes_to_the_team_for_what_made_it_match(facts: dict[str, Any], needs: tuple[str, ...]) -> None:
    assert at("sussex", channel="police_case_by_case", **facts).needs == needs
