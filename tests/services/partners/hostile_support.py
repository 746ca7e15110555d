"""What may be wrong between the hub and a partner: connections that break halfway, certificates that are not right."""

import asyncio
import contextlib
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


@dataclass
class Proxy:
    """Passes bytes on to a port of this machine, as long as nothing is set.

    `swallows`: what comes is taken and goes nowhere. `cuts_answers`: the request goes on, and a reset comes in the
    place of the answer. `is_away`: everything is reset.
    """

    to: int
    port: int = 0
    swallows: bool = False
    cuts_answers: bool = False
    is_away: bool = False
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    def cut(self) -> None:
        """Reset every connection that is open."""
        for writer in list(self._open):
            writer.transport.abort()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        if self.is_away:
            writer.transport.abort()
            return
        onward_reader, onward_writer = await asyncio.open_connection("127.0.0.1", self.to)
        ends = {writer, onward_writer}
        self._open |= ends
        try:
            with contextlib.suppress(ConnectionError):
                await asyncio.gather(
                    self._pass(reader, onward_writer, answers=False), self._pass(onward_reader, writer, answers=True)
                )
        finally:
            self._open -= ends
            for end in ends:
                end.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool) -> None:
        while piece := await reader.read(65536):
            if answers and self.cuts_answers:
                raise ConnectionResetError
            if not self.swallows:
                writer.write(piece)
                await writer.drain()
        raise ConnectionResetError


@asynccontextmanager
async def proxied(to: int) -> AsyncIterator[Proxy]:
    """Run a proxy before a port."""
    proxy = Proxy(to)
    server = await asyncio.start_server(proxy.handle, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.cut()
        await asyncio.sleep(0.01)


class Authority:
    """A certificate authority of the test's own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("Example authority")
        made = self._certificate(self._name, self._key, self._name, self._key, is_authority=True)
        self.file = folder / "authority.pem"
        self.file.write_bytes(made.public_bytes(serialization.Encoding.PEM))

    def server(self, host: str = "localhost", *, days: int = 1, is_own: bool = False) -> ssl.SSLContext:
        """Return a server's context.

        Parameters
        ----------
        host
            For whom the certificate is.
        days
            How long it is valid from now on; below 0 it has expired.
        is_own
            It is signed by itself and not by the authority.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(host)
        issuer, signer = (subject, key) if is_own else (self._name, self._key)
        made = self._certificate(subject, key, issuer, signer, host=host, days=days)
        path = self._folder / f"{made.serial_number:x}.pem"
        private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        path.write_bytes(
            made.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(serialization.Encoding.PEM, *private)
        )  # fmt: skip
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def client(self) -> ssl.SSLContext:
        """Return the context of a client that trusts this authority, and is otherwise as strict as any."""
        return ssl.create_default_context(cafile=str(self.file))

    def _certificate(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, issuer: x509.Name,
        signer: ec.EllipticCurvePrivateKey, *, host: str | None = None, days: int = 1, is_authority: bool = False,
    ) -> x509.Certificate:  # fmt: skip
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=9)).not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )  # fmt: skip
        if host is not None:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        return builder.sign(signer, hashes.SHA256())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def only(context: ssl.SSLContext, version: ssl.TLSVersion) -> ssl.SSLContext:
    """Let a context speak this version of TLS alone, however old."""
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    return context


@asynccontextmanager
async def answering_tls(tls: ssl.SSLContext, port: int = 0) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Answer every request with 204; return the port, and the heads of what came through the handshake."""
    heads: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", port, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1], heads
    finally:
        server.close()
        await server.wait_closed()
