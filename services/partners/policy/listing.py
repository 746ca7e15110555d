"""What the public directory shows: deny by default, and what is safe is never published by mistake."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any, Final
from urllib.parse import unquote

from services.partners.model import Entry

#: A line this short is no address by itself: "5" stands in too many texts.
_TELLING: Final = 6
_TAG: Final = re.compile(r"<[^<>]*>|&[a-z]+;", re.IGNORECASE)
_REFUGE: Final = re.compile(
    r"\b(refuges?|safe[ _-]?(houses?|homes?|accommodation)|emergency accommodation|lloches(au)?)\b", re.IGNORECASE
)


def withheld(entry: Entry) -> tuple[str, ...]:
    """Return why the public does not see a service; nothing when it does."""
    reasons = {
        "not_public": not entry.is_public,
        "confidential": entry.is_confidential,
        "service_suspended": not entry.is_service_active,
        "partner_not_public": not entry.is_partner_public,
        "partner_confidential": entry.is_partner_confidential,
        "partner_suspended": not entry.is_partner_active,
    }
    return tuple(reason for reason, holds in reasons.items() if holds)


def hides_people(texts: Iterable[str]) -> bool:
    """Whether these words say that people are hidden there, so that nothing of it may become public by default."""
    return any(_REFUGE.search(text) for text in texts)


def is_open(document: dict[str, Any], day: str | None, start: str | None, end: str | None) -> bool:
    """Whether a service says of one of its openings that it is on this day, from then or later, until then or earlier.

    None asks nothing; what an opening does not say does not match.
    """
    return any(
        (day is None or day in opening.get("days", ()))
        and (start is None or opening.get("opens_at", "") >= start)
        and (end is None or "" < opening.get("closes_at", "") <= end)
        for opening in document.get("openings", ())
    )


def searched(document: dict[str, Any]) -> str:
    """Return the text of a public part in which a search looks."""
    welsh = document.get("welsh") or {}
    parts = [document.get("name"), document.get("description"), welsh.get("name"), welsh.get("description")]
    parts += [area.get("name") for area in document.get("areas", ())]
    return "\n".join(part for part in parts if part).casefold()


def texts_of(node: Any) -> Iterator[str]:
    """Return every text in a document."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for value in node.values():
            yield from texts_of(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from texts_of(value)


def secrets_of(private: dict[str, Any]) -> list[str]:
    """Return what of a private part would tell where people are: the postcode and each telling line of the address."""
    address = private.get("safe_address") or {}
    lines = [line for line in address.get("lines", ()) if len(_folded(line)) >= _TELLING]
    return [*lines, *([address["postcode"]] if address.get("postcode") else [])]


def gives_away(public: Iterable[Any], secrets: Iterable[str]) -> bool:
    """Whether one of `secrets` stands in one of the `public` documents, however it is spaced and written."""
    wanted = [_folded(secret) for secret in secrets]
    # Each text by itself: nothing is found across the border of two.
    texts = [_folded(text) for document in public for text in texts_of(document)] if wanted else []
    return any(secret in text for secret in wanted for text in texts)


def _folded(text: str) -> str:
    """Return the letters and digits of a text, without accents, widths, mark-up and the encoding of web addresses."""
    plain = unicodedata.normalize("NFKD", _TAG.sub("", unquote(text)))
    return "".join(character for character in plain.casefold() if character.isalnum())
