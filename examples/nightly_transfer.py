"""A day of a police force's crime as one transfer, as a nightly job would send it.

    .venv/bin/python examples/nightly_transfer.py --rows 500 --file day.ndjson       # make a file
    .venv/bin/python examples/nightly_transfer.py --rows 500 --bad 5 --send          # send to the hub of `make run`
    .venv/bin/python examples/nightly_transfer.py --format csv --seed 7 --send       # the same day every time

Everybody in it is invented. The same seed and day make the same file: sent again, all its rows are duplicates, but for
those that it corrects further down, which change to and fro. Rows are made and sent one after the other: a million need
no more memory than ten.
"""

import argparse
import csv
import io
import json
import random
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import httpx

Row = dict[str, Any]

GIVEN = ("Alex", "Amira", "Ben", "Carys", "Dawn", "Ewa", "Farid", "Grace", "Hamza", "Ines", "Jack", "Kasia", "Leroy",
         "Mair", "Noor", "Olu", "Pat", "Rhys", "Siân", "Tomasz", "Uma", "Vera", "Will", "Yusuf")  # fmt: skip
FAMILY = ("Example", "Sample", "Specimen", "Instance", "Pattern", "Model", "Draft", "Trial", "Proof", "Template",
          "O'Example", "Example-Sample")  # fmt: skip
STREETS = ("Example Street", "Sample Road", "Specimen Lane", "Pattern Close", "Template Avenue")
LANGUAGES = ("en", "en", "en", "en", "en", "en", "en", "en", "cy", "pl", "ur", "ro")
AREAS = ("E07000008", "E07000009", "E07000010", "E07000011", "E07000012", "E06000031")

#: Of a hundred victims, roughly: how many by category, which markers go with it and how often, and what may help.
CRIMES: tuple[tuple[str, int, tuple[tuple[str, float], ...], tuple[str, ...]], ...] = (
    ("violence.without_injury", 17, (("domestic_abuse", 0.33), ("repeat_victim", 0.1)), ("counselling", "idva")),
    ("violence.with_injury", 12, (("domestic_abuse", 0.3), ("vulnerable", 0.1)), ("counselling", "witness_care")),
    ("stalking_harassment.harassment", 8, (("repeat_victim", 0.2), ("intimidated", 0.1)), ("counselling",)),
    ("stalking_harassment.malicious_communications", 6, (("hate_crime", 0.06),), ("counselling",)),
    ("stalking_harassment.stalking", 2, (("persistently_targeted", 0.3), ("intimidated", 0.2)), ("idva",)),
    ("theft.other", 10, (("older_person", 0.1),), ()),
    ("theft.from_person", 3, (("older_person", 0.15),), ()),
    ("theft.bicycle", 2, (), ()),
    ("vehicle.theft_from", 5, (), ()),
    ("vehicle.theft_of", 3, (), ()),
    ("burglary.residential", 5, (("older_person", 0.2), ("vulnerable", 0.1)), ("restorative_justice", "counselling")),
    ("burglary.business_community", 2, (), ("restorative_justice",)),
    ("robbery.personal", 2, (("young_person", 0.25),), ("counselling", "witness_care")),
    ("damage.criminal_damage", 9, (("repeat_victim", 0.1),), ("restorative_justice",)),
    ("damage.arson", 1, (("vulnerable", 0.1),), ()),
    ("public_order.fear_alarm_distress", 6, (("hate_crime", 0.2),), ("counselling",)),
    ("sexual.sexual_assault", 2, (("sexual_violence", 1.0),), ("isva",)),
    ("sexual.rape", 1, (("sexual_violence", 1.0), ("vulnerable", 0.3)), ("isva",)),
    ("sexual.exposure_voyeurism", 1, (("sexual_violence", 0.5),), ("isva",)),
    ("fraud.banking", 2, (("older_person", 0.35), ("vulnerable", 0.2)), ()),
    ("non_crime.domestic_incident", 1, (("domestic_abuse", 1.0),), ("idva",)),
)
CONSENTED = 0.5
REPEATED = 0.04
CORRECTED = 0.01

#: Cells of a CSV file in the order of the hub's documentation; a list is written as docs/transfers.md says.
COLUMNS = (
    "source.channel", "source.reference", "crime.reference", "crime.category", "crime.occurred_on", "crime.recorded_at",
    "crime.reported_to_police", "person.given_name", "person.family_name", "person.date_of_birth", "person.role",
    "person.address.lines", "person.address.postcode", "person.area_code", "person.phone", "person.email",
    "person.language", "person.preferred_method", "safe_contact.phone", "safe_contact.text", "safe_contact.voicemail",
    "safe_contact.email", "safe_contact.letter", "safe_contact.instructions", "markers", "risk.instrument",
    "risk.grade", "risk.assessed_at", "needs", "consents", "narrative",
)  # fmt: skip


def day_of_crime(rows: int, seed: int, day: date, corrected: float = CORRECTED) -> Iterator[Row]:
    """Yield a day's referrals, in the order in which they were recorded.

    A few people come twice for different crimes (repeats), and a few rows come again with a correction under the same
    reference.
    """
    chance = random.Random(f"{seed} {day}")
    recent: list[Row] = []
    for number in range(rows):
        if recent and chance.random() < corrected:
            yield _corrected(chance, chance.choice(recent))
            continue
        person = chance.choice(recent)["person"] if recent and chance.random() < REPEATED else _person(chance, day)
        recorded = datetime.combine(day, time(), UTC) + timedelta(seconds=86399 * number // rows)
        row = _referral(chance, person, recorded, f"{seed}-{number + 1:06}")
        recent = [*recent[-199:], row]
        yield row


def _person(chance: random.Random, day: date) -> Row:
    given, family = chance.choice(GIVEN), chance.choice(FAMILY)
    born = day - timedelta(days=int(365.25 * chance.triangular(11, 94, 32)))
    line = f"{chance.randint(1, 240)} {chance.choice(STREETS)}"
    person: Row = {
        "given_name": given,
        "family_name": family,
        "date_of_birth": born.isoformat(),
        "role": "victim" if chance.random() < 0.93 else "witness",
        "address": {"lines": [line, "Exampleton"], "postcode": "ZZ99 9ZZ"},
        "area_code": chance.choice(AREAS),
        "language": chance.choice(LANGUAGES),
    }
    if chance.random() < 0.9:
        person |= {"phone": f"07700900{chance.randint(0, 999):03}", "preferred_method": "phone"}
    if chance.random() < 0.6:
        person["email"] = f"person.{chance.getrandbits(32):08x}@example.org"
    return person


def _referral(chance: random.Random, person: Row, recorded: datetime, number: str) -> Row:
    day = recorded.date()
    category, _, likely, helpful = chance.choices(CRIMES, [weight for _, weight, _, _ in CRIMES])[0]
    markers = {marker for marker, share in likely if chance.random() < share} | _by_age(person, day)
    asked = [need for need in helpful if chance.random() < 0.4]
    row: Row = {
        "source": {"channel": "police_automatic", "reference": f"CMS-{day:%Y%m%d}-{number}"},
        "crime": {
            "reference": f"99/{day:%j}-{number}/{day:%y}",
            "category": category,
            "occurred_on": (day - timedelta(days=chance.choice((0, 0, 0, 1, 1, 3, 14)))).isoformat(),
            "recorded_at": recorded.isoformat(),
            "reported_to_police": True,
        },
        "person": person,
        "safe_contact": _safe_contact(chance, markers),
        "needs": asked,
        "consents": _consents(chance, asked, recorded),
    }
    if "domestic_abuse" in markers:
        grade = chance.choices(("standard", "medium", "high"), (60, 29, 11))[0]
        row["risk"] = {"instrument": "dash", "grade": grade, "assessed_at": recorded.isoformat()}
        markers.add(f"da_risk_{grade}")
    row["markers"] = sorted(markers | ({"support_requested"} if asked else set()))
    if chance.random() < 0.3:
        row["narrative"] = "Invented account of what happened.\nThe officer said that somebody would call."
    return row


def _by_age(person: Row, day: date) -> set[str]:
    age = (day - date.fromisoformat(person["date_of_birth"])).days / 365.25
    return {"child", "young_person"} if age < 18 else {"young_person"} if age < 25 else set()


def _safe_contact(chance: random.Random, markers: set[str]) -> Row:
    if "domestic_abuse" not in markers:
        return {"phone": True, "text": True, "voicemail": chance.random() < 0.8, "email": True, "letter": True}
    safe = {"phone": True, "text": False, "voicemail": False, "email": chance.random() < 0.4, "letter": False}
    return safe | {"instructions": "Between 10 and 12 only; hang up, should somebody else answer"}


def _consents(chance: random.Random, needs: list[str], recorded: datetime) -> list[Row]:
    moment = recorded.isoformat()
    consents: list[Row] = [{"hop": "police_to_hub", "decision": "given", "recorded_at": moment}]
    said = chance.random()
    if said < CONSENTED:
        consents.append({
            "hop": "hub_to_partner", "decision": "given", "recipients": needs, "method": "spoken",
            "data_categories": ["identity", "contact", "crime", "needs"], "recorded_at": moment,
        })  # fmt: skip
    elif said < CONSENTED + 0.1:
        consents.append({"hop": "hub_to_partner", "decision": "refused", "method": "spoken", "recorded_at": moment})
    return consents


def _corrected(chance: random.Random, row: Row) -> Row:
    person = row["person"] | {"phone": f"07700900{chance.randint(0, 999):03}"}
    return row | {"person": person, "markers": sorted({*row["markers"], "vulnerable"})}


def _unknown_category(row: Row) -> Row:
    return row | {"crime": row["crime"] | {"category": "violence.shouting"}}


def _impossible_birthday(row: Row) -> Row:
    return row | {"person": row["person"] | {"date_of_birth": "1990-02-31"}}


def _no_reference(row: Row) -> Row:
    return row | {"source": {"channel": "police_automatic"}}


def _unknown_marker(row: Row) -> Row:
    return row | {"markers": [*row["markers"], "tall"]}


def _naive_time(row: Row) -> Row:
    return row | {"crime": row["crime"] | {"recorded_at": row["crime"]["recorded_at"][:19]}}


FAULTS: tuple[Callable[[Row], Row], ...] = (
    _unknown_category, _impossible_birthday, _no_reference, _unknown_marker, _naive_time,
)  # fmt: skip


def spoil(made: Iterator[Row], rows: int, bad: int, seed: int) -> Iterator[Row]:
    """Yield the rows, `bad` of them with one fault each."""
    chance = random.Random(seed)
    places = {place: FAULTS[n % len(FAULTS)] for n, place in enumerate(chance.sample(range(rows), min(bad, rows)))}
    for number, row in enumerate(made):
        yield places[number](row) if number in places else row


def as_ndjson(rows: Iterator[Row]) -> Iterator[bytes]:
    """Yield one JSON object a line."""
    return (json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n" for row in rows)


def as_csv(rows: Iterator[Row]) -> Iterator[bytes]:
    """Yield the header, then a record for each row."""
    yield _csv_line(COLUMNS)
    for row in rows:
        yield _csv_line([_cell(row, column) for column in COLUMNS])


def _csv_line(cells: Any) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue().encode()


def _cell(row: Row, column: str) -> str:
    value: Any = row
    for name in column.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if column == "consents":
        return json.dumps(value)
    return ("|" if column == "person.address.lines" else ";").join(value) if isinstance(value, list) else str(value)


FORMATS = {"ndjson": (as_ndjson, "application/x-ndjson"), "csv": (as_csv, "text/csv")}


def send(demo: Row, content: Iterator[bytes], media_type: str) -> None:
    """Stream a transfer to the hub, then print what became of its rows."""
    client = demo["clients"]["police"]
    with httpx.Client(base_url=demo["base_url"], timeout=httpx.Timeout(30, read=900)) as http:
        sign_in(http, client)
        answer = http.post("/v1/transfers", content=blocks(content), headers={"Content-Type": media_type})
        if answer.status_code != 202:
            raise SystemExit(f"refused with {answer.status_code}: {answer.text}")
        link = answer.json()["links"]["self"]
        sign_in(http, client)
        counts = http.get(link).raise_for_status().json()
        print(", ".join(f"{name} {counts[name]}" for name in ("rows", "accepted", "updated", "duplicate", "rejected")))
        for row in rejected(http, link):
            faults = "; ".join(f"{fault['pointer'] or '(row)'} {fault['code']}" for fault in row["errors"])
            print(f"  line {row['line']}: {faults}")


def sign_in(http: httpx.Client, client: Row) -> None:
    """Put an access token on the client; it lives for five minutes."""
    form = {"grant_type": "client_credentials"}
    token = http.post("/oauth/token", data=form, auth=(client["client_id"], client["client_secret"]))
    http.headers["Authorization"] = f"Bearer {token.raise_for_status().json()['access_token']}"


def blocks(content: Iterator[bytes], size: int = 64 * 1024) -> Iterator[bytes]:
    """Join small pieces, for fewer writes."""
    block = b""
    for piece in content:
        block += piece
        if len(block) >= size:
            yield block
            block = b""
    yield block


def rejected(http: httpx.Client, link: str) -> Iterator[Row]:
    """Yield the rejected rows of a transfer, page by page."""
    cursor: str | None = None
    while True:
        query = {"outcome": "rejected", "limit": "100"} | ({"cursor": cursor} if cursor else {})
        page = http.get(f"{link}/rows", params=query).raise_for_status().json()
        yield from page["items"]
        cursor = page.get("next_cursor")
        if not cursor:
            return


def main() -> None:
    """Make a day, and write or send it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=460, help="how many rows; 460 is an average force's day")
    parser.add_argument("--bad", type=int, default=0, help="how many of them are wrong on purpose")
    parser.add_argument("--corrected", type=float, default=CORRECTED, help="share of rows that correct earlier ones")
    parser.add_argument("--format", choices=sorted(FORMATS), default="ndjson")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other people")
    parser.add_argument("--day", type=date.fromisoformat, help="the day, as 2026-11-18; yesterday if not given")
    parser.add_argument("--file", help="where to write it; standard output if neither --file nor --send is given")
    parser.add_argument("--send", action="store_true", help="stream it to the hub and print what became of its rows")
    parser.add_argument("--demo", default=".data/demo.json", help="who we are and where the hub is")
    arguments = parser.parse_args()
    day = arguments.day or (datetime.now(UTC) - timedelta(days=1)).date()
    made = day_of_crime(arguments.rows, arguments.seed, day, arguments.corrected)
    write, media_type = FORMATS[arguments.format]
    content = write(spoil(made, arguments.rows, arguments.bad, arguments.seed))
    if arguments.send:
        send(json.loads(Path(arguments.demo).read_text()), content, media_type)
        return
    with open(arguments.file, "wb") if arguments.file else sys.stdout.buffer as out:
        for block in blocks(content):
            out.write(block)


if __name__ == "__main__":
    main()
