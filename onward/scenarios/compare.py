"""Holds what is expected against what the hub answered. Pure: `differences` names every value that is not as asserted.

An absent key is not asserted. A key set to null asserts that there is nothing; so does an empty list. `not_x` asserts
that x is something else, `also_allowed` lists further outcomes. Times are compared as instants, to the second.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

_NOTHING: Final[tuple[Any, ...]] = (None, [], (), {}, "")


class Closed(dict[str, Any]):
    """A structure whose keys are all there: one that is not is unknown."""


class Words(tuple[str, ...]):
    """Several words for one thing, such as the names and roles of a recipient; any of them is right."""

    __slots__ = ()

    @classmethod
    def of(cls, *words: Any) -> "Words":
        """Return those of the words that there are."""
        return cls(dict.fromkeys(str(word) for word in words if word not in _NOTHING))

    def has(self, word: Any) -> bool:
        """Whether `word` is one of them, however it is written."""
        return str(word).casefold() in {each.casefold() for each in self}


class Unordered(list[Any]):
    """A list whose order means nothing."""


def differences(expected: Any, actual: Any, place: str) -> list[str]:
    """Return what is not as expected, as `place: expected …, got …`."""
    if expected is None or expected == []:
        return [] if _is_nothing(actual) else [_said(place, "none", actual)]
    if isinstance(expected, Mapping):
        return _keys(expected, actual, place)
    if isinstance(actual, Words):
        return [] if actual.has(expected) else [_said(place, expected, actual[0] if actual else None)]
    if isinstance(expected, list):
        return [] if _same_list(expected, actual) else [_said(place, expected, actual)]
    return [] if _same(expected, actual) else [_said(place, expected, actual)]


def _is_nothing(actual: Any) -> bool:
    """Whether there is nothing: a structure that says only what is not so is none."""
    if isinstance(actual, Closed):
        return all(value is False or value in _NOTHING for value in actual.values())
    return actual in _NOTHING


def _keys(expected: Mapping[str, Any], actual: Any, place: str) -> list[str]:
    if actual is not None and not isinstance(actual, Mapping):
        return [_said(place, expected, actual)]
    found: list[str] = []
    allowed = expected.get("also_allowed")
    for key, value in expected.items():
        inner = f"{place}.{key}" if place else str(key)
        if key == "also_allowed":
            continue
        if key.startswith("not_") and key not in (actual or {}):
            found += _unlike(value, (actual or {}).get(key[4:]), inner)
        elif isinstance(actual, Closed) and key not in actual:
            found.append(f"{inner}: unknown key")
        elif key != "outcome" or (actual or {}).get(key) not in (allowed or ()):
            found += differences(value, (actual or {}).get(key), inner)
    return found


def _unlike(unwanted: Any, actual: Any, place: str) -> list[str]:
    if differences(unwanted, actual, place):
        return []
    return [f"{place}: expected anything but {shown(unwanted)}, got {shown(actual)}"]


def _same_list(expected: list[Any], actual: Any) -> bool:
    if not isinstance(actual, (list, tuple)) or len(actual) != len(expected):
        return False
    if isinstance(actual, Unordered):
        return sorted(map(_sortable, expected)) == sorted(map(_sortable, actual))
    return all(_same(one, other) for one, other in zip(expected, actual, strict=True))


def _sortable(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _same(expected: Any, actual: Any) -> bool:
    if isinstance(expected, bool) or isinstance(actual, bool):
        # What there is not, is not so.
        return bool(expected is (False if actual is None else actual))
    if expected == actual:
        return True
    # The hub counts microseconds, a scenario speaks of seconds: what happened within a second happened in it.
    one, other = _instant(expected), _instant(actual)
    return one is not None and other is not None and one in (other, other.replace(microsecond=0))


def _instant(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        return value if value.tzinfo else None
    if not isinstance(value, str) or "T" not in value:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _said(place: str, expected: Any, actual: Any) -> str:
    return f"{place}: expected {shown(expected)}, got {shown(actual)}"


def shown(value: Any) -> str:
    """Return a value in short form."""
    if value is None:
        return "none"
    if isinstance(value, datetime):
        return value.isoformat()
    return value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)


def paired(expected: Sequence[Any], actual: Sequence[Any], place: str) -> tuple[list[str], list[Any]]:
    """Give each expected item an actual one of its own, as well as can be.

    Returns what is not as expected, and the actual items that are left over.
    """
    pairs = _fitting(expected, actual)
    if pairs is None:
        pairs = _nearest(expected, actual)
    found: list[str] = []
    for number, wanted in enumerate(expected):
        at = pairs.get(number)
        if at is None:
            found.append(_said(f"{place}[{number}]", wanted, None))
        else:
            found += differences(wanted, actual[at], f"{place}[{number}]")
    return found, [item for at, item in enumerate(actual) if at not in pairs.values()]


def _fitting(expected: Sequence[Any], actual: Sequence[Any]) -> dict[int, int] | None:
    """Return a pairing without any difference (by augmenting paths), or None when there is none."""
    fits = [[at for at, item in enumerate(actual) if not differences(wanted, item, "")] for wanted in expected]
    owner: dict[int, int] = {}

    def take(number: int, tried: set[int]) -> bool:
        for at in fits[number]:
            if at not in tried:
                tried.add(at)
                if at not in owner or take(owner[at], tried):
                    owner[at] = number
                    return True
        return False

    if all(take(number, set()) for number in range(len(expected))):
        return {number: at for at, number in owner.items()}
    return None


def _nearest(expected: Sequence[Any], actual: Sequence[Any]) -> dict[int, int]:
    costs = sorted(
        (len(differences(wanted, item, "")), number, at)
        for number, wanted in enumerate(expected)
        for at, item in enumerate(actual)
    )
    pairs: dict[int, int] = {}
    for _, number, at in costs:
        if number not in pairs and at not in pairs.values():
            pairs[number] = at
    return pairs


def unexpected(items: Iterable[Any], place: str) -> Iterator[str]:
    """Yield that there is more than was expected."""
    for item in items:
        given = {key: value for key, value in item.items() if value not in _NOTHING}
        yield f"{place}: not expected, got {shown(given)}"
