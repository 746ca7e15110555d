"""What a message says, in English and Welsh.

Somebody else may read it first. So no wording names a crime or calls anybody a victim, no wording holds a detail of the
person, not even the name, and a text message, which shows on a locked screen, does not carry the hub's own name where
that name says too much.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

LANGUAGES: Final = ("en", "cy")

#: Words, and beginnings of words, that tell a stranger too much.
REVEALING = re.compile(
    r"\b(victim|witness|crim|police|constab|abus|violen|assault|rape|offen[cd]|safeguard|court|refuge|dioddef|tyst|trosedd"
    r"|heddlu|trais|treis|cam-?dri|camdri|llys\b|lloches)",
    re.IGNORECASE,
)

_NEUTRAL = {"en": "your local support service", "cy": "eich gwasanaeth cymorth lleol"}
_GREETING = {"en": "This is {sender}.", "cy": "Neges gan {sender}."}
_CONTACT = {"en": "To reach us: {contact}", "cy": "I gysylltu â ni: {contact}"}
_SUBJECT = {"en": "A message for you", "cy": "Neges i chi"}

_OFFER = {
    "en": "We offer free and confidential support. It is up to you whether you would like any.",
    "cy": "Rydym yn cynnig cymorth cyfrinachol, am ddim. Chi sydd i benderfynu a hoffech ei gael.",
}
_REACH_US = {
    "en": "We are here if you would like to talk, now or later.",
    "cy": "Rydym yma os hoffech siarad, nawr neu yn nes ymlaen.",
}
_SUPPORT = {
    "en": "We would like to speak with you. Please get in touch when it is a good time for you.",
    "cy": "Hoffem siarad â chi. Cysylltwch â ni pan fydd yn amser da i chi.",
}
_ASSESSMENT = {
    "en": "We would like to talk with you about what would help. It is up to you whether you would like to.",
    "cy": "Hoffem siarad â chi am yr hyn a fyddai'n helpu. Chi sydd i benderfynu a hoffech wneud hynny.",
}
_SURVEY = {
    "en": "We would like to hear how you found our service. It is up to you whether you take part.",
    "cy": "Hoffem glywed eich barn am ein gwasanaeth. Chi sydd i benderfynu a hoffech gymryd rhan.",
}
#: By purpose; every other purpose says what `support` says.
TEXTS: Final[dict[str, dict[str, str]]] = {
    "initial": _OFFER,
    "offer": _OFFER,
    "proactive_offer": _OFFER,
    "offer_needs_assessment": _ASSESSMENT,
    "how_to_contact": _REACH_US,
    "who_to_contact_information": _REACH_US,
    "service_information": _REACH_US,
    "support": _SUPPORT,
    "survey": _SURVEY,
}
#: What a longer message adds for a code of its content; a code that is not here adds nothing.
CONTENT: Final[dict[str, dict[str, str]]] = {
    "available_services": {
        "en": "We can tell you which services there are for you.",
        "cy": "Gallwn ddweud wrthych pa wasanaethau sydd ar gael i chi.",
    },
    "case_progress": {
        "en": "We can tell you how things are going.",
        "cy": "Gallwn ddweud wrthych sut mae pethau'n mynd.",
    },
    "code_rights": {
        "en": "We can tell you about your rights.",
        "cy": "Gallwn ddweud wrthych am eich hawliau.",
    },
    "court_attendance": {
        "en": "We can tell you what to expect on the day, and come with you.",
        "cy": "Gallwn ddweud wrthych beth i'w ddisgwyl ar y diwrnod, a dod gyda chi.",
    },
    "opt_in_any_time": {
        "en": "You can come back to us at any time.",
        "cy": "Gallwch ddod yn ôl atom ar unrhyw adeg.",
    },
    "support_available": {
        "en": "Support is there for you whenever you would like it.",
        "cy": "Mae cymorth ar gael i chi pryd bynnag yr hoffech ei gael.",
    },
}


@dataclass(frozen=True, slots=True)
class Words:
    """What one message says. The subject is of an email alone."""

    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends: the hub's name, and how a person reaches it, where the operator has said so."""

    name: str
    contact: str | None = None


def language_of(tag: str | None) -> str:
    """Return the language to write in for a person's language tag: Welsh where it is asked for, else English."""
    first = (tag or "").partition("-")[0].lower()
    return first if first in LANGUAGES else "en"


def words_for(method: str, purpose: str, content: Sequence[str], language: str, sender: Sender) -> Words:
    """Return what to say; a text message is the shortest form of it."""
    is_short = method == "text"
    name = _NEUTRAL[language] if is_short and REVEALING.search(sender.name) else sender.name
    lines = [_GREETING[language].format(sender=name), TEXTS.get(purpose, _SUPPORT)[language]]
    if not is_short:
        lines += [CONTENT[code][language] for code in content if code in CONTENT]
    if sender.contact:
        lines.append(_CONTACT[language].format(contact=sender.contact))
    return Words(_SUBJECT[language], (" " if is_short else "\n\n").join(lines))
