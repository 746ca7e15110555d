"""A server as a child process with its own ports and folder, made to be killed.

It works as root (the server then runs as another user) and as an ordinary user, and dies with the process that started
it. Start it from the main thread: Linux ties that death to the starting thread.
"""

import ctypes
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil  # type: ignore[import-untyped]

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)
#: Not the seeded one: processes beside this one look for ports too.
_CHANCE = random.SystemRandom()
_TAKEN: set[int] = set()


class ServerError(Exception):
    """A server did not start; the message ends with its log."""


def free_port() -> int:
    """Return a free loopback port below 32768, where no outgoing connection of this machine takes one away."""
    while True:
        port = _CHANCE.randrange(20000, 32768)
        if port in _TAKEN:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _TAKEN.add(port)
        return port


def die_with_parent() -> None:
    """Have the kernel kill this process when the one that started it ends; for `preexec_fn`."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _searchable(folder: Path) -> bool:
    return all(parent.stat().st_mode & 0o001 for parent in [folder, *folder.parents])


def _send(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def _await(processes: list[psutil.Process], status: str) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            while process.status() not in (status, psutil.STATUS_ZOMBIE):
                time.sleep(0.002)


class Server(ABC):
    """One server process with all its children, and a folder of its own that goes when it is closed."""

    name = "server"
    users: tuple[str, ...] = ("nobody",)
    stop_signal = signal.SIGTERM

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self._account: dict[str, Any] = {}
        base = Path(tempfile.gettempdir())
        if os.geteuid() == 0:
            known = {entry.pw_name: entry for entry in pwd.getpwall()}
            account = next(known[user] for user in self.users if user in known)
            self._account = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
            base = base if _searchable(base) else Path("/tmp")
        self.folder = Path(tempfile.mkdtemp(prefix=f"onward-{self.name}-", dir=base))
        self.folder.chmod(0o700)
        self._give(self.folder)

    @abstractmethod
    def command(self) -> list[str]:
        """Return the program and its arguments."""

    @abstractmethod
    def ready(self) -> bool:
        """Whether the server answers. May raise `OSError` while it does not."""

    def environment(self) -> dict[str, str]:
        """Return the server's whole environment."""
        path = os.environ.get("PATH", "/usr/bin:/bin")
        return {"PATH": path, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TZ": "UTC", "HOME": str(self.folder)}

    @property
    def alive(self) -> bool:
        """Whether the server's main process runs."""
        return self.process is not None and self.process.poll() is None

    def start(self, wait: float = 90) -> Self:
        """Start on the same ports and data as before, and wait until it answers.

        Raises
        ------
        ServerError
            When it ends, or does not answer within `wait` seconds.
        """
        if self.alive:
            return self
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                env=self.environment(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent,
                **self._account,
            )
        self._wait(wait)
        return self

    def stop(self, timeout: float = 30) -> None:
        """Ask it to end and wait for that; kill it when it does not end in time."""
        if self.process is None or not self.alive:
            return
        self.process.send_signal(self.stop_signal)
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End every process of the server at once, as a power cut would (SIGKILL)."""
        processes = self._freeze()  # first, so that none sees another go and tidies up
        _send(processes, signal.SIGKILL)
        if self.process is not None:
            self.process.wait()
        _await(processes, psutil.STATUS_ZOMBIE)  # which holds nothing, and only waits for its parent to look

    def restart(self) -> Self:
        """Stop properly and start again."""
        self.stop()
        return self.start()

    def pause(self) -> None:
        """Freeze every process of the server (SIGSTOP): connections stay open and nothing answers."""
        self._freeze()

    def resume(self) -> None:
        """Let a paused server run on (SIGCONT)."""
        _send(self._processes(), signal.SIGCONT)

    def close(self) -> None:
        """Kill the server and remove its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, *command: str, timeout: float = 120) -> str:
        """Run a program as the server's user in its environment and return what it printed.

        Raises
        ------
        ServerError
            When it fails.
        """
        done = subprocess.run(
            command,
            env=self.environment(),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            **self._account,
        )
        if done.returncode:
            raise ServerError(f"{Path(command[0]).name} failed ({done.returncode}):\n{done.stdout}{done.stderr}")
        return str(done.stdout)

    def log(self) -> str:
        """Return what the server wrote since its first start."""
        return (self.folder / "server.log").read_text(encoding="utf-8", errors="replace")

    def write(self, name: str, text: str, mode: int = 0o600) -> Path:
        """Write a file of the server's user into its folder."""
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        self._give(path)
        return path

    def _give(self, path: Path) -> None:
        if self._account:
            os.chown(path, self._account["user"], self._account["group"])

    def _processes(self) -> list[psutil.Process]:
        # not the process group: PostgreSQL's backends and Erlang's helpers lead sessions of their own
        if self.process is None or not self.alive:
            return []
        main = psutil.Process(self.process.pid)
        return [main, *main.children(recursive=True)]

    def _freeze(self) -> list[psutil.Process]:
        main = self._processes()[:1]
        _send(main, signal.SIGSTOP)
        _await(main, psutil.STATUS_STOPPED)  # from here on it has no new children
        processes = self._processes()
        _send(processes, signal.SIGSTOP)
        _await(processes, psutil.STATUS_STOPPED)
        return processes

    def _wait(self, timeout: float) -> None:
        end = time.monotonic() + timeout
        while self.alive and time.monotonic() < end:
            with suppress(OSError):
                if self.ready():
                    return
            time.sleep(0.05)
        self.kill()
        raise ServerError(f"{self.name} did not start; its log ends:\n{self.log()[-3000:]}")

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
