"""`onward directory import`, from a file and from an address."""

import asyncio
import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from onward import cli, composition, development

PROFILE = Path("profiles/cambridgeshire.yaml")
ORG = {"id": "d9d5e0f5-d3ce-4f73-9a2f-4dd0ecc6c610", "name": "County charity", "description": "Helps."}


def record(number: int, **changes: Any) -> dict[str, Any]:
    return {"id": f"s{number}", "name": f"Service {number}", "status": "active", "organization": ORG} | changes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    development.load_secrets(tmp_path)
    asyncio.run(composition.migrate(composition.Place(tmp_path, "http://127.0.0.1:8000", PROFILE)))
    return tmp_path


def run(folder: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[object, str, str]:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--data", str(folder), "directory", "import", *arguments])
    shown = capsys.readouterr()
    return ended.value.code, shown.out, shown.err


def test_a_file_is_tried_first_and_then_taken(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / "county.json"
    path.write_text(json.dumps([record(1), record(2)]))
    for arguments, added in ((("--dry-run",), 2), ((), 2), ((), 0)):
        status, out, _ = run(folder, capsys, str(path), *arguments)
        report = json.loads(out)
        assert (status, len(report["added"]), report["unchanged"]) == (0, added, 2 - added)
        assert (report["feed"], report["dry_run"]) == ("county.json", bool(arguments))
    path.write_text(json.dumps([record(1, name="")]))
    status, out, _ = run(folder, capsys, str(path), "--feed", "county.json")
    assert (status, [each["feed_id"] for each in json.loads(out)["missing"]]) == (0, ["s2"])
    page = {"contents": [record(1)], "first_page": True, "last_page": False}
    path.write_text(json.dumps(page))
    assert json.loads(run(folder, capsys, str(path))[1])["complete"] is False
    path.write_text(json.dumps([record(3), {"name": "no id"}]))
    status, out, _ = run(folder, capsys, str(path))
    assert (status, json.loads(out)["refused"][0]["reason"]) == (1, "id_missing")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "JSON"),
        ("[1]", "no list of services"),
        ('{"contents": {}}', "no list of services"),
        (None, "cannot be read"),
    ],
)
def test_what_is_no_feed_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], content: str | None, words: str
) -> None:
    path = folder / "feed.json"
    if content is not None:
        path.write_text(content)
    status, out, err = run(folder, capsys, str(path))
    assert (status, out) == (1, "")
    assert words in err


@contextlib.contextmanager
def feed(services: list[dict[str, Any]], per_page: int) -> Iterator[str]:
    """Serve a feed as Open Referral UK has it: lists with what a service has one of, and each service whole."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            found: Any = None
            if parts.path == "/o/v3/services":
                page = int(parse_qs(parts.query)["page"][0])
                cut = services[(page - 1) * per_page : page * per_page]
                contents = [{name: each[name] for name in ("id", "name", "status")} for each in cut]
                total = -(-len(services) // per_page)
                found = {"contents": contents, "total_pages": total, "last_page": page == total}
            else:
                found = next((each for each in services if parts.path == f"/o/v3/services/{each['id']}"), None)
            body = json.dumps(found).encode()
            self.send_response(200 if found is not None else 404)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/o/v3"
    finally:
        server.shutdown()
        server.server_close()


def test_an_address_is_read_page_by_page_and_each_service_whole(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with feed([record(number, description="whole") for number in range(5)], per_page=2) as url:
        status, out, err = run(folder, capsys, f"{url}/services", "--feed", "county")
        assert status == 0, err
        report = json.loads(out)
        assert [each["feed_id"] for each in report["added"]] == [f"s{number}" for number in range(5)]
        assert report["complete"]
        assert json.loads(run(folder, capsys, url, "--feed", "county")[1])["unchanged"] == 5
    with feed([record(1, description="other")], per_page=2) as url:
        report = json.loads(run(folder, capsys, url, "--feed", "county")[1])
        assert [each["fields"] for each in report["updated"]] == [["description"]]
        assert len(report["missing"]) == 4
    status, out, err = run(folder, capsys, url)
    assert (status, out) == (1, "")
    assert "The feed does not answer" in err
