"""Dates of agreements against a slow calculation, and which changes need a second person."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubkit.contracts.codes import DATA_CATEGORIES
from services.partners.policy.agreement_terms import (
    NAMES,
    Terms,
    faults,
    from_json,
    not_stated,
    only_narrows,
    to_json,
)
from services.partners.policy.agreements import Term, gaps, outlook, overlap, state_on
from services.partners.policy.second_person import is_same_person

FIRST = date(2026, 1, 1)
DAYS = [FIRST + timedelta(days=number) for number in range(20)]
PURPOSES = ("idva", "isva")
days = st.sampled_from(DAYS)


@st.composite
def term(draw: st.DrawFn) -> Term:
    starts_on = draw(days)
    ends_on = draw(st.none() | st.integers(0, 8).map(lambda length: starts_on + timedelta(days=length)))
    return Term(
        status=draw(st.sampled_from(["active", "active", "active", "suspended", "ended", "draft"])),
        purposes=draw(st.frozensets(st.sampled_from(PURPOSES), min_size=1)),
        starts_on=starts_on,
        ends_on=ends_on,
        id=UUID(int=draw(st.integers(1, 2**64))),
        ended_on=draw(st.none() | st.none() | days),
    )


def holds(each: Term, day: date) -> bool:
    ends = [last for last in (each.ends_on, each.ended_on) if last is not None]
    return day >= each.starts_on and all(day <= last for last in ends)


#: Beyond every date that is drawn.
HORIZON = [FIRST + timedelta(days=number) for number in range(-1, 40)]


@given(term(), term())
def test_two_agreements_overlap_when_a_day_says_so(one: Term, other: Term) -> None:
    both_active = one.status == other.status == "active"
    common = any(holds(one, day) and holds(other, day) for day in HORIZON)
    if both_active and one.ended_on is None and other.ended_on is None:
        assert overlap(one, other) == bool(common and one.purposes & other.purposes)
    if overlap(one, other):
        assert both_active
        assert one.purposes & other.purposes


def slow_gaps(mine: Term, others: list[Term]) -> set[tuple[date, date, str]]:
    """Walk from the first and from the last day of an agreement, day by day, to the nearest day with cover."""
    found = set()
    for purpose in mine.purposes:
        near = [each for each in others if each.status != "draft" and purpose in each.purposes]
        covered = {day for day in HORIZON for each in near if holds(each, day)}
        walked: list[date] = []
        day = mine.starts_on - timedelta(days=1)
        while day in HORIZON and day not in covered:
            walked.append(day)
            day -= timedelta(days=1)
        if day in covered and walked:
            found.add((walked[-1], walked[0], purpose))
        ends = [last for last in (mine.ends_on, mine.ended_on) if last is not None]
        if not ends:
            continue
        walked = []
        day = min(ends) + timedelta(days=1)
        while day in HORIZON and day not in covered:
            walked.append(day)
            day += timedelta(days=1)
        if day in covered and walked:
            found.add((walked[0], walked[-1], purpose))
    return found


@given(term(), st.lists(term(), max_size=4, unique_by=lambda each: each.id))
def test_gaps_are_those_that_a_walk_finds(mine: Term, others: list[Term]) -> None:
    mine = replace(mine, ended_on=None)
    found = gaps(mine, others)
    assert {(gap.first_day, gap.last_day, purpose) for gap in found for purpose in gap.purposes} == slow_gaps(
        mine, others
    )
    for gap in found:
        assert gap.days == (gap.last_day - gap.first_day).days + 1 > 0
        [other] = {each for each in others if each.id == gap.other_id}
        last = other.ends_on if other.ended_on is None else min(other.ended_on, other.ends_on or other.ended_on)
        assert gap.last_day + timedelta(days=1) == other.starts_on or last == gap.first_day - timedelta(days=1)


@given(st.lists(term(), max_size=5, unique_by=lambda each: each.id), days, days)
def test_the_forecast_is_what_a_walk_through_the_days_finds(terms: list[Term], one: date, other: date) -> None:
    today, on = min(one, other), max(one, other)
    found = outlook(terms, today, on)
    active = [each for each in terms if each.status == "active"]
    held = [each for each in active if any(holds(each, day) for day in HORIZON)]
    span = [day for day in HORIZON if today <= day <= on]
    stops = {each.id for each in held if any(holds(each, day) and not holds(each, day + timedelta(days=1))
                                             for day in span[:-1])}  # fmt: skip
    assert {each.id for each in found.stops} == stops
    assert {each.id for each in found.starts} == {each.id for each in held if each.starts_on in span[1:]}
    losses = {}
    gains = {}
    for purpose in PURPOSES:
        cover = [any(holds(each, day) and purpose in each.purposes for each in active) for day in span]
        if cover[0] and not all(cover):
            first = cover.index(False)
            again = cover.index(True, first) if True in cover[first:] else None
            losses[purpose] = (span[first], None if again is None else span[again - 1])
        if not cover[0] and cover[-1]:
            gains[purpose] = span[cover.index(True)]
    assert {loss.purpose: (loss.since, loss.until) for loss in found.losses} == losses
    assert dict(found.gains) == gains


@pytest.mark.parametrize(
    ("status", "starts", "ends", "expected"),
    [
        ("draft", 0, None, "draft"),
        ("active", 1, None, "approved"),
        ("active", 0, 0, "active"),
        ("active", -5, -1, "ended"),
        ("suspended", -5, -1, "suspended"),
        ("ended", -5, None, "ended"),
    ],
)
def test_what_an_agreement_is_called_on_a_day(status: str, starts: int, ends: int | None, expected: str) -> None:
    today = FIRST
    last = None if ends is None else today + timedelta(days=ends)
    assert state_on(status, today + timedelta(days=starts), last, today) == expected


TERMS = Terms(
    purposes=("idva", "isva"),
    data_categories=("identity", "contact"),
    lawful_basis="consent",
    starts_on=FIRST,
    ends_on=FIRST + timedelta(days=100),
    delivery="full",
    crimes_excluded=("fraud",),
)


@pytest.mark.parametrize(
    ("change", "narrows"),
    [
        ({"data_categories": ("identity",)}, True),
        ({"purposes": ("idva",)}, True),
        ({"fields": ("given_name", "phone")}, True),
        ({"crimes_excluded": ("fraud", "sexual")}, True),
        ({"delivery": "thin"}, True),
        ({"starts_on": FIRST + timedelta(days=1)}, True),
        ({"ends_on": FIRST + timedelta(days=99)}, True),
        ({}, True),
        ({"data_categories": ("identity", "contact", "risk")}, False),
        ({"data_categories": ("identity",), "purposes": ("idva", "isva", "counselling")}, False),
        ({"crimes_excluded": ()}, False),
        ({"hops": ("hub_to_partner", "survey")}, False),
        ({"starts_on": FIRST - timedelta(days=1)}, False),
        ({"ends_on": None}, False),
        ({"ends_on": FIRST + timedelta(days=101)}, False),
        ({"lawful_basis": "public_task"}, False),
        ({"retention_days": 10}, False),
        ({"security": "none"}, False),
    ],
)
def test_what_only_takes_away_needs_one_person(change: dict[str, Any], narrows: bool) -> None:
    assert only_narrows(TERMS, replace(TERMS, **change)) is narrows


def test_fields_and_delivery_that_come_back_need_a_second_person() -> None:
    few = replace(TERMS, fields=("given_name", "phone"), delivery="thin")
    assert not only_narrows(few, replace(few, fields=None))
    assert not only_narrows(few, replace(few, fields=("given_name", "phone", "email")))
    assert not only_narrows(few, replace(few, delivery="full"))
    assert only_narrows(few, replace(few, fields=("phone",), data_categories=("contact",)))


names = st.lists(st.sampled_from(["given_name", "phone", "email", "role"]), unique=True).map(tuple)
terms = st.builds(
    Terms,
    purposes=st.lists(st.sampled_from(PURPOSES), min_size=1, unique=True).map(tuple),
    data_categories=st.lists(st.sampled_from(["identity", "contact"]), min_size=1, unique=True).map(tuple),
    fields=st.none() | names,
    crimes_excluded=st.lists(st.sampled_from(["fraud", "sexual"]), unique=True).map(tuple),
    lawful_basis=st.just("consent"),
    starts_on=days,
    ends_on=st.none() | days,
)


@given(terms, terms, days, st.sampled_from(PURPOSES), st.sampled_from(["fraud", "sexual", "arson"]))
def test_a_change_by_one_person_never_lets_out_more(
    before: Terms, after: Terms, day: date, purpose: str, crime: str
) -> None:
    def given_out(said: Terms) -> set[str]:
        runs = said.starts_on <= day <= (said.ends_on or date.max)
        if not runs or purpose not in said.purposes or crime in said.crimes_excluded:
            return set()
        known = {name for category in said.data_categories for name in DATA_CATEGORIES[category]}
        return known if said.fields is None else known & set(said.fields)

    if only_narrows(before, after):
        assert given_out(after) <= given_out(before)


def test_terms_are_the_same_after_a_journey_as_json() -> None:
    full = replace(TERMS, parties=({"name": "Hub", "role": "controller"},), fields=("phone", "role"))
    assert from_json(to_json(full)) == full
    assert set(to_json(full)) == set(NAMES)


def test_what_contradicts_itself_is_said_with_its_place() -> None:
    wrong = replace(TERMS, ends_on=FIRST - timedelta(days=1), review_on=FIRST - timedelta(days=1), fields=("risk",))
    assert {(fault.pointer, fault.code) for fault in faults(wrong)} == {
        ("/ends_on", "ends_before_start"),
        ("/review_on", "review_before_start"),
        ("/fields/0", "field_not_covered"),
        ("/data_categories/0", "category_without_fields"),
        ("/data_categories/1", "category_without_fields"),
    }
    assert faults(TERMS) == []


def test_what_the_code_asks_for_and_is_not_said_is_named() -> None:
    assert "/breach" in not_stated(TERMS)
    assert "/special_category_condition" not in not_stated(TERMS)
    assert "/statutory_power" not in not_stated(TERMS)
    more = replace(TERMS, data_categories=("needs",), lawful_basis="public_task", breach="At once.",
                   parties=({"name": "Hub", "role": "controller"},))  # fmt: skip
    assert {"/special_category_condition", "/statutory_power", "/parties/0/contact"} <= set(not_stated(more))
    assert not {"/breach", "/parties"} & set(not_stated(more))


def test_a_name_is_the_same_however_it_is_typed() -> None:
    assert is_same_person("Alex  EXAMPLE ", "alex example")
    assert is_same_person("Ａlex", "alex")
    assert not is_same_person("Alex Example", "Sam Example")
    assert not is_same_person(None, None)
