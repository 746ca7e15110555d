"""`onward run`: the whole hub in this process."""

import argparse
import asyncio
import sys
import time
from pathlib import Path

import uvicorn

from hubkit import log
from hubkit.profiles import load_profile
from hubkit.serve import UVICORN
from onward import composition, development

_HELLO = """
{name} is open at {url}   ({seconds:.1f} s)

Try next, in other terminals:
  .venv/bin/python examples/partner_receiver.py    a partner that takes webhooks, fetches and accepts
  .venv/bin/python examples/police_client.py       a police system that sends a referral
  curl {url}/openapi.json                          every call, with its scope
  .venv/bin/python -m onward --help                the operator's command

Clients and keys: {demo}    Data: {data} (kept)    Ctrl-C stops.
"""


async def serve(arguments: argparse.Namespace) -> int:
    """Migrate, load demonstration data, serve until Ctrl-C; returns the exit status."""
    started = time.monotonic()
    folder: Path = arguments.data
    profile = Path("profiles") / f"{arguments.hub}.yaml"
    hub = load_profile(profile)
    place = composition.Place(folder, f"http://127.0.0.1:{arguments.port}", profile)
    secrets = development.load_secrets(folder)
    log.configure("onward", "warning")
    await composition.migrate(place)
    app = composition.compose(composition.settings_for(place, secrets))
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=arguments.port, **UVICORN))
    serving = asyncio.create_task(server.serve())
    while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn has a flag, not an event
        await asyncio.sleep(0.02)
    if server.started:
        demo = development.write_demo(folder, place.base_url, secrets["clients"])
        seconds = time.monotonic() - started
        print(_HELLO.format(name=hub.name, url=place.base_url, seconds=seconds, demo=demo, data=folder), flush=True)
    try:
        await serving
    except SystemExit:
        print(f"onward: cannot listen on port {arguments.port}; choose another with PORT=", file=sys.stderr)
        return 1
    return 0 if server.started else 1
