"""A partner agency: takes signed webhooks, fetches what it may know, and accepts.

    .venv/bin/python examples/partner_receiver.py --kind counselling

It registers this machine as its endpoint, verifies every webhook with an independent Standard Webhooks library, answers
at once, and only then fetches the referral with its own token: the hub asks its gate again for each fetch.
"""

import argparse
import contextlib
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

WORK: queue.Queue[dict[str, Any]] = queue.Queue()
SEEN: set[str] = set()
WEBHOOK: queue.Queue[Webhook] = queue.Queue()  # holds it from when we know our secret: a challenge may come before


class Handler(BaseHTTPRequestHandler):
    """Verifies, remembers, answers; never works while the hub waits."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer 2xx to a genuine webhook, also to one that came before, and 401 to anything else."""
        body, answer = self.rfile.read(min(int(self.headers.get("content-length", 0)), 65536)), b""
        WEBHOOK.put(webhook := WEBHOOK.get())
        try:
            event, status = webhook.verify(body, dict(self.headers)), 200
            if event["type"] == "endpoint.verification":
                answer = json.dumps({"challenge": event["data"]["challenge"]}).encode()
            elif self.headers["webhook-id"] not in SEEN:
                SEEN.add(self.headers["webhook-id"])
                WORK.put(event)
        except (WebhookVerificationError, ValueError):
            print("refused a webhook whose signature is wrong")
            status = 401
        self.send_response(status)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing for each request."""


def sign_in(http: httpx.Client, client: dict[str, Any]) -> float:
    """Put an access token on the client; return until when it serves."""
    form = {"grant_type": "client_credentials"}
    answer = http.post("/oauth/token", data=form, auth=(client["client_id"], client["client_secret"]))
    token = answer.raise_for_status().json()
    http.headers["Authorization"] = f"Bearer {token['access_token']}"
    return time.monotonic() + token["expires_in"] - 30


def take(http: httpx.Client, event: dict[str, Any]) -> None:
    """Fetch the referral that a webhook announced and accept it."""
    print(f"verified: {event['type']} {event['data'].get('onward_referral_id', '')}")
    if event["type"] != "onward_referral.sent":
        return
    link = event["data"]["links"]["self"]
    if (answer := http.get(link)).status_code == 200:
        print(f"  disclosed to us: {', '.join(sorted(answer.json()['disclosure']['fields']))}")
        accepted = http.post(f"{link}/accept", json={}, headers={"If-Match": answer.headers["etag"]})
        print(f"  accepted: {accepted.status_code}")
    else:
        print(f"  not ours to see: {answer.status_code} {answer.json().get('code')}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--demo", default=".data/demo.json", help="who we are and where the hub is")
    parser.add_argument("--kind", default="counselling", help="which demonstration partner to be")
    parser.add_argument("--port", type=int, default=9100)
    parser.add_argument("--count", type=int, default=sys.maxsize, help="stop after so many webhooks")
    options = parser.parse_args()
    demo = json.loads(Path(options.demo).read_text(encoding="utf-8"))
    me, server = demo["clients"][options.kind], ThreadingHTTPServer(("127.0.0.1", options.port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with httpx.Client(base_url=demo["base_url"], timeout=30) as http:
        good_until, url = sign_in(http, me), f"http://127.0.0.1:{server.server_address[1]}/hook"
        endpoint = http.post("/v1/webhook-endpoints", json={"url": url}).raise_for_status().json()
        WEBHOOK.put(Webhook(endpoint["secret"]))
        print(f"{me['organisation']} listens at {url}; Ctrl-C ends", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            for event in (WORK.get() for _ in range(options.count)):
                good_until = sign_in(http, me) if time.monotonic() > good_until else good_until
                take(http, event)
        sign_in(http, me)
        http.delete(f"/v1/webhook-endpoints/{endpoint['id']}")
