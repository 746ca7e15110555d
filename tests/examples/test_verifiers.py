"""Independent verifiers, of PyPI and of npm, accept our webhooks and reject every one that was tampered with."""

import base64
import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks

from hubkit.webhooks import new_secret, new_signing_pair, sign

HERE = Path(__file__).parent
BODY = json.dumps({"type": "onward_referral.sent", "data": {"kind": "counselling", "note": "größer ✓"}}).encode()
SECRET, OTHER = new_secret(), new_secret()
PRIVATE, _ = new_signing_pair()
Message = dict[str, Any]


def message(*, secret: str = SECRET, body: bytes = BODY, signed: bytes = BODY, **headers: str) -> Message:
    """Return what a receiver sees; whatever is named differs from what was signed."""
    now = int(time.time())
    made = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(now),
        "webhook-signature": sign("msg_1", now, signed, [SECRET, PRIVATE]),
    }
    return {"secret": secret, "body": body, "headers": made | {k.replace("_", "-"): v for k, v in headers.items()}}


def stamped(seconds: int) -> Message:
    """Return a message that was signed at another time."""
    then = int(time.time()) + seconds
    return message(webhook_timestamp=str(then), webhook_signature=sign("msg_1", then, BODY, [SECRET]))


def genuine() -> list[Message]:
    now = int(time.time())
    both = sign("msg_1", now, BODY, [OTHER, SECRET])
    during_rotation = message(webhook_timestamp=str(now), webhook_signature=both)
    return [message(), stamped(-200), stamped(200), during_rotation, {**during_rotation, "secret": OTHER}]


def tampered() -> list[Message]:
    now = int(time.time())
    signature = sign("msg_1", now, BODY, [SECRET])
    flipped = [bytes([*BODY[:n], BODY[n] ^ 1, *BODY[n + 1 :]]) for n in range(len(BODY))]
    raw = bytearray(base64.b64decode(signature.removeprefix("v1,")))
    signatures = []
    for n in range(len(raw)):
        changed = bytes([*raw[:n], raw[n] ^ 128, *raw[n + 1 :]])
        signatures.append("v1," + base64.b64encode(changed).decode())
    return [
        *(message(body=body) for body in flipped),
        *(message(webhook_timestamp=str(now), webhook_signature=each) for each in signatures),
        message(body=BODY + b" "),
        message(body=BODY[:-1]),
        message(body=b""),
        message(secret=OTHER),
        message(webhook_id="msg_2"),
        message(webhook_timestamp=str(now - 7)),
        message(webhook_timestamp="now"),
        stamped(-400),
        stamped(400),
        message(webhook_signature=""),
        message(webhook_signature="v1,"),
        message(webhook_signature=signature.replace("v1,", "v2,")),
        message(webhook_signature=sign("msg_1", now, BODY, [PRIVATE])),
        message(webhook_signature=sign("msg_1", now, BODY, [OTHER])),
    ]


def by_python(messages: list[Message]) -> list[bool]:
    """Ask PyPI's standardwebhooks."""

    def accepts(each: Message) -> bool:
        try:
            standardwebhooks.Webhook(each["secret"]).verify(each["body"], each["headers"])
        except Exception:
            return False
        return True

    return [accepts(each) for each in messages]


def by_node(messages: list[Message]) -> list[bool]:
    """Ask npm's standardwebhooks."""
    given = json.dumps([{**each, "body": base64.b64encode(each["body"]).decode()} for each in messages])
    done = subprocess.run(
        ["node", str(HERE / "verify.mjs")], input=given, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    found: list[bool] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("verifier", [by_python, by_node])
def test_an_independent_verifier_accepts_what_we_sign_and_rejects_what_was_changed(verifier: Any) -> None:
    assert verifier(genuine()) == [True] * 5
    wrong = tampered()
    assert len(wrong) > 100
    assert [each["headers"] for each, accepted in zip(wrong, verifier(wrong), strict=True) if accepted] == []
