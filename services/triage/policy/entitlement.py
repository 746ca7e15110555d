"""Which rights the person has under the Victims' Code: enhanced or standard.

Source: Code of Practice for Victims of Crime in England and Wales, 1 April 2021, "Victims who are eligible for enhanced
rights". It binds all hubs; a profile can only narrow the categories to those that the hub's own text names.
"""

from hubkit.contracts.profile import Condition
from services.triage.model import Entitlement, Subject
from services.triage.policy.conditions import Predicate, compile_condition

#: "Victims of the most serious crime": domestic abuse, hate crime, terrorism, sexual offences, human trafficking and
#: modern slavery, attempted murder, kidnap, false imprisonment, arson with intent to endanger life, wounding or
#: grievous bodily harm with intent; and the bereaved close relative.
_MOST_SERIOUS = Condition(
    any_of=(
        Condition(
            any_marker=(
                "most_serious_crime", "domestic_abuse", "da_risk_high", "da_risk_medium", "da_risk_standard",
                "hate_crime", "sexual_violence", "child_sexual_abuse",
            )
        ),
        Condition(
            crimes=(
                "sexual", "violence.homicide", "violence.attempted_murder", "violence.gbh_intent",
                "violence.kidnap_false_imprisonment", "violence.modern_slavery", "damage.arson_endanger_life",
                "stalking_harassment.coercive_control", "non_crime.domestic_incident",
            )
        ),
        Condition(roles=("bereaved_relative",)),
    )
)  # fmt: skip

#: "Persistently targeted victims": targeted repeatedly over a period of time, especially in a campaign of harassment or
#: stalking. One repeat (`repeat_victim`) alone is not persistent.
_PERSISTENTLY_TARGETED = Condition(
    any_of=(
        Condition(any_marker=("persistently_targeted",)),
        Condition(crimes=("stalking_harassment.stalking", "stalking_harassment.harassment")),
    )
)

#: "Vulnerable or intimidated victims", less the age of a minor, which `decide_entitlement` asks for the time of the
#: offence. Complainants of sexual offences and domestic abuse are treated as intimidated.
_VULNERABLE = Condition(
    any_of=(
        Condition(
            any_marker=(
                "vulnerable", "intimidated", "officer_flag_vulnerable", "child", "child_sexual_abuse",
                "child_exploitation", "domestic_abuse", "da_risk_high", "da_risk_medium", "da_risk_standard",
                "sexual_violence",
            )
        ),
        Condition(crimes=("sexual",)),
    )
)  # fmt: skip

#: "Service providers may extend enhanced rights to others": the police or a hub manager judged so.
_JUDGED = Condition(any_marker=("enhanced",))
_JUDGED_CATEGORY = "judged_enhanced"

_MINOR_BELOW = 18


def _is_minor(subject: Subject) -> bool:
    """Whether the person was under 18 at the time of the offence, for certain."""
    return subject.offence_age is not None and subject.offence_age < _MINOR_BELOW


def _vulnerable_predicate() -> Predicate:
    is_marked = compile_condition(_VULNERABLE)
    return lambda subject: _is_minor(subject) or is_marked(subject)


_CATEGORIES: tuple[tuple[str, Predicate], ...] = (
    ("most_serious_crime", compile_condition(_MOST_SERIOUS)),
    ("persistently_targeted", compile_condition(_PERSISTENTLY_TARGETED)),
    ("vulnerable_or_intimidated", _vulnerable_predicate()),
    (_JUDGED_CATEGORY, compile_condition(_JUDGED)),
)


def categories(named: tuple[str, ...] | None) -> tuple[tuple[str, Predicate], ...]:
    """Return the categories that count in a hub, with their predicates; `named` None means all of the Code."""
    return tuple(entry for entry in _CATEGORIES if named is None or entry[0] in named)


def decide_entitlement(categories: tuple[tuple[str, Predicate], ...], subject: Subject) -> Entitlement:
    """Return the entitlement with every category that gives it; several can apply together."""
    given = tuple(name for name, applies in categories if applies(subject))
    return Entitlement("enhanced" if given else "standard", given)


def judge_entitlement(found: Entitlement, judged_enhanced: bool | None) -> Entitlement:
    """Return the entitlement after a professional's judgement, which stands over the rules either way."""
    if judged_enhanced is None:
        return found
    if not judged_enhanced:
        return Entitlement("standard")
    others = tuple(name for name in found.categories if name != _JUDGED_CATEGORY)
    return Entitlement("enhanced", (*others, _JUDGED_CATEGORY))
