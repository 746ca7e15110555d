"""Whether a decision that needs two people was taken by two.

Source: design, section 5 (safeguarding: a second person's approval), and the approval of agreements.
"""

import unicodedata


def is_same_person(one: str | None, other: str | None) -> bool:
    """Return whether two names consist of the same words, whatever their order, case, accents, dots and commas.

    "Example, Alex" is the same as "alex example". A name left out or cut short is another name: who signs with fewer
    words than before is not found out by this.
    """
    return one is not None and other is not None and _words(one) == _words(other)


def _words(name: str) -> list[str]:
    letters = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", name).casefold())
    kept = (each for each in letters if unicodedata.category(each) not in ("Mn", "Cf"))
    return sorted("".join(each if each.isalnum() else " " for each in kept).split())
