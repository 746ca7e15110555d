"""Which services a need is for, who may take the person, and who is asked first."""

from typing import Any

import pytest

from hubkit.contracts.profile import Routing
from services.routing.policy import candidates
from tests.services.routing.words import facts, listing


@pytest.mark.parametrize(
    ("case", "service", "reasons"),
    [
        ({}, {}, ()),
        ({}, {"status": "suspended"}, ("service_not_active",)),
        ({}, {"areas": ("E07000009",)}, ("outside_area",)),
        ({"area_code": None}, {"areas": ("E07000009",)}, ()),
        ({"area_code": None}, {"kind": "hub", "areas": ("E07000009",)}, ("outside_area",)),
        ({"area_code": "E07000009"}, {"kind": "hub", "areas": ("E07000009",)}, ()),
        ({"area_code": None}, {"kind": "hub"}, ()),
        ({"age": 17}, {"min_age": 18}, ("below_minimum_age",)),
        ({"age": 18}, {"min_age": 18}, ()),
        ({"age": 25}, {"max_age": 25}, ()),
        ({"age": 26}, {"max_age": 25}, ("above_maximum_age",)),
        ({"age": None}, {"min_age": 18, "max_age": 25}, ()),
        ({}, {"crimes": ("sexual",)}, ("crime_not_taken",)),
        ({}, {"crimes": ("burglary",)}, ()),
        ({}, {"crimes": ("burglary.residential",)}, ()),
        ({"risk_grade": "standard"}, {"risk_grades": ("high",)}, ("risk_not_taken",)),
        ({"risk_grade": None}, {"risk_grades": ("high",)}, ()),
        ({"markers": ("child", "domestic_abuse")}, {"without_marker": ("domestic_abuse",)}, ("marker_not_taken",)),
        ({"markers": ("child",)}, {"without_marker": ("domestic_abuse",)}, ()),
        ({}, {"without_marker": ("domestic_abuse",)}, ()),
    ],
)
def test_service_is_eligible_unless_its_criteria_say_no(
    case: dict[str, Any], service: dict[str, Any], reasons: tuple[str, ...]
) -> None:
    assert candidates.why_not(facts(**case), listing(**service)) == reasons


@pytest.mark.parametrize(
    ("services", "chosen"),
    [
        pytest.param([{}, {"kind": "other"}], [1], id="its own kind before a catch-all"),
        pytest.param([{"kind": "idva", "also": ("counselling",)}, {"kind": "other"}], [1], id="a further kind"),
        pytest.param([{"kind": "multi_crime", "teams": ("counselling",)}, {}], [1, 2], id="a team of it"),
        pytest.param([{"kind": "idva"}, {"kind": "other"}], [2], id="a catch-all where nobody else is"),
        pytest.param([{"status": "suspended"}, {"kind": "other"}], [1, 2], id="a catch-all where nobody is active"),
        pytest.param([{"min_age": 60}, {"kind": "other"}], [1], id="an active one that may not take the person"),
        pytest.param([{"kind": "idva"}], [], id="nobody"),
        pytest.param([{"kind": "other", "also": ("counselling",)}, {"kind": "other"}], [1], id="a catch-all by name"),
    ],
)
def test_a_need_is_for_those_who_name_it_and_for_catch_alls_only_without_them(
    services: list[dict[str, Any]], chosen: list[int]
) -> None:
    listings = [listing(number, **changes) for number, changes in enumerate(services, 1)]
    assert [each.service_id.int for each in candidates.services_for("counselling", listings)] == chosen


def test_another_hub_is_named_or_nobody_is() -> None:
    listings = [listing(1, kind="other"), listing(2, kind="hub")]
    assert [each.service_id.int for each in candidates.services_for("hub", listings)] == [2]
    assert candidates.services_for("hub", listings[:1]) == []


def test_the_need_other_is_for_catch_alls_themselves() -> None:
    assert len(candidates.services_for("other", [listing(1, kind="other"), listing(2)])) == 1


@pytest.mark.parametrize(
    ("service", "team"),
    [
        ({"kind": "multi_crime", "teams": ("counselling", "fraud")}, "counselling"),
        ({"teams": ("counselling", "fraud")}, "counselling"),
        ({"teams": ("fraud",)}, None),
        ({"kind": "multi_crime", "also": ("counselling",)}, None),
    ],
)
def test_the_team_is_the_need_where_the_service_has_a_team_for_it(service: dict[str, Any], team: str | None) -> None:
    [found] = candidates.order_candidates(facts(), [listing(1, **service)], Routing(), "counselling")
    assert found.team == team


def test_commissioned_services_come_first_only_where_the_profile_says_so() -> None:
    services = [listing(1, commissioned=False, preference=1), listing(2, commissioned=True, preference=9)]
    by_rule = candidates.order_candidates(facts(), services, Routing(commissioned_first=True))
    silent = candidates.order_candidates(facts(), services, Routing())
    assert [c.service_id.int for c in by_rule] == [2, 1]
    assert [c.service_id.int for c in silent] == [1, 2]


def test_ineligible_services_are_listed_last_with_their_reason() -> None:
    services = [listing(1, min_age=60), listing(2, preference=500)]
    first, second = candidates.order_candidates(facts(), services, Routing())
    assert (first.service_id.int, second.service_id.int, second.reasons) == (2, 1, ("below_minimum_age",))


def test_same_facts_always_give_the_same_order() -> None:
    services = [listing(n) for n in range(9, 0, -1)]
    ordered = candidates.order_candidates(facts(), services, Routing())
    assert [c.service_id.int for c in ordered] == list(range(1, 10))
