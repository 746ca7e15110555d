"""Structured logs: one JSON object a line, of codes, ids and counts; never what a person sent."""

import json
import logging
import sys
import traceback
from typing import Any

from typing_extensions import override

from hubkit.telemetry import current_traceparent

#: The only extra fields that reach a log line. Anything else a caller passes is dropped.
ALLOWED = frozenset({
    "attempt", "case_id", "client_id", "code", "count", "delivery_id", "detail", "endpoint_id", "error", "event_id",
    "event_type", "loop", "message_id", "method", "ms", "onward_referral_id", "outcome", "partner_id", "pathway_id",
    "port", "profile", "reason", "referral_id", "route", "seconds", "service", "state", "status", "transfer_id",
    "url_host",
})  # fmt: skip


class JsonFormatter(logging.Formatter):
    """Writes the event's name, the allowed fields, and of an exception its type and frames but not its words."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    @override
    def format(self, record: logging.LogRecord) -> str:
        """Return the line. Messages of libraries are cut to their constant part: arguments may hold values."""
        line: dict[str, Any] = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03d}",
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
            "event": _constant_part(record),
        }
        line.update({key: value for key, value in vars(record).items() if key in ALLOWED})
        trace = current_traceparent()
        if trace:
            line["trace"] = trace[3:35]
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = describe(record.exc_info[1])
        return json.dumps(line, default=str, ensure_ascii=False)


def _constant_part(record: logging.LogRecord) -> str:
    """Return the words before the first argument; asyncio writes what it was doing, with values, on further lines."""
    words = str(record.msg).partition("\n")[0]
    return words.partition("%")[0].strip() if record.args else words


def describe(error: BaseException) -> dict[str, Any]:
    """Return an exception's type and where it happened, without its message, which may hold personal details."""
    walked = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in walked[:-1] if "site-packages" not in frame.filename]
    frames = [*own[-7:], *walked[-1:]]  # a library's own way down to its error would fill the line
    where = [f"{frame.filename.rsplit('/', 3)[-1]}:{frame.lineno} {frame.name}" for frame in frames]
    described: dict[str, Any] = {"type": type(error).__qualname__, "frames": where}
    if error.__cause__ is not None:
        described["cause"] = type(error.__cause__).__qualname__
    return described


def configure(service: str, level: str = "info") -> None:
    """Send all logs of this process to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(service))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in ("aio_pika", "aiormq", "sqlalchemy", "httpx", "httpcore", "uvicorn", "asyncio", "alembic"):
        logging.getLogger(name).setLevel("WARNING")
