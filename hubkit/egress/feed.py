"""Reading public feeds of others: one GET at a time, of so many bytes, from no address that is ours."""

import asyncio
from typing import Final

import aiohttp
from yarl import URL

from hubkit.egress.addresses import AddressGuard, check_webhook_url
from hubkit.egress.session import new_session
from hubkit.errors import UnavailableError

_CONNECT_S: Final = 5.0
_CHUNK: Final = 64 * 1024


class FeedClient:
    """Reads documents over one connection.

    Parameters
    ----------
    allow_http, allow_private
        Development only; see `check_webhook_url` and `AddressGuard`.
    max_bytes
        Of one document; a longer one is not read to its end.
    max_total
        Of all documents together.
    """

    def __init__(
        self,
        *,
        allow_http: bool = False,
        allow_private: bool = False,
        max_bytes: int = 8 * 2**20,
        max_total: int = 256 * 2**20,
    ) -> None:
        self._allow_http = allow_http
        self._allow_private = allow_private
        self._max_bytes = max_bytes
        self._max_total = max_total
        self._total = 0
        self._session: aiohttp.ClientSession | None = None

    async def get(self, url: str, *, total_s: float = 30.0) -> bytes:
        """Return a document.

        Parameters
        ----------
        total_s
            For everything together: look-up, connection, sending and reading.

        Raises
        ------
        InvalidError
            When the URL is not one that may be called; codes as `check_webhook_url`.
        UnavailableError
            When no whole document came: the status, the size, the time or the address was wrong. No redirect is
            followed.
        """
        target = check_webhook_url(url, allow_http=self._allow_http, allow_private=self._allow_private)
        try:
            async with asyncio.timeout(total_s):
                return await self._read(URL(target, encoded=True))
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError, RuntimeError) as error:
            raise UnavailableError(f"The feed does not answer ({type(error).__name__})") from error

    async def aclose(self) -> None:
        """Close the connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _read(self, url: URL) -> bytes:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=1, ssl=True, socket_factory=AddressGuard(allow_private=self._allow_private)
            )
            self._session = new_session(connector, aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S))
        headers = {"accept": "application/json", "user-agent": "Onward-Directory/1"}
        async with self._session.get(url, headers=headers, allow_redirects=False) as response:
            if response.status != 200:
                response.close()
                raise UnavailableError(f"The feed answered with status {response.status}")
            content = bytearray()
            async for chunk in response.content.iter_chunked(_CHUNK):
                content += chunk
                self._total += len(chunk)
                if len(content) > self._max_bytes or self._total > self._max_total:
                    response.close()
                    most = self._max_bytes if len(content) > self._max_bytes else self._max_total
                    raise UnavailableError(f"The feed answered with more than {most} bytes")
            return bytes(content)
