"""The two example partners, in Python and in JavaScript, each answer their challenge, fetch and accept a referral."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.hub import EmbeddedHub, Hub, eventually, referral
from tests.support.process import free_port

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = {
    "python": [sys.executable, "examples/partner_receiver.py"],
    "node": ["node", "examples/partner_receiver.mjs"],
}


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    hub = EmbeddedHub()
    yield hub
    hub.close()


@pytest.mark.parametrize("language", PROGRAMS)
def test_an_example_partner_is_verified_fetches_and_accepts(hub: Hub, language: str, tmp_path: Path) -> None:
    demo = tmp_path / "demo.json"
    demo.write_text(json.dumps({"base_url": hub.base_url, "clients": hub.clients}))
    command = [*PROGRAMS[language], "--demo", str(demo), "--port", str(free_port()), "--count", "1"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as program:
        try:
            eventually(lambda: [each for each in _endpoints(hub) if each["status"] == "active"] or None)
            referral_id = hub.accepted(referral())
            said, _ = program.communicate(timeout=60)
        finally:
            program.kill()
    assert "verified: onward_referral.sent" in said, said
    assert "accepted: 200" in said
    assert eventually(lambda: hub.case_onward(referral_id, "accepted"))
    assert program.returncode == 0
    assert _endpoints(hub) == []


def _endpoints(hub: Hub) -> list[dict[str, str]]:
    items: list[dict[str, str]] = hub.call("counselling", "GET", "/v1/webhook-endpoints").json()["items"]
    return items


@pytest.mark.parametrize("name", ["partner_receiver.py", "partner_receiver.mjs"])
def test_an_example_partner_is_short(name: str) -> None:
    assert len((ROOT / "examples" / name).read_text(encoding="utf-8").splitlines()) < 100
