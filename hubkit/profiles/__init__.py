"""Reads hubs' profiles from their YAML files.

A file holds one YAML document for each version by date. `$name` in it stands for a value under `parameters`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hubkit.clock import Clock, SystemClock
from hubkit.contracts.profile import Profile
from hubkit.profiles.book import Prepared, ProfileBook
from hubkit.profiles.fault import Fault, ProfileError
from hubkit.profiles.schema import editor_schema
from hubkit.profiles.validate import read_versions

__all__ = ["Fault", "Prepared", "ProfileBook", "ProfileError", "editor_schema", "load_profile", "read_versions"]


def load_profile(path: str | Path, parameters: Mapping[str, Any] | None = None, clock: Clock | None = None) -> Profile:
    """Return the version in a file that is valid today; `ProfileBook.at` says what that is where there is none.

    Raises
    ------
    ProfileError
        When the file is missing, not YAML, or not a valid profile, or when versions overlap.
    """
    return ProfileBook(path, parameters).current((clock or SystemClock()).now())
