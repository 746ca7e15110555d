"""Certificates of a made-up authority, for servers and clients of tests."""

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

_LOOPBACK = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])


@dataclass(frozen=True)
class Files:
    """A certificate and its key in files."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Authority:
    """An authority; what it issues lies in `folder`."""

    folder: Path
    name: x509.Name
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def make(cls, folder: Path, name: str = "Example authority") -> Self:
        folder.mkdir(parents=True, exist_ok=True)
        made = cls(folder, _name(name), ec.generate_private_key(ec.SECP256R1()))
        root = made._builder(made.name, made.key.public_key(), timedelta(days=1))
        root = root.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        made.root.write_bytes(root.sign(made.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return made

    @property
    def root(self) -> Path:
        """The file of its own certificate."""
        return self.folder / "root.pem"

    def issue(self, name: str, lasts: timedelta = timedelta(days=1)) -> Files:
        """Issue a certificate for the loopback address; again under the same name it is renewed, with another key."""
        key = ec.generate_private_key(ec.SECP256R1())
        built = self._builder(_name(name), key.public_key(), lasts).add_extension(_LOOPBACK, critical=False)
        files = Files(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        files.certificate.write_bytes(built.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        files.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return files

    def trust(self) -> ssl.SSLContext:
        """Return a client's context that believes this authority alone."""
        return ssl.create_default_context(cafile=str(self.root))

    def server(self, files: Files, *, asks: bool) -> ssl.SSLContext:
        """Return a server's context; one that `asks` takes only clients with a certificate of this authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files.certificate, files.key)
        if asks:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(str(self.root))
        return context

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey, lasts: timedelta) -> x509.CertificateBuilder:
        now = datetime.now(UTC).replace(microsecond=0)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=2))
            .not_valid_after(now + lasts)
        )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])
