"""The sandbox for partners' developers: the examples pass it, and each broken receiver fails exactly its check."""

import base64
import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest
from typing_extensions import override

from hubkit.webhooks import WebhookVerificationError, new_secret, new_signing_pair, verify
from onward.cli import parser
from onward.sandbox.command import SECRET, run_sandbox
from onward.sandbox.trials import MOST_BYTES
from tests.support.process import free_port

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = {
    "python": [sys.executable, "examples/partner_receiver.py"],
    "node": ["node", "examples/partner_receiver.mjs"],
}


class Partner:
    """A right receiver; a subclass is wrong in one thing."""

    keys: tuple[str, ...] = (SECRET,)
    tolerance_s = 300
    if_match = True

    def __init__(self) -> None:
        self.seen: set[Any] = set()
        self._work: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._http = httpx.Client()
        partner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = partner.read(self)
                status, answer = partner.answer({key.lower(): value for key, value in self.headers.items()}, body)
                self.send_response(status)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            @override
            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hook"
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._server.serve_forever, self._act)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._work.put(None)
        self._server.shutdown()
        self._server.server_close()
        for thread in self._threads:
            thread.join()
        self._http.close()

    def read(self, request: BaseHTTPRequestHandler) -> bytes:
        return request.rfile.read(int(request.headers["content-length"]))

    def answer(self, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        try:
            self.verify(headers, body)
        except WebhookVerificationError:
            return 401, b""
        return self.take(headers, json.loads(body))

    def verify(self, headers: dict[str, str], body: bytes) -> None:
        verify(headers, body, self.keys, now=int(time.time()), tolerance_s=self.tolerance_s)

    def take(self, headers: dict[str, str], event: dict[str, Any]) -> tuple[int, bytes]:
        if event["type"] == "endpoint.verification":
            return 200, self.echo(event["data"]["challenge"])
        if self.is_new(headers) and event["type"] in self.types():
            self._work.put(event)
        return 204, b""

    def types(self) -> tuple[str, ...]:
        return ("onward_referral.sent",)

    def echo(self, challenge: str) -> bytes:
        return json.dumps({"challenge": challenge}).encode()

    def is_new(self, headers: dict[str, str]) -> bool:
        known, key = len(self.seen), self.key(headers)
        self.seen.add(key)
        return len(self.seen) > known

    def key(self, headers: dict[str, str]) -> Any:
        return headers.get("webhook-id")

    def _act(self) -> None:
        while (event := self._work.get()) is not None:
            self.act(event)

    def act(self, event: dict[str, Any]) -> None:
        link = event["data"]["links"]["self"]
        form = {"grant_type": "client_credentials"}
        token = self._http.post(urljoin(link, "/oauth/token"), data=form, auth=("me", "mine")).json()["access_token"]
        signed_in = {"authorization": f"Bearer {token}"}
        read = self._http.get(link, headers=signed_in)
        match = {"if-match": read.headers["etag"]} if self.if_match else {}
        self._http.post(f"{link}/accept", headers=signed_in | match)


class AcceptsAnySignature(Partner):
    def verify(self, headers, _body):
        if abs(time.time() - int(headers.get("webhook-timestamp", time.time()))) > 300:
            raise WebhookVerificationError


class IgnoresTheTime(Partner):
    tolerance_s = 10**9


class ChecksTheFirstSignature(Partner):
    def verify(self, headers, body):
        first = headers.get("webhook-signature", "").split(" ")[0]
        super().verify(headers | {"webhook-signature": first}, body)


class ActsTwice(Partner):
    def is_new(self, _headers):
        return True


class KnowsARepetitionByItsSignature(Partner):
    def key(self, headers):
        return headers.get("webhook-signature")


class FailsOnUnknownTypes(Partner):
    def take(self, headers, event):
        return (500, b"") if "invented" in event["type"] else super().take(headers, event)


class ActsOnUnknownTypes(Partner):
    def types(self):
        return ("onward_referral.sent", "onward_referral.invented_by_sandbox")


class RefusesUnknownFields(Partner):
    def take(self, headers, event):
        return (422, b"") if set(event) - {"type", "timestamp", "data"} else super().take(headers, event)


class ReadsPart(Partner):
    def read(self, request):
        whole = super().read(request)
        return whole[: MOST_BYTES // 2]


class Slow(Partner):
    def take(self, headers, event):
        if event["type"] == "onward_referral.reminder":
            time.sleep(1.2)
        return super().take(headers, event)


class ForgetsTheChallenge(Partner):
    def echo(self, _challenge):
        return b"{}"


class NeverReads(Partner):
    def act(self, _event):
        pass


class ForgetsIfMatch(Partner):
    if_match = False


class ActsBeforeItVerifies(Partner):
    def answer(self, headers, body):
        event = json.loads(body)
        if event["type"] == "onward_referral.sent" and self.is_new(headers):
            self.act(event)
        return super().answer(headers, body)


class SaysGoneToStrangers(Partner):
    def answer(self, headers, body):
        status, said = super().answer(headers, body)
        return 410 if status == 401 else status, said


STAMPS = {"late", "early"}
FORGED = {"bad_signature", "wrong_key", "tampered_body", "forged_replay", "unsigned"}


@pytest.fixture
def play(capsys: pytest.CaptureFixture[str]) -> Iterator[Any]:
    partners: list[Partner] = []

    async def run(partner: Partner, *options: str) -> tuple[int, dict[str, Any]]:
        partners.append(partner)
        arguments = ["partner", "sandbox", "--url", partner.url, "--port", str(free_port()), "--json"]
        status = await run_sandbox(parser().parse_args([*arguments, *(options or ("--patience", "3"))]))
        return status, json.loads(capsys.readouterr().out)

    yield run
    for each in partners:
        each.close()


def failed(report: dict[str, Any]) -> set[str]:
    return {check["name"] for check in report["checks"] if not check["passed"]}


@pytest.mark.parametrize("key", ["v1", "v1a"])
async def test_a_right_receiver_passes_every_check(play: Any, key: str) -> None:
    private, public = new_signing_pair()
    partner = Partner()
    partner.keys = (SECRET,) if key == "v1" else (public,)
    status, report = await play(partner, "--key", private)
    assert failed(report) == set()
    assert (status, report["failed"], report["passed"]) == (0, 0, len(report["checks"]))
    names = [check["name"] for check in report["checks"]]
    assert len(set(names)) == len(names) > 15
    assert {"reads", "answers", "in_time", "rotation", *STAMPS, *FORGED} <= set(names)


@pytest.mark.parametrize(
    ("broken", "fails", "options"),
    [
        (AcceptsAnySignature, FORGED, ()),
        (IgnoresTheTime, STAMPS, ()),
        (ChecksTheFirstSignature, {"rotation"}, ()),
        (ActsTwice, {"duplicate", "replayed"}, ()),
        (KnowsARepetitionByItsSignature, {"replayed"}, ()),
        (FailsOnUnknownTypes, {"unknown_type"}, ()),
        (ActsOnUnknownTypes, {"unknown_type"}, ()),
        (RefusesUnknownFields, {"unknown_field"}, ()),
        (ReadsPart, {"large"}, ()),
        (Slow, {"in_time"}, ("--deadline", "1")),
        (ForgetsTheChallenge, {"endpoint.verification"}, ()),
        (NeverReads, {"reads"}, ("--patience", "1")),
        (ForgetsIfMatch, {"answers"}, ()),
        (SaysGoneToStrangers, STAMPS | FORGED, ()),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else None,
)
async def test_a_broken_receiver_fails_exactly_its_check(
    play: Any, broken: type[Partner], fails: set[str], options: tuple[str, ...]
) -> None:
    status, report = await play(broken(), *options)
    assert failed(report) == fails
    assert (status, report["failed"]) == (1, len(fails))
    assert all(check["advice"] for check in report["checks"] if not check["passed"])


async def test_a_refused_webhook_that_was_acted_on_is_a_failure(play: Any) -> None:
    status, report = await play(ActsBeforeItVerifies())
    assert {"bad_signature", "wrong_key", "tampered_body", "late"} <= failed(report)
    said = next(check["happened"] for check in report["checks"] if check["name"] == "wrong_key")
    assert "answered 401; called back: read, accept" in said
    assert status == 1


async def test_a_partner_that_does_not_call_back_is_judged_by_its_answers(play: Any) -> None:
    status, report = await play(NeverReads(), "--webhooks-only")
    assert (status, failed(report)) == (0, set())
    assert "reads" not in {check["name"] for check in report["checks"]}


async def test_a_receiver_that_has_another_secret_hears_it_at_every_genuine_webhook(play: Any) -> None:
    partner = Partner()
    partner.keys = (new_secret(),)
    _, report = await play(partner, "--patience", "0.1")
    assert {"endpoint.verification", "onward_referral.sent", "rotation", "reads"} <= failed(report)
    assert failed(report).isdisjoint(FORGED | STAMPS)


async def test_nothing_more_is_tried_where_nobody_listens(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["partner", "sandbox", "--url", f"http://127.0.0.1:{free_port()}/hook", "--port", str(free_port())]
    assert await run_sandbox(parser().parse_args(arguments)) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("failed  reachable")
    assert lines[1:] == ["0 passed, 1 failed"]


@pytest.mark.parametrize("language", EXAMPLES)
def test_an_example_partner_passes_every_check(language: str, tmp_path: Path) -> None:
    port, demo = free_port(), tmp_path / "demo.json"
    me = {"client_id": "sandbox", "client_secret": "sandbox", "organisation": "Example"}
    demo.write_text(json.dumps({"base_url": f"http://127.0.0.1:{port}", "clients": {"counselling": me}}))
    sandbox = [sys.executable, "-m", "onward", "partner", "sandbox", "--port", str(port)]
    example = [*EXAMPLES[language], "--demo", str(demo), "--port", str(free_port())]
    options: dict[str, Any] = {"cwd": ROOT, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(sandbox, stderr=subprocess.PIPE, **options) as hub:
        try:
            assert hub.stderr is not None
            assert hub.stderr.readline().startswith(f"hub http://127.0.0.1:{port} ")
            with subprocess.Popen(example, stderr=subprocess.STDOUT, **options) as program:
                try:
                    said, _ = hub.communicate(timeout=60)
                finally:
                    program.kill()
        finally:
            hub.kill()
    lines = said.splitlines()
    assert [line for line in lines[:-1] if not line.startswith("ok ")] == []
    assert lines[-1] == f"{len(lines) - 1} passed, 0 failed"
    assert hub.returncode == 0


def test_the_sandboxs_secret_is_one() -> None:
    assert len(base64.b64decode(SECRET.removeprefix("whsec_"))) == 32
