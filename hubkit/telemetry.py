"""Trace context and metrics.

A W3C `traceparent` goes from the request through outbox and bus to the webhook, so that one referral's way can be
followed through the logs of all services. The context alone travels: Onward makes no spans of its own. A process that
configures an OpenTelemetry SDK and is instrumented from outside has spans, and then they are what is continued.

An event taken in alone continues its trace. A batch of several has no one cause, so what it brings about carries no
trace, and ids are what tells it: to keep them apart would take every action to say which event it answers.
"""

from contextvars import ContextVar, Token

from opentelemetry import trace
from prometheus_client import Counter, Gauge, Histogram

_incoming: ContextVar[str | None] = ContextVar("traceparent", default=None)

OUTBOX_DEPTH = Gauge("onward_outbox_depth", "Events not yet confirmed by the broker", ["service"])
OUTBOX_AGE = Gauge("onward_outbox_age_seconds", "Age of the oldest unconfirmed event", ["service"])
OUTBOX_PUBLISHED = Counter("onward_outbox_published", "Events confirmed by the broker", ["service", "type"])
OUTBOX_FAILURES = Counter("onward_outbox_failures", "Messages that the broker did not confirm", ["service"])
INBOX_AGE = Gauge("onward_inbox_age_seconds", "How long the oldest pending event is overdue", ["service"])
INBOX_PENDING = Gauge("onward_inbox_pending", "Events waiting to be retried", ["service"])
INBOX_DEAD = Gauge("onward_inbox_dead", "Events set dead and not replayed", ["service"])
INBOX_EVENTS = Counter("onward_inbox_events", "Events taken in", ["service", "type", "outcome"])
DECISIONS = Counter("onward_decisions", "Decisions made", ["service", "kind", "outcome", "reason"])
DELIVERIES = Counter("onward_deliveries", "Webhook attempts by outcome", ["outcome"])
DELIVERIES_WAITING = Gauge("onward_deliveries_waiting", "Webhook deliveries by state", ["state"])
ACKNOWLEDGEMENTS_OVERDUE = Gauge(
    "onward_acknowledgements_overdue", "Statements of partners on data that was taken back which are overdue"
)
CERTIFICATE_EXPIRES = Gauge(
    "onward_client_certificate_expires_seconds", "How long the hub's client certificate is valid from now on"
)
PROFILE_READS = Counter("onward_profile_reads", "Changed profile files read, or kept out as invalid", ["outcome"])
MESSAGES = Counter("onward_messages", "Messages to persons by outcome", ["method", "outcome"])
DIRECTORY_ANSWERS = Counter("onward_directory_answers", "Answers of the public directory", ["what", "outcome"])
HTTP_SECONDS = Histogram(
    "onward_http_seconds",
    "Time to answer",
    ["service", "method", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15),
)


def current_traceparent() -> str | None:
    """Return the `traceparent` of what is being done, or None outside any trace."""
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        return f"00-{span.trace_id:032x}-{span.span_id:016x}-{int(span.trace_flags):02x}"
    return _incoming.get()


def use_traceparent(traceparent: str | None) -> Token[str | None]:
    """Continue the trace of an incoming request or event; malformed values are ignored."""
    return _incoming.set(traceparent if traceparent and _is_traceparent(traceparent) else None)


def reset_traceparent(token: Token[str | None]) -> None:
    """Leave it again."""
    _incoming.reset(token)


def _is_traceparent(value: str) -> bool:
    parts = value.split("-")
    return (
        len(value) == 55
        and [len(part) for part in parts] == [2, 32, 16, 2]
        and all(character in "0123456789abcdef-" for character in value)
        and parts[1].strip("0") != ""
        and parts[2].strip("0") != ""
    )
