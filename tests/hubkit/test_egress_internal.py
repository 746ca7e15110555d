"""Internal calls keep the same promises over HTTP and in process."""

import asyncio
import socket
import time
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar

import pytest
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse

from hubkit.egress import (
    AppInternalClient,
    HttpInternalClient,
    InternalClient,
)
from hubkit.errors import UnavailableError

where: ContextVar[str] = ContextVar("where", default="outside")


def service() -> FastAPI:
    app = FastAPI()

    @app.api_route("/echo/{item:path}", methods=["GET", "POST"])
    async def echo(item: str, request: Request) -> Response:
        where.set("inside")
        body = await request.body()
        names = {
            "x-item": item.encode().hex(),
            "x-query": request.url.query,
            "x-given": request.headers.get("x-given", ""),
            "x-type": request.headers.get("content-type", "none"),
        }
        return Response(body, 201, names)

    @app.post("/count")
    async def count(request: Request) -> dict[str, int]:
        sizes = [len(chunk) async for chunk in request.stream()]
        return {"bytes": sum(sizes)}

    @app.get("/slow")
    async def slow() -> None:
        await asyncio.sleep(30)

    @app.get("/large")
    async def large() -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(130):
                yield b"x" * 65536

        return StreamingResponse(pieces())

    @app.get("/away")
    async def away() -> Response:
        return Response(status_code=307, headers={"location": "/echo/moved"})

    return app


@asynccontextmanager
async def over_http() -> AsyncIterator[InternalClient]:
    server = uvicorn.Server(uvicorn.Config(service(), port=0, log_level="critical", lifespan="off", ws="none"))
    sock = socket.create_server(("127.0.0.1", 0))
    running = asyncio.create_task(server.serve(sockets=[sock]))
    client = HttpInternalClient(f"http://127.0.0.1:{sock.getsockname()[1]}/")
    try:
        yield client
    finally:
        await client.aclose()
        server.should_exit = True
        server.force_exit = True
        await running
        sock.close()


@asynccontextmanager
async def in_process() -> AsyncIterator[InternalClient]:
    yield AppInternalClient(service())


@pytest.fixture(params=[over_http, in_process], ids=["http", "in process"])
async def client(request: pytest.FixtureRequest) -> AsyncIterator[InternalClient]:
    async with request.param() as made:
        yield made


async def test_an_internal_call_carries_path_query_headers_and_body(client: InternalClient) -> None:
    for headers in ({"X-Given": "yes"}, [("X-Given", "yes")]):
        answer = await client.request("POST", "/echo/a%2Fb%20%C3%A9?x=1&y=%20", headers=headers, body=b"\x00\xff")
        assert (answer.status, answer.body, answer.header("X-Given"), answer.header("x-query")) == (
            201, b"\x00\xff", "yes", "x=1&y=%20",
        )  # fmt: skip
        assert bytes.fromhex(answer.header("x-item") or "").decode() == "a/b é"
    assert (await client.request("GET", "/echo/")).body == b""
    assert (await client.request("GET", "/nowhere")).status == 404
    assert where.get() == "outside"


@pytest.mark.parametrize("body", [None, b"", b"x"])
async def test_no_content_type_is_said_that_the_caller_did_not_say(client: InternalClient, body: bytes | None) -> None:
    assert (await client.request("POST", "/echo/", body=body)).header("x-type") == "none"


async def test_a_redirect_is_an_answer(client: InternalClient) -> None:
    assert (await client.request("GET", "/away")).status == 307


async def test_a_large_body_is_streamed_without_being_held(client: InternalClient) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(256):
            yield b"x" * 65536

    tracemalloc.start()
    answer = await client.request("POST", "/count", body=pieces(), timeout_s=30)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert answer.body == b'{"bytes":16777216}'
    assert peak < 8 * 1024 * 1024


async def test_what_the_body_raises_passes_through(client: InternalClient) -> None:
    class StoppedError(Exception):
        pass

    async def pieces() -> AsyncIterator[bytes]:
        yield b"x"
        raise StoppedError

    with pytest.raises(StoppedError):
        await client.request("POST", "/count", body=pieces())


async def test_an_internal_deadline_is_total(client: InternalClient) -> None:
    began = time.perf_counter()
    with pytest.raises(UnavailableError):
        await client.request("GET", "/slow", timeout_s=0.2)
    assert time.perf_counter() - began < 1.5


async def test_an_oversized_answer_is_unavailable(client: InternalClient) -> None:
    with pytest.raises(UnavailableError):
        await client.request("GET", "/large")


@pytest.mark.parametrize("path", ["", "echo", "@evil.example.org/", "/a b", "/é", "/a\r\nX: y", "/a#b"])
async def test_a_path_is_checked(client: InternalClient, path: str) -> None:
    with pytest.raises(ValueError, match="internal path"):
        await client.request("GET", path)


async def test_a_failing_application_is_unavailable() -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("broken")

    async def silent(*_: object) -> None:
        return

    for app in (broken, silent):
        with pytest.raises(UnavailableError):
            await AppInternalClient(app).request("GET", "/")


async def test_an_application_that_answers_and_then_fails_has_answered() -> None:
    app = FastAPI()

    @app.get("/")
    async def fail() -> None:
        raise RuntimeError("broken")

    assert (await AppInternalClient(app).request("GET", "/")).status == 500


async def test_nobody_there_is_unavailable() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        client = HttpInternalClient(f"http://127.0.0.1:{free.getsockname()[1]}")
        with pytest.raises(UnavailableError):
            await client.request("GET", "/")
        await client.aclose()


@pytest.mark.parametrize(
    ("headers", "sent"), [({}, 2), ({"Idempotency-Key": "k"}, 3)], ids=["not repeatable", "repeatable"]
)
async def test_only_a_repeatable_request_is_sent_again_after_a_stale_connection(
    headers: dict[str, str], sent: int
) -> None:
    seen = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        try:
            for turn in range(2):
                await reader.readuntil(b"\r\n\r\n{}")
                seen += 1
                if turn == 0:
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        except asyncio.IncompleteReadError:
            pass
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    client = HttpInternalClient(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    assert (await client.request("POST", "/", headers=headers, body=b"{}")).status == 200
    if headers:
        assert (await client.request("POST", "/", headers=headers, body=b"{}")).status == 200
    else:
        with pytest.raises(UnavailableError):
            await client.request("POST", "/", headers=headers, body=b"{}")
    assert seen == sent
    await client.aclose()
    server.close()
