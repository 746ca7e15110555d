"""Reads a hub's profile from its YAML file."""

from pathlib import Path

import yaml
from pydantic import ValidationError

from hubkit.contracts.profile import Profile


class ProfileError(Exception):
    """A profile is wrong; the message lists every fault with its place."""


def load_profile(path: str | Path) -> Profile:
    """Return the profile in a file.

    Raises
    ------
    ProfileError
        When the file is missing, not YAML, or not a valid profile.
    """
    try:
        document = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        return Profile.model_validate(document)
    except OSError as error:
        raise ProfileError(f"{path}: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise ProfileError(f"{path}: not YAML: {error}") from None
    except ValidationError as error:
        faults = [f"{'.'.join(str(part) for part in e['loc']) or 'profile'}: {e['msg']}" for e in error.errors()]
        raise ProfileError(f"{path}:\n  " + "\n  ".join(faults)) from None
