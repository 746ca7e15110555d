"""The nightly example makes files that the hub's own readers understand, and says what became of its rows."""

import functools
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import date
from itertools import islice
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from examples import nightly_transfer as nightly
from services.intake.api.formats import COLUMNS, READERS, read_rows
from services.intake.schemas import Referral

DAY = date(2026, 11, 18)


def made(rows: int, *, bad: int = 0, seed: int = 1) -> Iterator[nightly.Row]:
    return nightly.spoil(nightly.day_of_crime(rows, seed, DAY), rows, bad, seed)


async def read(media_type: str, content: Iterator[bytes]) -> list[Any]:
    async def chunks() -> AsyncIterator[bytes]:
        for block in nightly.blocks(content, 1000):
            yield block

    rows = [row async for piece in read_rows(media_type, chunks()) for row in piece]
    assert [row.error for row in rows if row.error] == []
    return [row.value for row in rows]


def is_valid(value: Any) -> bool:
    try:
        return Referral.model_validate_json(json.dumps(value)).source.reference is not None
    except ValidationError:
        return False


def test_a_seed_and_a_day_make_the_same_file_and_another_seed_another():
    files = [b"".join(nightly.as_ndjson(made(50, bad=3, seed=seed))) for seed in (1, 1, 2)]

    assert files[0] == files[1]
    assert files[0] != files[2]


@pytest.mark.parametrize("name", sorted(nightly.FORMATS))
async def test_every_row_is_a_referral_and_only_the_rows_wrong_on_purpose_are_not(name: str):
    write, media_type = nightly.FORMATS[name]

    values = await read(media_type, write(made(400, bad=7)))

    assert len(values) == 400
    assert Counter(map(is_valid, values)) == {True: 393, False: 7}


async def test_the_csv_file_says_the_same_as_the_ndjson_file():
    as_json = await read("application/x-ndjson", nightly.as_ndjson(made(200)))
    as_csv = await read("text/csv", nightly.as_csv(made(200)))

    def meaning(values: list[Any]) -> list[Referral]:
        return [Referral.model_validate_json(json.dumps(value)) for value in values]

    assert meaning(as_csv) == meaning(as_json)


def test_the_columns_and_formats_are_those_of_intake():
    assert set(nightly.COLUMNS) <= set(COLUMNS)
    assert {media_type for _, media_type in nightly.FORMATS.values()} == set(READERS)


def test_the_mix_has_repeats_corrections_and_consents_in_about_half():
    rows = list(made(2000))
    references = Counter(row["source"]["reference"] for row in rows)
    people = Counter(json.dumps(row["person"]) for row in rows)
    consented = sum(any(c["hop"] == "hub_to_partner" and c["decision"] == "given" for c in r["consents"]) for r in rows)

    assert 5 <= sum(count > 1 for count in references.values()) <= 60
    assert sum(count > 1 for count in people.values()) > 30
    assert 0.4 < consented / len(rows) < 0.6
    assert {row["crime"]["category"] for row in rows} == {category for category, *_ in nightly.CRIMES}


def test_nobody_is_real():
    for row in made(500):
        person = row["person"]
        assert re.fullmatch(r"07700900\d{3}", person.get("phone", "07700900000"))
        assert person.get("email", "@example.org").endswith("@example.org")
        assert person["address"]["postcode"] == "ZZ99 9ZZ"


def test_a_million_rows_are_made_one_after_the_other():
    assert len(list(islice(nightly.as_ndjson(made(1_000_000)), 10))) == 10


def test_sending_streams_the_file_and_prints_counts_and_every_rejected_row(monkeypatch, capsys):
    received: list[bytes] = []

    def hub(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth/token":
            return httpx.Response(200, json={"access_token": "token"})
        assert request.headers["authorization"] == "Bearer token"
        if request.method == "POST":
            assert request.headers["transfer-encoding"] == "chunked"
            received.append(request.read())
            return httpx.Response(202, json={"id": "t", "links": {"self": "/v1/transfers/t"}})
        if request.url.path.endswith("/rows"):
            line = 9 if "cursor" in request.url.params else 4
            row = {"line": line, "errors": [{"pointer": "/markers/0", "code": "unknown_code"}]}
            return httpx.Response(200, json={"items": [row], "next_cursor": "next" if line == 4 else None})
        return httpx.Response(200, json={"rows": 10, "accepted": 8, "updated": 0, "duplicate": 0, "rejected": 2})

    monkeypatch.setattr(httpx, "Client", functools.partial(httpx.Client, transport=httpx.MockTransport(hub)))
    client = {"client_id": "police", "client_secret": "development-secret"}

    nightly.send(
        {"base_url": "http://hub.example.org", "clients": {"police": client}},
        nightly.as_ndjson(made(10)),
        "application/x-ndjson",
    )

    assert b"".join(received) == b"".join(nightly.as_ndjson(made(10)))
    assert capsys.readouterr().out.splitlines() == [
        "rows 10, accepted 8, updated 0, duplicate 0, rejected 2",
        "  line 4: /markers/0 unknown_code",
        "  line 9: /markers/0 unknown_code",
    ]
