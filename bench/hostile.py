"""Partners that misbehave: one process, and the path of a request says how it is treated.

`/drip` gets a header that never ends, `/swallow` nothing at all, `/gigabyte` an answer of 1 GB, `/reset` a reset,
`/redirect` a redirect to a metadata service, `/fail` 500.
"""

import argparse
import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import uvloop

_PIECE = b"\0" * 2**16
_AWAY = b"HTTP/1.1 307 Temporary Redirect\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n"
_FAILED = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n"


async def _drip(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"x-drip: 1\r\n")
        await writer.drain()
        await asyncio.sleep(0.2)


async def _swallow(_: asyncio.StreamWriter) -> None:
    await asyncio.sleep(3600)


async def _gigabyte(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % 2**30)
    for _ in range(2**30 // len(_PIECE)):
        writer.write(_PIECE)
        await writer.drain()


async def _reset(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def _redirect(writer: asyncio.StreamWriter) -> None:
    writer.write(_AWAY)


async def _fail(writer: asyncio.StreamWriter) -> None:
    writer.write(_FAILED)


BEHAVIOURS: dict[str, Callable[[asyncio.StreamWriter], Awaitable[None]]] = {
    "drip": _drip,
    "swallow": _swallow,
    "gigabyte": _gigabyte,
    "reset": _reset,
    "redirect": _redirect,
    "fail": _fail,
}


async def _handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Treat each request of a connection; `/ready` is answered with 200."""
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].decode().strip("/")
            if path == "ready":
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                continue
            await reader.readexactly(_content_length(head))
            await BEHAVIOURS[path](writer)
    writer.close()


def _content_length(head: bytes) -> int:
    found = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return int(found[0].split(b":")[1]) if found else 0


async def serve(port: int) -> None:
    """Listen until cancelled."""
    server = await asyncio.start_server(_handle, "127.0.0.1", port)
    await server.serve_forever()


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    uvloop.run(serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
