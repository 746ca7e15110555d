"""A feed of somebody else's is read whole or not at all, and from no address of ours."""

import asyncio

import pytest

from hubkit.egress import FeedClient
from hubkit.errors import InvalidError, UnavailableError
from tests.hubkit.test_egress import served

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


async def read(answer: bytes, *, allow_private: bool = True, max_bytes: int = 1000, total_s: float = 5.0) -> bytes:
    async def say(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        if b"slow" in answer:
            await asyncio.sleep(30)

    client = FeedClient(allow_http=True, allow_private=allow_private, max_bytes=max_bytes)
    async with served(say) as port:
        host = "127.0.0.1" if allow_private else "localhost.example.org"
        try:
            return await client.get(f"http://{host}:{port if allow_private else 80}/services?page=1", total_s=total_s)
        finally:
            await client.aclose()


async def test_a_document_is_read() -> None:
    assert await read(HEAD) == b"{}"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n", id="redirect"),
        pytest.param(b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", id="status"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000, id="too long"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"3e8\r\n" + b"x" * 1000 + b"\r\n"
                     + b"3e8\r\n" + b"x" * 1000 + b"\r\n0\r\n\r\n", id="too long in chunks"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{}", id="cut off"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX-A: slow\r\nContent-Length: 50\r\n\r\n{}", id="slow"),
        pytest.param(b"what?\r\n\r\n", id="no HTTP"),
    ],
)  # fmt: skip
async def test_half_a_document_is_none(answer: bytes) -> None:
    with pytest.raises(UnavailableError):
        await read(answer, total_s=0.5)


async def test_many_documents_have_a_limit_together() -> None:
    async def say(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD)
        await writer.drain()

    client = FeedClient(allow_http=True, allow_private=True, max_total=5)
    async with served(say) as port:
        assert [await client.get(f"http://127.0.0.1:{port}/") for _ in range(2)] == [b"{}"] * 2
        with pytest.raises(UnavailableError, match="more than 5 bytes"):
            await client.get(f"http://127.0.0.1:{port}/")
    await client.aclose()


@pytest.mark.parametrize("url", ["http://feed.example.org/", "https://127.0.0.1/", "https://user@feed.example.org/"])
async def test_only_addresses_that_may_be_called_are(url: str) -> None:
    with pytest.raises(InvalidError):
        await FeedClient().get(url)


async def test_a_name_that_points_to_our_own_machine_is_not_called(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    async def say(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(1)
        writer.write(HEAD)

    async with served(say) as port:
        monkeypatch.setattr("hubkit.egress.feed.check_webhook_url", lambda url, **_: url)
        client = FeedClient()
        with pytest.raises(UnavailableError):
            await client.get(f"http://127.0.0.1:{port}/")
        await client.aclose()
    assert asked == []
