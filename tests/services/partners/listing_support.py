"""Entries for the directory, and its public side as the gateway asks it."""

from typing import Any

import httpx

from hubkit.auth import Caller
from tests.services.partners.support import Running

ORGANISATION = {
    "is_public": True,
    "confidential": False,
    "public": {
        "name": "Example charity",
        "description": "Helps people in Exampleshire.",
        "url": "https://charity.example.org/",
        "email": "office@charity.example.org",
        "welsh": {"name": "Elusen Enghreifftiol"},
    },
}
PUBLIC: dict[str, Any] = {
    "name": "Counselling after a crime",
    "description": "Talking, in a room or by telephone.\nFor 100% of those who ask.",
    "url": "https://charity.example.org/counselling",
    "email": "counselling@charity.example.org",
    "phones": [{"number": "01632 960001", "description": "weekdays"}],
    "openings": [{"days": ["MO", "FR"], "opens_at": "09:00", "closes_at": "17:30"}, {"description": "by appointment"}],
    "languages": ["en", "cy"],
    "minimum_age": 16,
    "maximum_age": 99,
    "areas": [{"name": "Exampleshire", "code": "E07000008"}, {"name": "Elsewhere"}],
    "costs": [{"option": "Everybody", "amount": 0, "description": "free"}],
    "fees": "It is free.",
    "kinds": ["counselling", "mental_health"],
    "places": [
        {
            "name": "The centre",
            "address": "1 Open Street",
            "city": "Exampleton",
            "county": "Exampleshire",
            "postcode": "ZZ99 9ZZ",
            "latitude": 52.2,
            "longitude": 0.12,
            "accessibility": "A ramp and a lift.",
        },
        {"name": "Video call", "type": "virtual"},
    ],
    "accreditations": "A quality mark",
    "alert": "Closed on bank holidays",
    "assured_on": "2026-10-01",
    "welsh": {"name": "Cwnsela ar ôl trosedd", "description": "Siarad."},
}
PRIVATE: dict[str, Any] = {
    "confidential": False,
    "criteria": "criteria-secret",
    "capacity_note": "capacity-secret",
    "safe_address": {"lines": ["7 Hidden Lane", "Nowhere"], "postcode": "ZZ98 8ZZ"},
}
ENTRY = {"is_public": True, "public": PUBLIC, "private": PRIVATE}


async def get(partners: Running, path: str, **headers: str) -> httpx.Response:
    """Ask as the gateway asks for anybody."""
    assert partners.http is not None
    assert partners.gateway is not None
    anybody = Caller("public", "public", frozenset({"directory:public"}))
    token = partners.gateway.token("partners", anybody, partners.clock.now())
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return await partners.http.get(f"/directory{path}", headers={"authorization": f"Bearer {token}", **given})


async def ids(partners: Running, query: str = "") -> list[str]:
    answer = await get(partners, f"/services{query}")
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json()["contents"]]


async def put(partners: Running, path: str, body: Any, version: int = 0) -> httpx.Response:
    return await partners.call("PUT", f"/v1/{path}/listing", "directory:write", body, if_match=f'"{version}"')


async def publish(partners: Running, kind: str = "counselling", **public: Any) -> str:
    """Make the partner of a kind and its service public; returns the service's id."""
    answer = await put(partners, f"partners/{partners.partners[kind]}", ORGANISATION)
    assert answer.status_code == 200, answer.text
    service_id = str(partners.services[kind])
    body = {"is_public": True, "public": PUBLIC | public, "private": {"confidential": False}}
    answer = await put(partners, f"services/{service_id}", body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["shown"], answer.json()["withheld"]
    return service_id
