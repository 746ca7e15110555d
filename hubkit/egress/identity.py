"""The hub's own certificate, which it presents where a receiver of webhooks asks who is calling (mutual TLS)."""

import ssl
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509

_WORD: Final = "development"


class IdentityError(Exception):
    """Certificate and key cannot be used. The message names neither's content."""


class ClientIdentity:
    """A client certificate and its key, read again when one of the files changes, so that a renewal needs no restart.

    Parameters
    ----------
    certificate, key
        PEM files; the first may hold the chain, leaf first, and the second is not encrypted.
    trust
        Makes a context that verifies receivers; by default, by the system's authorities.

    Raises
    ------
    IdentityError
        When the files cannot be read or do not belong together.
    """

    def __init__(
        self, certificate: str, key: str, trust: Callable[[], ssl.SSLContext] = ssl.create_default_context
    ) -> None:
        self._files = (Path(certificate), Path(key))
        self._trust = trust
        self._read_at = self._changed_at()
        self._context, self._leaf = self._read()

    @property
    def expires_at(self) -> datetime:
        """When the certificate lapses."""
        return self._leaf.not_valid_after_utc

    @property
    def is_for_development(self) -> bool:
        """Whether the certificate's subject or issuer says that it is for development."""
        names = f"{self._leaf.subject.rfc4514_string()} {self._leaf.issuer.rfc4514_string()}"
        return _WORD in names.lower()

    def context(self) -> ssl.SSLContext:
        """Return the context that presents the certificate; the same one until a file has changed.

        While what has changed is not usable (half of a renewal is written), what was read last still serves.
        """
        try:
            changed_at = self._changed_at()
            if changed_at != self._read_at:
                self._context, self._leaf = self._read()
                self._read_at = changed_at
        except IdentityError:
            pass
        return self._context

    def _changed_at(self) -> tuple[int, ...]:
        try:
            return tuple(path.stat().st_mtime_ns for path in self._files)
        except OSError as error:
            raise IdentityError(f"the client certificate or its key cannot be read ({type(error).__name__})") from None

    def _read(self) -> tuple[ssl.SSLContext, x509.Certificate]:
        certificate, key = self._files
        context = self._trust()
        try:
            leaf = x509.load_pem_x509_certificates(certificate.read_bytes())[0]
            # Without an answer to a question for the passphrase, OpenSSL would ask on the terminal.
            context.load_cert_chain(certificate, key, password=lambda: b"")
        except (OSError, ssl.SSLError, ValueError) as error:
            raise IdentityError(f"the client certificate or its key is not usable ({type(error).__name__})") from None
        return context, leaf
