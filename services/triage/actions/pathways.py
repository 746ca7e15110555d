"""What the news of pathways and onward referrals come to, in one word for each pathway."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hubkit.contracts.profile import Profile
from services.triage.schemas.views import CandidateView, PathwayView

Codes = dict[str, Any]

_HOP = "hub_to_partner"
#: What a pathway's own status says of it, whatever was heard of onward referrals.
_BY_PATHWAY = {
    "signposted": "signposted",
    "awaiting_choice": "pending",
    "awaiting_lead": "pending",
    "no_candidate": "pending",
    "awaiting_consent": "refused",
    "stopped": "not_needed",
    "led_elsewhere": "not_needed",
    "exhausted": "refused",
}
#: What the newest news of its onward referral says of a pathway that asks or has a service.
_BY_ONWARD = {
    "ready": "referred",
    "sent": "referred",
    "received": "referred",
    "accepted": "referred",
    "in_support": "referred",
    "closed": "referred",
    "refused": "refused",
    "awaiting_consent": "refused",
}


def latest(news: Iterable[Codes], key: str) -> list[Codes]:
    """Return the newest of each thing's news, whatever order they arrived in; things stay in order of first mention."""
    found: dict[str, Codes] = {}
    for codes in news:
        standing = found.setdefault(codes[key], codes)
        if codes["version"] > standing["version"]:
            found[codes[key]] = codes
    return list(found.values())


def pathway_views(pathways: Iterable[Codes], onward: Sequence[Codes], profile: Profile) -> list[PathwayView]:
    """Return pathways with their outcome.

    Parameters
    ----------
    pathways, onward
        The newest news of each.
    """
    by_id = {codes["onward_referral_id"]: codes for codes in onward}
    return [_view(codes, _asked(codes, onward, by_id), profile) for codes in pathways]


def _asked(pathway: Codes, onward: Iterable[Codes], by_id: Mapping[str, Codes]) -> Codes:
    """Return the news of the onward referral that a pathway names, else the newest of all of its own."""
    named = pathway.get("onward_referral_id")
    if named is not None:
        return by_id.get(named, {})
    own = [codes for codes in onward if codes["pathway_id"] == pathway["pathway_id"]]
    return max(own, key=lambda codes: codes["changed_at"], default={})


def _view(codes: Codes, asked: Codes, profile: Profile) -> PathwayView:
    status = codes["status"]
    reasons = codes.get("reasons") or asked.get("reasons", [])
    return PathwayView(
        id=codes["pathway_id"],
        need=codes["need"],
        status=status,
        outcome=_BY_PATHWAY.get(status) or _BY_ONWARD.get(asked.get("status", "")),
        reason=profile.reason_for(_HOP, reasons[0]) if reasons else None,
        reasons=reasons,
        service_id=codes.get("service_id"),
        partner_id=codes.get("partner_id"),
        team=codes.get("team"),
        onward_referral_id=codes.get("onward_referral_id"),
        changed_at=asked.get("changed_at") or codes.get("changed_at"),
        candidates=[CandidateView.model_validate({"reasons": [], **found}) for found in codes.get("candidates", [])],
    )
