"""Transfers: both formats, bad rows, sent again, broken off."""

import csv
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text

from services.intake.actions import transfers
from services.intake.actions.register import register_referrals
from services.intake.api.formats import COLUMNS, MAX_ROW_BYTES, read_rows
from tests.services.intake.support import Intake, referral


def body(number: int, **changes: Any) -> dict[str, Any]:
    return referral(**{"source__reference": f"CMS-{number}", **changes})


def ndjson(*rows: Any) -> bytes:
    return b"".join((row if isinstance(row, bytes) else json.dumps(row).encode()) + b"\n" for row in rows)


def cells(row: dict[str, Any]) -> dict[str, str]:
    """Return a referral as the cells of a CSV row."""
    found = {}
    for column in COLUMNS:
        value: Any = row
        for name in column.split("."):
            value = value.get(name) if value else None
        if column in ("consents", "source.received_by_unit"):
            value = json.dumps(value or [])
        elif isinstance(value, list):
            value = ("|" if column == "person.address.lines" else ";").join(value)
        elif isinstance(value, bool):
            value = str(value).lower()
        found[column] = "" if value is None else str(value)
    return found


def as_csv(*rows: dict[str, Any]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(COLUMNS))
    writer.writeheader()
    writer.writerows(cells(row) for row in rows)
    return out.getvalue().encode()


def counts(view: dict[str, Any]) -> tuple[int, ...]:
    return tuple(view[name] for name in ("rows", "accepted", "updated", "duplicate", "rejected"))


async def total(intake: Intake, table: str) -> int:
    async with intake.db.reading() as tx:
        row = await tx.row(text(f"SELECT count(*) FROM {table}"))
        assert row is not None
        return int(row[0])


@pytest.mark.parametrize("media_type", ["application/x-ndjson", "text/csv; charset=utf-8"])
async def test_every_row_is_accounted_for_and_sending_again_creates_nothing(intake: Intake, media_type: str) -> None:
    good = [body(n) for n in range(600)]
    rows = [*good[:300], body(1000, person__date_of_birth="1800-01-01"), *good[300:], body(5, needs=[]), good[7]]
    content = as_csv(*rows) if "csv" in media_type else ndjson(*rows)

    response = await intake.transfer(content, media_type)
    assert response.status_code == 202
    view = (await intake.get(response.headers["location"])).json()
    assert view == {
        "id": response.json()["id"],
        "status": "completed",
        "rows": 603,
        "accepted": 600,
        "updated": 1,
        "duplicate": 1,
        "rejected": 1,
        "received_at": "2026-11-19T09:00:00Z",
        "completed_at": "2026-11-19T09:00:00Z",
    }
    rejected = (await intake.get(response.headers["location"] + "/rows?outcome=rejected")).json()
    fault = {
        "pointer": "/person/date_of_birth",
        "code": "too_long_ago",
        "detail": "must not be more than 130 years ago",
    }
    first_line = 302 if "csv" in media_type else 301
    assert rejected == {
        "items": [{"line": first_line, "outcome": "rejected", "referral_id": None, "errors": [fault]}],
        "next_cursor": None,
    }
    assert await total(intake, "referral") == 600
    assert await total(intake, "outbox") == 601

    content = as_csv(*good) if "csv" in media_type else ndjson(*good)
    await intake.transfer(content, media_type)
    again = await intake.transfer(content, media_type)
    assert counts((await intake.get(again.headers["location"])).json()) == (600, 0, 0, 600, 0)
    assert await total(intake, "referral") == 600
    assert await total(intake, "outbox") == 602  # the correction of row 5 was taken back once


async def test_csv_and_ndjson_say_the_same(intake: Intake) -> None:
    details = {
        "source__from": "Citizens Advice, Ely",
        "source__intake_method": "phone",
        "source__received_by_unit": [{"unit": "bureau", "received_at": "2026-11-19T07:00:00+00:00"}],
        "person__age": 36,
        "person__lives_in_area": False,
        "person__local_authority_area": "area_x",
        "purpose": "hate_crime_report",
    }
    rows = [body(n, narrative='He said "no",\nthen left', **details) for n in range(5)]
    await intake.transfer(ndjson(*rows))
    response = await intake.transfer(as_csv(*rows), "text/csv")
    assert counts((await intake.get(response.headers["location"])).json()) == (5, 0, 0, 5, 0)


async def test_bad_lines_cost_themselves_alone(intake: Intake) -> None:
    rows: list[Any] = [
        body(1),
        b"{not json",
        b"\xff\xfe",
        b'{"a":1,"a":2}',
        b"[]",
        b"",
        referral(source__reference=None),
        body(2, person__phone="secret-phone"),
        b'"' + b"x" * MAX_ROW_BYTES + b'"',
        body(3),
    ]
    response = await intake.transfer(ndjson(*rows))
    location = response.headers["location"]
    assert counts((await intake.get(location)).json()) == (9, 2, 0, 0, 7)
    answer = await intake.get(location + "/rows?outcome=rejected")
    found = [(row["line"], row["errors"][0]["pointer"], row["errors"][0]["code"]) for row in answer.json()["items"]]
    assert found == [
        (2, "", "malformed_json"),
        (3, "", "not_utf8"),
        (4, "/a", "duplicate_key"),
        (5, "", "not_an_object"),
        (7, "/source/reference", "missing"),
        (8, "/person/phone", "not_a_phone_number"),
        (9, "", "row_too_long"),
    ]
    assert "secret-phone" not in answer.text


async def test_rows_come_in_pages_that_belong_to_their_reader(intake: Intake) -> None:
    response = await intake.transfer(ndjson(*(body(n) for n in range(5))))
    location, lines, cursor = response.headers["location"], [], ""
    while cursor is not None:
        page = (await intake.get(f"{location}/rows?limit=2{cursor and '&cursor=' + cursor}")).json()
        lines += [row["line"] for row in page["items"]]
        last, cursor = cursor, page["next_cursor"]
    assert lines == [1, 2, 3, 4, 5]
    forged = await intake.get(f"{location}/rows?cursor={last[:-1]}x")
    assert (forged.status_code, forged.json()["code"]) == (400, "invalid_cursor")
    other = (await intake.transfer(ndjson(body(9)))).headers["location"]
    assert (await intake.get(f"{other}/rows?cursor={last}")).status_code == 400
    assert (await intake.get(f"{location}/rows?limit=101")).status_code == 422
    assert (await intake.get(f"{location}/rows?outcome=lost")).status_code == 422


async def test_a_transfer_is_shown_to_its_own_sender_alone(intake: Intake) -> None:
    location = (await intake.transfer(ndjson(body(1)))).headers["location"]
    assert (await intake.get(location, organisation="other")).status_code == 404
    assert (await intake.get(location + "/rows", organisation="other")).status_code == 404


@pytest.mark.parametrize(
    ("content", "media_type", "status", "code"),
    [
        (b"", "application/x-ndjson", 422, "body_missing"),
        (b"", "text/csv", 422, "header_missing"),
        (b"source.channel,shoe.size\n", "text/csv", 422, "unknown_column"),
        (b"markers,markers\n", "text/csv", 422, "duplicate_column"),
        (b"{}", "application/json", 415, "unsupported_media_type"),
        (b"{}", "text/csv; charset=utf-16", 415, "unsupported_media_type"),
    ],
)
async def test_what_is_no_transfer_is_refused_whole(
    intake: Intake, content: bytes, media_type: str, status: int, code: str
) -> None:
    response = await intake.transfer(content, media_type)
    problem = response.json()
    assert (response.status_code, problem.get("errors", [problem])[0]["code"]) == (status, code)
    assert await total(intake, "transfer") == 0


async def test_a_file_that_breaks_off_keeps_its_rows_and_says_so(intake: Intake) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield ndjson(*(body(n) for n in range(300)))
        raise ConnectionError

    assert (await intake.transfer(broken())).status_code == 503
    async with intake.db.reading() as tx:
        row = await tx.row(text("SELECT status, accepted FROM transfer"))
    assert row is not None
    assert tuple(row) == ("incomplete", 250)


@pytest.mark.parametrize(("bad", "expected"), [(2, ("completed", 8, 2)), (5, ("incomplete", 0, 0))])
async def test_rows_that_cannot_be_stored_are_rejected_unless_there_are_many(
    intake: Intake, monkeypatch: pytest.MonkeyPatch, bad: int, expected: tuple[str, int, int]
) -> None:
    async def fail_some(tx: Any, deps: Any, commands: list[Any]) -> Any:
        if any(int(one.referral.source.reference.removeprefix("CMS-")) < bad for one in commands):
            raise ValueError
        return await register_referrals(tx, deps, commands)

    monkeypatch.setattr(transfers, "register_referrals", fail_some)
    response = await intake.transfer(ndjson(*(body(n) for n in range(10))))
    assert response.status_code == (202 if expected[0] == "completed" else 500)
    async with intake.db.reading() as tx:
        row = await tx.row(text("SELECT status, accepted, rejected FROM transfer"))
    assert row is not None
    assert tuple(row) == expected


async def stream(content: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_rows_are_the_same_however_the_stream_is_cut(size: int) -> None:
    content = b'\xef\xbb\xbfmarkers,narrative\r\n"a;b","two\r\nlines"\r\n\r\nc,"x ""y"""\r\n,\r\nlast,'
    found = [row async for rows in read_rows("text/csv", stream(content, size)) for row in rows]
    assert [(row.line, row.value) for row in found] == [
        (2, {"markers": ["a", "b"], "narrative": "two\nlines"}),
        (5, {"markers": ["c"], "narrative": 'x "y"'}),
        (6, {}),
        (7, {"markers": ["last"]}),
    ]


@pytest.mark.parametrize("bad", [b'"never closed,x', b"a,b,c", b'a"b,c', b'"a"b,c', b"\xff,c"])
async def test_a_damaged_csv_line_does_not_take_its_neighbours_with_it(bad: bytes) -> None:
    content = b"markers,narrative\na,1\n" + bad + b"\n" + b"".join(b"b,%d\n" % n for n in range(200))
    found = [row async for rows in read_rows("text/csv", stream(content, 100)) for row in rows]
    assert [row.line for row in found] == list(range(2, 204))
    assert [row.line for row in found if row.error] == [3]
