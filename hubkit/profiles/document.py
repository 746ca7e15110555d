"""A profile's file as YAML documents: plain values, and for each the place where it stands."""

import re
from collections.abc import Collection, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from typing_extensions import override

from hubkit.profiles.fault import Fault, Loc, ProfileError


class _Loader(yaml.SafeLoader):
    """Plain values alone, and of YAML 1.2: `no` is a text and `17:00` not a number of seconds."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML declares it so; filled below

    @override
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        made = super().construct_mapping(node, deep)
        return {key if isinstance(key, str) else str(key): value for key, value in made.items()}


for _tag, _pattern, _first in (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("int", r"^[-+]?[0-9]+$", "-+0123456789"),
    ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
    ("merge", r"^<<$", "<"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document: its value, and line and column (from 1) of each key or item in it."""

    value: Any
    places: Mapping[Loc, tuple[int, int]] = field(repr=False)

    def place(self, loc: Loc) -> tuple[int, int]:
        """Return where something stands; of what does not stand there, where it would belong."""
        while loc not in self.places:
            loc = loc[:-1]
        return self.places[loc]


def read_documents(path: Path) -> list[Document]:
    """Return the documents of a file.

    Raises
    ------
    ProfileError
        When the file is missing, not text, not YAML, or has a key twice, or nothing in it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ProfileError(path, [Fault(1, 1, (), error.strerror or "cannot be read")]) from None
    except UnicodeDecodeError:
        raise ProfileError(path, [Fault(1, 1, (), "not UTF-8")]) from None
    return list(_read(path, text))


@lru_cache(maxsize=32)
def _read(path: Path, text: str) -> tuple[Document, ...]:
    """Return the documents of a text. Every service of a hub in one process reads the same, and nobody changes it."""
    loader = _Loader(text)
    try:
        found = tuple(_documents(loader, path))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise ProfileError(path, [Fault(line, column, (), f"not YAML: {error.problem or error.context}")]) from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ProfileError(path, [Fault(1, 1, (), f"not YAML: {str(error) or type(error).__name__}")]) from None
    finally:
        loader.dispose()
    if not found:
        raise ProfileError(path, [Fault(1, 1, (), "nothing in it")])
    return found


def _documents(loader: _Loader, path: Path) -> Iterator[Document]:
    while loader.check_node():
        node = loader.get_node()
        if node is None:
            return
        if _is_too_much(node):
            raise ProfileError(path, [Fault(1, 1, (), f"more than {_MOST_VALUES} values, counting each alias in full")])
        doubled = list(_doubled(node, ()))
        if doubled:
            raise ProfileError(path, doubled)
        value = loader.construct_document(node)
        yield Document(value, dict(_places(node, (), (node.start_mark.line + 1, node.start_mark.column + 1))))


#: No hub's text fills a tenth of it; aliases of aliases would fill any memory.
_MOST_VALUES = 100_000


def _is_too_much(node: yaml.Node) -> bool:
    """Return whether a document holds more than anybody writes, by aliases that repeat much or hold themselves."""
    waiting, count = [node], 0
    while waiting and count <= _MOST_VALUES:
        count += 1
        each = waiting.pop()
        if isinstance(each, yaml.MappingNode):
            waiting += [value for _, value in each.value]
        elif isinstance(each, yaml.SequenceNode):
            waiting += each.value
    return count > _MOST_VALUES


def _doubled(node: yaml.Node, loc: Loc) -> Iterator[Fault]:
    """Yield keys that appear twice: YAML would silently drop the first, and with it perhaps an exclusion."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            if name in seen:
                yield Fault(key.start_mark.line + 1, key.start_mark.column + 1, (*loc, name), "appears twice")
            seen.add(name)
            yield from _doubled(value, (*loc, name))
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _doubled(item, (*loc, index))


def _places(node: yaml.Node, loc: Loc, place: tuple[int, int]) -> Iterator[tuple[Loc, tuple[int, int]]]:
    yield loc, place
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            at = (key.start_mark.line + 1, key.start_mark.column + 1)
            yield from _places(value, (*loc, str(key.value)), at)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _places(item, (*loc, index), (item.start_mark.line + 1, item.start_mark.column + 1))


@dataclass(frozen=True, slots=True)
class Pruned:
    """A document's value without what stands at some places, and the way back to the places of what is left."""

    value: Any
    kept: Mapping[Loc, tuple[int, ...]] = field(repr=False)

    def original(self, loc: Loc) -> Loc:
        """Return where something of the pruned value stands in the whole one."""
        found: Loc = ()
        for step in loc:
            kept = self.kept.get(found)
            is_item = isinstance(step, int) and kept is not None and step < len(kept)
            found = (*found, kept[step] if is_item and kept is not None and isinstance(step, int) else step)
        return found


def prune(value: Any, without: Collection[Loc]) -> Pruned:
    """Return a value without what stands at these places."""
    kept: dict[Loc, tuple[int, ...]] = {}

    def copy(part: Any, loc: Loc) -> Any:
        if isinstance(part, dict):
            return {key: copy(item, (*loc, key)) for key, item in part.items() if (*loc, key) not in without}
        if isinstance(part, list):
            kept[loc] = tuple(index for index in range(len(part)) if (*loc, index) not in without)
            return [copy(part[index], (*loc, index)) for index in kept[loc]]
        return part

    return Pruned(copy(value, ()), kept)
