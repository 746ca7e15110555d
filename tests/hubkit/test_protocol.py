"""A connection that does not come to its point is ended; others are not."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from hubkit import protocol
from hubkit.serve import UVICORN

HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n"


async def dawdle(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer after a while, longer than a head may take."""
    del scope, receive
    await asyncio.sleep(1.0)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    monkeypatch.setattr(protocol, "HEAD_S", 0.4)
    options = UVICORN | {"lifespan": "off", "loop": "none"}
    server = uvicorn.Server(uvicorn.Config(dawdle, host="127.0.0.1", port=0, **options))
    serving = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await serving


async def say(port: int, *pieces: bytes, pause: float = 0.1) -> tuple[bytes, float]:
    """Send pieces with pauses between; return what was answered until the end, and how long that took."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    began = time.monotonic()
    heard = asyncio.create_task(reader.read())
    try:
        for piece in pieces:
            if heard.done():
                break
            writer.write(piece)
            await asyncio.sleep(pause)
    except ConnectionError:
        pass
    answer = await asyncio.wait_for(heard, 20)
    writer.close()
    return answer, time.monotonic() - began


async def test_a_head_that_is_dripped_is_ended(port: int) -> None:
    answer, took = await say(port, HEAD, *[b"X: y\r\n"] * 40)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"request_timeout"' in answer
    assert took < 5.5


@pytest.mark.parametrize("pieces", [[], [b"\r\n"] * 20])
async def test_a_connection_on_which_nothing_is_asked_is_ended(port: int, pieces: list[bytes]) -> None:
    answer, took = await say(port, *pieces)
    assert answer == b""
    assert 0.3 < took < 3.5


async def test_bytes_that_ask_nothing_keep_no_answered_connection_open(port: int) -> None:
    answer, took = await say(port, HEAD + b"\r\n", *[b"\r\n"] * 40)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert took < 5.5


async def test_a_request_that_is_worked_on_has_the_time_that_it_needs(port: int) -> None:
    answer, _ = await say(port, HEAD + b"Connection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
