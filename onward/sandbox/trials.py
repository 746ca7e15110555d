"""What is sent to a partner's endpoint, and what a right implementation does with each."""

import base64
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

import orjson

from hubkit.clock import Clock
from hubkit.ids import new_id
from hubkit.webhooks import new_secret, new_signing_pair, sign
from onward.sandbox.hub import SandboxHub
from services.partners.model import ENDPOINT_TYPES, NOTICE_TYPES, SENT, TEST, VERIFICATION
from services.partners.policy import payloads

#: How large a body may be; `docs/events.md` says so to partners.
MOST_BYTES: Final = 64 * 1024
#: Twice what a receiver may allow, so that clocks that differ a little do not matter.
_OUTSIDE: Final = timedelta(minutes=10)
CHALLENGE: Final = "sandbox-challenge-0123456789abcdefghijkl"


class Acts(StrEnum):
    """How often the partner may act on it, seen by what it asks of the onward referral."""

    AS_IT_LIKES = "as it likes"
    ONCE = "once"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Message:
    """One webhook as it goes out; without `signature` the three headers of the standard are left out."""

    id: str
    stamp: int
    body: bytes
    signature: str | None

    @property
    def headers(self) -> dict[str, str]:
        """All that is sent beside the body."""
        named = {"content-type": "application/json", "user-agent": "Onward-Webhooks/1"}
        if self.signature is None:
            return named
        return named | {
            "webhook-id": self.id,
            "webhook-timestamp": str(self.stamp),
            "webhook-signature": self.signature,
        }


@dataclass(frozen=True, slots=True)
class Trial:
    """One check: what is sent, in words and bytes, whether it is to be taken, and how often acted on.

    `advice` is what to look at when it fails.
    """

    name: str
    sent: str
    messages: tuple[Message, ...]
    is_taken: bool
    advice: str
    acts: Acts = Acts.AS_IT_LIKES
    onward_referral_id: UUID | None = None
    echo: str | None = None


class Maker:
    """Makes messages as the hub does, and as it never would.

    Parameters
    ----------
    keys
        What signs for the endpoint, `whsec_` and `whsk_`.
    public_url
        Where the partner finds the sandbox's hub: links begin with it.
    """

    def __init__(self, hub: SandboxHub, clock: Clock, keys: Sequence[str], public_url: str) -> None:
        self._hub, self._clock, self._url = hub, clock, public_url
        self.keys = tuple(keys)
        self.unknown_keys = (new_secret(), new_signing_pair()[0])

    def body(self, type: str = SENT) -> tuple[UUID, bytes]:
        """Return news of a new onward referral, or of an endpoint, and what it is about."""
        about = new_id() if type in ENDPOINT_TYPES else self._hub.refer(type)
        return about, payloads.samples(self._clock.now(), about, self._url, challenge=CHALLENGE)[type]

    def message(
        self, body: bytes, *, late_by: timedelta = timedelta(0), id: str | None = None, keys: Sequence[str] = ()
    ) -> Message:
        """Return a webhook signed now, or at another time, or by other keys, or again under an earlier id."""
        msg_id, stamp = id or str(new_id()), int((self._clock.now() - late_by).timestamp())
        return Message(msg_id, stamp, body, sign(msg_id, stamp, body, keys or self.keys))


def trials(maker: Maker) -> Iterator[Trial]:
    """Return every check in order, each made just before it is sent so that its timestamp is fresh."""
    yield _challenge(maker)
    for type in (*NOTICE_TYPES, TEST):
        yield _sample(maker, type)
    for make in (*_WELCOME, *_REFUSED):
        yield make(maker)


def _challenge(maker: Maker) -> Trial:
    _, body = maker.body(VERIFICATION)
    advice = 'Answer endpoint.verification with 200 and {"challenge": …}, the word from data.challenge.'
    return Trial(VERIFICATION, "the challenge", (maker.message(body),), True, advice, echo=CHALLENGE)


def _sample(maker: Maker, type: str) -> Trial:
    id, body = maker.body(type)
    advice = "Answer 2xx to every genuine webhook, and work afterwards; if you refuse it, look at how you verify."
    return Trial(type, f"a sample of {type}", (maker.message(body),), True, advice, onward_referral_id=id)


def _duplicate(maker: Maker) -> Trial:
    id, body = maker.body()
    message = maker.message(body)
    advice = "Keep the webhook-id of what you have taken; answer 2xx to one that you know, and do nothing."
    return Trial("duplicate", "the same webhook twice", (message, message), True, advice, Acts.ONCE, id)


def _replayed(maker: Maker) -> Trial:
    id, body = maker.body()
    first = maker.message(body, late_by=timedelta(seconds=60))
    advice = "A replay by the hub has the webhook-id of the first, a new timestamp and signature: know it by its id."
    sent = "one webhook, and the hub's replay of it (same id, signed anew)"
    return Trial("replayed", sent, (first, maker.message(body, id=first.id)), True, advice, Acts.ONCE, id)


def _rotation(maker: Maker) -> Trial:
    id, body = maker.body()
    message = maker.message(body, keys=(*maker.unknown_keys, *maker.keys))
    advice = "webhook-signature is a list, separated by spaces: one that verifies is enough."
    return Trial("rotation", "signatures by unknown keys, then by yours", (message,), True, advice, Acts.ONCE, id)


def _unknown_type(maker: Maker) -> Trial:
    id, body = maker.body()
    event = orjson.loads(body) | {"type": "onward_referral.invented_by_sandbox"}
    advice = "New types may come: answer 2xx to one that you do not know, and ignore it."
    message = maker.message(orjson.dumps(event))
    return Trial("unknown_type", "a type that does not exist", (message,), True, advice, Acts.NEVER, id)


def _unknown_field(maker: Maker) -> Trial:
    id, body = maker.body()
    event = orjson.loads(body)
    event["data"]["invented_by_sandbox"] = event["invented_by_sandbox"] = {"more": [1, None]}
    advice = "New fields may come: ignore those that you do not know."
    message = maker.message(orjson.dumps(event))
    return Trial("unknown_field", "a known type with fields that are new", (message,), True, advice, Acts.ONCE, id)


def _large(maker: Maker) -> Trial:
    id, body = maker.body()
    message = maker.message(body.ljust(MOST_BYTES))
    advice = "A body may have 64 kB: read it whole, by content-length, before you verify it."
    return Trial("large", f"a body of {MOST_BYTES} bytes", (message,), True, advice, Acts.ONCE, id)


def _late(maker: Maker) -> Trial:
    return _stamped(maker, "late", "a timestamp ten minutes old", _OUTSIDE)


def _early(maker: Maker) -> Trial:
    return _stamped(maker, "early", "a timestamp ten minutes ahead", -_OUTSIDE)


def _stamped(maker: Maker, name: str, sent: str, late_by: timedelta) -> Trial:
    id, body = maker.body()
    advice = "Refuse a webhook-timestamp that is more than five minutes from now, either way."
    return _refused(name, f"{sent}, rightly signed", maker.message(body, late_by=late_by), advice, id)


def _flipped(maker: Maker) -> Trial:
    id, body = maker.body()
    made = maker.message(body)
    forged = " ".join(map(_flip, (made.signature or "").split()))
    advice = "Compare the whole signature, in constant time, and answer 401 when it differs."
    return _refused("bad_signature", "a signature with one bit flipped", _with(made, signature=forged), advice, id)


def _wrong_key(maker: Maker) -> Trial:
    id, body = maker.body()
    advice = "Verify with your endpoint's secret or public key, and answer 401 when nothing verifies."
    message = maker.message(body, keys=maker.unknown_keys)
    return _refused("wrong_key", "a webhook signed by other keys", message, advice, id)


def _tampered(maker: Maker) -> Trial:
    _, body = maker.body()
    other, changed = maker.body()
    advice = "Verify the body's bytes as they came, before you parse them."
    message = _with(maker.message(body), body=changed)
    return _refused("tampered_body", "another body under a genuine signature", message, advice, other)


def _stolen(maker: Maker) -> Trial:
    id, body = maker.body()
    old = maker.message(body, late_by=timedelta(seconds=60))
    fresh = maker.message(body)
    advice = "webhook-id and webhook-timestamp are signed too: what is verified is id.timestamp.body."
    sent = "an old body and signature under a new id and timestamp"
    return _refused("forged_replay", sent, _with(fresh, signature=old.signature), advice, id)


def _unsigned(maker: Maker) -> Trial:
    id, body = maker.body()
    advice = "Refuse with 401 what has no webhook-id, webhook-timestamp or webhook-signature."
    return _refused("unsigned", "no signature at all", _with(maker.message(body), signature=None), advice, id)


def _refused(name: str, sent: str, message: Message, advice: str, id: UUID) -> Trial:
    return Trial(name, sent, (message,), False, advice, Acts.NEVER, id)


def _with(message: Message, *, body: bytes | None = None, signature: str | None = "") -> Message:
    changed = message.signature if signature == "" else signature
    return Message(message.id, message.stamp, message.body if body is None else body, changed)


def _flip(entry: str) -> str:
    version, _, encoded = entry.partition(",")
    raw = bytearray(base64.b64decode(encoded))
    raw[-1] ^= 1
    return f"{version},{base64.b64encode(raw).decode()}"


_WELCOME: Final[tuple[Callable[[Maker], Trial], ...]] = (
    _duplicate,
    _replayed,
    _rotation,
    _unknown_type,
    _unknown_field,
    _large,
)
_REFUSED: Final[tuple[Callable[[Maker], Trial], ...]] = (
    _late,
    _early,
    _flipped,
    _wrong_key,
    _tampered,
    _stolen,
    _unsigned,
)
