"""A log line tells an operator what happened and where, and no value of anybody."""

import asyncio
import json
import logging

import pytest

from hubkit.log import JsonFormatter
from hubkit.problems import problem_of


def test_a_surprise_is_named_with_its_place(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(LookupError) as raised:
        raise LookupError("Alex Example")
    assert problem_of(raised.value).status_code == 500
    line = JsonFormatter("intake").format(caplog.records[0])
    assert "builtins.LookupError at " in json.loads(line)["event"]
    assert "test_log.py:" in line
    assert "Alex" not in line


def test_values_in_arguments_extras_and_exceptions_are_left_out() -> None:
    with pytest.raises(ValueError, match="Alex") as raised:
        raise ValueError("Alex Example")
    info = (ValueError, raised.value, raised.tb)
    record = logging.LogRecord("library", logging.ERROR, "f.py", 1, "called %s", ("07700900123",), info)
    record.person = "Alex Example"
    line = JsonFormatter("intake").format(record)
    assert json.loads(line)["event"] == "called"
    assert json.loads(line)["exception"]["type"] == "ValueError"
    assert "Alex" not in line
    assert "07700900123" not in line


async def test_what_asyncio_says_of_a_lost_task_is_its_first_line(caplog: pytest.LogCaptureFixture) -> None:
    asyncio.get_running_loop().call_exception_handler({"message": "a task was lost", "future": "Alex Example"})
    assert "Alex" in caplog.records[0].getMessage()
    line = JsonFormatter("intake").format(caplog.records[0])
    assert json.loads(line)["event"] == "a task was lost"
    assert "Alex" not in line
