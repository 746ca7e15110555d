"""Plays the checks against a partner's endpoint and says what came of each."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from hubkit.egress import Attempt, WebhookClient
from hubkit.waiting import happens
from onward.sandbox.hub import Call, SandboxHub
from onward.sandbox.trials import Acts, Maker, Trial, trials
from services.partners.model import SENT
from services.partners.policy.payloads import is_echo

#: How long an answer is awaited beyond the deadline, so that a slow one is told from none.
_BEYOND_S: Final = 20.0
#: How long it must be quiet before a call that did not come counts as not made.
_QUIET_S: Final = 1.0
#: The address itself is wrong; nothing else can be learnt.
_UNREACHABLE: Final = frozenset({"dns", "refused", "tls", "blocked"})
_ASKED: Final = frozenset({"read", "actions"})


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found, in words that say what to do."""

    name: str
    passed: bool
    sent: str
    expected: str
    happened: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Terms:
    """How patient the sandbox is.

    Parameters
    ----------
    deadline_s
        Within which every webhook is to be answered.
    patience_s
        How long a reading is awaited after `onward_referral.sent`.
    webhooks_only
        The partner cannot or does not call back: only its answers count.
    """

    deadline_s: float
    patience_s: float
    webhooks_only: bool = False


@dataclass(slots=True)
class _Played:
    trial: Trial
    attempts: list[Attempt] = field(default_factory=list)
    answered_at: float = 0.0


async def play(hub: SandboxHub, maker: Maker, client: WebhookClient, url: str, terms: Terms) -> list[Finding]:
    """Send everything to `url`, wait for what the partner does, and return the findings in order."""
    played: list[_Played] = []
    for trial in trials(maker):
        one = _Played(trial)
        played.append(one)
        for message in trial.messages:
            total_s = terms.deadline_s + _BEYOND_S
            one.attempts.append(await client.post(url, message.headers, message.body, total_s=total_s))
        one.answered_at = time.monotonic()
        if one.attempts[0].error_class in _UNREACHABLE:
            return [_unreachable(url, one.attempts[0])]
    if not terms.webhooks_only:
        await _quiet(hub, played, terms)
    sample = next(each for each in played if each.trial.name == SENT)
    usual = () if terms.webhooks_only else _calls(hub, sample)
    findings = [_judged(one, usual, _calls(hub, one), terms) for one in played]
    if not terms.webhooks_only:
        findings += _called_back(usual)
    return [*findings, _in_time(played, terms)]


async def _quiet(hub: SandboxHub, played: Sequence[_Played], terms: Terms) -> None:
    """Wait until the partner has read what it should, or too long; and then until it is quiet."""
    awaited = {one.trial.onward_referral_id for one in played if one.trial.acts is Acts.ONCE or one.trial.name == SENT}
    until = time.monotonic() + terms.patience_s
    while time.monotonic() < until and awaited - {call.onward_referral_id for call in hub.calls}:
        hub.called.clear()
        await happens(hub.called, until - time.monotonic())
    # A partner that took a while for the first is given as long for one too many.
    answered = {one.trial.onward_referral_id: one.answered_at for one in played}
    slowest = max((call.at - answered.get(call.onward_referral_id, call.at) for call in hub.calls), default=0.0)
    await asyncio.sleep(max(_QUIET_S, 2 * min(slowest, terms.patience_s)))


def _calls(hub: SandboxHub, one: _Played) -> list[Call]:
    id = one.trial.onward_referral_id
    return [] if id is None else hub.calls_about(id)


def _judged(one: _Played, usual: Sequence[Call], calls: Sequence[Call], terms: Terms) -> Finding:
    trial = one.trial
    right = all(_is_right(trial, attempt) for attempt in one.attempts)
    expected, happened = _EXPECTED[trial.is_taken], "answered " + ", ".join(map(_answer, one.attempts))
    if trial.echo is not None:
        expected += " with the challenge"
        if one.attempts[0].ok and not is_echo(one.attempts[0].body_excerpt, trial.echo):
            right, happened = False, happened + " without the challenge"
    if trial.acts is not Acts.AS_IT_LIKES and not terms.webhooks_only:
        most, least = (len(usual), min(1, len(usual))) if trial.acts is Acts.ONCE else (0, 0)
        right = right and least <= len(calls) <= most
        expected += f", and {_times(usual)}" if trial.acts is Acts.ONCE else ", and no call about it"
        happened += f"; {_times(calls)}"
    return Finding(trial.name, right, trial.sent, expected, happened, "" if right else trial.advice)


def _is_right(trial: Trial, attempt: Attempt) -> bool:
    if trial.is_taken:
        return attempt.ok
    # 410 says that the endpoint is gone, and pauses it: no answer to a stranger.
    return attempt.status is not None and 400 <= attempt.status < 500 and attempt.status != 410


_EXPECTED: Final = {True: "a 2xx", False: "a 4xx such as 401"}


def _answer(attempt: Attempt) -> str:
    return str(attempt.status) if attempt.status is not None else f"nothing ({attempt.error_class})"


def _times(calls: Iterable[Call]) -> str:
    names = [call.what for call in calls]
    counted = [f"{name} {names.count(name)}x" if names.count(name) > 1 else name for name in dict.fromkeys(names)]
    return f"called back: {', '.join(counted)}" if counted else "no call back"


def _called_back(usual: Sequence[Call]) -> list[Finding]:
    """Say whether the partner reads what it is told of, and answers in the right form where it answers."""
    sent = f"a sample of {SENT}"
    reads = [call for call in usual if call.what == "read"]
    found = Finding(
        "reads",
        any(call.status == 200 for call in reads),
        sent,
        "GET data.links.self with your token, answered 200",
        _statuses(reads),
        "After you have answered, sign in at /oauth/token and read what data.links.self says; if people do that by "
        "hand at your place, or your endpoint cannot reach the sandbox, use --webhooks-only.",
    )
    moves = [call for call in usual if call.what not in _ASKED]
    if not moves:
        return [found]
    advice = "Send If-Match with the ETag of what you read; 428 says that it is missing, 412 that it is an old one."
    right = all(call.status == 200 for call in moves)
    return [found, Finding("answers", right, sent, "each answered 200", _statuses(moves), advice)]


def _statuses(calls: Sequence[Call]) -> str:
    return ", ".join(f"{call.what} ({call.status})" for call in calls) or "none came"


def _in_time(played: Sequence[_Played], terms: Terms) -> Finding:
    times = [(attempt.duration_ms / 1000, one.trial.name) for one in played for attempt in one.attempts]
    slowest, name = max(times)
    late = sum(seconds > terms.deadline_s for seconds, _ in times)
    return Finding(
        "in_time",
        not late,
        f"{len(times)} webhooks",
        f"an answer within {terms.deadline_s:g} s",
        f"the slowest took {slowest:.2f} s ({name}); {late} came too late",
        "Answer first and work afterwards: put what has come into a queue.",
    )


def _unreachable(url: str, attempt: Attempt) -> Finding:
    advice = "Nothing answers there: look at the address, the port and the certificate. The other checks were not made."
    return Finding(
        "reachable", False, "the challenge", f"an answer from {url}", f"none ({attempt.error_class})", advice
    )


def as_lines(findings: Sequence[Finding]) -> list[str]:
    """Return one line for each finding, and the sum."""
    width = max(len(each.name) for each in findings)
    lines = []
    for each in findings:
        said = each.happened if each.passed else f"expected {each.expected}; {each.happened}. {each.advice}"
        lines.append(f"{'ok    ' if each.passed else 'failed'}  {each.name.ljust(width)}  {each.sent}: {said}")
    passed = sum(each.passed for each in findings)
    return [*lines, f"{passed} passed, {len(findings) - passed} failed"]
