"""What the operator's command does with profiles: check, explain, compare, replay, and the schema for editors."""

import argparse
import difflib
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from hubkit.clock import SystemClock
from hubkit.config import PROFILES, SettingsError
from hubkit.contracts.profile import Profile
from hubkit.contracts.profile.statements import Statement, silent, statements
from hubkit.profiles import ProfileBook, ProfileError, editor_schema


def find(hub_or_file: str) -> Path:
    """Return the file of a profile, named by its hub's id or by its path.

    Raises
    ------
    SettingsError
        When there is neither.
    """
    path = Path(hub_or_file)
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return path
    known = sorted(file.stem for file in PROFILES.glob("*.yaml"))
    if hub_or_file in known:
        return PROFILES / f"{hub_or_file}.yaml"
    near = difflib.get_close_matches(hub_or_file, known, 1)
    raise SettingsError(
        f"no hub {hub_or_file}; " + (f"did you mean {near[0]}?" if near else f"there are: {', '.join(known)}")
    )


async def check(arguments: argparse.Namespace) -> int:
    """Print every fault of every file; 1 when there is any."""
    status = 0
    for name in arguments.files:
        path = find(name)
        try:
            book = ProfileBook.load(path)
        except ProfileError as error:
            print(error)
            count = len(error.faults)
            print(f"{path}: {count} mistake{'s' if count > 1 else ''}")
            status = 1
        else:
            names = ", ".join(profile.version for profile in book.versions)
            print(f"{path}: right ({book.versions[0].name}, version {names})")
    return status


async def explain(arguments: argparse.Namespace) -> int:
    """Print what a profile says, in plain words."""
    profile = _read(arguments.profile, arguments.on)
    section = None
    for statement in statements(profile):
        if statement.section != section:
            section = statement.section
            print(f"\n{section}")
        print(f"  {statement.words}{f'  [{statement.source}]' if statement.source else ''}")
    if nothing := silent(profile):
        print(f"\nIt says nothing of: {', '.join(nothing)}.")
    return 0


async def diff(arguments: argparse.Namespace) -> int:
    """Print what one profile does otherwise than another."""
    before, after = (_read(name, arguments.on) for name in (arguments.before, arguments.after))
    changes = list(_changes(statements(before), statements(after)))
    if arguments.json:
        print(json.dumps([{"section": one.section, "key": one.key, "before": a, "after": b} for one, a, b in changes]))
        return 0
    section = None
    for statement, old, new in changes:
        if statement.section != section:
            section = statement.section
            print(f"\n{section}")
        print(f"  {statement.key}")
        if old is not None:
            print(f"  - {old}")
        if new is not None:
            print(f"  + {new}")
    if not changes:
        print("They do the same.")
    return 0


def _changes(before: list[Statement], after: list[Statement]) -> Iterator[tuple[Statement, str | None, str | None]]:
    """Yield each thing that is said otherwise, with the words before and after."""
    old, new = ({(one.section, one.key): one for one in said} for said in (before, after))
    sections = list(dict.fromkeys(one.section for one in (*before, *after)))
    for key in sorted({**old, **new}, key=lambda key: sections.index(key[0])):
        was, is_ = old.get(key), new.get(key)
        one = is_ or was
        if one is not None and (was is None or is_ is None or was.words != is_.words):
            yield one, was.words if was else None, is_.words if is_ else None


def _read(name: str, on: date | None) -> Profile:
    """Return one version of a profile: `hub`, `file`, or with `@version` at its end."""
    file, _, version = name.partition("@")
    book = ProfileBook.load(find(file))
    if version:
        found = book.version(version)
        if found is None:
            known = ", ".join(profile.version for profile in book.versions)
            raise SettingsError(f"{file} has no version {version}; there are: {known}")
        return found
    return book.at(on) if on else book.current(SystemClock().now())


async def schema(_arguments: argparse.Namespace) -> int:
    """Print the JSON Schema by which editors help to write a profile."""
    print(json.dumps(editor_schema(), indent=2))
    return 0
