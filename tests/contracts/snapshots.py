"""What may change in an event contract within its version: only optional fields may be added."""

from pathlib import Path
from typing import Any

from hubkit.contracts import Contract

FOLDER = Path(__file__).resolve().parents[2] / "hubkit" / "contracts" / "schemas"


def schema_of(contract: type[Contract]) -> dict[str, Any]:
    """Return a contract's JSON schema as consumers read it."""
    return contract.model_json_schema(mode="validation")


def breaches(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Return what in `new` would break a reader or a writer of `old`; empty when the change is additive."""
    found = _object_breaches("", old, new)
    for name, old_part in old.get("$defs", {}).items():
        new_part = new.get("$defs", {}).get(name)
        if new_part is None:
            found.append(f"{name} is gone")
        else:
            found += _object_breaches(f"{name}.", old_part, new_part)
    return found


def _object_breaches(where: str, old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    found = [f"{where}{name} is gone" for name in before if name not in after]
    found += [
        f"{where}{name} changed" for name in before if name in after and _shape(before[name]) != _shape(after[name])
    ]
    found += [f"{where}{name} became required" for name in set(new.get("required", [])) - set(old.get("required", []))]
    return found


def _shape(field: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in field.items() if key not in ("title", "description", "default")}
