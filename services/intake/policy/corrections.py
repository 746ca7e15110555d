"""What a correction of a referral changes, by the names of fields."""

from collections.abc import Collection, Mapping
from typing import Any


def changed_in(
    before: Mapping[str, Any], after: Mapping[str, Any], names: Collection[str], known: Mapping[str, int], version: int
) -> dict[str, int]:
    """Return the version that changed each field last: `version` where the values differ, else what is `known`."""
    changed = [name for name in names if before.get(name) != after.get(name)]
    return {**known, **dict.fromkeys(changed, version)}
