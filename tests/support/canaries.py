"""Canaries: invented personal details that are known again wherever they turn up, in whatever spelling.

Every canary is a word of its own around one rare marker, so that whole disks can be searched for them at once. What
cannot hold a word (date, telephone number, postcode, crime reference) is the same throughout a run.
"""

import base64
import hashlib
import json
import random
import re
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any
from urllib.parse import quote, quote_plus

_CHANCE = random.SystemRandom()
_DIGESTS = (hashlib.sha256, hashlib.sha1, hashlib.md5)
_DATES = ("%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%d.%m.%Y", "%Y/%m/%d", "%Y%m%d", "%d %B %Y", "%d %b %Y",
          "%B %d, %Y", "%d/%m/%y", "%d%m%Y")  # fmt: skip


def _letters(count: int) -> str:
    return "".join(_CHANCE.choice("bcdfghjkqvwxz") for _ in range(count))


class Canaries:
    """The canaries of one run.

    Attributes
    ----------
    born, phone, postcode, crime_reference
        What all persons of the run have in common.
    """

    def __init__(self) -> None:
        self._marker = _letters(9)
        self._marks = {self._marker.encode(), *_encoded(self._marker)}
        self._words: dict[bytes, str] = {}
        self._others: dict[bytes, str] = {}
        self._plain: dict[bytes, str] = {self._marker.encode(): "a word"}
        day = date(_CHANCE.randrange(1931, 1980), _CHANCE.randrange(1, 13), _CHANCE.randrange(13, 29))
        self.born = self._add("date of birth", *(day.strftime(form) for form in _DATES))
        last = f"{_CHANCE.choice([number for number in range(1000) if number != 123]):03}"
        self.phone = self._add("phone", *(f"{start}{last}" for start in ("07700 900", "+447700900", "7700900", "900 ")))
        postcode = f"ZZ{_CHANCE.randrange(10, 99)} {_CHANCE.randrange(1, 9)}{_letters(2).upper()}"
        self.postcode = self._add("postcode", postcode)
        self.crime_reference = self._add("crime reference", f"35/{_CHANCE.randrange(10**6, 10**7)}/26")

    def text(self, name: str, before: str = "", after: str = "") -> str:
        """Return a line with a word of its own in it; if `name` begins with `accepted`, digests are known too."""
        word = f"K{self._marker}{_letters(8)}"
        for spelling in (word, f"{before}{word}{after}"):
            self._words |= dict.fromkeys([spelling.lower().encode(), *_encoded(spelling)], name)
            if name.startswith("accepted"):
                self._others |= dict.fromkeys(_digests(spelling), name)
        return f"{before}{word}{after}"

    def person(self, label: str) -> dict[str, Any]:
        """Return the personal parts of a referral; the names of its canaries begin with `label`."""
        return {
            "person": {
                "given_name": self.text(f"{label} given name"),
                "family_name": self.text(f"{label} family name", "O'", "-Müller"),
                "date_of_birth": self.born,
                "role": "victim",
                "address": {
                    "lines": [self.text(f"{label} address", "17 ", " Mews"), "Exampleton"],
                    "postcode": self.postcode,
                },
                "area_code": "E07000008",
                "phone": self.phone,
                "email": self.text(f"{label} email", "", "@example.org").lower(),
                "language": "en",
                "preferred_method": "phone",
            },
            "safe_contact": {
                "phone": True, "text": None, "voicemail": False, "email": True, "letter": None,
                "instructions": self.text(f"{label} instructions", "Ring twice, then ask for ", " next door"),
            },
            "narrative": self.text(f"{label} narrative", "She said that ", " had been waiting outside."),
        }  # fmt: skip

    def found_in(self, text: bytes) -> list[str]:
        """Return the names of the canaries in a text or value, in any spelling."""
        text = text.lower()
        found = _standing(self._others, text)
        if any(mark in text for mark in self._marks):
            found |= _standing(self._words, text) or {"a word"}
        return sorted(found)

    def search(self, evidence: Iterable[tuple[str, bytes]]) -> list[str]:
        """Return where canaries were found, as `place: name`, without their values."""
        return sorted({f"{place}: {name}" for place, text in evidence for name in self.found_in(text)})

    def search_files(self, files: Iterable[tuple[str, bytes]]) -> list[str]:
        """As `search`, for whole files of any size: what stands there plainly."""
        return sorted({f"{place}: {name}" for place, blob in files for name in _standing(self._plain, blob.lower())})

    def _add(self, name: str, *spellings: str) -> str:
        for spelling in spellings:
            plain = [spelling.lower().encode(), spelling.lower().replace(" ", "").encode()]
            self._plain |= dict.fromkeys(plain, name)
            self._others |= dict.fromkeys([*plain, *_encoded(spelling), *_digests(spelling)], name)
        return spellings[0]


def _standing(needles: dict[bytes, str], text: bytes) -> set[str]:
    return {name for needle, name in needles.items() if needle in text and _is_meant(needle, text)}


def _is_meant(needle: bytes, text: bytes) -> bool:
    """Whether it is no coincidence, as digits among hexadecimal digits are."""
    return not needle.isdigit() or re.search(rb"(?<![0-9a-f])" + needle + rb"(?![0-9a-f])", text) is not None


def _encoded(spelling: str) -> Iterator[bytes]:
    """Yield a detail as URLs, JSON, hexadecimal, base64 and UTF-16 show it, in lower case."""
    raw = spelling.encode()
    for shown in (quote(spelling), quote_plus(spelling), json.dumps(spelling)[1:-1], raw.hex()):
        yield shown.lower().encode()
    yield spelling.lower().encode("utf-16-le")
    for text in (raw, raw.lower()):
        for shift in range(3):  # where it starts decides how base64 shows it; its ends depend on the neighbours
            shown64 = base64.b64encode(b"\0" * shift + text)
            yield shown64[(shift * 4 + 2) // 3 : (shift + len(text)) * 4 // 3].lower()


def _digests(spelling: str) -> Iterator[bytes]:
    """Yield the digests without a key, from which a short detail could be guessed back."""
    for text in {spelling, spelling.lower(), spelling.replace(" ", "")}:
        for digest in _DIGESTS:
            yield digest(text.encode()).hexdigest().encode()
            yield digest(text.encode()).digest().lower()
