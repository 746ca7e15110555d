"""GOV.UK Notify, which sends text messages, emails and letters for public services.

Source: GOV.UK Notify REST API documentation (docs.notifications.service.gov.uk/rest-api.html): "Authorisation header",
"Send a message", "Get the data for multiple messages", "General errors".
"""

import logging
import re
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

import orjson
from joserfc import jwt
from joserfc.jwk import OctKey

from hubkit.clock import Clock
from hubkit.config import SettingsError
from hubkit.egress import InternalClient, InternalResponse
from hubkit.errors import UnavailableError
from hubkit.messenger.port import METHODS, Failure, Message, Receipt

_log = logging.getLogger(__name__)

NOTIFY_URL: Final = "https://api.notifications.service.gov.uk"
#: For everything together: connection, request and answer.
DEADLINE_S: Final = 10.0
#: The most lines of an address, the postcode among them.
MAX_ADDRESS_LINES: Final = 7
_PATHS: Final = {"text": "sms", "email": "email", "letter": "letter"}
_UUID: Final = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_API_KEY = re.compile(f"(?:.*-)?({_UUID})-({_UUID})")


class NotifyMessenger:
    """Sends by GOV.UK Notify. Every message carries our reference, by which it is found again: there is no other key.

    Parameters
    ----------
    client
        Knows the address; follows no redirect, and keeps a total deadline.
    api_key
        As Notify shows it: name of the key, id of the service, secret.
    templates
        Template ids by `method`, `method.purpose` or `method.purpose.language`; the longest name that fits is taken. A
        template may use `((subject))` and `((body))`, or have words of its own.

    Raises
    ------
    SettingsError
        When key or templates are malformed; repeats neither.
    """

    def __init__(self, client: InternalClient, api_key: str, templates: Mapping[str, str], clock: Clock) -> None:
        match = _API_KEY.fullmatch(api_key)
        if match is None:
            raise SettingsError("the API key does not end with the id of the service and a secret")
        if not all(name.split(".")[0] in METHODS and _is_uuid(id) for name, id in templates.items()):
            raise SettingsError("templates are a map from text, email, letter (and .purpose.language) to ids")
        self._client = client
        self._service_id = match[1]
        self._secret = OctKey.import_key(match[2])
        self._templates = dict(templates)
        self._clock = clock

    async def send(self, message: Message) -> Receipt | Failure:
        """Ask Notify to send; it answers once it has taken the message, not when the person has it."""
        template = self._template(message)
        if template is None:
            return Failure("template_missing", is_permanent=True)
        words = {"subject": message.subject, "body": message.body}
        body: dict[str, Any] = {"template_id": template, "reference": message.reference, "personalisation": words}
        if message.method == "letter":
            words |= _address(message.to)
        else:
            body["phone_number" if message.method == "text" else "email_address"] = message.to[0]
        answer = await self._ask("POST", f"/v2/notifications/{_PATHS[message.method]}", orjson.dumps(body))
        if isinstance(answer, Failure):
            return answer
        return Receipt(_id_of(_parsed(answer))) if answer.status == 201 else _failure(answer)

    async def find(self, reference: str) -> Receipt | Failure | None:
        """Ask for the newest message under a reference; Notify keeps them for seven days."""
        answer = await self._ask("GET", f"/v2/notifications?reference={reference}")
        if isinstance(answer, Failure):
            return answer
        found = _parsed(answer).get("notifications")
        if answer.status != 200 or not isinstance(found, list):
            return Failure("messenger_unavailable")
        own = [each for each in found if isinstance(each, dict) and each.get("reference") == reference]
        return Receipt(_id_of(own[0])) if own else None

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _ask(self, method: str, path: str, body: bytes | None = None) -> InternalResponse | Failure:
        headers = {"authorization": f"Bearer {self._token()}", "user-agent": "onward"}
        if body is not None:
            headers["content-type"] = "application/json"
        try:
            return await self._client.request(method, path, headers=headers, body=body, timeout_s=DEADLINE_S)
        except UnavailableError:
            return Failure("messenger_unavailable")

    def _token(self) -> str:
        claims = {"iss": self._service_id, "iat": int(self._clock.now().timestamp())}
        return jwt.encode({"typ": "JWT", "alg": "HS256"}, claims, self._secret)

    def _template(self, message: Message) -> str | None:
        parts = (message.method, message.purpose, message.language)
        names = (".".join(parts[:count]) for count in (3, 2, 1))
        return next((self._templates[name] for name in names if name in self._templates), None)


def _address(lines: tuple[str, ...]) -> dict[str, str]:
    # More lines than there is room for: the last before the postcode share one.
    room = MAX_ADDRESS_LINES - 2
    *above, postcode = lines
    if len(above) > room + 1:
        above = [*above[:room], ", ".join(above[room:])]
    return {f"address_line_{number}": line for number, line in enumerate((*above, postcode), 1)}


def _failure(answer: InternalResponse) -> Failure:
    """Return what an answer other than 201 means: 400 is about this message, everything else about the way there."""
    if answer.status == 400:
        return Failure("refused_by_messenger", is_permanent=True)
    _log.warning("messenger_failed", extra={"status": answer.status})
    reasons = {401: "messenger_refused_key", 403: "messenger_refused_key", 429: "messenger_busy"}
    return Failure(reasons.get(answer.status, "messenger_unavailable"))


def _parsed(answer: InternalResponse) -> dict[str, Any]:
    try:
        value = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _id_of(notification: Mapping[str, Any]) -> str:
    id = notification.get("id")
    return id if isinstance(id, str) and _is_uuid(id) else ""


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
