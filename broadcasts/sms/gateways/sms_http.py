"""Any provider that takes one POST a message: what to post and how to read the answer stand in the configuration.

POST https://provider.example/send       {"to": "+8613800001111", "text": "【村响】…", "ref": "…"}
200 {"code": 0, "id": "abc"}             accepted = '"code": ?0', reference = '"id": ?"([^"]+)"'

reports to …/receipts: {"ref": "…", "id": "abc", "status": "delivered"}, as JSON (one or a list) or as a form
"""

import json
import re
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import quote

from broadcasts.sms.gateway import (
    Accepted,
    Caps,
    Found,
    GatewayContext,
    GatewayError,
    Objection,
    Refusal,
    Refused,
    Submission,
    SubmitResult,
    Unknown,
    WebhookRequest,
)
from broadcasts.sms.gateways import content
from broadcasts.sms.gateways.calling import Answer, Caller, by_status
from broadcasts.sms.gateways.filed import unsigned
from broadcasts.sms.gateways.pushed import national, same_token, text_of, told
from broadcasts.sms.gateways.sections import HttpSettings
from broadcasts.sms.reports import Inbound, Receipt
from broadcasts.sms.states import MessageState

NAME = "sms_http"
_BLANK = re.compile(r"\{(number11|number|text|ref|signature|secret)\}")


def open_gateway(context: GatewayContext) -> "HttpGateway":
    """Open the gateway on the address in the settings."""
    return HttpGateway(context)


class HttpGateway:
    """One text to one number per call."""

    name = NAME
    caps = Caps(max_per_call=1, receipts=True, inbound=True, query=False, reports="token")

    def __init__(self, context: GatewayContext) -> None:
        self._own = context.need(HttpSettings, "url")
        self._caller, self._token = Caller(context.settings), context.hook_token
        self._json = self._own.body.lstrip().startswith(('{"', "["))
        self._accepted, self._reference = (_pattern(key, getattr(self._own, key)) for key in ("accepted", "reference"))
        wrong = [line for line in self._own.headers if ":" not in line]
        if wrong:
            raise GatewayError("[sms_http] headers: every entry must be written as 'Name: value'.")

    def check(self, text: str) -> Sequence[Objection]:
        """Only what no carrier takes."""
        return content.objections(text, topics=(), strict=False)

    def submit(self, submission: Submission) -> SubmitResult:
        """Post one message, once."""
        (person,) = submission.people
        signature, _ = unsigned(submission.text)
        blanks = {
            "number": person.number,
            "number11": national(person.number),
            "text": submission.text,
            "ref": person.ref,
            "signature": signature,
            "secret": self._own.secret.get_secret_value(),
        }
        kind = "application/json" if self._json else "application/x-www-form-urlencoded"
        headers = {"Content-Type": f"{kind}; charset=utf-8"}
        for line in self._own.headers:
            name, _, value = line.partition(":")
            headers[name.strip()] = value.strip().replace("{secret}", blanks["secret"])
        written = _BLANK.sub(lambda found: self._quoted(blanks[found.group(1)]), self._own.body)
        answer = self._caller.post(self._own.url, written.encode(), headers)
        return self._read(answer, person.ref) if isinstance(answer, Answer) else answer

    def query(self, submission: Submission) -> Found | None:
        """There is no agreed way to ask."""
        return None

    def verify(self, request: WebhookRequest) -> bool:
        """Nothing is signed; what the provider has is the unguessable address."""
        return same_token(self._token, request)

    def parse_receipts(self, request: WebhookRequest, now: datetime) -> Sequence[Receipt]:
        """Return the reports of a push."""
        found = []
        for item in told(request):
            ref, ident = text_of(item, self._own.receipt_ref), text_of(item, self._own.receipt_id)
            status = text_of(item, self._own.receipt_status)
            if status and (ref or ident):
                state = self._state(status)
                code = status if state is MessageState.UNDELIVERED else ""
                found.append(Receipt(provider_ref=ident, state=state, message_ref=ref, code=code))
        return tuple(found)

    def parse_inbound(self, request: WebhookRequest, now: datetime) -> Sequence[Inbound]:
        """Return the residents' messages of a push."""
        return tuple(
            Inbound(
                text_of(item, self._own.inbound_number),
                text_of(item, self._own.inbound_text),
                text_of(item, self._own.receipt_id),
                now,
            )
            for item in told(request)
            if text_of(item, self._own.inbound_number) and self._own.inbound_text in item
        )

    def _quoted(self, value: str) -> str:
        return json.dumps(value, ensure_ascii=False)[1:-1] if self._json else quote(value)

    def _state(self, status: str) -> MessageState:
        if status in self._own.delivered:
            return MessageState.DELIVERED
        return MessageState.SENT if status in self._own.pending else MessageState.UNDELIVERED

    def _read(self, answer: Answer, ref: str) -> SubmitResult:
        plain = by_status(answer)
        if plain is not None:
            return plain
        words = answer.body.decode("utf-8", "replace")
        if answer.status not in {200, 201, 202}:
            return Refused(Refusal.REJECTED, f"http_{answer.status}")
        if self._accepted and not self._accepted.search(words):
            # It answered, but not as agreed: nobody can say whether it sent.
            return Unknown("unreadable_answer")
        found = self._reference.search(words) if self._reference else None
        if self._reference and found is None:
            return Unknown("unreadable_answer")
        return Accepted({ref: found.group(1) if found else ""})


def _pattern(key: str, text: str) -> re.Pattern[str] | None:
    if not text:
        return None
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise GatewayError(f"[sms_http] {key}: not a regular expression: {error}.") from None
    if key == "reference" and pattern.groups < 1:
        raise GatewayError('[sms_http] reference: put the id into brackets, such as \'"id": ?"([^"]+)"\'.')
    return pattern
