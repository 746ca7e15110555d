"""The route table: every public call that a service answers, the scope it needs, the service. Nothing else passes."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from gateway.model import PUBLIC, Route, RouteClass, Upstream

_READ, _WRITE, _TRANSFER = RouteClass.READ, RouteClass.WRITE, RouteClass.TRANSFER
_INTAKE, _TRIAGE, _PARTNERS = Upstream.INTAKE, Upstream.TRIAGE, Upstream.PARTNERS
#: A transfer may be 1 GiB and a slow line is no reason to refuse it.
_TRANSFER_S: Final = 3600.0
#: A withdrawal is answered when what was on its way has settled, which takes up to 20 seconds.
_WITHDRAWAL_S: Final = 30.0
#: What staff record about a case; triage decides anew after each.
_WHAT_HAPPENS_TO_A_CASE: Final = (
    "judgements",
    "offers",
    "contacts",
    "contacts/{contact_id}/attempts",
    "contacts/{contact_id}/pause",
    "contacts/{contact_id}/resume",
    "attempts",
    "assessments",
    "choices",
    "onward-referrals",
    "leads",
    "events",
    "surveys",
    "close",
    "reopen",
)
#: What is done to an agreement, each by a named person.
_ON_AGREEMENTS: Final = ("approve", "suspend", "resume", "end")

#: What anybody may read. Source: the paths that Open Referral UK 3.0 and HSDS 3.0 give a directory.
_DIRECTORY: Final = ("services", "service_at_locations", "organizations", "taxonomies", "taxonomy_terms")

#: Source: design.md section 6.
ROUTES: Final[tuple[Route, ...]] = (
    Route("POST", "/v1/referrals", "referrals:write", _INTAKE, _WRITE),
    Route("GET", "/v1/referrals/{id}", "referrals:read", _INTAKE, _READ),
    Route("POST", "/v1/transfers", "transfers:write", _INTAKE, _TRANSFER, is_streamed=True, timeout_s=_TRANSFER_S),
    Route("GET", "/v1/transfers/{id}", "transfers:write", _INTAKE, _READ),
    Route("GET", "/v1/transfers/{id}/rows", "transfers:write", _INTAKE, _READ),
    Route("GET", "/v1/cases", "cases:read", _TRIAGE, _READ),
    Route("GET", "/v1/cases/{id}", "cases:read", _TRIAGE, _READ),
    Route("GET", "/v1/cases/{id}/explanation", "cases:read", _TRIAGE, _READ),
    *(Route("POST", f"/v1/cases/{{id}}/{name}", "cases:write", _TRIAGE, _WRITE) for name in _WHAT_HAPPENS_TO_A_CASE),
    Route("GET", "/v1/cases/{id}/links", "cases:read", _TRIAGE, _READ),
    Route("POST", "/v1/cases/{id}/links", "cases:write", _TRIAGE, _WRITE),
    Route("GET", "/v1/cases/{id}/disclosures", "cases:read", _PARTNERS, _READ),
    Route("GET", "/v1/cases/{id}/onward-referrals", "cases:read", _PARTNERS, _READ),
    Route("POST", "/v1/cases/{id}/access-requests", "cases:write", _PARTNERS, _WRITE),
    Route("GET", "/v1/cases/{id}/gate", "cases:read", _PARTNERS, _READ),
    Route("PUT", "/v1/cases/{id}/protection", "cases:write", _PARTNERS, _WRITE, timeout_s=_WITHDRAWAL_S),
    Route("GET", "/v1/cases/{id}/safeguarding-disclosures", "cases:read", _PARTNERS, _READ),
    Route("POST", "/v1/cases/{id}/safeguarding-disclosures", "cases:write", _PARTNERS, _WRITE),
    Route("POST", "/v1/cases/{id}/safeguarding-disclosures/{decision_id}/approve", "cases:write", _PARTNERS, _WRITE),
    Route("GET", "/v1/withdrawal-acknowledgements", "cases:read", _PARTNERS, _READ),
    Route("POST", "/v1/onward-referrals/{id}/withdrawal-acknowledgement", "onward:write", _PARTNERS, _WRITE),
    Route("PUT", "/v1/partners/{id}/kept-from", "directory:write", _PARTNERS, _WRITE),
    Route("GET", "/v1/cases/{id}/consents", "cases:read", _PARTNERS, _READ),
    Route("POST", "/v1/cases/{id}/consents", "cases:write", _PARTNERS, _WRITE, timeout_s=_WITHDRAWAL_S),
    Route("GET", "/v1/cases/{id}/objections", "cases:read", _PARTNERS, _READ),
    Route("POST", "/v1/cases/{id}/objections", "cases:write", _PARTNERS, _WRITE, timeout_s=_WITHDRAWAL_S),
    Route("GET", "/v1/cases/{id}/information-requests", "cases:read", _PARTNERS, _READ),
    Route("POST", "/v1/cases/{id}/information-requests", "cases:write", _PARTNERS, _WRITE),
    Route("POST", "/v1/cases/{id}/information-requests/{request_id}/decide", "cases:write", _PARTNERS, _WRITE),
    Route("GET", "/v1/onward-referrals", "onward:read", _PARTNERS, _READ),
    Route("GET", "/v1/onward-referrals/{id}", "onward:read", _PARTNERS, _READ),
    Route("GET", "/v1/onward-referrals/{id}/actions", "onward:read", _PARTNERS, _READ),
    Route("GET", "/v1/onward-referrals/{id}/amendments", "onward:read", _PARTNERS, _READ),
    Route("POST", "/v1/onward-referrals/{id}/amendments/{number}/acknowledgement", "onward:write", _PARTNERS, _WRITE),
    Route("GET", "/v1/onward-referrals/{id}/receipts", "onward:read", _PARTNERS, _READ),
    Route("POST", "/v1/onward-referrals/{id}/receive", "onward:write", _PARTNERS, _WRITE),
    Route("POST", "/v1/onward-referrals/{id}/accept", "onward:write", _PARTNERS, _WRITE),
    Route("POST", "/v1/onward-referrals/{id}/decline", "onward:write", _PARTNERS, _WRITE),
    Route("POST", "/v1/onward-referrals/{id}/progress", "onward:write", _PARTNERS, _WRITE),
    Route("POST", "/v1/onward-referrals/{id}/close", "onward:write", _PARTNERS, _WRITE),
    Route("POST", "/v1/onward-referrals/{id}/recall", "cases:write", _PARTNERS, _WRITE),
    Route("GET", "/v1/webhook-endpoints", "webhooks:manage", _PARTNERS, _READ),
    Route("POST", "/v1/webhook-endpoints", "webhooks:manage", _PARTNERS, _WRITE),
    Route("PUT", "/v1/webhook-endpoints/{id}", "webhooks:manage", _PARTNERS, _WRITE, timeout_s=_WITHDRAWAL_S),
    Route("POST", "/v1/webhook-endpoints/{id}/verify", "webhooks:manage", _PARTNERS, _WRITE),
    Route("DELETE", "/v1/webhook-endpoints/{id}", "webhooks:manage", _PARTNERS, _WRITE),
    Route("POST", "/v1/webhook-endpoints/{id}/rotate-secret", "webhooks:manage", _PARTNERS, _WRITE),
    Route("POST", "/v1/webhook-endpoints/{id}/test", "webhooks:manage", _PARTNERS, _WRITE),
    Route("POST", "/v1/webhook-endpoints/{id}/resume", "webhooks:manage", _PARTNERS, _WRITE),
    Route("GET", "/v1/webhook-deliveries", "webhooks:manage", _PARTNERS, _READ),
    Route("GET", "/v1/webhook-deliveries/{id}", "webhooks:manage", _PARTNERS, _READ),
    Route("POST", "/v1/webhook-deliveries/replay", "webhooks:manage", _PARTNERS, _WRITE),
    Route("POST", "/v1/webhook-deliveries/{id}/replay", "webhooks:manage", _PARTNERS, _WRITE),
    Route("GET", "/v1/agreements", "agreements:read", _PARTNERS, _READ),
    Route("GET", "/v1/agreements/forecast", "agreements:read", _PARTNERS, _READ),
    Route("GET", "/v1/agreements/{id}", "agreements:read", _PARTNERS, _READ),
    Route("GET", "/v1/agreements/{id}/versions", "agreements:read", _PARTNERS, _READ),
    Route("GET", "/v1/agreements/{id}/versions/{number}", "agreements:read", _PARTNERS, _READ),
    Route("POST", "/v1/agreements", "agreements:write", _PARTNERS, _WRITE),
    Route("PUT", "/v1/agreements/{id}", "agreements:write", _PARTNERS, _WRITE),
    *(Route("POST", f"/v1/agreements/{{id}}/{name}", "agreements:write", _PARTNERS, _WRITE) for name in _ON_AGREEMENTS),
    Route("GET", "/v1/partners", "cases:read", _PARTNERS, _READ),
    Route("POST", "/v1/partners", "directory:write", _PARTNERS, _WRITE),
    Route("GET", "/v1/partners/{id}/webhook-domains", "directory:write", _PARTNERS, _READ),
    Route("PUT", "/v1/partners/{id}/webhook-domains", "directory:write", _PARTNERS, _WRITE),
    Route("POST", "/v1/partners/{id}/services", "directory:write", _PARTNERS, _WRITE),
    Route("GET", "/v1/services", "cases:read", _PARTNERS, _READ),
    Route("PUT", "/v1/services/{id}", "directory:write", _PARTNERS, _WRITE),
    Route("GET", "/v1/services/{id}/listing", "directory:write", _PARTNERS, _READ),
    Route("PUT", "/v1/services/{id}/listing", "directory:write", _PARTNERS, _WRITE),
    Route("GET", "/v1/partners/{id}/listing", "directory:write", _PARTNERS, _READ),
    Route("PUT", "/v1/partners/{id}/listing", "directory:write", _PARTNERS, _WRITE),
    # The profile's "/" below the address of the directory; both forms of it are asked for.
    *(Route("GET", path, PUBLIC, _PARTNERS, RouteClass.PUBLIC) for path in ("/directory", "/directory/")),
    *(
        Route("GET", f"/directory/{name}{one}", PUBLIC, _PARTNERS, RouteClass.PUBLIC)
        for name in _DIRECTORY
        for one in ("", "/{id}")
    ),
    Route("GET", "/v1/services/{id}/capacity", "onward:read", _PARTNERS, _READ),
    Route("PUT", "/v1/services/{id}/capacity", "onward:write", _PARTNERS, _WRITE),
)

#: An id as the services make them: nothing in it needs encoding, so a path is passed on as it was matched.
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(slots=True)
class _Node:
    """One segment of the paths; `other` follows an id."""

    named: dict[str, "_Node"] = field(default_factory=dict)
    other: "_Node | None" = None
    methods: dict[str, Route] = field(default_factory=dict)


class RouteTable:
    """Finds the routes of a path."""

    def __init__(self, routes: Iterable[Route] = ROUTES) -> None:
        self._root = _Node()
        for route in routes:
            node = self._root
            for segment in route.template.split("/")[1:]:
                if segment.startswith("{"):
                    node.other = node = node.other or _Node()
                else:
                    node = node.named.setdefault(segment, _Node())
            node.methods[route.method] = route

    def find(self, path: str) -> Mapping[str, Route]:
        """Return the routes of `path` by their method; none when it is not a public path."""
        node: _Node | None = self._root
        for segment in path.split("/")[1:]:
            if node is None:
                break
            following = node.named.get(segment)
            node = following if following is not None else (node.other if _ID.fullmatch(segment) else None)
        return node.methods if node is not None else {}


def shape(template: str) -> str:
    """Return a path template without the names of its ids, to compare two that name them differently."""
    return re.sub(r"\{[^}]*\}", "{}", template)
