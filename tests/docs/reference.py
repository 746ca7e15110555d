"""The reference of profiles, made from their schema: every part, every field, every code."""

import json
from typing import Any

from hubkit.contracts import codes
from hubkit.contracts.profile import Rule
from hubkit.profiles.schema import model_schema
from tests.docs.pages import ROOT

PAGE = ROOT / "docs" / "profiles.md"
BEGIN = "<!-- made by `python -m tests.docs` from the schema: change descriptions in hubkit/contracts/profile -->\n"
END = "<!-- end -->\n"

Schema = dict[str, Any]

_VOCABULARIES = {
    "channels": codes.CHANNELS,
    "crimes": codes.CRIMES | codes.CRIME_GROUPS,
    "kinds": codes.KINDS,
    "markers": codes.MARKERS,
    "methods": codes.METHODS,
}
#: What one reads first comes first; what is not named follows by its name.
_ORDER = (
    "Condition", "ConsentIs", "Within", "Calendar", "Unit", "Channel", "Transfer", "Rule", "ExclusionRule", "Triage",
)  # fmt: skip
_RULE = Rule.model_json_schema()


def page() -> str:
    """Return the page with its reference as the schema is now."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{reference()}{END}{after}"


def reference() -> str:
    """Return every part of a profile as a table, and the codes that they use."""
    schema = model_schema()
    parts = {name: part for name, part in schema["$defs"].items() if "properties" in part} | {"Rule": _RULE}
    names = [*_ORDER, *sorted(parts.keys() - set(_ORDER))]
    sections = [_part("Profile", schema, "The sections"), *(_part(name, parts[name]) for name in names)]
    sections.append("### Codes\n")
    for name, known in _VOCABULARIES.items():
        sections.append(f'<a id="{name}"></a>**{name}**: {", ".join(f"`{code}`" for code in sorted(known))}\n')
    return "\n" + "\n".join(sections) + "\n"


def _part(name: str, part: Schema, title: str | None = None) -> str:
    words = " ".join(part["description"].split()).replace("|", "\\|")
    is_rule = part["properties"].keys() >= _RULE["properties"].keys()
    rows = [
        f"| `{field}`{' (needed)' if field in part.get('required', ()) else ''} | {_kind(schema)} | {_says(schema)} |"
        for field, schema in part["properties"].items()
        if name == "Rule" or not is_rule or field not in _RULE["properties"]
    ]
    heading = f"### {title or name}\n\n" + ("" if title else f"{words}\n\n")
    if is_rule and name != "Rule":
        heading += (
            "A [rule](#rule), with these keys of its own:\n\n"
            if rows
            else "A [rule](#rule), without keys of its own.\n"
        )
    if not rows:
        return heading
    return heading + "\n".join(["| Key | Is | Says |", "|---|---|---|", *rows, ""])


def _says(field: Schema) -> str:
    default = field.get("default")
    usual = default not in (None, [], {}) and not isinstance(default, dict)
    shown = ", ".join(default) if isinstance(default, list) else json.dumps(default).strip('"')
    return field["description"].replace("|", "\\|") + (f" (else `{shown}`)" if usual else "")


def _kind(field: Schema) -> str:
    if "$ref" in field:
        name = field["$ref"].rsplit("/", 1)[-1]
        return "any value" if name == "JsonValue" else f"[{name}](#{name.lower()})"
    if "anyOf" in field:
        options = [option for option in field["anyOf"] if option.get("type") != "null"]
        return (
            "a day, a month or a year"
            if {"type": "integer"}.items() <= options[-1].items() and len(options) > 1
            else _kind(options[0])
        )
    if field.get("type") == "array":
        return f"list of {_kind(field['items'])}"
    if "enum" in field:
        return _codes(field["enum"])
    if "pattern" in field:
        return "a time, `09:00`"
    plain = {"string": "text", "integer": "number", "boolean": "`true` or `false`", "object": "keys and values"}
    return {"date": "a day", "date-time": "a moment"}.get(
        field.get("format", ""), plain.get(field.get("type", ""), "text")
    )


def _codes(known: list[str]) -> str:
    for name, vocabulary in _VOCABULARIES.items():
        if set(known) == vocabulary:
            return f"[{name}](#{name})"
    return ", ".join(f"`{code}`" for code in known)
