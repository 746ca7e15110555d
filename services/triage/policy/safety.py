"""Which ways of contact are safe.

Source: SafeLives and Tech Safety guidance on contacting survivors: re-check each time, use no method that the survivor
has not said is safe. With unknown safety and signs of domestic abuse, stalking or honour-based abuse: no letter, no
text, no voicemail, and the police check first. A method that a hub's rule asks for yields to this, and the reason is
kept.
"""

from dataclasses import dataclass

from hubkit.contracts.profile import Condition
from hubkit.contracts.referral import SafeContactFacts
from services.triage.model import LeftOut, Subject
from services.triage.policy.conditions import compile_condition

#: Signs that a letter, text or visit may be seen by the suspect.
_SENSITIVE = compile_condition(
    Condition(
        any_of=(
            Condition(
                any_marker=(
                    "domestic_abuse", "da_risk_high", "da_risk_medium", "da_risk_standard", "at_risk_da",
                    "intimate_partner",
                )
            ),
            Condition(
                crimes=(
                    "stalking_harassment.stalking", "stalking_harassment.coercive_control",
                    "violence.fgm_forced_marriage", "non_crime.domestic_incident",
                )
            ),
        )
    )
)  # fmt: skip

#: The field of the person's safe contact answers that speaks for a method.
_SPOKEN_FOR = {"phone": "phone", "text": "text", "email": "email", "secure_email": "email", "letter": "letter"}
#: What must not be used on a guess when there are such signs.
_NEVER_GUESSED = frozenset({"text", "letter", "home_visit"})
#: What staff choose from where the hub's text names no methods, as far as it can be unsafe.
_ALL = ("phone", "text", "email", "letter", "home_visit")


@dataclass(frozen=True, slots=True)
class SafeMethods:
    """The methods that may be used (None: staff choose), what was left out and why, and what to mind."""

    methods: tuple[str, ...] | None
    left_out: tuple[LeftOut, ...]
    cautions: tuple[str, ...]


def keep_safe(methods: tuple[str, ...] | None, safe: SafeContactFacts, subject: Subject) -> SafeMethods:
    """Take the unsafe methods out of those a contact would use."""
    is_sensitive = _SENSITIVE(subject)
    left_out = []
    for method in _ALL if methods is None else methods:
        said = getattr(safe, _SPOKEN_FOR[method]) if method in _SPOKEN_FOR else None
        if said is False:
            left_out.append(LeftOut(method, "said_unsafe"))
        elif said is None and is_sensitive and method in _NEVER_GUESSED:
            left_out.append(LeftOut(method, "safety_unknown"))
    unsafe = {item.method for item in left_out}
    kept = None if methods is None else tuple(method for method in methods if method not in unsafe)
    return SafeMethods(kept, tuple(left_out), _cautions(safe, is_sensitive))


def _cautions(safe: SafeContactFacts, is_sensitive: bool) -> tuple[str, ...]:
    is_unknown = all(said is None for said in (safe.phone, safe.text, safe.email, safe.letter))
    found = (
        ("police_safe_contact_check_first", is_sensitive and is_unknown),
        ("no_voicemail", safe.voicemail is False or (is_sensitive and safe.voicemail is None)),
        ("read_contact_instructions", safe.has_instructions),
    )
    return tuple(code for code, applies in found if applies)
