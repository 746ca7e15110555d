"""Whether a decision that needs two people was taken by two.

Source: design, section 5 (safeguarding: a second person's approval), and the approval of agreements.
"""

import unicodedata


def is_same_person(one: str | None, other: str | None) -> bool:
    """Return whether two names consist of the same words, whatever their order, case, accents, dots and commas.

    "Example, Alex" is the same as "alex example", and as "alex.example@example.org"; two addresses are the same as a
    whole alone. A name left out or cut short is another name: who signs with fewer words is not found out by this.
    """
    if one is None or other is None:
        return False
    if ("@" in one) != ("@" in other):
        one, other = one.split("@")[0], other.split("@")[0]
    return _words(one) == _words(other)


def _words(name: str) -> list[str]:
    letters = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", name).casefold())
    kept = (each for each in letters if unicodedata.category(each) not in ("Mn", "Cf"))
    return sorted("".join(each if each.isalnum() else " " for each in kept).split())
