"""The lines of an account in words: when, who, what, why, under which agreement and consents, with hashes."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from onward.person.gather import Account, Told

Codes = Mapping[str, Any]

#: What stands in every line anyway, or in its sentence.
_SAID: Final = frozenset({"case_id", "referral_id", "permit_id", "delivery_id"})


def moment(at: datetime) -> str:
    """Return a moment, in UTC to the millisecond."""
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03}Z"


def text(account: Account) -> Iterable[str]:
    """Yield the account, a line each."""
    yield f"referrals  {_list(account.referrals)}"
    yield f"cases      {_list(account.cases)}"
    for each in account.told:
        yield f"{moment(each.line.at)}  {each.service:8}  {sentence(account, each)}"


def sentence(account: Account, told: Told) -> str:
    """Return what a line says."""
    line, named = told.line, account.named(told.line)
    say = _SENTENCES.get(line.what)
    if say is None:
        return f"{line.what} {line.id}: {_codes(line.codes, named)}"
    return say(line.id, line.codes, named)


def grounds(codes: Codes) -> str:
    """Return why something was allowed: the basis, the agreement with its version, the consents."""
    if "agreement_id" not in codes:
        return "under no permit"
    consents = _list(codes.get("consent_ids", ())) or "none"
    agreement = f"agreement {codes['agreement_id']} version {codes['agreement_version']}"
    return f"basis {codes['basis']}; {agreement}; consents {consents}"


def recipient(named: Mapping[str, str], codes: Codes) -> str:
    """Return who received something."""
    return named.get("partner") or str(codes.get("partner_id") or "nobody known")


def _attempt(_id: str, codes: Codes, named: Mapping[str, str]) -> str:
    answer = codes.get("status") or codes["error_class"]
    full = " with the disclosure" if codes.get("payload") == "full" else ""
    return (
        f"{codes['type']} of {codes['onward_referral_id']} sent{full} to {recipient(named, codes)} at "
        f"{named.get('endpoint', '?')}, webhook {codes['delivery_id']}, attempt {codes['number']}: answered {answer}; "
        f"{grounds(codes)}; sha256 {codes['body_sha256']}"
    )


def _disclosure(id: str, codes: Codes, named: Mapping[str, str]) -> str:
    delivery = codes.get("delivery_id")
    verb = f"was sent, by webhook {delivery}," if delivery else "read"
    return (
        f"{recipient(named, codes)} ({codes['client_id']}) {verb} {_list(codes['fields'])} of onward referral "
        f"{codes['onward_referral_id']}, referral version {codes['referral_version']}, disclosure {id}; "
        f"{grounds(codes)}; sha256 {codes['hash']}"
    )


def _consent(id: str, codes: Codes, _named: Mapping[str, str]) -> str:
    to, data = _list(codes["recipients"]) or "all", _list(codes["data_categories"]) or "none named"
    others = _rest(codes, {"hop", "decision", "recipients", "data_categories"})
    return f"consent {id} {codes['decision']} on {codes['hop']} for {to}, data {data}; {others}"


def _permit(id: str, codes: Codes, _named: Mapping[str, str]) -> str:
    used = "not used" if codes["use"] == "none" else "whose use is not known: an attempt may have been made"
    return f"permit {id} for onward referral {codes['onward_referral_id']}, {used}; {grounds(codes)}"


def _onward(id: str, codes: Codes, named: Mapping[str, str]) -> str:
    return f"onward referral {id} for {codes['kind']} stands at {codes['status']}: {_codes(codes, named)}"


_SENTENCES: Final[dict[str, Callable[[str, Codes, Mapping[str, str]], str]]] = {
    "attempt": _attempt,
    "disclosure": _disclosure,
    "consent": _consent,
    "permit": _permit,
    "onward_referral": _onward,
}


def _rest(codes: Codes, said: set[str]) -> str:
    return _codes({name: value for name, value in codes.items() if name not in said}, {})


def _codes(codes: Codes, named: Mapping[str, str]) -> str:
    values = {name: value for name, value in codes.items() if name not in _SAID and value not in (None, [], {}, "")}
    values |= named
    return ", ".join(f"{name} {_value(value)}" for name, value in values.items())


def _value(value: object) -> str:
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, (list, tuple)):
        return "[" + "; ".join(map(_value, value)) + "]"
    if isinstance(value, Mapping):
        return "{" + _codes(value, {}) + "}"
    return str(value)


def _list(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))
