"""What counts as the same, and what is said where it is not."""

from typing import Any

import pytest

from onward.scenarios.compare import Closed, Unordered, Words, differences, paired


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ("accepted", "accepted"),
        (None, None),
        (None, []),
        ([], None),
        (False, None),
        (65.0, 65),
        ("2024-05-15T15:20:00+01:00", "2024-05-15T14:20:00Z"),
        ("2024-05-15T15:20:00+01:00", "2024-05-15T14:20:00.934210Z"),
        ("2024-05-15T14:20:00.5Z", "2024-05-15T15:20:00.500000+01:00"),
        (["text", "email"], Unordered(["email", "text"])),
        ("Victim Support", Words.of("victim support", "multi_crime")),
        ({"required": False}, None),
        ({"level": None}, {"level": None}),
        (None, Closed(required=False, kind=None, sections=[])),
        ({"not_specialism": "fraud"}, {"specialism": None}),
        ({"outcome": "signposted", "also_allowed": ["referred"]}, {"outcome": "referred"}),
    ],
)
def test_as_expected(expected: Any, actual: Any):
    assert differences(expected, actual, "then") == []


@pytest.mark.parametrize(
    ("expected", "actual", "said"),
    [
        ("accepted", "excluded", "then: expected accepted, got excluded"),
        (None, "fraud", "then: expected none, got fraud"),
        (None, Closed(required=True), 'then: expected none, got {"required": true}'),
        ([], ["phone"], 'then: expected none, got ["phone"]'),
        (True, None, "then: expected true, got none"),
        (False, "no", "then: expected false, got no"),
        (1, True, "then: expected 1, got true"),
        (
            "2024-05-15T15:20:00+01:00",
            "2024-05-15T14:20:01Z",
            "then: expected 2024-05-15T15:20:00+01:00, got 2024-05-15T14:20:01Z",
        ),
        (["text"], Unordered(["email", "text"]), 'then: expected ["text"], got ["email", "text"]'),
        (["text", "email"], ["email", "text"], 'then: expected ["text", "email"], got ["email", "text"]'),
        ("partner", Words.of("hub"), "then: expected partner, got hub"),
        ("partner", Words(), "then: expected partner, got none"),
        ({"outcome": "accepted"}, None, "then.outcome: expected accepted, got none"),
        ({"colour": "red"}, Closed(level=None), "then.colour: unknown key"),
        ({"colour": None}, Closed(level=None), "then.colour: unknown key"),
        (
            {"not_specialism": "fraud"},
            {"specialism": "fraud"},
            "then.not_specialism: expected anything but fraud, got fraud",
        ),
        (
            {"outcome": "signposted", "also_allowed": ["referred"]},
            {"outcome": "refused"},
            "then.outcome: expected signposted, got refused",
        ),
    ],
)
def test_not_as_expected(expected: Any, actual: Any, said: str):
    assert differences(expected, actual, "then") == [said]


def test_items_find_their_own_in_any_order():
    expected = [{"by": "a"}, {"by": "a", "due": None}]
    actual = [{"by": "a", "due": None}, {"by": "a", "due": "x"}]

    assert paired(expected, actual, "contacts") == ([], [])


def test_what_is_missing_and_what_is_left_over_is_named():
    faults, left = paired([{"by": "a"}, {"by": "b"}], [{"by": "b"}], "contacts")
    assert faults == ['contacts[0]: expected {"by": "a"}, got none']
    assert left == []

    faults, left = paired([{"by": "a", "due": "x"}], [{"by": "c"}, {"by": "a", "due": "y"}], "contacts")
    assert faults == ["contacts[0].due: expected x, got y"]
    assert left == [{"by": "c"}]
