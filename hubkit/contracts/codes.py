"""The code lists that referrals, profiles and agreements share.

Source: the shared vocabulary of hub facts (channels, markers, partner kinds) and the two-level crime taxonomy after the
Home Office Counting Rules groups.
"""

CHANNELS = frozenset({
    "police_automatic", "police_case_by_case", "police_system_capture", "self_referral", "agency", "action_fraud",
    "british_transport_police", "neighbouring_hub", "hub_member_service", "oic_re_offer",
})  # fmt: skip

MARKERS = frozenset({
    "enhanced", "vulnerable", "intimidated", "persistently_targeted", "most_serious_crime", "domestic_abuse",
    "da_risk_high", "da_risk_medium", "da_risk_standard", "sexual_violence", "hate_crime", "child",
    "child_sexual_abuse", "child_exploitation", "older_person", "repeat_victim", "mental_health_need", "major_crime",
    "support_requested", "priority_crime", "asb_high_risk", "at_risk_da", "at_risk_sv", "non_intimate",
    "intimate_partner", "officer_flag_vulnerable", "needs_identified", "no_needs_identified", "young_person", "lgbtq",
})  # fmt: skip

#: Kinds of partner service; a need's code is the kind of service that meets it.
KINDS = frozenset({
    "idva", "isva", "domestic_abuse", "sexual_violence", "counselling", "children_young_people", "mental_health",
    "restorative_justice", "witness_care", "witness_service", "stalking", "hate_crime", "modern_slavery",
    "serious_violence", "fraud", "older_people", "lgbtq", "multi_crime", "local_authority", "citizens_advice",
    "substance_misuse", "road_harm", "asb", "serious_fire", "advocacy", "online_wellbeing", "volunteers",
    "safeguarding", "adult_victims", "hub", "other",
})  # fmt: skip
#: The kind of another hub, and the need of somebody who lives in its area.
HUB = "hub"

_CRIMES = {
    "violence": "homicide attempted_murder gbh_intent with_injury without_injury strangulation threats_to_kill "
    "kidnap_false_imprisonment modern_slavery child_cruelty fgm_forced_marriage death_injury_by_driving",
    "stalking_harassment": "stalking harassment malicious_communications coercive_control",
    "sexual": "rape sexual_assault child_sexual_abuse child_sexual_exploitation exposure_voyeurism intimate_image "
    "other",
    "robbery": "personal business",
    "burglary": "residential business_community",
    "vehicle": "theft_of theft_from interference",
    "theft": "from_person bicycle shoplifting dwelling blackmail other",
    "damage": "criminal_damage arson arson_endanger_life",
    "public_order": "fear_alarm_distress violent_disorder other",
    "weapons": "possession",
    "drugs": "any",
    "fraud": "apf banking cyber other",
    "misc": "perverting_justice witness_intimidation other",
    "non_crime": "asb road_harm fire hate_incident domestic_incident unknown",
}

#: Crime categories `level1.level2`.
CRIMES = frozenset(f"{first}.{second}" for first, names in _CRIMES.items() for second in names.split())
CRIME_GROUPS = frozenset(_CRIMES)

ROLES = frozenset({"victim", "witness", "bereaved_relative", "parent_or_guardian"})
#: The methods by which the system itself can tell somebody something, best first.
SENT_METHODS = ("email", "text", "letter")
METHODS = frozenset({
    "phone", "text", "email", "letter", "face_to_face", "home_visit", "video", "online", "secure_email",
})  # fmt: skip
#: What a person decides about: the two ways of their data, being asked what it was like, their story being told.
HOPS = frozenset({"police_to_hub", "hub_to_partner", "hub_to_hub", "survey", "case_study"})
#: The hops by which a person is referred onward; another hub has one of its own.
ONWARD_HOP, HUB_HOP = "hub_to_partner", "hub_to_hub"
ONWARD_HOPS = frozenset({ONWARD_HOP, HUB_HOP})
CONSENT_DECISIONS = frozenset({"given", "refused", "withdrawn", "not_asked"})
CONSENT_METHODS = frozenset({"spoken", "written", "online", "implied"})
RISK_INSTRUMENTS = frozenset({"dash", "dara", "other"})
RISK_GRADES = frozenset({"standard", "medium", "high"})

ENTITLEMENTS = frozenset({"enhanced", "standard"})
#: The categories of the Victims' Code that give enhanced rights; the last is the provider's own judgement.
ENHANCED_CATEGORIES = frozenset({
    "most_serious_crime", "persistently_targeted", "vulnerable_or_intimidated", "judged_enhanced",
})  # fmt: skip
#: By what a hub triages; `none`: its text says that it does not.
TRIAGE_BASES = frozenset({
    "severity", "vulnerability", "enhanced_entitlement", "professional_judgement", "risk_and_need", "need",
    "vulnerability_marker", "none",
})  # fmt: skip
#: What triage may decide about a referral.
OUTCOMES = frozenset({
    "accepted", "excluded", "out_of_scope", "not_referred", "channel_not_active", "no_active_profile", "pending",
    "returned",
})  # fmt: skip

#: What an assessment with the person found, as one field: triage has it, while intake has all others.
ASSESSMENT = "assessment"
#: What an agreement and a consent may cover, and the fields each category means.
DATA_CATEGORIES: dict[str, tuple[str, ...]] = {
    "identity": ("given_name", "family_name", "date_of_birth", "language", "role"),
    "contact": ("address", "phone", "email", "preferred_method", "safe_contact"),
    "crime": ("crime_category", "crime_reference", "occurred_on"),
    "needs": ("needs", "markers"),
    "risk": ("risk",),
    "narrative": ("narrative",),
    ASSESSMENT: (ASSESSMENT,),
}

#: How a person answers the hub's offer of support.
OFFER_ANSWERS = frozenset({"accepted", "declined"})
#: What an assessment may find beside needs.
FINDINGS = frozenset({
    "advisor_required", "case_manager_required", "additional_needs", "in_house_support",
    "enhanced_professional_support", "no_needs",
})  # fmt: skip
#: How an attempt to reach a person ended.
ATTEMPT_OUTCOMES = frozenset({"reached", "no_answer", "wrong_details", "refused", "sent", "failed"})
#: Why staff let the clock of a contact stand still.
PAUSE_REASONS = frozenset({
    "person_asked_to_wait", "person_abroad_or_in_hospital", "unsafe_to_contact", "no_safe_method",
    "police_asked_to_wait",
})  # fmt: skip
COURT_EVENTS = frozenset({"charge", "plea_entered", "hearing_listed", "trial", "sentence", "appeal"})
PLEAS = frozenset({"guilty", "not_guilty"})
#: What can be asked of a hub that is not a referral.
DATA_KINDS = frozenset({
    "case_data", "case_information", "case_management_system", "case_study", "referral_data", "support_provision",
})  # fmt: skip
#: Grounds on which a ring-fence may be opened.
ACCESS_GROUNDS = frozenset({"safeguarding_risk", "court_order"})
PURPOSES = frozenset({"support", "hate_crime_report"})
INTAKE_METHODS = frozenset({"website", "phone", "email", "freephone", "letter", "in_person"})


def hop_to(kind: str) -> str:
    """Return the hop by which a person is referred to a service of this kind."""
    return HUB_HOP if kind == HUB else ONWARD_HOP
