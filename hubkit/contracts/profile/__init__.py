"""A hub's profile: the validated document that makes one hub differ from another. Every rule in it is data.

Where a hub's source text is silent the field stays empty, and nothing is made up for it: no deadline, no level, no
default of another hub. `hub.Profile` is the whole; begin reading there.
"""

from hubkit.contracts.profile.conditions import Condition, ConsentIs
from hubkit.contracts.profile.hub import Profile
from hubkit.contracts.profile.part import Basis, LongWord, ProfilePart, Word
from hubkit.contracts.profile.retention import Retention
from hubkit.contracts.profile.rules import (
    AssessmentRule,
    AssignmentRule,
    AttributeRule,
    ContactRule,
    ExclusionRule,
    LevelRule,
    MatchRule,
    NeedRule,
    Performer,
    Rule,
    SurveyRule,
    Triage,
)
from hubkit.contracts.profile.sharing import (
    CaseUpdates,
    FlowBack,
    HubPartner,
    LeadProvider,
    OptIn,
    Plan,
    PlanElement,
    ReOffer,
    RingFence,
    Routing,
    Sharing,
    SinglePointOfContact,
)
from hubkit.contracts.profile.time import Calendar, Channel, Transfer, Unit, Within

__all__ = [
    "AssessmentRule",
    "AssignmentRule",
    "AttributeRule",
    "Basis",
    "Calendar",
    "CaseUpdates",
    "Channel",
    "Condition",
    "ConsentIs",
    "ContactRule",
    "ExclusionRule",
    "FlowBack",
    "HubPartner",
    "LeadProvider",
    "LevelRule",
    "LongWord",
    "MatchRule",
    "NeedRule",
    "OptIn",
    "Performer",
    "Plan",
    "PlanElement",
    "Profile",
    "ProfilePart",
    "ReOffer",
    "Retention",
    "RingFence",
    "Routing",
    "Rule",
    "Sharing",
    "SinglePointOfContact",
    "SurveyRule",
    "Transfer",
    "Triage",
    "Unit",
    "Within",
    "Word",
]
