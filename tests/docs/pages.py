"""What the documentation names: paths, functions, targets of the Makefile, commands of the operator."""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from onward.cli import parser

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("services/*/README.md"), ROOT / "gateway/README.md"]
)

_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\((?![a-z]+:|#)([^)#\s]+)")
_PATH = re.compile(r"[\w.-]+(?:/[\w.-]+)*/?")
_SUFFIXES = (".py", ".md", ".yaml", ".yml", ".toml", ".sh", ".conf", ".mako")
#: Made when the hub runs, and so in no clone.
_MADE = (".venv", ".data")


def code(page: Path) -> str:
    """Return what stands in code spans and blocks, a span a line."""
    text = page.read_text(encoding="utf-8")
    blocks = _FENCE.findall(text)
    return "\n".join([*blocks, *_SPAN.findall(_FENCE.sub("", text))])


def prose(page: Path) -> str:
    """Return the words outside code, and without addresses of links."""
    text = _SPAN.sub("", _FENCE.sub("", page.read_text(encoding="utf-8")))
    return re.sub(r"\]\([^)]*\)", "]", text)


def missing_paths(page: Path) -> list[str]:
    """Return what the page names as a file or folder of the repository, or links to, and is not there."""
    text = page.read_text(encoding="utf-8")
    folders = {path.name for path in ROOT.iterdir() if path.is_dir()} - set(_MADE)
    named = {
        span
        for span in _SPAN.findall(_FENCE.sub("", text))
        if _PATH.fullmatch(span)
        and not span.startswith(_MADE)
        and (span.endswith(_SUFFIXES) or ("/" in span and span.split("/")[0] in folders))
    }
    found = [name for name in sorted(named) if not ((ROOT / name).exists() or (page.parent / name).exists())]
    return found + [link for link in _LINK.findall(text) if not (page.parent / link).exists()]


def named_functions(page: Path) -> Iterator[tuple[str, str]]:
    """Yield function or class, and file, of each "`name` in `file.py`"."""
    yield from re.findall(r"`([\w.]+)`\s+in\s+`([\w/.]+\.py)`", page.read_text(encoding="utf-8"))


def has_function(path: Path, name: str) -> bool:
    """Return whether the file defines a function, class or constant of this name (`Class.method` names a method)."""
    last = re.escape(name.rsplit(".", 1)[-1])
    text = path.read_text(encoding="utf-8")
    return all(re.search(rf"^class {part}\b", text, re.MULTILINE) for part in name.split(".")[:-1]) and bool(
        re.search(rf"^\s*(?:async def|def|class) {last}\b|^{last}\b.*=", text, re.MULTILINE)
    )


def make_targets() -> set[str]:
    """Return the targets of the Makefile."""
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def named_targets(page: Path) -> set[str]:
    """Return the targets that the page tells to make."""
    return set(re.findall(r"\bmake ([a-z]+)", code(page)))


def named_commands(page: Path) -> list[list[str]]:
    """Return the words after `onward` of each command line on the page."""
    lines = re.findall(r"(?:^|python -m |[\s(])onward((?: +[^\s`|;)]+)+)", code(page), re.MULTILINE)
    return [line.split() for line in lines]


def wrong_word(words: list[str]) -> str | None:
    """Return the first word that the operator's command does not know, or None."""
    current = parser()
    while words:
        word, words = words[0], words[1:]
        if word.startswith("--"):
            if word.split("=")[0] not in current._option_string_actions:
                return word
            words = words[1:] if word != "--help" else words
            continue
        choices = _choices(current)
        if choices is None:
            continue  # an argument in its place
        if word not in choices:
            return word
        current = choices[word]
    return None if _choices(current) is None else "more words"


def commands() -> Iterator[str]:
    """Yield every command of the operator, such as `inbox list`."""

    def walk(current: argparse.ArgumentParser, words: tuple[str, ...]) -> Iterator[str]:
        choices = _choices(current)
        if choices is None:
            yield " ".join(words)
        for word, following in (choices or {}).items():
            yield from walk(following, (*words, word))

    yield from walk(parser(), ())


def _choices(of: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser] | None:
    for action in of._actions:
        if isinstance(action, argparse._SubParsersAction):
            return cast("dict[str, argparse.ArgumentParser]", action.choices)
    return None
