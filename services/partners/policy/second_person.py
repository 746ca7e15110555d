"""Whether a decision that needs two people was taken by two.

Source: design, section 5 (safeguarding: a second person's approval), and the approval of agreements.
"""

import unicodedata


def is_same_person(one: str | None, other: str | None) -> bool:
    """Return whether two names are written alike, whatever their case, spaces and forms of letters."""
    return one is not None and other is not None and _plain(one) == _plain(other)


def _plain(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
