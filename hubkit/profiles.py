"""Reads a hub's profile from its YAML file."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from typing_extensions import override

from hubkit.contracts.profile import Profile


class ProfileError(Exception):
    """A profile is wrong; the message lists every fault with its place."""


class _Loader(yaml.SafeLoader):
    """Refuses a key that appears twice: YAML would silently drop the first, and with it perhaps an exclusion."""

    @override
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        doubled = {str(key) for key in keys if keys.count(key) > 1}
        if doubled:
            raise yaml.constructor.ConstructorError(
                problem=f"appears twice: {', '.join(sorted(doubled))}", problem_mark=node.start_mark
            )
        return super().construct_mapping(node, deep)


def load_profile(path: str | Path) -> Profile:
    """Return the profile in a file.

    Raises
    ------
    ProfileError
        When the file is missing, not YAML, or not a valid profile.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ProfileError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ProfileError(f"{path}: not UTF-8") from None
    try:
        # The loader is a SafeLoader: it makes plain values alone.
        return Profile.model_validate(yaml.load(text, _Loader))  # noqa: S506
    except yaml.YAMLError as error:
        raise ProfileError(f"{path}: not YAML: {error}") from None
    except ValidationError as error:
        faults = [f"{'.'.join(str(part) for part in e['loc']) or 'profile'}: {e['msg']}" for e in error.errors()]
        raise ProfileError(f"{path}:\n  " + "\n  ".join(faults)) from None
