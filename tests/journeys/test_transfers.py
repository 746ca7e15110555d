"""A night's transfer of 20,000 rows: every row is accounted for, and sending it again creates nothing."""

import contextlib
import json
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

from examples.nightly_transfer import COLUMNS, as_csv, as_ndjson, blocks, day_of_crime
from tests.support.hub import FullHub, Hub, eventually

ROWS = 20_000
BAD_EVERY = 97
MEMORY_LIMIT = 100 * 2**20
SECRET = "Quillfeather"
MEDIA_TYPES = {"ndjson": "application/x-ndjson", "csv": "text/csv"}

Row = dict[str, Any]


@dataclass(frozen=True)
class Fault:
    """What is done to a row, and what must be said of it."""

    pointer: str
    code: str
    spoil: Callable[[Row], Row] = lambda row: row
    spoil_line: Callable[[bytes], bytes] = lambda line: line


def _with(part: str, **changes: Any) -> Callable[[Row], Row]:
    return lambda row: {**row, part: {**row[part], **changes}}


def _far(row: Row) -> Row:
    tomorrow = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    return {**row, "consents": [{**row["consents"][0], "recorded_at": tomorrow}, *row["consents"][1:]]}


#: Faults that both formats can have.
FAULTS = (
    Fault("/crime/category", "unknown_code", _with("crime", category=SECRET)),
    Fault("/person/date_of_birth", "not_a_date", _with("person", date_of_birth="1990-02-31")),
    Fault("/person/date_of_birth", "in_future", _with("person", date_of_birth="2190-02-01")),
    Fault("/source/reference", "missing", lambda row: {**row, "source": {"channel": "police_automatic"}}),
    Fault("/markers/0", "unknown_code", lambda row: {**row, "markers": [SECRET, *row["markers"]]}),
    Fault("/crime/recorded_at", "not_an_instant", _with("crime", recorded_at="2026-11-18T10:00:00")),
    Fault("/person/phone", "not_a_phone_number", _with("person", phone=SECRET)),
    Fault("/person/address/postcode", "not_a_postcode", _with("person", address={"lines": [], "postcode": SECRET})),
    Fault("/person/email", "not_an_email", _with("person", email=f"{SECRET} at example.org")),
    Fault("/person/preferred_method", "unknown_code", _with("person", preferred_method="pigeon")),
    Fault("/consents/0/recorded_at", "in_future", _far),
)
#: A line that is no CSV record costs that line alone, so these are done to records of one line.
_ONE_LINE: Callable[[Row], Row] = lambda row: {**row, "narrative": None}  # noqa: E731
_TWICE = b',"narrative":"a","narrative":"b"}\n'
FAULTS_OF = {
    "ndjson": (
        *FAULTS,
        Fault("/victim", "unknown_field", lambda row: {**row, "victim": SECRET}),
        Fault("/needs", "not_a_list", lambda row: {**row, "needs": SECRET}),
        Fault("", "malformed_json", spoil_line=lambda line: line[: len(line) // 2] + b"\n"),
        Fault("/narrative", "duplicate_key", _ONE_LINE, lambda line: line[:-2] + _TWICE),
        Fault("", "not_utf8", spoil_line=lambda line: line.replace(b'"person"', b'"\xff"')),
        Fault("", "row_too_long", spoil_line=lambda line: line[:-1] + b" " * 70_000 + b"\n"),
    ),
    "csv": (
        *FAULTS,
        Fault("", "wrong_number_of_cells", _ONE_LINE, lambda line: SECRET.encode() + b"," + line),
        Fault("", "not_utf8", _ONE_LINE, lambda line: line.replace(b"police_automatic", b"\xff")),
        Fault("", "malformed_csv", _ONE_LINE, lambda line: b'"police"_automatic' + line[line.index(b",") :]),
    ),
}


@dataclass
class Standing:
    """What the hub must know after the rows so far: the content of every reference."""

    contents: dict[str, str] = field(default_factory=dict)

    def outcome(self, row: Row) -> str:
        """Return what must become of a good row."""
        reference, content = row["source"]["reference"], json.dumps(row, sort_keys=True)
        known = self.contents.get(reference)
        self.contents[reference] = content
        return "accepted" if known is None else "duplicate" if known == content else "updated"


@dataclass
class Transfer:
    """A file with what must be said of it."""

    media_type: str
    content: list[bytes]
    counts: dict[str, int]
    rejected: list[tuple[int, str, str]]


def made(form: str, rows: Iterable[Row], standing: Standing) -> Transfer:
    """Write rows as a file, every 97th with a fault, and say what must become of them."""
    faults = FAULTS_OF[form]
    content: list[bytes] = []
    rejected: list[tuple[int, str, str]] = []
    counts: Counter[str] = Counter()
    line = 1
    if form == "csv":
        content.append((",".join(COLUMNS) + "\r\n").encode())
        line = 2
    for number, row in enumerate(rows):
        fault = faults[number // BAD_EVERY % len(faults)] if number % BAD_EVERY == 7 else None
        written = _written(form, fault.spoil(row) if fault else row)
        if fault:
            written = fault.spoil_line(written)
            rejected.append((line, fault.pointer, fault.code))
        counts["rejected" if fault else standing.outcome(row)] += 1
        content.append(written)
        line += written.count(b"\n")
    names = ("accepted", "updated", "duplicate", "rejected")
    return Transfer(MEDIA_TYPES[form], content, {name: counts[name] for name in names}, rejected)


def _written(form: str, row: Row) -> bytes:
    if form == "ndjson":
        return next(as_ndjson(iter([row])))
    return list(as_csv(iter([row])))[1]


def send(hub: Hub, transfer: Transfer) -> None:
    """Stream a transfer, and compare what the hub says of it with what must be."""
    headers = {"Content-Type": transfer.media_type}
    content = blocks(iter(transfer.content))
    answer = hub.call("police", "POST", "/v1/transfers", content=content, headers=headers, timeout=300)
    assert answer.status_code == 202, answer.text
    link = answer.json()["links"]["self"]
    said = hub.call("police", "GET", link).json()
    assert said["status"] == "completed"
    assert {name: said[name] for name in transfer.counts} == transfer.counts
    assert said["rows"] == sum(transfer.counts.values())
    listed = list(rows_of(hub, link))
    assert [(row["line"], row["errors"][0]["pointer"], row["errors"][0]["code"]) for row in listed] == transfer.rejected
    assert all(len(row["errors"]) == 1 and row["referral_id"] is None for row in listed)
    assert SECRET not in json.dumps(listed)


def rows_of(hub: Hub, link: str) -> Iterator[Row]:
    """Yield the rejected rows, page by page."""
    cursor = ""
    while True:
        page = hub.call("police", "GET", f"{link}/rows?outcome=rejected&limit=100{cursor}").json()
        yield from page["items"]
        if not page["next_cursor"]:
            return
        cursor = f"&cursor={page['next_cursor']}"


@contextlib.contextmanager
def memory_watched(hub: Hub) -> Iterator[None]:
    """Fail when the intake service grows by more than is allowed. On one machine all services share a process."""
    if not isinstance(hub, FullHub):
        yield
        return
    process = psutil.Process(hub.stack.processes["intake"].pid)
    before = most = process.memory_info().rss
    ended = threading.Event()

    def watch() -> None:
        nonlocal most
        while not ended.wait(0.02):
            most = max(most, process.memory_info().rss)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    assert most - before < MEMORY_LIMIT, f"grew by {(most - before) / 2**20:.0f} MB"


def count(hub: Hub, service: str, table: str) -> int:
    """Return how many rows a table has."""
    return int(hub.rows(service, f"select count(*) from {table}")[0][0])


def a_day(rows: int) -> list[Row]:
    """Return a day's referrals under references of their own."""
    prefix = uuid.uuid4().hex[:8].upper()
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date()
    return [
        {**row, "source": {**row["source"], "reference": f"{prefix}-{row['source']['reference']}"}}
        for row in day_of_crime(rows, seed=int(prefix, 16), day=yesterday)
    ]


def test_every_row_is_accounted_for_and_sent_again_creates_nothing(hub: Hub) -> None:
    rows, standing = a_day(ROWS), Standing()
    before = count(hub, "intake", "referral")
    cases = count(hub, "triage", "case_record")
    night = made("ndjson", rows, standing)
    assert night.counts["updated"] > 50
    with memory_watched(hub):
        send(hub, night)
    accepted = night.counts["accepted"]
    assert count(hub, "intake", "referral") == before + accepted

    for form in ("ndjson", "csv"):
        again = made(form, rows, standing)
        assert again.counts["accepted"] < 10, "only what was bad in one format and good in the other"
        with memory_watched(hub):
            send(hub, again)
        accepted += again.counts["accepted"]
        assert count(hub, "intake", "referral") == before + accepted
    eventually(lambda: count(hub, "triage", "case_record") == cases + accepted, 120)


@pytest.mark.parametrize("form", ["ndjson", "csv"])
def test_same_rows_under_other_references_are_other_referrals(hub: Hub, form: str) -> None:
    rows, standing = a_day(300), Standing()
    send(hub, made(form, rows, standing))
    renamed = [{**row, "source": {**row["source"], "reference": f"X-{row['source']['reference']}"}} for row in rows]
    before = count(hub, "intake", "referral")
    other = made(form, renamed, standing)
    send(hub, other)
    assert count(hub, "intake", "referral") == before + other.counts["accepted"]
    assert other.counts["duplicate"] == 0
