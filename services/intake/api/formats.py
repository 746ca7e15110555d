"""Reads the two transfer formats from a stream, a bounded piece at a time."""

import csv
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from hubkit.errors import FieldError, HubError, InvalidError
from hubkit.jsonbody import parse_json

MAX_ROW_BYTES: Final = 64 * 1024
_MAX_LINES_PER_ROW: Final = 100
_PIECE: Final = 64 * 1024
_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row as it was read: a JSON value, or why it could not be read. `line` is where it starts, from 1."""

    line: int
    value: Any = None
    error: FieldError | None = None


class _Reader(Protocol):
    """Makes rows of lines. A line of None was too long and has been skipped."""

    def feed(self, number: int, line: bytes | None) -> Iterator[RawRow]:
        """Take the next line, without its line feed."""
        ...

    def close(self) -> Iterator[RawRow]:
        """Take the end of the file."""
        ...


async def read_rows(media_type: str, chunks: AsyncIterator[bytes]) -> AsyncIterator[list[RawRow]]:
    """Yield the rows of a file, those of one piece together.

    Raises
    ------
    InvalidError
        When the header of a CSV file is missing or wrong.
    """
    reader = READERS[media_type]()
    async for lines in _lines(chunks):
        yield [row for number, line in lines for row in reader.feed(number, line)]
    yield list(reader.close())


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[list[tuple[int, bytes | None]]]:
    """Yield numbered lines; never holds more than a piece and one line."""
    number, rest, is_skipping = 0, b"", False
    async for chunk in chunks:
        for start in range(0, len(chunk), _PIECE):
            *whole, rest = (rest + chunk[start : start + _PIECE]).split(b"\n")
            lines: list[tuple[int, bytes | None]] = []
            for line in whole:
                number += 1
                lines.append((number, None if is_skipping or len(line) > MAX_ROW_BYTES else line.removesuffix(b"\r")))
                is_skipping = False
            if len(rest) > MAX_ROW_BYTES:
                rest, is_skipping = b"", True
            yield lines
    if rest or is_skipping:
        yield [(number + 1, None if is_skipping else rest.removesuffix(b"\r"))]


def _too_long(number: int) -> RawRow:
    return RawRow(number, error=FieldError("", "row_too_long", f"a row has at most {MAX_ROW_BYTES} bytes"))


class NdjsonReader:
    """One JSON object a line; empty lines are passed over."""

    def feed(self, number: int, line: bytes | None) -> Iterator[RawRow]:
        """Take the next line, without its line feed."""
        if line is None:
            yield _too_long(number)
        elif line.strip():
            yield _parsed(number, line)

    def close(self) -> Iterator[RawRow]:
        """Take the end of the file."""
        return iter(())


def _parsed(number: int, line: bytes) -> RawRow:
    try:
        return RawRow(number, parse_json(line))
    except HubError as error:
        fault = error.errors[0] if error.errors else FieldError("", error.reason, "is not JSON in UTF-8")
        return RawRow(number, error=fault)


def _text(cell: str) -> Any:
    return cell


def _boolean(cell: str) -> Any:
    return {"true": True, "false": False}.get(cell, cell)


def _integer(cell: str) -> Any:
    return int(cell) if cell.isascii() and cell.isdecimal() and len(cell) < 10 else cell


def _list(cell: str) -> Any:
    return [part.strip() for part in cell.split(";") if part.strip()]


def _address_lines(cell: str) -> Any:
    return [part.strip() for part in cell.split("|") if part.strip()]


def _json(cell: str) -> Any:
    return parse_json(cell.encode())


_Cell = Callable[[str], Any]
#: The columns of a CSV file, and how a cell becomes JSON. What does not convert stays text, and the schema refuses it.
COLUMNS: Final[dict[str, _Cell]] = {
    **dict.fromkeys(("source.channel", "source.reference", "source.unit"), _text),
    **dict.fromkeys(("source.from", "source.intake_method"), _text),
    "source.received_by_unit": _json,
    **dict.fromkeys(("crime.reference", "crime.category", "crime.occurred_on", "crime.recorded_at"), _text),
    "crime.reported_to_police": _boolean,
    **dict.fromkeys(("person.given_name", "person.family_name", "person.date_of_birth", "person.role"), _text),
    "person.age": _integer,
    "person.address.lines": _address_lines,
    **dict.fromkeys(("person.address.postcode", "person.area_code", "person.phone", "person.email"), _text),
    "person.lives_in_area": _boolean,
    "person.local_authority_area": _text,
    **dict.fromkeys(("person.language", "person.preferred_method"), _text),
    **dict.fromkeys(
        (f"safe_contact.{method}" for method in ("phone", "text", "voicemail", "email", "letter")), _boolean
    ),
    "safe_contact.instructions": _text,
    "markers": _list,
    "risk.instrument": _text,
    "risk.score": _integer,
    **dict.fromkeys(("risk.grade", "risk.assessed_at"), _text),
    "needs": _list,
    "consents": _json,
    **dict.fromkeys(("received_at", "narrative", "purpose"), _text),
}


class CsvReader:
    """Comma separated rows under a header of dotted paths; a quoted cell may hold line feeds.

    A quotation mark that is never closed costs its own line alone: the lines after it are read anew.
    """

    def __init__(self) -> None:
        self._columns: list[tuple[tuple[str, ...], _Cell]] = []
        self._open: list[tuple[int, bytes]] = []
        self._quotes = 0
        self._todo: deque[tuple[int, bytes | None]] = deque()

    def feed(self, number: int, line: bytes | None) -> Iterator[RawRow]:
        """Take the next line, without its line feed."""
        if not self._columns:
            self._columns = _header(line)
            return
        self._todo.append((number, line))
        yield from self._work()

    def close(self) -> Iterator[RawRow]:
        """Take the end of the file.

        Raises
        ------
        InvalidError
            When there was not even a header.
        """
        if not self._columns:
            self._columns = _header(None)
        while self._open:
            yield self._give_up("unclosed_quote")
            yield from self._work()

    def _work(self) -> Iterator[RawRow]:
        while self._todo:
            number, line = self._todo.popleft()
            if line is None and self._open:
                self._todo.appendleft((number, line))
                yield self._give_up("unclosed_quote")
            elif line is None:
                yield _too_long(number)
            elif line or self._open:
                yield from self._take(number, line)

    def _take(self, number: int, line: bytes) -> Iterator[RawRow]:
        self._open.append((number, line))
        self._quotes += line.count(b'"')
        if self._quotes % 2 == 0:
            yield self._row()
        elif len(self._open) > _MAX_LINES_PER_ROW or sum(len(part) for _, part in self._open) > MAX_ROW_BYTES:
            yield self._give_up("unclosed_quote")

    def _give_up(self, code: str) -> RawRow:
        """Reject the first of the open lines, and have the others read anew."""
        (number, _), *others = self._open
        self._todo.extendleft(reversed(others))
        self._open, self._quotes = [], 0
        return RawRow(number, error=FieldError("", code, "is not a CSV row under this header"))

    def _row(self) -> RawRow:
        number = self._open[0][0]
        try:
            text = b"\n".join(line for _, line in self._open).decode()
            (cells,) = csv.reader(text.splitlines(keepends=True) if len(self._open) > 1 else [text], strict=True)
        except UnicodeDecodeError:
            return self._give_up("not_utf8")
        except (csv.Error, ValueError):
            return self._give_up("malformed_csv")
        if len(cells) != len(self._columns):
            return self._give_up("wrong_number_of_cells")
        self._open, self._quotes = [], 0
        return _object(number, cells, self._columns)


def _header(line: bytes | None) -> list[tuple[tuple[str, ...], _Cell]]:
    try:
        (names,) = csv.reader([(line or b"").removeprefix(_BOM).decode()], strict=True)
    except (UnicodeDecodeError, csv.Error, ValueError):
        names = []
    names = [name.strip() for name in names]
    errors = []
    if not names:
        errors.append(FieldError("", "header_missing", "the first line must name the columns"))
    for place, name in enumerate(names):
        if name not in COLUMNS:
            known = ", ".join(COLUMNS)
            errors.append(FieldError(f"/{place}", "unknown_column", f"is not a known column; known are: {known}"))
        elif name in names[:place]:
            errors.append(FieldError(f"/{place}", "duplicate_column", "appears more than once in the header"))
    if errors:
        raise InvalidError("The header of the file is wrong", errors=errors[:50])
    return [(tuple(name.split(".")), COLUMNS[name]) for name in names]


def _object(number: int, cells: Sequence[str], columns: list[tuple[tuple[str, ...], _Cell]]) -> RawRow:
    value: dict[str, Any] = {}
    for (path, convert), cell in zip(columns, cells, strict=True):
        if not cell:
            continue
        place = value
        for name in path[:-1]:
            place = place.setdefault(name, {})
        try:
            place[path[-1]] = convert(cell)
        except HubError as error:
            return RawRow(number, error=FieldError(f"/{'/'.join(path)}", error.reason, "is not valid JSON"))
    return RawRow(number, value)


READERS: Final[dict[str, Callable[[], _Reader]]] = {"application/x-ndjson": NdjsonReader, "text/csv": CsvReader}
