"""A profile in plain words: nothing that it says is kept back, in the explanation and when two are compared."""

import copy
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from hubkit.contracts.profile import Condition, Profile, ProfilePart, Rule, Within
from hubkit.contracts.profile.statements import silent, statements
from hubkit.contracts.profile.words import clock, holds
from hubkit.profiles import load_profile
from hubkit.profiles.document import read_documents
from hubkit.profiles.parameters import resolve
from hubkit.profiles.schema import model_schema

WHOLE = Path(__file__).parent / "whole.yaml"
#: What is told beside what a rule does, and what shows only in the order of partners.
BESIDE = {"text", "source", "preference"}


@cache
def read() -> Any:
    [document] = read_documents(WHOLE)
    return resolve(document, {}).value


def whole() -> Any:
    return copy.deepcopy(read())


def leaves(value: Any, way: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*way, key)
        if isinstance(item, dict | list):
            yield from leaves(item, (*way, key))


def without(way: tuple[str | int, ...]) -> Profile | None:
    """Return the whole profile without one thing, or None where that is no profile."""
    document = whole()
    place = document
    for step in way[:-1]:
        place = place[step]
    del place[way[-1]]
    try:
        return Profile.model_validate(document)
    except ValueError:
        return None


def said(profile: Profile) -> set[tuple[str, str, str]]:
    return {(one.section, one.key, one.words) for one in statements(profile)}


def test_the_whole_profile_has_every_field_of_the_schema() -> None:
    used = {step for way in leaves(whole()) for step in way if isinstance(step, str)}
    fields = {
        name for part in (model_schema(), *model_schema()["$defs"].values()) for name in part.get("properties", ())
    }
    assert fields - used == set()


def test_every_field_makes_a_difference_in_words() -> None:
    all_ = said(Profile.model_validate(whole()))
    tried = {way: changed for way in leaves(whole()) if way[-1] not in BESIDE and (changed := without(way))}

    assert len(tried) > 100
    assert [way for way, changed in tried.items() if said(changed) == all_] == []


def test_every_field_of_a_condition_has_words_of_its_own() -> None:
    contact = Profile.model_validate(whole()).contacts[0].when
    for name in Condition.model_fields:
        value = getattr(contact, name)
        if value not in (None, ()):
            assert holds(Condition.model_validate({name: value})) not in ("", "always")


def test_a_part_that_nothing_is_said_of_is_named() -> None:
    small = Profile.model_validate({"id": "a", "name": "A", "version": "1", "channels": [{"channel": "self_referral"}]})
    assert {"levels", "deadlines of contacts", "surveys"} <= set(silent(small))
    assert silent(Profile.model_validate(whole())) == ["the lawful basis from the police to the hub"]


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ({}, "always"),
        ({"crimes": ["sexual.rape", "fraud"]}, "the crime is sexual: rape or any of the group fraud"),
        ({"any_marker": ["da_risk_high", "child"]}, "it is marked DA risk high or child"),
        (
            {"any_of": [{"min_age": 61}, {"max_age": 17}]},
            "at least one of these: (1) the person is 61 or older; (2) the person is 17 or younger",
        ),
        ({"none_of": [{"needs": ["idva"]}]}, "none of these: there is a need of IDVA"),
        ({"has_needs": False, "levels": ["gold"]}, "the case is on level gold, and there is no need"),
        (
            {"consents": [{"hop": "police_to_hub", "decisions": ["refused", "withdrawn"]}]},
            "the person's word on passing data from the police to the hub is refused or withdrawn",
        ),
    ],
)  # fmt: skip
def test_a_condition_reads_as_a_sentence(condition: dict[str, Any], words: str) -> None:
    assert holds(Condition.model_validate(condition)) == words


def test_a_clock_reads_as_a_sentence() -> None:
    assert (
        clock(Within(amount=1, unit="working_days", starts="case_opened")) == "1 working day of the case being opened"
    )
    assert clock(Within(amount=48, unit="working_hours")) == "48 working hours of receiving the referral"


def test_partners_stand_in_the_order_in_which_they_are_asked(tmp_path: Path) -> None:
    text = """\
id: a
name: A
version: "1"
channels: [{channel: self_referral}]
routing: {commissioned_first: true}
partners:
- {name: last, kind: isva, preference: 1}
- {name: second, kind: isva, commissioned: true, preference: 20}
- {name: first, kind: isva, commissioned: true, preference: 10}
"""
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")

    words = [one.words for one in statements(load_profile(tmp_path / "a.yaml")) if one.key == "order"]

    assert words == ["Asked in this order, where several can help: first; second; last"]


def test_every_part_of_the_schema_says_what_it_is() -> None:
    parts = [*ProfilePart.__subclasses__(), *Rule.__subclasses__()]
    assert len(parts) > 20
    assert [part.__name__ for part in parts if part.__name__ != "_Part" and not part.__dict__["__doc__"]] == []
