"""The catalogue of what partners receive, `docs/events.md`, made from `services/partners/schemas/events.py`."""

import functools
import inspect
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args
from uuid import UUID

from jsonschema import Draft202012Validator, FormatChecker, ValidationError
from pydantic import BaseModel

from hubkit.clock import SystemClock
from onward.sandbox.command import SECRET
from onward.sandbox.hub import SandboxHub
from onward.sandbox.trials import Maker, trials
from services.partners.model import AMENDED, SENT
from services.partners.policy import payloads
from services.partners.schemas.events import EVENTS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "events.md"

_HEAD = """# What partners receive by webhook

Written by `.venv/bin/python -m tests.docs` from `services/partners/schemas/events.py`; a test fails when the two
differ. Do not edit it. The examples are what the hub's own code makes.

Webhooks follow Standard Webhooks 1.0.0: a `POST` of JSON with the headers `webhook-id`, `webhook-timestamp` and
`webhook-signature`. `examples/partner_receiver.py` and `examples/partner_receiver.mjs` are two receivers.

* **Verify** the signature over the bytes as they came, with the endpoint's secret (`v1`, HMAC-SHA256) or its public key
  (`v1a`, Ed25519). After a rotation both old and new keys sign for 24 hours. Refuse a timestamp that is more than five
  minutes away.
* **Answer** with 2xx within ten seconds and work afterwards. Only 2xx is success; redirects are not followed. 410
  pauses the endpoint. `Retry-After` is heeded up to an hour. What fails is tried ten times in 75 hours, and then waits
  for a replay.
* **Expect repeats**: the same `webhook-id` is the same news. Order is not kept; what the link answers is how it stands.
* **Decrypt** `data.disclosure`, where the agreement says full and the endpoint has an `encryption_key`. It is made
  afresh for each attempt, and each is a disclosure on record. Without a key, or where the body would be larger than
  64 KiB, it is left out: read the link. While the hub cannot read the person's details the webhook waits.
* **Ignore** types and fields that you do not know: new ones may come. A body has at most 64 kB.
* **Try it** without a hub: `python -m onward partner sandbox` plays one towards your receiver, with invented data, and
  says what each check expected and what happened. [How](#the-sandbox)

| Type | |
|---|---|
"""

_SANDBOX = """## The sandbox

A checkout of Onward plays a hub towards your receiver; it needs neither a hub nor data. Start it, and let your receiver
register with it as it would with a hub (`POST /oauth/token` with any credentials, then `POST /v1/webhook-endpoints`):

```sh
.venv/bin/python -m onward partner sandbox --port 8099      # it waits for your receiver at http://127.0.0.1:8099
```

Or name the receiver. It verifies with the secret of the sandbox, or with one that you give (`--secret`; `--key` is the
private `whsk_` key that makes the `v1a` signatures):

```sh
.venv/bin/python -m onward partner sandbox --url https://partner.example/hook --secret {secret}
```

Links in the events lead to the sandbox, which answers with an invented person; where your receiver does not reach it
there, say how it does with `--public-url`, or leave the calls back out with `--webhooks-only`. Each line says `ok` or
`failed`, what was sent, what was expected and what happened; the last one counts. The exit status is 1 when a check
failed; `--json` is for machines.

| Check | Sent | Answer | Acted on |
|---|---|---|---|
{checks}
| `reads` | | | the referral of the first event is read with your token |
| `answers` | | | each answer that you give carries `If-Match` |
| `in_time` | | within ten seconds, each | |
"""

_ID = UUID("01992d6c-4f3a-7c21-9a40-5f1f6e3b7d10")
_NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
_JWE = "eyJhbGciOiJFQ0RILUVTK0EyNTZLVyIsImVuYyI6IkEyNTZHQ00iLCJraWQiOiIyMDI2LTExIn0.….….….…"
_HUB = "https://hub.example.org"


def examples() -> dict[str, bytes]:
    """Return a body of each type, made by the code that makes those that are sent."""
    made = payloads.samples(_NOW, _ID, _HUB, challenge="q8Yc0rV4mZk2…")
    return made | {type: payloads.with_disclosure(made[type], _JWE) for type in (SENT, AMENDED)}


def type_of(model: type[BaseModel]) -> str:
    """Return the type that an event's model stands for."""
    return str(get_args(model.model_fields["type"].annotation)[0])


def faults_of(body: bytes) -> list[str]:
    """Return what is wrong with a webhook's body by the JSON schema that the page prints; no further field may be."""
    event = json.loads(body)
    return [f"{event['type']} {error.json_path}: {error.message}" for error in _checkers()[event["type"]](event)]


@functools.cache
def _checkers() -> dict[str, Callable[[Any], Iterable[ValidationError]]]:
    models = {type_of(model): _closed(model.model_json_schema()) for model in EVENTS}
    return {
        type: Draft202012Validator(schema, format_checker=FormatChecker()).iter_errors
        for type, schema in models.items()
    }


def _closed(node: Any) -> Any:
    if isinstance(node, dict):
        closed = {name: _closed(value) for name, value in node.items()}
        return closed | ({"additionalProperties": False} if node.get("type") == "object" else {})
    return [_closed(each) for each in node] if isinstance(node, list) else node


def page() -> str:
    """Return the page."""
    rows = [f"| [`{type_of(each)}`](#{_anchor(each)}) | {_first(each)} |" for each in EVENTS]
    return _HEAD + "\n".join([*rows, "", _SANDBOX.format(secret=SECRET, checks=_checks()), *map(_section, EVENTS)])


def _checks() -> str:
    maker = Maker(SandboxHub(SystemClock(), SECRET, ""), SystemClock(), (SECRET,), _HUB)
    rows = [(each.name, each.sent, "2xx" if each.is_taken else "4xx", each.acts) for each in trials(maker)]
    return "\n".join(f"| `{name}` | {sent} | {answer} | {acts} |" for name, sent, answer, acts in rows)


def _section(model: type[BaseModel]) -> str:
    name = type_of(model)
    example = _block(json.loads(examples()[name]))
    schema = _block(model.model_json_schema())
    return f"## {name}\n\n{inspect.getdoc(model)}\n\n{example}\n\nIts JSON schema:\n\n{schema}\n"


def _block(value: Any) -> str:
    return f"```json\n{json.dumps(value, indent=2, ensure_ascii=False)}\n```"


def _anchor(model: type[BaseModel]) -> str:
    return type_of(model).replace(".", "")


def _first(model: type[BaseModel]) -> str:
    return " ".join((inspect.getdoc(model) or "").partition("\n\n")[0].split())
