"""The JSON Schema of a profile: for editors, for the reference in the documentation, and to suggest right words."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from hubkit.contracts.profile import Profile
from hubkit.profiles.fault import Loc

Schema = dict[str, Any]

_PARAMETER: Schema = {"type": "string", "pattern": r"^\$[A-Za-z_][A-Za-z0-9_]*$", "description": "a parameter"}


@cache
def model_schema() -> Schema:
    """Return the schema of a profile whose parameters are put in."""
    return Profile.model_json_schema(mode="validation")


def editor_schema() -> Schema:
    """Return the schema of a profile as people write it: `$name` may stand for any value.

    JSON Schema knows forms and vocabularies; what else must hold is checked by `onward profile check`.
    """
    schema = dict(model_schema())
    parts = {name: _written(part) for name, part in schema.pop("$defs").items()}
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    title = "Profile of a victims' hub"
    return {**head, **_written(schema), "title": title, "$defs": {**parts, "Parameter": _PARAMETER}}


def _written(part: Schema) -> Schema:
    if "properties" not in part:
        return part
    return {**part, "properties": {name: _or_parameter(field) for name, field in part["properties"].items()}}


def _or_parameter(field: Schema) -> Schema:
    if field.get("type") == "string" and not {"enum", "pattern", "format"} & set(field):
        return field
    outer: Schema = {key: field[key] for key in ("title", "description", "default") if key in field}
    inner = {key: value for key, value in field.items() if key not in outer}
    options = inner["anyOf"] if set(inner) == {"anyOf"} else [inner]
    return {**outer, "anyOf": [*options, {"$ref": "#/$defs/Parameter"}]}


def fields_at(loc: Loc) -> list[str]:
    """Return the keys that may stand at a place of a profile."""
    return sorted({name for schema in _at(loc) for name in schema.get("properties", {})})


def words_at(loc: Loc) -> list[str]:
    """Return the words that may stand at a place of a profile, where only some may."""
    return [word for schema in _at(loc) for word in schema.get("enum", [schema["const"]] if "const" in schema else [])]


def _at(loc: Loc) -> Sequence[Schema]:
    found = list(_options(model_schema()))
    for step in loc:
        found = [option for schema in found for inner in _inner(schema, step) for option in _options(inner)]
    return found


def _inner(schema: Schema, step: str | int) -> Iterator[Schema]:
    if isinstance(step, int):
        if "items" in schema:
            yield schema["items"]
    elif step in schema.get("properties", {}):
        yield schema["properties"][step]
    elif isinstance(schema.get("additionalProperties"), dict):
        yield schema["additionalProperties"]


def _options(schema: Schema) -> Iterator[Schema]:
    if "$ref" in schema:
        schema = model_schema()["$defs"][schema["$ref"].rsplit("/", 1)[-1]]
    if "anyOf" in schema:
        for option in schema["anyOf"]:
            yield from _options(option)
    else:
        yield schema
