"""A process that stands still while it connects sends nothing when it goes on: its time is over by then.

Row 44 of the fault matrix has a withdrawal wait until every permit is over, so nothing may go out after that.
"""

import contextlib
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.support.certificates import Authority

TOTAL_S = 1.0
CLIENT = """
import asyncio, ssl, sys
from hubkit.egress import WebhookClient

async def main(port, root, total_s):
    client = WebhookClient(allow_private=True, tls=ssl.create_default_context(cafile=root))
    attempt = await client.post(f"https://localhost:{port}/hook", {}, b"BODY", total_s=float(total_s))
    print(attempt.error_class)
    await client.aclose()

*arguments, loop = sys.argv[1:]
if loop == "uvloop":
    import uvloop
    uvloop.run(main(*arguments))
else:
    asyncio.run(main(*arguments))
"""


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_what_stood_still_during_the_handshake_sends_nothing_late(tmp_path: Path, loop: str) -> None:
    authority = Authority.make(tmp_path)
    context = authority.server(authority.issue("server"), asks=False)
    stands, heard = threading.Event(), bytearray()
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listening.accept()
        client.send_signal(signal.SIGSTOP)
        stands.set()
        # The rest of the handshake waits in the client's socket until it goes on.
        with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as secured:
            while received := secured.recv(1024):
                heard.extend(received)

    command = [sys.executable, "-c", CLIENT, str(listening.getsockname()[1]), str(authority.root), str(TOTAL_S), loop]
    with listening, subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
        server = threading.Thread(target=serve)
        server.start()
        assert stands.wait(30)
        threading.Event().wait(2 * TOTAL_S)
        client.send_signal(signal.SIGCONT)
        said, _ = client.communicate(timeout=30)
        server.join(30)
    assert said.strip() == "timeout"
    assert b"BODY" not in heard
