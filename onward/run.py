"""`onward run`: the whole hub in this process."""

import argparse
import asyncio
import sys
import time
from pathlib import Path

import uvicorn

from hubkit import log
from hubkit.config import default_profile
from hubkit.contracts.profile import Profile
from hubkit.profiles import load_profile
from hubkit.serve import UVICORN
from onward import composition, development
from onward.profiles import find
from services.partners.policy.demonstration import demonstration_partners

_HELLO = """
{name} is open at {url}   ({seconds:.1f} s)

Try next, in other terminals:
{tries}

Clients and keys: {demo} ({clients})
Data: {data} (kept)    Ctrl-C stops.
"""
_PYTHON = ".venv/bin/python"
#: What the examples do when they are not told otherwise.
_DEMO, _NEED, _CHANNEL = Path(".data/demo.json"), "counselling", "police_automatic"


async def serve(arguments: argparse.Namespace) -> int:
    """Migrate, load demonstration data, serve until Ctrl-C; returns the exit status."""
    started = time.monotonic()
    folder: Path = arguments.data
    profile = find(arguments.hub or default_profile())
    hub = load_profile(profile)
    place = composition.Place(folder, f"http://127.0.0.1:{arguments.port}", profile)
    secrets = development.load_secrets(folder, hub)
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
        hello = _HELLO.format(
            name=hub.name,
            url=place.base_url,
            seconds=seconds,
            tries=tries(hub, place.base_url, demo),
            demo=demo,
            clients=", ".join(secrets["clients"]),
            data=folder,
        )
        print(hello, flush=True)
    try:
        await serving
    except SystemExit:
        print(f"onward: cannot listen on port {arguments.port}; choose another with PORT=", file=sys.stderr)
        return 1
    return 0 if server.started else 1


def tries(hub: Profile, url: str, demo: Path) -> str:
    """Return what can be tried with this hub: a partner that it has, and a referral that comes to that partner."""
    where = "" if demo == _DEMO else f" --demo {demo}"
    data = "" if demo == _DEMO else f" --data {demo.parent}"
    lines = []
    found = _first_asked(hub)
    if found is not None:
        partner, need = found
        kind = "" if partner == _NEED else f" --kind {partner}"
        lines.append((f"{_PYTHON} examples/partner_receiver.py{where}{kind}", "a partner: takes webhooks, accepts"))
        named = "" if need == _NEED else f" --need {need}"
        channel = _police_channel(hub)
        by = "" if channel == _CHANNEL else f" --channel {channel}"
        if channel is not None:
            lines.append((f"{_PYTHON} examples/police_client.py{where}{named}{by}", "the police: send a referral"))
    lines += [(f"curl {url}/openapi.json", "every call, with its scope")]
    lines += [(f"{_PYTHON} -m onward{data} --help", "the operator's command")]
    width = max(len(command) for command, _ in lines)
    return "\n".join(f"  {command:{width}}    {what}" for command, what in lines)


def _first_asked(hub: Profile) -> tuple[str, str] | None:
    """Return the client of a demonstration partner to which people are referred, and a need for which it is asked."""
    asked = [
        (each.kind == need, partner.key, need)
        for partner in demonstration_partners(hub)
        for each in partner.services
        if each.route == "refer"
        for need in ((_NEED,) if each.kind in ("other", _NEED) else (each.kind,))
    ]
    by_choice = sorted(asked, key=lambda each: (each[2] != _NEED, not each[0]))
    return next(((key, need) for _, key, need in by_choice), None)


def _police_channel(hub: Profile) -> str | None:
    """Return the channel by which the police would send: the usual one where the hub has it."""
    channels = [each.channel for each in hub.channels if each.channel.startswith("police_")]
    return _CHANNEL if _CHANNEL in channels else next(iter(channels), None)
