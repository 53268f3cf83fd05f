"""Twilio behind the gateway interface: the vendor's SDK over an HTTP client that tries once and logs nothing."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter
from twilio.base.exceptions import TwilioException
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response
from twilio.request_validator import RequestValidator
from twilio.rest import Client
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError

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
from broadcasts.sms.gateways.sections import TwilioSettings
from broadcasts.sms.reports import Inbound, Receipt
from broadcasts.sms.settings import SmsSettings
from broadcasts.sms.states import MessageState

NAME = "twilio"
REFUSAL_OF: Mapping[int, Refusal] = {
    21211: Refusal.INVALID_NUMBER,
    21614: Refusal.INVALID_NUMBER,
    30005: Refusal.INVALID_NUMBER,
    30006: Refusal.INVALID_NUMBER,
    21610: Refusal.OPTED_OUT,
    20003: Refusal.CONFIGURATION,
    20404: Refusal.CONFIGURATION,
    21408: Refusal.CONFIGURATION,
    21606: Refusal.CONFIGURATION,
    21609: Refusal.CONFIGURATION,
    21612: Refusal.CONFIGURATION,
    21617: Refusal.CONFIGURATION,
    30001: Refusal.TEMPORARY,
    30003: Refusal.TEMPORARY,
    30008: Refusal.TEMPORARY,
    30036: Refusal.TEMPORARY,
    30004: Refusal.CARRIER_BLOCKED,
    30007: Refusal.CARRIER_BLOCKED,
    20429: Refusal.THROTTLED,
    21611: Refusal.THROTTLED,
    63017: Refusal.THROTTLED,
}
_STATE_OF: Mapping[str, MessageState] = {
    "accepted": MessageState.SENT,
    "queued": MessageState.SENT,
    "sending": MessageState.SENT,
    "sent": MessageState.SENT,
    "delivered": MessageState.DELIVERED,
    "read": MessageState.DELIVERED,
    "undelivered": MessageState.UNDELIVERED,
    "failed": MessageState.UNDELIVERED,
    "canceled": MessageState.UNDELIVERED,
}
_LONGEST_VALIDITY_S = 36_000
_LISTED = 1000
_SILENT = logging.getLogger("cunxiang.sms.twilio.silent")
_SILENT.disabled = True


def open_gateway(context: GatewayContext) -> "TwilioGateway":
    """Open the gateway with the account in the settings."""
    return TwilioGateway(context)


class OneAttemptClient(TwilioHttpClient):  # type: ignore[misc]  # the SDK has no types
    """The SDK's HTTP client with another origin if wanted, both timeouts, no second try, no redirect and no log."""

    def __init__(self, settings: SmsSettings, base_url: str) -> None:
        super().__init__(logger=_SILENT)
        self.timeouts = (settings.connect_timeout_s, settings.answer_timeout_s)
        self._origin = urlsplit(base_url) if base_url else None
        # Proxies and .netrc of the environment must not change where numbers go.
        self.session.trust_env = False
        for scheme in ("http://", "https://"):
            pool = HTTPAdapter(pool_connections=4, pool_maxsize=settings.calls_at_once * 2, max_retries=0)
            self.session.mount(scheme, pool)

    def request(
        self,
        method: str,
        url: str,
        *,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Response:
        """Make the request once."""
        response = self.session.request(
            method.upper(),
            self._moved(url),
            params=params,
            data=data,
            headers=headers,
            auth=auth,
            timeout=self.timeouts,
            allow_redirects=False,
        )
        return Response(int(response.status_code), response.text, response.headers)

    def _moved(self, url: str) -> str:
        if self._origin is None:
            return url
        asked = urlsplit(url)
        path = self._origin.path.rstrip("/") + asked.path
        return urlunsplit((self._origin.scheme, self._origin.netloc, path, asked.query, ""))


class TwilioGateway:
    """One text to one number per call. Twilio does not carry replies from +86 numbers."""

    name = NAME
    caps = Caps(
        max_per_call=1,
        receipts=True,
        inbound=True,
        query=True,
        reports="signed",
        hook_answer="<Response/>",  # TwiML for: send no reply
        hook_type="text/xml",
    )

    def __init__(self, context: GatewayContext) -> None:
        own = context.need(TwilioSettings, "account_sid", "auth_token", "sender")
        token = own.auth_token.get_secret_value()
        http = OneAttemptClient(context.settings, own.base_url)
        self._client = Client(own.account_sid, token, http_client=http)
        self._validator = RequestValidator(token)
        self._base_url = context.base_url
        self._sender = {"messaging_service_sid" if own.sender.startswith("MG") else "from_": own.sender}
        loopback = urlsplit(self._base_url).hostname in {"localhost", "127.0.0.1", "::1", "0.0.0.0", None}  # noqa: S104 - compared
        self._reports = not loopback or bool(own.base_url)

    def check(self, text: str) -> Sequence[Objection]:
        """Twilio's guideline for China: no links, nothing about politics or money; 1,600 characters anywhere."""
        topics = (*content.POLITICS, *content.FINANCE)
        return [
            *content.too_long(text, 1600),
            *content.links(text, blocking=False),
            *content.objections(text, topics=topics, strict=False),
        ]

    def submit(self, submission: Submission) -> SubmitResult:
        """Post one message, once."""
        (person,) = submission.people
        extra: dict[str, Any] = dict(self._sender)
        if self._reports:
            extra["status_callback"] = f"{self._base_url}{receipts_path(NAME)}?m={quote(person.ref)}"
        left = int((submission.expires_at - submission.submitted_at).total_seconds())
        extra["validity_period"] = min(max(left, 1), _LONGEST_VALIDITY_S)
        try:
            message = self._client.messages.create(to=person.number, body=submission.text, **extra)
        except TwilioException as error:
            return _of_answer(error)
        except requests.RequestException as error:
            return _of_transport(error)
        except (ValueError, KeyError, TypeError):
            # Answered with success, but not with what was promised: it may well have been sent.
            return Unknown("unreadable_answer")
        return Accepted({person.ref: message.sid}) if message.sid else Unknown("unreadable_answer")

    def query(self, submission: Submission) -> Found | None:
        """Look through the latest messages. No number stands in the address: addresses end up in logs."""
        since = submission.submitted_at - timedelta(minutes=1)
        try:
            listed = self._client.messages.list(date_sent_after=since, limit=_LISTED, page_size=_LISTED)
        except (TwilioException, requests.RequestException, ValueError, KeyError, TypeError):
            return None
        if len(listed) >= _LISTED:
            return None
        sent = {(message.to, message.body): message.sid for message in listed}
        found = {p.ref: sid for p in submission.people if (sid := sent.get((p.number, submission.text))) is not None}
        return Found(found)

    def verify(self, request: WebhookRequest) -> bool:
        """Check the signature against the address Twilio was given, whatever stands between it and the hub."""
        signature = request.header("X-Twilio-Signature")
        if not signature or not request.url.startswith("/") or request.header("X-Twilio-Webhooks-Signature-Settings"):
            return False
        url = self._base_url + request.url
        return bool(self._validator.validate(url, dict(request.form), signature))

    def parse_receipts(self, request: WebhookRequest, now: datetime) -> Sequence[Receipt]:
        """Return the report on one message."""
        form = request.form
        state = _STATE_OF.get(form.get("MessageStatus", ""))
        sid = form.get("MessageSid", "")
        if state is None or not sid:
            return ()
        ref = parse_qs(urlsplit(request.url).query).get("m", [""])[0]
        code = form.get("ErrorCode", "")
        return (Receipt(provider_ref=sid, state=state, message_ref=ref, code="" if code == "0" else code),)

    def parse_inbound(self, request: WebhookRequest, now: datetime) -> Sequence[Inbound]:
        """Return one message from a resident."""
        form = request.form
        if not form.get("From") or "Body" not in form or form.get("SmsStatus", "received") != "received":
            return ()
        return (Inbound(form["From"], form["Body"], form.get("MessageSid", ""), now),)


def _of_answer(error: TwilioException) -> Refused | Unknown:
    status = getattr(error, "status", None)
    if not isinstance(status, int):
        return Unknown("unreadable_answer")
    code = getattr(error, "code", None)
    kind = REFUSAL_OF.get(code) if isinstance(code, int) else None
    if status >= 500 or status < 400 or status == 408:
        # A 5xx can come after the message was taken, so nothing is concluded from it.
        return Unknown(f"http_{status}")
    if kind is None:
        kind = {
            429: Refusal.THROTTLED,
            401: Refusal.CONFIGURATION,
            403: Refusal.CONFIGURATION,
            404: Refusal.CONFIGURATION,
        }.get(status, Refusal.REJECTED)
    return Refused(kind, str(code or f"http_{status}"))


def _of_transport(error: requests.RequestException) -> Refused | Unknown:
    """Nothing was sent when there was never a connection; anything later may have arrived."""
    if isinstance(error, requests.ConnectTimeout):
        return Refused(Refusal.THROTTLED, "unreachable")
    reason = error.args[0] if error.args else None
    if isinstance(reason, MaxRetryError) and isinstance(reason.reason, NewConnectionError | ConnectTimeoutError):
        return Refused(Refusal.THROTTLED, "unreachable")
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.MissingSchema):
        return Refused(Refusal.CONFIGURATION, "bad_address")
    return Unknown("timeout" if isinstance(error, requests.Timeout) else "connection_lost")
