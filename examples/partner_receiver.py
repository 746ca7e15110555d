"""A partner agency: takes signed webhooks, fetches what it may know, and accepts.

    .venv/bin/python examples/partner_receiver.py --kind counselling

It registers this machine as its endpoint, verifies every webhook with an independent Standard Webhooks library, answers
at once, and only then fetches the referral with its own token: the hub asks its gate again for each fetch.
"""

import argparse
import json
import queue
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

MAX_BODY = 64 * 1024


class Receiver(ThreadingHTTPServer):
    """Holds the webhook secret, the ids already seen, and the work to do."""

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.webhook: Webhook | None = None
        self.seen: set[str] = set()
        self.work: queue.Queue[dict[str, Any]] = queue.Queue()


class Handler(BaseHTTPRequestHandler):
    """Verifies, remembers, answers; never works while the hub waits."""

    server: Receiver
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer 204 to a genuine webhook, also to one that came before, and 401 to anything else."""
        body = self.rfile.read(min(int(self.headers.get("content-length", 0)), MAX_BODY))
        status = 401
        if self.server.webhook is not None:
            try:
                event = self.server.webhook.verify(body, dict(self.headers))
                status = 204
            except (WebhookVerificationError, ValueError):
                print("refused a webhook whose signature is wrong")
        if status == 204 and self.headers["webhook-id"] not in self.server.seen:
            self.server.seen.add(self.headers["webhook-id"])
            self.server.work.put(event)
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing for each request."""


def sign_in(http: httpx.Client, client: dict[str, Any]) -> float:
    """Put an access token on the client; return until when it serves, on the monotonic clock."""
    form = {"grant_type": "client_credentials"}
    answer = http.post("/oauth/token", data=form, auth=(client["client_id"], client["client_secret"]))
    token = answer.raise_for_status().json()
    http.headers["Authorization"] = f"Bearer {token['access_token']}"
    return time.monotonic() + token["expires_in"] - 30


def take(http: httpx.Client, event: dict[str, Any]) -> None:
    """Fetch the referral that a webhook announced and accept it; say so when it was withdrawn."""
    link = event["data"]["links"]["self"]
    print(f"verified: {event['type']} {event['data']['onward_referral_id']}")
    if event["type"] != "onward_referral.sent":
        return
    answer = http.get(link)
    if answer.status_code != 200:
        print(f"  not ours to see: {answer.status_code} {answer.json().get('code')}")
        return
    fields = answer.json()["disclosure"]["fields"]
    print(f"  disclosed to us: {', '.join(sorted(fields))}")
    accepted = http.post(f"{link}/accept", json={}, headers={"If-Match": answer.headers["etag"]})
    print(f"  accepted: {accepted.status_code}")


def main() -> None:
    """Register, then receive until Ctrl-C (or until `--count` webhooks have been handled)."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--demo", default=".data/demo.json", help="who we are and where the hub is")
    parser.add_argument("--kind", default="counselling", help="which demonstration partner to be")
    parser.add_argument("--port", type=int, default=9100)
    parser.add_argument("--count", type=int, default=0, help="stop after so many webhooks")
    arguments = parser.parse_args()
    demo = json.loads(Path(arguments.demo).read_text())
    client = demo["clients"][arguments.kind]
    server = Receiver(arguments.port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with httpx.Client(base_url=demo["base_url"], timeout=30) as http:
        good_until = sign_in(http, client)
        url = f"http://127.0.0.1:{server.server_address[1]}/hook"
        endpoint = http.post("/v1/webhook-endpoints", json={"url": url}).raise_for_status().json()
        server.webhook = Webhook(endpoint["secret"])
        print(f"{client['organisation']} listens at {url}; Ctrl-C ends", flush=True)
        try:
            for _ in range(arguments.count or sys.maxsize):
                event = server.work.get()
                if time.monotonic() > good_until:
                    good_until = sign_in(http, client)
                take(http, event)
        except KeyboardInterrupt:
            pass
        finally:
            sign_in(http, client)
            http.delete(f"/v1/webhook-endpoints/{endpoint['id']}")


if __name__ == "__main__":
    main()
