import asyncio
import contextlib
import socket
import ssl
import threading
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hubkit.egress import (
    FeedClient,
    HttpInternalClient,
    WebhookClient,
)

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def served(answer: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve `answer` after each request head, on a free port; the connection is closed afterwards."""

    ended = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            serving = asyncio.ensure_future(answer(reader, writer))
            stopped = asyncio.ensure_future(ended.wait())
            await asyncio.wait((serving, stopped), return_when=asyncio.FIRST_COMPLETED)
            serving.cancel()
            stopped.cancel()
            await asyncio.gather(serving, stopped, return_exceptions=True)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        ended.set()
        await asyncio.sleep(0.01)
        server.close()


def saying(*pieces: bytes, pause: float = 0.0) -> Serve:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)

    return answer


@pytest.fixture
async def sender() -> AsyncIterator[WebhookClient]:
    client = WebhookClient(allow_http=True, allow_private=True)
    yield client
    await client.aclose()


async def test_a_delivered_webhook_arrives_byte_for_byte(sender: WebhookClient) -> None:
    got: list[tuple[bytes, dict[str, str]]] = []

    async def receive(request: web.Request) -> web.Response:
        got.append((await request.read(), {k.lower(): v for k, v in request.headers.items()}))
        return web.Response(status=200, body=b"thanks", headers={"Retry-After": "120", "Set-Cookie": "a=b"})

    app = web.Application()
    app.router.add_post("/hook", receive)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    for _ in range(2):
        attempt = await sender.post(f"http://127.0.0.1:{port}/hook", {"webhook-id": "msg_1"}, b'{"a": 1}')
        assert (attempt.ok, attempt.status, attempt.error_class, attempt.retry_after, attempt.body_excerpt) == (
            True, 200, "none", "120", b"thanks",
        )  # fmt: skip
    await runner.cleanup()
    body, headers = got[1]
    assert body == b'{"a": 1}'
    assert headers["webhook-id"] == "msg_1"
    assert headers.keys() <= {"webhook-id", "host", "content-length", "content-type", "accept"}


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, "none"),
        (204, "none"),
        (301, "redirect"),
        (307, "redirect"),
        (410, "status"),
        (429, "status"),
        (503, "status"),
    ],
)
async def test_the_status_decides_and_no_redirect_is_followed(sender: WebhookClient, status: int, outcome: str) -> None:
    requests = 0

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        requests += 1
        writer.write(f"HTTP/1.1 {status} X\r\nLocation: /\r\nContent-Length: 0\r\n\r\n".encode())

    async with served(answer) as port:
        attempt = await sender.post(f"http://127.0.0.1:{port}/", {}, b"{}")
    assert (attempt.ok, attempt.status, attempt.error_class, requests) == (outcome == "none", status, outcome, 1)


async def test_dripped_headers_are_cut_at_the_total_deadline(sender: WebhookClient) -> None:
    async with served(saying(b"HTTP/1.1 200 OK\r\n", *[b"X: y\r\n"] * 100, pause=0.05)) as port:
        began = time.perf_counter()
        attempt = await sender.post(f"http://127.0.0.1:{port}/", {}, b"{}", total_s=0.3)
    assert (attempt.ok, attempt.status, attempt.error_class) == (False, None, "timeout")
    assert 0.25 < time.perf_counter() - began < 1.5


async def test_a_dripped_body_is_cut_and_the_status_stands(sender: WebhookClient) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
    async with served(saying(head, *[b"x"] * 100, pause=0.05)) as port:
        attempt = await sender.post(f"http://127.0.0.1:{port}/", {}, b"{}", total_s=0.3)
    assert (attempt.ok, attempt.status, attempt.error_class) == (True, 200, "none")
    assert attempt.duration_ms < 1500


async def test_a_success_whose_body_is_reset_is_a_success(sender: WebhookClient) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\npart")
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.transport.abort()

    async with served(answer) as port:
        attempt = await sender.post(f"http://127.0.0.1:{port}/", {}, b"{}")
    assert (attempt.ok, attempt.status, attempt.body_excerpt) == (True, 200, b"part")


async def test_a_reset_before_the_status_is_a_failure(sender: WebhookClient) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with served(answer) as port:
        attempt = await sender.post(f"http://127.0.0.1:{port}/", {}, b"{}")
    assert (attempt.ok, attempt.status, attempt.error_class) == (False, None, "reset")


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        (b"nonsense\r\n\r\n", "reset"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "reset"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n", "too_large"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 10_000, "too_large"),
    ],
)
async def test_an_unreadable_answer_is_a_failure(sender: WebhookClient, said: bytes, outcome: str) -> None:
    async with served(saying(said)) as port:
        attempt = await sender.post(f"http://127.0.0.1:{port}/", {}, b"{}")
    assert (attempt.ok, attempt.error_class) == (False, outcome)


@pytest.mark.parametrize("coding", [b"", b"Content-Encoding: gzip\r\n"])
async def test_an_endless_answer_costs_64_kib(sender: WebhookClient, coding: bytes) -> None:
    sent = 0

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n" + coding + b"Content-Length: 1073741824\r\n\r\n")
        for _piece in range(16384):
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536

    tracemalloc.start()
    async with served(answer) as port:
        attempt = await sender.post(f"http://127.0.0.1:{port}/", {}, b"{}")
        await asyncio.sleep(0.05)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (attempt.ok, len(attempt.body_excerpt)) == (True, 4096)
    assert sent < 32 * 1024 * 1024  # the kernel's socket buffers, not ours
    assert peak < 4 * 1024 * 1024


async def test_nobody_listening_is_refused(sender: WebhookClient) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        attempt = await sender.post(f"http://127.0.0.1:{free.getsockname()[1]}/", {}, b"{}")
    assert (attempt.ok, attempt.status, attempt.error_class) == (False, None, "refused")


async def test_a_name_that_does_not_exist_is_a_dns_failure(
    sender: WebhookClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", missing)
    attempt = await sender.post("http://nowhere.example.org/", {}, b"{}")
    assert (attempt.ok, attempt.error_class) == (False, "dns")


async def test_a_name_that_points_inside_is_blocked_at_the_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    """Row 38 of the bad-input matrix."""
    canary = 0

    async def touched(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        nonlocal canary
        canary += 1

    async with served(touched) as port:

        def rebound(host: str, wanted: int, **_: object) -> list[tuple[object, ...]]:
            return [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
                (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::ffff:127.0.0.1", port, 0, 0)),
            ]

        monkeypatch.setattr(socket, "getaddrinfo", rebound)
        client = WebhookClient(allow_http=True)
        attempt = await client.post("http://hooks.example.org/", {}, b"{}")
        await client.aclose()
    assert (attempt.ok, attempt.error_class, canary) == (False, "blocked", 0)


async def test_row_33_a_name_that_is_public_at_first_and_private_later_is_blocked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The guard sees the address of each connection: a public first answer, or one beside it, opens nothing inside."""
    touched = 0

    async def canary(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        nonlocal touched
        touched += 1

    async with served(canary) as port:
        private = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
        mapped = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("64:ff9b::7f00:1", port, 0, 0))
        public = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("198.41.0.4", port))
        answers = iter([[public], [private], [mapped, public, private]])
        dialled: list[str] = []

        def rebinding(*_: object, **__: object) -> list[tuple[object, ...]]:
            return next(answers)  # type: ignore[return-value]

        async def dial(_: socket.socket, address: tuple[str, int]) -> None:
            dialled.append(address[0])
            raise ConnectionRefusedError  # the tests have no way out

        monkeypatch.setattr(socket, "getaddrinfo", rebinding)
        monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", dial)
        client = WebhookClient(allow_http=True)
        outcomes = []
        for n in range(3):  # each under a name of its own, so that no look-up is remembered
            outcomes.append((await client.post(f"http://hooks{n}.example.org/", {}, b"{}")).error_class)
        await client.aclose()
    assert outcomes == ["refused", "blocked", "blocked"]
    assert (touched, set(dialled)) == (0, {"198.41.0.4"})


async def test_names_that_nobody_answers_for_hold_up_no_other(
    sender: WebhookClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = threading.Event()

    async with served(saying(b"HTTP/1.1 204 No Content\r\n\r\n")) as port:

        def look_up(host: str, *_: object, **__: object) -> list[tuple[object, ...]]:
            if host.startswith("silent"):
                answered.wait(20)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        urls = [f"http://silent-{n}.example.org:{port}/" for n in range(40)]
        waiting = [asyncio.ensure_future(sender.post(url, {}, b"{}", total_s=5)) for url in urls]
        try:
            await asyncio.sleep(0.1)
            assert (await sender.post(f"http://hooks.example.org:{port}/", {}, b"{}", total_s=4)).ok
            assert not any(each.done() for each in waiting)
        finally:
            answered.set()
            await asyncio.gather(*waiting)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "https://169.254.169.254/", "nonsense", "https://2130706433/"])
async def test_a_forbidden_url_is_blocked_without_a_connection(url: str) -> None:
    client = WebhookClient()
    assert (await client.post(url, {}, b"{}")).error_class == "blocked"
    await client.aclose()


def certificate(folder: Path, name: str) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "cert.pem").write_bytes(built.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


async def test_an_untrusted_or_wrong_certificate_is_a_tls_failure_and_a_trusted_one_is_not(tmp_path: Path) -> None:
    answer = saying(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    async with served(answer, certificate(tmp_path, "localhost")) as port:
        trust = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
        outcomes = []
        for tls, host in ((None, "localhost"), (trust, "127.0.0.1"), (trust, "localhost")):
            client = WebhookClient(allow_private=True, tls=tls)
            outcomes.append((await client.post(f"https://{host}:{port}/", {}, b"{}")).error_class)
            await client.aclose()
    assert outcomes == ["tls", "tls", "none"]


async def test_no_proxy_and_no_password_of_the_environment_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sender: WebhookClient
) -> None:
    """A proxy would connect where our guard does not look, and read what is for the partner alone."""
    asked: list[bytes] = []

    async def proxy(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(b"proxy")
        writer.close()

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()

    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login alex password canary\n")
    monkeypatch.setenv("NETRC", str(netrc))
    server = await asyncio.start_server(receive, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, served(proxy) as away:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "WS_PROXY"):
            for spelt in (name, name.lower()):
                monkeypatch.setenv(spelt, f"http://127.0.0.1:{away}")
        feed, internal = FeedClient(allow_http=True, allow_private=True), HttpInternalClient(f"http://127.0.0.1:{port}")
        assert (await sender.post(f"http://127.0.0.1:{port}/", {}, b"{}")).ok
        assert await feed.get(f"http://127.0.0.1:{port}/") == b"{}"
        assert (await internal.request("GET", "/")).status == 200
        await feed.aclose()
        await internal.aclose()
    assert len(asked) == 3
    assert not any(each == b"proxy" or b"authorization" in each.lower() for each in asked)


async def test_a_stale_connection_is_replaced_and_a_new_one_is_not(sender: WebhookClient) -> None:
    connections = requests = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections, requests
        connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError):  # the client went away between requests
            for turn in range(2):
                await reader.readuntil(b"\r\n\r\n{}")
                if turn == 0:
                    requests += 1
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    assert [(await sender.post(url, {}, b"{}")).ok for _ in range(2)] == [True, True]
    assert (connections, requests) == (2, 2)
    await sender.aclose()
    server.close()
