"""The whole hub as real processes: five deployables by uvicorn on private PostgreSQL and RabbitMQ servers.

Used by the fault tests, the canary search and the benchmarks. Only processes started here are ever killed.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from hubkit.profiles import load_profile
from onward import development
from tests.support.process import die_with_parent, free_port
from tests.support.servers import PostgresServer, RabbitServer, Server

ROOT = Path(__file__).resolve().parents[2]
PROFILE = ROOT / "profiles" / "cambridgeshire.yaml"
MODULES = {
    "intake": "services.intake",
    "triage": "services.triage",
    "routing": "services.routing",
    "partners": "services.partners",
    "gateway": "gateway",
}


class Stack:
    """A hub of five processes.

    Parameters
    ----------
    extra
        Further environment variables, such as `GATEWAY_RATE_PER_SECOND`.
    fast
        Whether PostgreSQL may skip the disk; never for fault tests.
    """

    def __init__(self, *, extra: Mapping[str, str] | None = None, fast: bool = False) -> None:
        self.postgres = PostgresServer(fast=fast)
        self.rabbit = RabbitServer(management=True)
        self.secrets = development.new_secrets(load_profile(PROFILE))
        self.ports = {name: free_port() for name in MODULES}
        self.base_url = f"http://127.0.0.1:{self.ports['gateway']}"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.folder = Path(tempfile.mkdtemp(prefix="onward-stack-"))
        self._extra = dict(extra or {})
        self.database_urls: dict[str, str] = {}

    def start(self) -> Self:
        """Start the servers, migrate, start the deployables, wait until all are ready."""
        self.postgres.start()
        self.rabbit.start()
        for name in MODULES:
            self.database_urls[name] = self.postgres.create_database(f"onward_{name}")
        migrations = [self._spawn([sys.executable, "-m", "hubkit.migrations", MODULES[n]], n) for n in MODULES]
        for process in migrations:
            if process.wait(120) != 0:
                raise RuntimeError("a migration failed; its log is in " + str(self.folder))
        for name in MODULES:
            self.start_service(name)
        for name in MODULES:
            self.wait_ready(name)
        return self

    def environment(self, name: str) -> dict[str, str]:
        """Return the variables of one deployable."""
        prefix = name.upper()
        values: dict[str, str] = {
            "ENVIRONMENT": "development",
            "DATABASE_URL": self.database_urls[name],
            "TRUSTED_KEYS": json.dumps(self.secrets["trusted_keys"]),
            "PROFILE": str(PROFILE),
        }
        if name != "gateway":
            values["AMQP_URL"] = self.rabbit.url
        if name in self.secrets["field_keys"]:
            values["FIELD_KEYS"] = json.dumps(self.secrets["field_keys"][name])
        if name in self.secrets["internal_keys"]:
            values["INTERNAL_KEY"] = json.dumps(self.secrets["internal_keys"][name])
            values["PUBLIC_URL"] = self.base_url
        if name == "intake":
            values["INDEX_KEY"] = self.secrets["index_key"]
        if name == "partners":
            values |= {"INTAKE_URL": self.url("intake"), "ALLOW_PRIVATE_ENDPOINTS": "true", "DEMONSTRATION": "true"}
        if name == "gateway":
            values |= {f"{n.upper()}_URL": self.url(n) for n in MODULES if n != "gateway"}
            values["DEMONSTRATION_CLIENTS"] = json.dumps({"clients": self.secrets["clients"]})
        own = {f"{prefix}_{key}": value for key, value in values.items()}
        extra = {key: value for key, value in self._extra.items() if key.startswith(f"{prefix}_")}
        return {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(ROOT), **own, **extra}

    def url(self, name: str) -> str:
        """Return where a deployable answers."""
        return f"http://127.0.0.1:{self.ports[name]}"

    def start_service(self, name: str) -> None:
        """Start one deployable; it may take a moment to be ready."""
        self.processes[name] = self._serve(name, self.ports[name])

    def start_replica(self, name: str) -> subprocess.Popen[bytes]:
        """Start one more process of a deployable on the same database and broker; whoever asks for it ends it."""
        return self._serve(name, free_port())

    def kill_service(self, name: str) -> None:
        """SIGKILL one deployable."""
        process = self.processes[name]
        process.send_signal(signal.SIGKILL)
        process.wait(10)

    def wait_ready(self, name: str, timeout: float = 60) -> None:
        """Wait until a deployable says that it can work."""
        end = time.monotonic() + timeout
        while not self._is_ready(name):
            if self.processes[name].poll() is not None:
                raise RuntimeError(f"{name} ended:\n{self.log(name)[-3000:]}")
            if time.monotonic() > end:
                raise RuntimeError(f"{name} is not ready:\n{self.log(name)[-3000:]}")
            time.sleep(0.05)

    def revive(self, name: str, timeout: float = 60) -> None:
        """As `wait_ready`, but start it again whenever it has ended, as a supervisor does."""
        end = time.monotonic() + timeout
        while not self._is_ready(name):
            if self.processes[name].poll() is not None:
                self.start_service(name)
            if time.monotonic() > end:
                raise RuntimeError(f"{name} is not ready:\n{self.log(name)[-3000:]}")
            time.sleep(0.1)

    def _is_ready(self, name: str) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url(name)}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def server(self, name: str) -> Server:
        """Return `postgres` or `rabbitmq`."""
        return {"postgres": self.postgres, "rabbitmq": self.rabbit}[name]

    def queued(self) -> dict[str, int]:
        """Return how many messages each queue of the broker holds, delivered but not acknowledged ones too."""
        lines = self.rabbit.ctl("list_queues", "--no-table-headers", "name", "messages").splitlines()
        counts = {name: int(count) for name, count in (line.split() for line in lines)}
        return {name: count for name, count in counts.items() if count}

    def log(self, name: str) -> str:
        """Return what a deployable has logged."""
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def rows(self, name: str, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query on one deployable's database."""
        return self.postgres.execute(query, f"onward_{name}")

    def stop(self) -> None:
        """Stop the deployables, then the servers."""
        for process in self.processes.values():
            if process.poll() is None:
                process.terminate()
        for process in self.processes.values():
            try:
                process.wait(25)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
        self.rabbit.close()
        self.postgres.close()

    def _serve(self, name: str, port: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "hubkit.serve", f"{MODULES[name]}.app:create", "--port", str(port)]
        return self._spawn(command, name)

    def _spawn(self, command: list[str], name: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                command,
                env=self.environment(name),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,
            )

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if kind is None:  # after a failure the logs are wanted
            shutil.rmtree(self.folder, ignore_errors=True)
