"""From a document to a profile: every fault at once, each with its place and what would be right."""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from hubkit.contracts.profile import Channel, Profile
from hubkit.profiles.document import Document, prune, read_documents
from hubkit.profiles.fault import Fault, Loc, ProfileError
from hubkit.profiles.parameters import resolve, unknown_parameters
from hubkit.profiles.schema import fields_at, words_at

#: What other sections know something by.
_NAMING = {"id", "name", "organisation", "controller", "kind", "also", "teams", "level", "when"}


class _Part(Profile):
    """What is right of a profile, to ask what else is wrong with it: it need not have what every profile has."""

    id: str = ""
    name: str = ""
    version: str = ""
    channels: tuple[Channel, ...] = ()


def read_versions(path: Path, parameters: Mapping[str, Any] | None = None) -> tuple[Profile, ...]:
    """Return the versions in a file, the earliest first.

    Raises
    ------
    ProfileError
        When the file is missing, not YAML, or not a valid profile, or when versions overlap.
    """
    given = parameters or {}
    documents = read_documents(path)
    faults = list(unknown_parameters(documents, given))
    found: list[tuple[Document, Profile]] = []
    for document in documents:
        profile = _profile(document, given, faults)
        if profile is not None:
            found.append((document, profile))
    found.sort(key=lambda pair: pair[1].valid_from or date.min)
    for before, after in pairwise(found):
        faults += _between(before[1], *after)
    if faults:
        raise ProfileError(path, faults)
    return tuple(profile for _, profile in found)


def _profile(document: Document, given: Mapping[str, Any], faults: list[Fault]) -> Profile | None:
    """Return a document's profile and add its faults: of a faulty one what is right of it, if anything is.

    Some faults show only when others are gone (a profile's sections are compared when each of them is right), so what
    is wrong is left out and the rest is asked again.
    """
    resolved = resolve(document, given)
    faults += resolved.faults
    without = set(resolved.without)
    model: type[Profile] = Profile
    wrong: set[Loc] = set()
    while True:
        pruned = prune(resolved.value, without)
        try:
            return model.model_validate(pruned.value)
        except ValidationError as error:
            news = [(pruned.original(found["loc"]), found) for found in error.errors()]
        seen = wrong | {loc for loc, found in news if found["type"] != "too_short"}
        faults += [
            _fault(document, loc, found, _value(resolved.value, loc))
            for loc, found in news
            if not _follows(loc, found, seen if found["type"] == "too_short" else wrong)
        ]
        for loc, _ in news:
            place = _standing(resolved.value, loc)
            while place in without:
                place = place[:-1]
            if not place:
                return None
            without.add(place)
            wrong.add(place)
        model = _Part


def _follows(loc: Loc, found: ErrorDetails, wrong: Iterable[Loc]) -> bool:
    """Return whether an error is only there because something else was wrong and left out."""
    context = found.get("ctx", {})
    if context.get("after"):
        after = (*loc[: len(loc) - context["depth"]], *context["after"])
        if any(_bears(place, after) for place in wrong):
            return True
    return any(place[: len(loc)] == loc or loc[: len(place)] == place for place in wrong)


def _bears(place: Loc, section: Loc) -> bool:
    """Return whether what was left out may be what other sections know something of this section by."""
    is_under = place[: len(section)] == section or section[: len(place)] == place
    return is_under and all(isinstance(step, int) or step in _NAMING for step in place[len(section) :][:2])


def _standing(value: Any, loc: Loc) -> Loc:
    """Return the longest beginning of a way that stands in the document; of what is missing, that is what lacks it."""
    for length, step in enumerate(loc):
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return loc[:length]
    return loc


def _value(value: Any, loc: Loc) -> Any:
    """Return what stands at a place, or None."""
    for step in loc:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _fault(document: Document, loc: Loc, found: ErrorDetails, given: Any) -> Fault:
    if found["type"] == "mistake":
        context = found["ctx"]
        words = found["msg"]
        suggestion = _suggest(str(given), context["known"], near_only=context["fix"] is not None) or context["fix"]
    else:
        words, suggestion = _form(found, loc, given)
    return Fault(*document.place(loc), loc, words, suggestion)


def _form(found: ErrorDetails, loc: Loc, given: Any) -> tuple[str, str | None]:
    """Return what is wrong with the form of one value, and what would be right."""
    last = str(loc[-1]) if loc else "this document"
    match found["type"]:
        case "missing":
            return f"{last} is missing", None
        case "extra_forbidden":
            return f"unknown key {last}", _suggest(last, fields_at(loc[:-1]))
        case "literal_error":
            return f"unknown word: {given}", _suggest(str(given), words_at(loc))
        case "string_type" if isinstance(given, int | float):
            return f"not a text: {given}", f'put it in quotes: "{given}"'
        case "model_type" | "tuple_type" if given is None:
            return "nothing under it", f"leave {last} out"
        case "model_type":
            return f"not a group of keys: {given}", f"known: {', '.join(fields_at(loc))}"
        case "tuple_type":
            return f"not a list: {given}", f"write [{given}]"
        case kind:
            return found["msg"][:1].lower() + found["msg"][1:], _HINTS.get(kind.split("_")[0])


#: What would be right where a value has another form, by the beginning of what is wrong with it.
_HINTS = {
    "date": "write it as 2026-05-31",
    "bool": "write true or false",
    "int": "write a whole number, such as 2",
    "string": "write a text",
}


def _suggest(word: str, known: Sequence[str], near_only: bool = False) -> str | None:
    """Return the nearest right word, or else all of them."""
    near = difflib.get_close_matches(word, known, 1)
    near = near or [name for name in known if name.startswith(word) or name.rpartition(".")[2] == word][:1]
    if near:
        return f"did you mean {near[0]}?"
    return f"known: {', '.join(known)}" if known and not near_only else None


def _between(before: Profile, document: Document, after: Profile) -> Iterator[Fault]:
    """Yield what is wrong between one version and the next."""
    if before.id and after.id and after.id != before.id:
        yield Fault(*document.place(("id",)), ("id",), f"a file is of one hub; another version has id {before.id}")
    if before.version and after.version == before.version:
        yield Fault(*document.place(("version",)), ("version",), f"two versions are named {after.version}")
    first = after.valid_from or date.min
    if before.valid_to is None or before.valid_to >= first:
        last = min(before.valid_to or date.max, after.valid_to or date.max)
        days = f"{'the beginning' if first == date.min else first} to {'no end' if last == date.max else last}"
        other = f"version {before.version}" if before.version else "another version"
        words = f"overlaps with {other}: both are valid from {days}"
        fix = "valid_to of the earlier version is the day before valid_from of the later one"
        yield Fault(*document.place(("valid_from",)), ("valid_from",), words, fix)
