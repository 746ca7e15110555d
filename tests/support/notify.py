"""GOV.UK Notify on this machine, as far as its documentation goes."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import OctKey

NOW = datetime(2026, 11, 19, 9, 0, tzinfo=UTC)
SERVICE, SECRET, TEMPLATE = (str(uuid.UUID(int=number)) for number in range(1, 4))
KEY = f"development_key-{SERVICE}-{SECRET}"


class Notify:
    """What it has taken, and was asked for. `answers` are given, one a request, before it works."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.answers: list[int | str] = []
        self.url = ""
        self.now = NOW

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        self.paths.append(f"{request.method} {request.path_qs}")
        token = jwt.decode(request.headers["authorization"].removeprefix("Bearer "), OctKey.import_key(SECRET))
        assert token.header == {"typ": "JWT", "alg": "HS256"}
        assert token.claims == {"iss": SERVICE, "iat": int(self.now.timestamp())}
        answer = self.answers.pop(0) if self.answers else 201
        if request.method == "GET":
            if answer != 201:
                return web.json_response({}, status=int(answer))
            reference = request.query["reference"]
            return web.json_response({"notifications": [one for one in self.taken if one["reference"] == reference]})
        if answer == "slow":
            await asyncio.sleep(3)
        if answer == "elsewhere":
            raise web.HTTPTemporaryRedirect(self.url + "/elsewhere")
        body = await request.json()
        if isinstance(answer, int) and answer != 201:
            said = {"error": "ValidationError", "message": f"phone_number {body.get('phone_number')} Not a UK number"}
            return web.json_response({"status_code": answer, "errors": [said]}, status=answer)
        self.taken.append({**body, "id": str(uuid.UUID(int=len(self.taken) + 10)), "path": request.path})
        if answer == "cut":
            assert request.transport is not None
            request.transport.close()
        return web.json_response(self.taken[-1], status=201)


@contextlib.asynccontextmanager
async def running() -> AsyncIterator[Notify]:
    """Run it on a free port."""
    made = Notify()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    made.url = f"http://{host}:{port}"
    try:
        yield made
    finally:
        await runner.cleanup()
