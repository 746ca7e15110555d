"""Whether a decision that needs two people was taken by two.

Source: design, section 5 (safeguarding: a second person's approval), and the approval of agreements.
"""

import unicodedata


def is_same_person(one: str | None, other: str | None) -> bool:
    """Return whether two names are written alike, whatever their case, spaces and forms of letters."""
    return one is not None and other is not None and _words(one) == _words(other)


def _words(name: str) -> list[str]:
    return unicodedata.normalize("NFKC", name).casefold().split()
