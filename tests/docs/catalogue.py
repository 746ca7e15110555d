"""The event catalogue `docs/contracts.md`, made from the contracts themselves."""

import inspect
import re
from pathlib import Path
from typing import Any

from hubkit.contracts import BY_TYPE, CONSUMERS, PRODUCERS, Contract

PAGE = Path(__file__).resolve().parents[2] / "docs" / "contracts.md"

_HEAD = """# Event catalogue

Written by `.venv/bin/python -m tests.docs` from `hubkit/contracts/`; a test fails when the two differ. Do not edit it.

Services say everything to each other by these events and know nothing else of one another. They carry ids, codes and
decisions, never a personal detail. Within a version only optional fields are added; anything else is a new version
(`….v2`) beside the old one. The JSON schemas are in `hubkit/contracts/schemas/`.

Each event travels in an envelope with the attribute names of CloudEvents 1.0: `specversion`, `id` (the same on every
delivery), `source` (the publishing service), `type`, `subject` (the id of what it is about), `time` (UTC),
`datacontenttype`, `traceparent` when there is one, and `data` with the fields below. One message is a JSON list of up
to 64 envelopes of one type. An absent field has the default given here.
"""


def catalogue() -> str:
    """Return the page."""
    sections = [_HEAD, _overview(), "## Events\n", *(_event(contract) for contract in BY_TYPE.values())]
    parts = {name: part for contract in BY_TYPE.values() for name, part in _schema(contract).get("$defs", {}).items()}
    sections += ["## Parts\n", *(_part(name, parts[name]) for name in sorted(parts))]
    return "\n".join(sections)


def _overview() -> str:
    rows = [
        f"| [`{contract.TYPE}`](#{_anchor(contract.TYPE)}) | {PRODUCERS[contract]} | {', '.join(services)} |"
        for contract, services in CONSUMERS.items()
    ]
    return "\n".join(["| Event | From | To |", "|---|---|---|", *rows, ""])


def _event(contract: type[Contract]) -> str:
    # A base without a type of its own says, after its first line, what holds for all events built on it.
    shared = [base for base in contract.__mro__[1:] if issubclass(base, Contract) and not hasattr(base, "TYPE")]
    common = [inspect.getdoc(base) or "" for base in shared if base is not Contract]
    texts = [inspect.getdoc(contract) or "", *(text.partition("\n\n")[2] for text in common)]
    return f"### {contract.TYPE}\n\n{_words(*texts)}\n\n{_fields(_schema(contract))}"


def _part(name: str, schema: dict[str, Any]) -> str:
    return f"### {name}\n\n{_words(schema.get('description', ''))}\n\n{_fields(schema)}"


def _words(*texts: str) -> str:
    """Return docstrings without the sentences that name publisher and consumers, which the overview shows."""
    joined = [" ".join(paragraph.split()) for text in texts for paragraph in text.split("\n\n")]
    plain = [re.sub(r"Publisher: \w+\. Consumers?: [\w, ]+\. ?", "", paragraph) for paragraph in joined]
    return "\n\n".join(paragraph for paragraph in plain if paragraph)


def _fields(schema: dict[str, Any]) -> str:
    required = schema.get("required", ())
    rows = [
        f"| `{name}` | {_kind(field)} | {'required' if name in required else _default(field)} |"
        for name, field in schema.get("properties", {}).items()
    ]
    return "\n".join(["| Field | Is | |", "|---|---|---|", *rows, ""])


def _kind(field: dict[str, Any]) -> str:
    if "$ref" in field:
        name = field["$ref"].rsplit("/", 1)[-1]
        return f"[{name}](#{_anchor(name)})"
    if "anyOf" in field:
        return " or ".join(_kind(option) for option in field["anyOf"] if option.get("type") != "null")
    if field.get("type") == "array":
        return f"list of {_kind(field['items'])}"
    return str(field.get("format", field.get("type")))


def _default(field: dict[str, Any]) -> str:
    default = field.get("default")
    if default is None:
        return "or absent"
    return "empty" if default in ([], {}) or isinstance(default, dict) else f"`{str(default).lower()}`"


def _anchor(heading: str) -> str:
    return heading.lower().replace(".", "")


def _schema(contract: type[Contract]) -> dict[str, Any]:
    return contract.model_json_schema(mode="validation")
