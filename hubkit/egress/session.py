"""The aiohttp session that both clients use, with everything implicit turned off."""

from types import SimpleNamespace

import aiohttp


class Reuse:
    """Told by the session's trace whether a request went over a connection that had served before."""

    def __init__(self) -> None:
        self.reused = False


def _trace() -> aiohttp.TraceConfig:
    async def reused(
        _session: aiohttp.ClientSession, context: SimpleNamespace, _params: aiohttp.TraceConnectionReuseconnParams
    ) -> None:
        note = context.trace_request_ctx
        if isinstance(note, Reuse):
            note.reused = True

    trace = aiohttp.TraceConfig()
    trace.on_connection_reuseconn.append(reused)
    return trace


def new_session(connector: aiohttp.TCPConnector, timeout: aiohttp.ClientTimeout) -> aiohttp.ClientSession:
    """Return a session without cookies, proxies from the environment, decompression or default headers of aiohttp."""
    return aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        trace_configs=[_trace()],
        skip_auto_headers=("User-Agent", "Accept-Encoding"),
        max_line_size=4096,
        max_field_size=8190,
    )
