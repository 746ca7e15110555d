"""What an agreement should say, what contradicts itself, and what each is answered."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from hubkit.contracts.codes import DATA_CATEGORIES
from hubkit.errors import FieldError
from services.partners.policy.agreement_terms import Terms, faults, from_json, not_stated, only_narrows, to_json
from services.partners.policy.second_person import is_same_person

FIRST = date(2026, 1, 1)
DAY = timedelta(days=1)
#: What has to be said, and nothing else.
BARE = Terms(purposes=("idva",), data_categories=("identity",), lawful_basis="consent", starts_on=FIRST)
#: Reference `domain.md`, section 4, without what only some agreements need.
CODE = {
    "parties": ({"name": "Hub", "role": "controller", "contact": "Sam Example"},),
    "purpose": "Support.",
    "benefit": "Safety.",
    "access": "Advisers.",
    "transparency": "A leaflet.",
    "rights": "The hub answers.",
    "accuracy": "Checked.",
    "security": "Encrypted.",
    "transfer_method": "Webhook.",
    "retention_days": 30,
    "disposal": "Erased.",
    "breach": "At once.",
    "complaints": "To the hub.",
    "dpia_reference": "DPIA-1",
    "review_on": FIRST + DAY,
    "termination": "A month.",
    "sign_off": ({"name": "Alex Example"},),
}


def test_an_agreement_lasts_a_day_at_least() -> None:
    assert faults(replace(BARE, ends_on=FIRST)) == []
    fault = FieldError("/ends_on", "ends_before_start", "must not be before starts_on")
    assert faults(replace(BARE, ends_on=FIRST - DAY)) == [fault]


def test_its_review_is_not_before_its_first_day() -> None:
    assert faults(replace(BARE, review_on=FIRST)) == []
    fault = FieldError("/review_on", "review_before_start", "must not be before starts_on")
    assert faults(replace(BARE, review_on=FIRST - DAY)) == [fault]


def test_its_fields_are_of_its_categories_and_the_known_ones_are_named() -> None:
    wrong = replace(BARE, data_categories=("crime", "needs"), fields=("needs", "phone", "crime_category"))
    known = "crime_category, crime_reference, markers, needs, occurred_on"
    detail = f"is no field of the agreed data categories; theirs are: {known}"
    assert faults(wrong) == [FieldError("/fields/1", "field_not_covered", detail)]


def test_each_of_its_categories_has_a_field() -> None:
    wrong = replace(BARE, data_categories=("crime", "needs"), fields=("crime_category",))
    detail = "has none of its fields in /fields"
    assert faults(wrong) == [FieldError("/data_categories/1", "category_without_fields", detail)]
    assert faults(replace(wrong, fields=("occurred_on", "markers"))) == []


def test_the_data_sharing_code_asks_for_these() -> None:
    assert not_stated(BARE) == [f"/{name}" for name in CODE]
    assert not_stated(replace(BARE, **CODE)) == []


@pytest.mark.parametrize("name", CODE)
def test_each_thing_that_is_not_said_is_named_by_its_place(name: str) -> None:
    assert not_stated(replace(BARE, **CODE | {name: getattr(BARE, name)})) == [f"/{name}"]


@pytest.mark.parametrize(("way", "stated"), [("contact", True), ("email", True), ("phone", True), ("address", False)])
def test_every_party_can_be_reached(way: str, stated: bool) -> None:
    parties = (CODE["parties"][0], {"name": "Charity", "role": "controller", way: "somebody@example.org"})  # type: ignore[index]
    missing = not_stated(replace(BARE, **CODE | {"parties": parties}))
    assert missing == ([] if stated else ["/parties/1/contact"])


def test_special_categories_need_a_condition() -> None:
    said = replace(BARE, **CODE)
    special = [
        category
        for category in DATA_CATEGORIES
        if not_stated(replace(said, data_categories=("identity", category))) == ["/special_category_condition"]
    ]
    assert special == ["needs", "risk", "narrative"]
    named = replace(said, data_categories=("risk",), special_category_condition="explicit_consent")
    assert not_stated(named) == []


def test_a_public_task_needs_a_statutory_power() -> None:
    said = replace(BARE, **CODE, lawful_basis="public_task")
    assert not_stated(said) == ["/statutory_power"]
    assert not_stated(replace(said, statutory_power="Code of Practice")) == []


def test_terms_travel_as_plain_json() -> None:
    said = replace(BARE, **CODE, fields=("role",))
    body = to_json(said)
    assert (body["starts_on"], body["review_on"], body["ends_on"]) == ("2026-01-01", "2026-01-02", None)
    assert (body["purposes"], body["fields"]) == (["idva"], ["role"])
    assert (body["parties"], body["delivery"]) == ([*said.parties], "thin")
    assert from_json(body) == said
    assert from_json(body | {"starts_on": FIRST}) == said


@pytest.mark.parametrize(
    "change",
    [{name: "anything else"} for name in (
        "purpose", "benefit", "special_category_condition", "statutory_power", "access", "transparency", "rights",
        "accuracy", "security", "transfer_method", "disposal", "breach", "complaints", "dpia_reference", "termination",
    )] + [{"parties": ()}, {"sign_off": ()}, {"retention_days": 1}, {"review_on": FIRST}, {"lawful_basis": "consented"},
          {"children_high_privacy": False}],
)  # fmt: skip
def test_what_is_not_known_to_take_away_needs_a_second_person(change: dict[str, Any]) -> None:
    before = replace(BARE, **CODE)
    assert not only_narrows(before, replace(before, **change))
    assert only_narrows(before, before)


def test_what_takes_away_on_one_side_and_adds_on_another_needs_a_second_person() -> None:
    before = replace(BARE, purposes=("idva", "isva"), hops=("hub_to_partner", "survey"), ends_on=FIRST + 9 * DAY)
    less: dict[str, Any] = {"purposes": ("idva",)}
    assert only_narrows(before, replace(before, **less, hops=("survey",), ends_on=FIRST + 9 * DAY))
    for more in (
        {"hops": ("case_study",)},
        {"ends_on": FIRST + 10 * DAY},
        {"ends_on": None},
        {"starts_on": FIRST - DAY},
        {"delivery": "full"},
        {"data_categories": ("identity", "risk")},
    ):
        assert not only_narrows(before, replace(before, **less | more))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Alex Example", "alex  EXAMPLE ", True),
        ("Alex Example", "AlexExample", False),
        ("Strauß", "STRAUSS", True),
        ("Ａlex", "alex", True),
        ("Example, Alex", "alex example", True),
        ("A. J. Example", "A J Example", True),
        ("Zoë Müller", "Zoe Muller", True),
        ("Alex\u00adExample", "AlexExample", True),
        ("alex.example", "Alex Example", True),
        ("alex.example@example.org", "Example, Alex", True),
        ("Alex Example", "alex_example@example.org", True),
        ("alex.example@example.org", "Alex Example Org", False),
        ("dpo@hub.example.org", "dpo@partner.example.org", False),
        ("Dpo@Hub.example.org", "dpo@hub.example.org", True),
        ("Alex Example Example", "Alex Example", False),
        ("...", "", True),
        ("Alex", "Alex Example", False),
        ("Alex", None, False),
        (None, "Alex", False),
        (None, None, False),
    ],
)
def test_two_people_are_two_however_their_names_are_typed(one: str | None, other: str | None, same: bool) -> None:
    assert is_same_person(one, other) is same
