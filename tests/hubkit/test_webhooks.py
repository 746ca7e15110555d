import base64
import time
from datetime import UTC, datetime

import pytest
import standardwebhooks

from hubkit.webhooks import (
    WebhookKeyError,
    WebhookVerificationError,
    new_secret,
    new_signing_pair,
    public_key_of,
    sign,
    verify,
)

NOW = 1_795_000_000
BODY = b'{"type":"onward_referral.sent.v1"}'


def headers(signature: str, stamp: object = NOW, msg_id: str = "msg_1") -> dict[str, str]:
    return {"webhook-id": msg_id, "webhook-timestamp": str(stamp), "webhook-signature": signature}


def test_the_published_vector_is_signed_alike() -> None:
    # Source: the vector in the test suites of the Standard Webhooks libraries.
    signature = sign(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
    )
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_ed25519_follows_rfc_8032() -> None:
    # RFC 8032 section 7.1, test 1: the key pair.
    private = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    key = "whsk_" + base64.b64encode(private + public).decode()
    assert public_key_of(key) == "whpk_" + base64.b64encode(public).decode()
    signature = sign("msg_1", NOW, b"{}", [key])
    assert verify(headers(signature), b"{}", [public_key_of(key)], now=NOW) == "msg_1"
    assert sign("msg_1", NOW, b"{}", [key]) == signature


def test_what_we_sign_the_public_library_verifies() -> None:
    secret, now = new_secret(), int(time.time())
    standardwebhooks.Webhook(secret).verify(BODY, headers(sign("msg_1", now, BODY, [secret]), now))


def test_what_the_public_library_signs_we_verify() -> None:
    secret = new_secret()
    signature = standardwebhooks.Webhook(secret).sign("msg_1", datetime.fromtimestamp(NOW, UTC), BODY.decode())
    assert verify(headers(signature), BODY, [secret], now=NOW) == "msg_1"


def test_each_secret_gives_one_signature_and_any_one_verifies() -> None:
    secret, (private, public), other = new_secret(), new_signing_pair(), new_secret()
    signature = sign("msg_1", NOW, BODY, [other, private, secret])
    assert [part.partition(",")[0] for part in signature.split(" ")] == ["v1", "v1a", "v1"]
    for key in (secret, public, other):
        assert verify(headers(signature), BODY, [key], now=NOW) == "msg_1"
    assert (
        verify({k.upper(): v for k, v in headers(signature).items()}, BODY, [new_secret(), secret], now=NOW) == "msg_1"
    )


@pytest.mark.parametrize("offset", [-300, 0, 300])
def test_the_tolerance_is_five_minutes_either_way(offset: int) -> None:
    """Row 40 of the bad-input matrix."""
    secret = new_secret()
    signature = sign("msg_1", NOW, BODY, [secret])
    verify(headers(signature), BODY, [secret], now=NOW + offset)
    if offset:
        with pytest.raises(WebhookVerificationError):
            verify(headers(signature), BODY, [secret], now=NOW + offset + (1 if offset > 0 else -1))


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-signature": ""}, {"webhook-signature": "garbage"}, {"webhook-signature": "v1"},
        {"webhook-signature": "v1,"}, {"webhook-signature": "v1,A"}, {"webhook-signature": "v1,ä"},
        {"webhook-signature": "v1a,AAAA"}, {"webhook-signature": "v2,AAAA"}, {"webhook-signature": ","},
        {"webhook-signature": "v1a," + "A" * 88}, {"webhook-timestamp": "1795000000.0"}, {"webhook-timestamp": "NaN"},
        {"webhook-timestamp": " 1795000000"}, {"webhook-timestamp": "+1795000000"}, {"webhook-timestamp": ""},
        {"webhook-timestamp": "１７９５００００００"}, {"webhook-timestamp": "9" * 5000}, {"webhook-timestamp": "-1"},
        {"webhook-id": ""}, {"webhook-id": "msg.1"}, {"webhook-id": "a" * 300}, {"webhook-id": "msg_2"},
        {"webhook-id": "m\n"},
    ],
)  # fmt: skip
def test_whatever_is_wrong_the_refusal_is_the_same(change: dict[str, str]) -> None:
    """Row 40 of the bad-input matrix."""
    secret, (private, public) = new_secret(), new_signing_pair()
    given = headers(sign("msg_1", NOW, BODY, [secret, private])) | change
    with pytest.raises(WebhookVerificationError, match=r"^the webhook signature does not verify$"):
        verify(given, BODY, [secret, public], now=NOW)


def test_missing_headers_and_another_body_are_refused() -> None:
    secret = new_secret()
    for given, body in (({}, BODY), (headers(sign("msg_1", NOW, BODY, [secret])), BODY + b" ")):
        with pytest.raises(WebhookVerificationError):
            verify(given, body, [secret], now=NOW)


def test_a_symmetric_signature_never_passes_for_an_asymmetric_one() -> None:
    _, public = new_signing_pair()
    forged = "whsec_" + public.removeprefix("whpk_")
    signature = sign("msg_1", NOW, BODY, [forged])
    for text in (signature, signature.replace("v1,", "v1a,")):
        with pytest.raises(WebhookVerificationError):
            verify(headers(text), BODY, [public], now=NOW)


def test_only_eight_signatures_are_tried() -> None:
    """Row 40 of the bad-input matrix."""
    secret = new_secret()
    good = sign("msg_1", NOW, BODY, [secret])
    assert verify(headers(" ".join(["v1,AAAA"] * 7 + [good])), BODY, [secret], now=NOW)
    for before in (8, 1000):
        with pytest.raises(WebhookVerificationError):
            verify(headers(" ".join(["v1,AAAA"] * before + [good])), BODY, [secret], now=NOW)


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


@pytest.mark.parametrize(
    "key",
    [
        "", "whsec_", "whsec_" + _b64(b"x"), "whsec_" + _b64(bytes(23)), "whsec_" + _b64(bytes(65)), "whsec_not base64",
        "whsk_" + _b64(bytes(32)), "whsk_" + _b64(bytes(64)), "whsk_ä", new_signing_pair()[1], "plain",
    ],
    ids=range(11),
)  # fmt: skip
def test_a_malformed_signing_key_is_refused(key: str) -> None:
    """Row 39 of the bad-input matrix."""
    with pytest.raises(WebhookKeyError) as refusal:
        sign("msg_1", NOW, BODY, [key])
    assert len(key) < 8 or key not in str(refusal.value)


_SMALL_ORDER = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
]


@pytest.mark.parametrize(
    "raw", [*map(bytes.fromhex, _SMALL_ORDER), b"\x02" + bytes(31), b"\xff" * 32, bytes(31), bytes(33)]
)
def test_a_public_key_off_the_curve_or_of_small_order_is_refused(raw: bytes) -> None:
    """Row 39 of the bad-input matrix."""
    with pytest.raises(WebhookKeyError):
        verify(headers("v1a,AAAA"), BODY, ["whpk_" + _b64(raw)], now=NOW)


def test_every_generated_public_key_is_accepted() -> None:
    for _ in range(20):
        private, public = new_signing_pair()
        assert verify(headers(sign("m", NOW, b"", [private]), msg_id="m"), b"", [public], now=NOW) == "m"


@pytest.mark.parametrize(
    ("msg_id", "stamp", "secrets"), [("a.b", NOW, 1), ("", NOW, 1), ("a b", NOW, 1), ("a", -1, 1), ("a", NOW, 0)]
)
def test_what_cannot_be_signed_is_refused(msg_id: str, stamp: int, secrets: int) -> None:
    with pytest.raises(ValueError, match="needs an id"):
        sign(msg_id, stamp, BODY, [new_secret()] * secrets)
