"""Kannel's smsbox over HTTP, for whoever has a line to a carrier (SMPP, CMPP by a converter, a modem pool).

    POST http://127.0.0.1:13013/cgi-bin/sendsms   the text in UTF-16BE; who, whom and where to report in headers,
    X-Kannel-To: 13800001111                      because an address ends up in logs
    X-Kannel-DLR-Url: https://hub/hooks/sms/kannel/TOKEN/receipts?m=…&s=%d
    X-Kannel-DLR-Mask: 31

    202 0: Accepted for delivery                  (3: Queued for later delivery while the line is down)

There is no id in the answer; ours stands in the address Kannel reports to, with %d: 1 delivered, 2 not delivered,
4 buffered, 8 the carrier took it, 16 the carrier refused it. Replies come as a POST (`post-url` of the sms-service),
the sender in X-Kannel-From, the text in the body in the charset its type names. Both addresses stand on 短信通道.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from email.message import Message
from urllib.parse import parse_qs, quote, urlsplit

from broadcasts.sms.gateway import (
    Accepted,
    Caps,
    Found,
    GatewayContext,
    Objection,
    Refusal,
    Refused,
    Submission,
    SubmitResult,
    Unknown,
    WebhookRequest,
    receipts_path,
)
from broadcasts.sms.gateways import content
from broadcasts.sms.gateways.calling import Answer, Caller, by_status
from broadcasts.sms.gateways.pushed import national, same_token
from broadcasts.sms.gateways.sections import KannelSettings
from broadcasts.sms.reports import Inbound, Receipt
from broadcasts.sms.states import MessageState

NAME = "kannel"
_STATE_OF: Mapping[str, tuple[MessageState, str]] = {
    "1": (MessageState.DELIVERED, ""),
    "2": (MessageState.UNDELIVERED, "not_delivered"),
    "4": (MessageState.SENT, ""),
    "8": (MessageState.SENT, ""),
    "16": (MessageState.UNDELIVERED, "smsc_refused"),
}
_MASK = "31"


def open_gateway(context: GatewayContext) -> "KannelGateway":
    """Open the gateway on the smsbox in the settings."""
    return KannelGateway(context)


class KannelGateway:
    """One text to one number per call: with more, Kannel would have to name the number in the address it reports to."""

    name = NAME
    caps = Caps(max_per_call=1, receipts=True, inbound=True, query=False, reports="token", hook_answer="ok")
    # An empty 204 would not do: smsbox then posts a resident's message again and again.

    def __init__(self, context: GatewayContext) -> None:
        self._own = context.need(KannelSettings, "url", "username", "password")
        self._caller, self._token = Caller(context.settings), context.hook_token
        self._reports = f"{context.base_url}{receipts_path(NAME, context.hook_token)}"

    def check(self, text: str) -> Sequence[Objection]:
        """Only what no carrier takes."""
        return content.objections(text, topics=(), strict=False)

    def submit(self, submission: Submission) -> SubmitResult:
        """Post one message, once."""
        (person,) = submission.people
        minutes = int((submission.expires_at - submission.submitted_at).total_seconds() // 60)
        headers = {
            "Content-Type": "text/plain; charset=UTF-16BE",
            "X-Kannel-Username": self._own.username,
            "X-Kannel-Password": self._own.password.get_secret_value(),
            "X-Kannel-To": national(person.number),
            "X-Kannel-Coding": "2",
            "X-Kannel-Validity": str(max(minutes, 1)),
            "X-Kannel-DLR-Mask": _MASK,
            "X-Kannel-DLR-Url": f"{self._reports}?m={quote(person.ref)}&s=%d",
            **({"X-Kannel-From": self._own.sender} if self._own.sender else {}),
            **({"X-Kannel-SMSC": self._own.smsc} if self._own.smsc else {}),
            **({"X-Kannel-Priority": "3"} if submission.urgent else {}),
        }
        answer = self._caller.post(f"{self._own.url}/cgi-bin/sendsms", submission.text.encode("utf-16-be"), headers)
        return _read(answer, person.ref) if isinstance(answer, Answer) else answer

    def query(self, submission: Submission) -> Found | None:
        """There is no way to ask; the report tells."""
        return None

    def verify(self, request: WebhookRequest) -> bool:
        """Kannel signs nothing; what it has is the unguessable address."""
        return same_token(self._token, request)

    def parse_receipts(self, request: WebhookRequest, now: datetime) -> Sequence[Receipt]:
        """Return the report on one message."""
        query = parse_qs(urlsplit(request.url).query)
        ref, known = query.get("m", [""])[0], _STATE_OF.get(query.get("s", [""])[0])
        if not ref or known is None:
            return ()
        return (Receipt(provider_ref="", state=known[0], message_ref=ref, code=known[1]),)

    def parse_inbound(self, request: WebhookRequest, now: datetime) -> Sequence[Inbound]:
        """Return one message from a resident."""
        sender = request.header("X-Kannel-From")
        text = _decoded(request.body, request.header("Content-Type"))
        if not sender or text is None:
            return ()
        # It has no id, and is posted again when the hub does not answer; its time does not change then.
        said = "\x1f".join((sender, text, request.header("X-Kannel-Time")))
        return (Inbound(sender, text, hashlib.sha256(said.encode()).hexdigest()[:32], now),)


def _read(answer: Answer, ref: str) -> SubmitResult:
    # smsbox answers 503 with words when it has no bearerbox: it kept nothing.
    words = answer.body[:60].decode("ascii", "replace").strip()
    if answer.status == 202 and words[:2] in {"0:", "3:"}:
        return Accepted({ref: ""})
    if answer.status == 503 and words.startswith("Temporal failure"):
        return Refused(Refusal.THROTTLED, "http_503")
    plain = by_status(answer)
    if plain is not None:
        return plain
    if answer.status == 400:
        kind = Refusal.INVALID_NUMBER if "receiver" in words.lower() else Refusal.REJECTED
        return Refused(kind, "http_400")
    return Unknown("unreadable_answer")


def _decoded(body: bytes, content_type: str) -> str | None:
    head = Message()
    head["Content-Type"] = content_type or "text/plain"
    try:
        return body.decode(str(head.get_param("charset", "utf-8")))
    except (LookupError, UnicodeDecodeError):
        return None
