"""Serve one deployable: `python -m hubkit.serve services.intake.app:create --port 8000`."""

import argparse
import gc
import importlib
import os
from typing import Any

import uvicorn

from hubkit import log
from hubkit.config import SettingsError
from hubkit.migrations import StaleSchemaError, settings_class
from hubkit.protocol import BoundedProtocol


def tune_collector() -> None:
    """Collect garbage less often: a batch makes thousands of short-lived objects, and hardly any of them in cycles."""
    gc.set_threshold(20_000, 10, 20)


def main() -> None:
    """Run uvicorn until it is told to stop; it finishes what it has begun before it ends."""
    parser = argparse.ArgumentParser(prog="python -m hubkit.serve", description=__doc__)
    parser.add_argument("factory", help="module:function that returns the app")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    arguments = parser.parse_args()
    application = arguments.factory.split(":")[0]
    module = application.removesuffix(".app")
    # What is imported stays: looking through it for garbage again and again takes a third of the start.
    gc.disable()
    importlib.import_module(application)
    gc.freeze()
    gc.enable()
    tune_collector()
    try:
        settings = settings_class(module).load()
        log.configure(module.rsplit(".", 1)[-1], settings.log_level)
        uvicorn.run(arguments.factory, factory=True, host=arguments.host, port=arguments.port, **UVICORN)
    except (SettingsError, StaleSchemaError) as error:
        raise SystemExit(f"{module}: {error}") from None


#: How every deployable is served: the fast loop and parser, our own logs, no banner.
UVICORN: dict[str, Any] = {
    "loop": "uvloop",
    "http": BoundedProtocol,
    "access_log": False,
    "log_config": None,
    "server_header": False,
    "date_header": False,
    # Without a proxy that is named nobody says who calls: uvicorn would believe every caller on this machine.
    "proxy_headers": bool(os.environ.get("FORWARDED_ALLOW_IPS")),  # noqa: TID251 - uvicorn's own variable
    "timeout_keep_alive": 75,
    "timeout_graceful_shutdown": 20,
    "lifespan": "on",
}

if __name__ == "__main__":
    main()
