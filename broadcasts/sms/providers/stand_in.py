"""A stand-in for Twilio on loopback: answers as Twilio's own description says, and reports back. Nothing is sent.

`cunxiang sms stand-in` runs it; `[twilio] base_url` points at it. Tests let Prism judge its answers.
"""

import base64
import hashlib
import hmac
import itertools
import json
import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import requests

from broadcasts.sms.segments import Policy, parts_of

REPORT_AFTER_S = 0.5


def answer_of(form: Mapping[str, str], account: str, number: int) -> dict[str, object]:
    """Return the message resource Twilio answers with."""
    sid = f"SM{number:032x}"
    made = format_datetime(datetime.now(UTC))
    root = f"/2010-04-01/Accounts/{account}/Messages/{sid}"
    return {
        "account_sid": account,
        "api_version": "2010-04-01",
        "body": form.get("Body", ""),
        "date_created": made,
        "date_sent": None,
        "date_updated": made,
        "direction": "outbound-api",
        "error_code": None,
        "error_message": None,
        "from": form.get("From"),
        "messaging_service_sid": form.get("MessagingServiceSid"),
        "num_media": "0",
        "num_segments": str(parts_of(form.get("Body", ""), Policy.GSM)),
        "price": None,
        "price_unit": "USD",
        "sid": sid,
        "status": "queued",
        "subresource_uris": {"media": f"{root}/Media.json"},
        "to": form.get("To"),
        "uri": f"{root}.json",
    }


def signature(token: str, url: str, fields: Mapping[str, str]) -> str:
    """Sign a report as Twilio does."""
    said = url + "".join(f"{name}{fields[name]}" for name in sorted(fields))
    return base64.b64encode(hmac.digest(token.encode(), said.encode(), hashlib.sha1)).decode()


class StandIn(ThreadingHTTPServer):
    """The server. `messages` are what it was given, newest last."""

    daemon_threads = True

    def __init__(self, account: str, token: str, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.account, self.token = account, token
        self.messages: list[dict[str, object]] = []
        self.numbers = itertools.count(1)
        self.status = "queued"
        """What new messages are said to be."""

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def report(self, url: str, message: Mapping[str, object]) -> None:
        """Tell the hub that the message arrived; a hub that cannot be reached is told nothing."""
        fields = {"MessageSid": str(message["sid"]), "MessageStatus": "delivered", "To": str(message["to"])}
        headers = {"X-Twilio-Signature": signature(self.token, url, fields)}
        with suppress(requests.RequestException):
            requests.post(url, data=fields, headers=headers, timeout=5)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: StandIn

    def log_message(self, *args: object) -> None:
        """Say nothing: what is posted here holds numbers."""

    def do_POST(self) -> None:
        """Take a message."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        form = {key: values[0] for key, values in parse_qs(body).items()}
        wanted = base64.b64encode(f"{self.server.account}:{self.server.token}".encode()).decode()
        if not hmac.compare_digest(self.headers.get("Authorization", ""), f"Basic {wanted}"):
            self._refuse(401, 20003, "Authenticate")
        elif not form.get("To") or not form.get("Body"):
            self._refuse(400, 21604, "A 'To' phone number is required")
        elif not form["To"].startswith("+"):
            self._refuse(400, 21211, "Invalid 'To' Phone Number")
        else:
            message = answer_of(form, self.server.account, next(self.server.numbers))
            message["status"] = self.server.status
            self.server.messages.append(message)
            if form.get("StatusCallback"):
                args = (form["StatusCallback"], message)
                threading.Timer(REPORT_AFTER_S, self.server.report, args).start()
            self._say(201, message)

    def do_GET(self) -> None:
        """List what was taken."""
        path = urlsplit(self.path).path
        page = {"first_page_uri": path, "next_page_uri": None, "previous_page_uri": None, "uri": path}
        counts = {"page": 0, "page_size": 1000, "start": 0, "end": max(len(self.server.messages) - 1, 0)}
        self._say(200, {"messages": self.server.messages[-1000:], **page, **counts})

    def _refuse(self, status: int, code: int, words: str) -> None:
        more = f"https://www.twilio.com/docs/errors/{code}"
        self._say(status, {"code": code, "message": words, "more_info": more, "status": status})

    def _say(self, status: int, body: Mapping[str, object]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
