"""Values that a hub's source leaves open: `$name` in a profile stands for one."""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hubkit.profiles.document import Document
from hubkit.profiles.fault import Fault, Loc

_REFERENCE = re.compile(r"\$([A-Za-z_]\w*)")


@dataclass(slots=True)
class Resolved:
    """A document's value with its parameters put in; `without` are the places that have no value and are left out."""

    value: Any
    without: set[Loc] = field(default_factory=set)
    faults: list[Fault] = field(default_factory=list)


def resolve(document: Document, given: Mapping[str, Any]) -> Resolved:
    """Put parameters in: those that are given, or else those of the document.

    What names a parameter without a value is left out: of a rule (a list's item with an `id`) the whole rule, elsewhere
    the one key or item. An empty list is no value either: a rule for none of the crimes must not become one for all.
    A name that the document does not declare is a fault: a slip of the pen would drop a rule.
    """
    if not isinstance(document.value, dict):
        return Resolved(document.value)
    declared = document.value.get("parameters") or {}
    if not isinstance(declared, dict):
        return Resolved(document.value)
    known = {name: given.get(name, value) for name, value in declared.items()}
    rest = {key: value for key, value in document.value.items() if key != "parameters"}
    resolved = Resolved(None)
    for loc, name in _references(rest, ()):
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            suggestion = f"did you mean ${near[0]}?" if near else f"declare it: parameters: {{{name}: null}}"
            resolved.faults.append(
                Fault(*document.place(loc), loc, f"no parameter {name} under parameters", suggestion)
            )
        if known.get(name) in (None, []):
            resolved.without.add(_rule_of(rest, loc))
    resolved.value = {**_put_in(rest, known), **({"parameters": known} if "parameters" in document.value else {})}
    return resolved


def unknown_parameters(documents: Sequence[Document], given: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield a fault for each given parameter that no version declares."""
    declared: set[str] = set()
    for document in documents:
        named = document.value.get("parameters") if isinstance(document.value, dict) else None
        declared.update(named if isinstance(named, dict) else ())
    for name in sorted(set(given) - declared):
        known = f"there are: {', '.join(sorted(declared))}" if declared else "there are none"
        yield Fault(*documents[0].place(("parameters",)), ("parameters",), f"no parameter {name}", known)


def _references(value: Any, loc: Loc) -> Iterator[tuple[Loc, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _references(item, (*loc, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _references(item, (*loc, index))
    elif isinstance(value, str) and (found := _REFERENCE.fullmatch(value)):
        yield loc, found[1]


def _rule_of(value: Any, loc: Loc) -> Loc:
    """Return the place of the innermost rule around a place, or the place itself outside any rule."""
    rule = loc
    for length, step in enumerate(loc, 1):
        value = value[step]
        if isinstance(step, int) and isinstance(value, dict) and "id" in value:
            rule = loc[:length]
    return rule


def _put_in(value: Any, known: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        return {key: _put_in(item, known) for key, item in value.items()}
    if isinstance(value, list):
        return [_put_in(item, known) for item in value]
    if isinstance(value, str) and (found := _REFERENCE.fullmatch(value)):
        return known.get(found[1])
    return value
