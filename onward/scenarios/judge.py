"""Holds everything that a scenario asserts against the outcomes. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from onward.scenarios.compare import Closed, differences, paired, shown, unexpected
from onward.scenarios.outputs import Outcome
from onward.scenarios.vocabulary import as_list


def faults_of(then: Mapping[str, Any], outcomes: Sequence[Outcome], *, place: str = "") -> list[str]:
    """Return everything that is not as a `then` block asserts of these outcomes: usually of one, figures of all."""
    found: list[str] = []
    for key, expected in then.items():
        inner = f"{place}{key}"
        if key == "figures":
            found += figures_differ(expected, outcomes, inner)
            continue
        for outcome in outcomes:
            check = _LISTS.get(key)
            found += check(expected, outcome, inner) if check else _fact_differs(key, expected, outcome, inner)
    return found


def _fact_differs(key: str, expected: Any, outcome: Outcome, place: str) -> list[str]:
    if key not in outcome.facts:
        # A case without an attribute may be what is asserted; a key that no hub knows is a mistake.
        return [f"{place}: unknown key, or the hub says nothing of it"]
    return differences(expected, outcome.facts[key], place)


def figures_differ(expected: Any, outcomes: Sequence[Outcome], place: str) -> list[str]:
    """Return which counts are not as expected, over all cases of the scenario."""
    sums: Closed = Closed()
    for outcome in outcomes:
        for name, count in outcome.figures.items():
            sums[name] = sums.get(name, 0) + count
    return differences(expected, sums, place)


def _contacts(expected: Any, outcome: Outcome, place: str) -> list[str]:
    """Contacts match one to one."""
    found, left = paired(as_list(expected), outcome.contacts, place)
    return [*found, *unexpected(left, place)]


def _partner(expected: Any, outcome: Outcome, place: str) -> list[str]:
    """One partner may stand for several; where a list names them, nobody else was referred to."""
    if expected is None or expected == []:
        return list(unexpected(outcome.partners, place))
    items = as_list(expected)
    wanted = [each for each in items if not _is_absence(each, outcome.partners)]
    found, left = paired(wanted, outcome.partners, place)
    if isinstance(expected, Mapping):
        return [fault.replace(f"{place}[0]", place, 1) for fault in found]
    return [*found, *unexpected([each for each in left if each["outcome"] == "referred"], place)]


def _is_absence(expected: Any, partners: Sequence[Closed]) -> bool:
    """Whether it says that nobody was needed, and nobody was."""
    if not isinstance(expected, Mapping):
        return False
    allowed = [expected.get("outcome"), *as_list(expected.get("also_allowed"))]
    kind = expected.get("kind")
    return "not_needed" in allowed and not any(kind is None or each["kind"].has(kind) for each in partners)


def _disclosure(expected: Any, outcome: Outcome, place: str) -> list[str]:
    """Nothing beside what is listed was released in the same direction; what stays in the hub is no disclosure."""
    items = as_list(expected)
    if not items:
        counted = [each for each in outcome.disclosures if not each["is_internal"] and _counts(each)]
        return list(unexpected(map(_plain, counted), place))
    found, left = paired(items, outcome.disclosures, place)
    is_inbound = {each.get("from") == "police" for each in items if isinstance(each, Mapping)}
    matched = [each for each in outcome.disclosures if not any(each is other for other in left)]
    extra = [
        each
        for each in left
        if each["outcome"] == "released"
        and not each["is_internal"]
        and each["is_inbound"] in is_inbound
        and not any(_alike(each, other) for other in matched)
    ]
    return found or list(unexpected(map(_plain, extra), place))


def _counts(disclosure: Closed) -> bool:
    """Whether it counts where none is expected: how data came that the hub's text says no basis for, does not."""
    return not disclosure["is_inbound"] or (disclosure["outcome"] == "released" and disclosure["basis"] is not None)


def _alike(one: Closed, other: Closed) -> bool:
    return all(one[key] == other[key] for key in ("from", "to", "what", "outcome"))


def _plain(disclosure: Closed) -> dict[str, Any]:
    return {key: disclosure[key] for key in ("from", "to", "what", "outcome", "basis")}


def _survey(expected: Any, outcome: Outcome, place: str) -> list[str]:
    """Nothing beside what is listed was sent."""
    found, left = paired(as_list(expected), outcome.surveys, place)
    return [*found, *unexpected([each for each in left if each["sent"]], place)]


def _contact_point(expected: Any, outcome: Outcome, place: str) -> list[str]:
    by = outcome.facts["single_point_of_contact"]
    if isinstance(expected, Mapping):
        return differences(expected, Closed(by=by, provided=by is not None), place)
    if isinstance(expected, bool):
        return [] if expected is (by is not None) else [f"{place}: expected {shown(expected)}, got {shown(by)}"]
    return differences(expected, by, place)


_LISTS: Final[Mapping[str, Callable[[Any, Outcome, str], list[str]]]] = {
    "contacts": _contacts,
    "partner": _partner,
    "partners": _partner,
    "disclosure": _disclosure,
    "survey": _survey,
    "single_point_of_contact": _contact_point,
}
