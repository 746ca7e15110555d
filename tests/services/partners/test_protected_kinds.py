"""Which crimes, markers and kinds of service each protection is about: every code of the lists is decided here."""

import pytest

from hubkit.contracts.codes import CRIMES, DATA_CATEGORIES, KINDS, MARKERS
from services.partners.policy.protections import protected_fields

IDENTIFYING = {*DATA_CATEGORIES["identity"], *DATA_CATEGORIES["contact"]}
#: A kind of service to which neither exception applies.
ANY = "volunteers"


def kept(kind: str = ANY, crime: str | None = None, *markers: str, refuge: bool = False) -> dict[str, str]:
    return protected_fields(kind, crime, markers, safe_address=refuge)


def test_the_law_keeps_victims_of_these_anonymous() -> None:
    anonymous = dict.fromkeys(IDENTIFYING, "anonymity_protected")
    crimes = {crime for crime in CRIMES if kept(ANY, crime) == anonymous}
    assert crimes == {crime for crime in CRIMES if crime.startswith("sexual.")} | {
        "violence.modern_slavery", "violence.fgm_forced_marriage",
    }  # fmt: skip
    markers = {marker for marker in MARKERS if kept(ANY, None, marker) == anonymous}
    assert markers == {"sexual_violence", "child_sexual_abuse", "child_exploitation"}
    assert kept(ANY, "sexual") == anonymous


def test_services_whose_work_they_are_know_who_they_are() -> None:
    for crime in ("sexual.rape", "violence.modern_slavery"):
        assert {kind for kind in KINDS if not kept(kind, crime)} == {
            "isva", "sexual_violence", "idva", "domestic_abuse", "modern_slavery", "serious_violence", "counselling",
            "mental_health", "children_young_people", "advocacy", "witness_care", "witness_service", "safeguarding",
            "multi_crime", "adult_victims", "hub",
        }  # fmt: skip


def test_home_is_not_safe_to_write_to_after_these() -> None:
    address = {"address": "address_protected"}
    assert {crime for crime in CRIMES if kept("isva", crime) == address} == {
        "stalking_harassment.stalking", "stalking_harassment.coercive_control", "violence.fgm_forced_marriage",
    }  # fmt: skip
    assert {marker for marker in MARKERS if kept("isva", None, marker) == address} == {
        "domestic_abuse", "da_risk_high", "da_risk_medium", "da_risk_standard", "at_risk_da", "intimate_partner",
    }  # fmt: skip


def test_services_that_plan_safety_know_where_the_person_lives_but_for_a_refuge() -> None:
    planning = {kind for kind in KINDS if not kept(kind, None, "domestic_abuse")}
    assert planning == {"idva", "domestic_abuse", "stalking", "modern_slavery", "safeguarding"}
    for kind in KINDS:
        assert kept(kind, refuge=True) == {"address": "address_protected"}


@pytest.mark.parametrize("crime", ["burglary.residential", "violence.strangulation", "", None])
def test_of_other_and_unknown_crimes_nothing_is_kept_back(crime: str | None) -> None:
    for kind in KINDS:
        assert kept(kind, crime, "enhanced", "hate_crime") == {}
