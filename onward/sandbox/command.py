"""`onward partner sandbox`: a partner's developer tries an implementation without a hub."""

import argparse
import asyncio
import contextlib
import json
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Final

import uvicorn
from fastapi import FastAPI

from hubkit import log
from hubkit.clock import SystemClock
from hubkit.config import SettingsError
from hubkit.egress import WebhookClient
from hubkit.serve import UVICORN
from hubkit.webhooks import WebhookKeyError, new_signing_pair, public_key_of, sign
from onward.sandbox.hub import SandboxHub, app_of
from onward.sandbox.play import Finding, Terms, as_lines, play
from onward.sandbox.trials import Maker
from services.partners.actions.outgoing import ATTEMPT_S

#: Everybody's, and good for nothing else: a receiver that is to be tried by --url is given it once.
SECRET: Final = "whsec_b253YXJkIHNhbmRib3g6IGV2ZXJ5Ym9keSdzIGtleSE="  # noqa: S105
_PATIENCE_S: Final = 10.0


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands for partners' developers."""
    partner = commands.add_parser("partner", help="for partners' developers").add_subparsers(
        required=True, metavar="ACTION"
    )
    sandbox = partner.add_parser(
        "sandbox",
        help="try a partner's webhook receiver: sample, repeated, late, badly signed and replayed events",
        description="Plays a hub towards a partner's webhook receiver, with invented data; needs no hub. Prints what "
        "each check expected and what happened; ends with 1 when one failed. Meanwhile it serves the calls that the "
        "receiver makes back: POST /oauth/token (with any credentials), the onward referral, its actions and answers.",
    )
    sandbox.add_argument(
        "--url", help="the receiver's address (default: wait until it registers with POST /v1/webhook-endpoints)"
    )
    sandbox.add_argument("--secret", default=SECRET, help=f"what the receiver verifies v1 with (default {SECRET})")
    sandbox.add_argument("--key", help="a whsk_ whose whpk_ the receiver verifies v1a with (default: a new one)")
    sandbox.add_argument("--port", type=int, default=8099, help="where this hub listens, on 127.0.0.1 (default 8099)")
    sandbox.add_argument("--public-url", help="how the receiver reaches it, where that is not http://127.0.0.1:PORT")
    sandbox.add_argument(
        "--deadline", type=float, default=ATTEMPT_S, help=f"seconds for an answer (default {ATTEMPT_S:g}, as the hub's)"
    )
    sandbox.add_argument(
        "--patience", type=float, default=_PATIENCE_S, help=f"seconds for the calls back (default {_PATIENCE_S:g})"
    )
    sandbox.add_argument("--webhooks-only", action="store_true", help="expect no calls back: only the answers count")
    sandbox.add_argument("--json", action="store_true", help="for machines")
    sandbox.set_defaults(command=run_sandbox)


async def run_sandbox(arguments: argparse.Namespace) -> int:
    """Serve, play, print; returns the exit status."""
    key = arguments.key or new_signing_pair()[0]
    keys = (arguments.secret, key)
    clock = SystemClock()
    try:
        public_key = public_key_of(key)
        sign("sandbox", 0, b"", keys)
    except WebhookKeyError as error:
        raise SettingsError(f"--secret or --key: {error}") from None
    log.configure("onward", "warning")
    public_url = (arguments.public_url or f"http://127.0.0.1:{arguments.port}").rstrip("/")
    hub = SandboxHub(clock, arguments.secret, public_key)
    client = WebhookClient(allow_http=True, allow_private=True)
    terms = Terms(arguments.deadline, arguments.patience, arguments.webhooks_only)
    async with _served(app_of(hub), arguments.port):
        # On the other stream, so that what --json prints stays JSON.
        print(f"hub {public_url}  secret {arguments.secret}  public key {public_key}", file=sys.stderr, flush=True)
        try:
            url = arguments.url or await hub.registered.get()
            findings = await play(hub, Maker(hub, clock, keys, public_url), client, url, terms)
        finally:
            await client.aclose()
    _show(findings, as_json=arguments.json)
    return 0 if all(each.passed for each in findings) else 1


def _show(findings: list[Finding], *, as_json: bool) -> None:
    if not as_json:
        print("\n".join(as_lines(findings)))
        return
    passed = sum(each.passed for each in findings)
    checks = [asdict(each) for each in findings]
    print(json.dumps({"checks": checks, "passed": passed, "failed": len(findings) - passed}, indent=2))


@contextlib.asynccontextmanager
async def _served(app: FastAPI, port: int) -> AsyncIterator[None]:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError:
        listener.close()
        raise SettingsError(f"cannot listen on port {port}; choose another with --port") from None
    # A receiver that still holds a connection open does not keep the sandbox from ending.
    options = UVICORN | {"timeout_graceful_shutdown": 1}
    server = uvicorn.Server(uvicorn.Config(app, **options))
    serving = asyncio.create_task(server.serve([listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving
        listener.close()
