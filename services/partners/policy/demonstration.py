"""Who a hub's demonstration partners are: everybody whom its source text names, made up to stand in for them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hubkit.contracts.codes import HUB, KINDS, hop_to
from hubkit.contracts.profile import HubPartner, Profile

#: The two persons behind the made-up agreements.
DRAFTER: Final = "Demonstration Drafter"
APPROVER: Final = "Demonstration Approver"


@dataclass(frozen=True, slots=True)
class DemonstrationPartner:
    """One organisation with all of its services. `key` is the kind of the first, with a number where others have it."""

    key: str
    name: str
    services: tuple[HubPartner, ...]

    @property
    def organisation(self) -> str:
        """The code of the organisation, as its clients have it in their tokens."""
        return f"demo-{self.key.replace('_', '-')}"

    @property
    def purposes(self) -> tuple[str, ...]:
        """Every kind of support that it may be asked for; a service of kind other may be asked for any."""
        kinds = {kind for each in self.services for kind in (each.kind, *each.also, *each.teams)}
        return tuple(sorted(KINDS - {HUB} if "other" in kinds else kinds))

    def agreement(self, lawful_basis: str, data_categories: Iterable[str]) -> dict[str, Any]:
        """Return what the made-up agreement with it says; it holds for every day that somebody may try."""
        parties = [
            {"name": name, "role": "controller", "contact": "Data protection officer", "email": "dpo@example.org"}
            for name in ("Demonstration hub", self.name)
        ]
        return {
            **_WORDS,
            "parties": parties,
            "purposes": list(self.purposes),
            "hops": sorted({hop_to(purpose) for purpose in self.purposes}),
            "data_categories": list(data_categories),
            "lawful_basis": lawful_basis,
            "special_category_condition": "substantial_public_interest",
            "statutory_power": "Victims' Code (Domestic Violence, Crime and Victims Act 2004, section 32)",
            "retention_days": 2190,
            "dpia_reference": "DEMONSTRATION-1",
            "starts_on": "2000-01-01",
            "review_on": "2099-12-31",
            "sign_off": [{"party": name, "signed_by": DRAFTER, "signed_on": "2000-01-01"} for name in
                         ("Demonstration hub", self.name)],
        }  # fmt: skip


_WORDS: Final = {
    "purpose": "To refer victims of crime to a service that helps them to cope and recover.",
    "benefit": "People get help without telling their story twice.",
    "access": "The partner's staff who support the person.",
    "transparency": "The hub's privacy notice; the person is told at the first contact.",
    "rights": "Requests go to the hub, which passes them on within five working days.",
    "accuracy": "The hub sends corrections; the partner reports what it finds wrong.",
    "security": "Encrypted on the way and at rest; access by role, and logged.",
    "transfer_method": "Webhook with a link; the details are fetched over HTTPS.",
    "disposal": "Deleted, and a statement of deletion sent to the hub.",
    "breach": "Reported to the other party within 24 hours of being found.",
    "complaints": "To either party's data protection officer.",
    "termination": "One month's notice; the data is returned or deleted.",
}


def demonstration_partners(profile: Profile) -> tuple[DemonstrationPartner, ...]:
    """Return the demonstration partners of a hub, in the order in which its profile names them."""
    services: dict[str, list[HubPartner]] = {}
    for each in (*profile.partners, *_made_up(profile.demonstration_kinds)):
        services.setdefault(each.organisation or each.name, []).append(each)
    seen: Counter[str] = Counter()
    found = []
    for name, offered in services.items():
        kind = offered[0].kind
        seen[kind] += 1
        key = kind if seen[kind] == 1 else f"{kind}_{seen[kind]}"
        found.append(DemonstrationPartner(key, name, tuple(offered)))
    return tuple(found)


def _made_up(kinds: Iterable[str]) -> list[HubPartner]:
    return [HubPartner(name=f"Demonstration {kind.replace('_', ' ')} service", kind=kind) for kind in kinds]


def made_up_organisation(name: str) -> dict[str, Any]:
    """Return what the directory says of a demonstration partner, in the form of `OrganisationPart`."""
    return {
        "name": name,
        "description": f"Made up for a demonstration of this hub; it stands in for {name}.",
        "url": "https://example.org/",
    }


def made_up_service(service: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the directory says of a demonstration service, in the form of `PublicPart`.

    The number is one that Ofcom keeps free for drama: nobody answers it.
    """
    ages = {"minimum_age": service["min_age"], "maximum_age": service["max_age"]}
    kind = str(service["kind"]).replace("_", " ")
    return {
        "name": service["name"],
        "description": f"Support of the kind {kind} for victims of crime. Made up for a demonstration of this hub.",
        "url": "https://example.org/",
        "phones": [{"number": "01632 960000"}],
        "openings": [{"days": ["MO", "TU", "WE", "TH", "FR"], "opens_at": "09:00", "closes_at": "17:00"}],
        "languages": ["en"],
        "areas": [{"name": code, "code": code} for code in service["areas"]],
        "fees": "It is free.",
        **{name: age for name, age in ages.items() if age is not None},
    }
