"""China Mobile 移动云MAS over HTTP. Fields as developers describe them; the contract's own paper decides.

    POST …/sms/norsubmit                          body: base64 of
    {"ecName": "…", "apId": "…", "mobiles": "13800001111,13800002222", "content": "…", "sign": "…", "addSerial": "",
     "mac": "md5 of ecName apId secretKey mobiles content sign addSerial, written together"}

    {"rspcod": "success", "msgGroup": "0106145013000000000001", "success": true}

The signature is put in front by the platform. Reports and replies are pushed:

    [{"mobile": "13800001111", "reportStatus": "CM:0000", "errorCode": "DELIVRD", "receiveDate": "20261101100000",
      "msgGroup": "0106…"}]
    {"mobile": "13800001111", "smsContent": "退订", "sendTime": "2026-11-01 10:00:00", "addSerial": ""}
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime

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
)
from broadcasts.sms.gateways import content
from broadcasts.sms.gateways.calling import Answer, Caller, by_status
from broadcasts.sms.gateways.filed import unsigned
from broadcasts.sms.gateways.pushed import local_time, national, same_token, text_of, told
from broadcasts.sms.gateways.sections import MasSettings
from broadcasts.sms.reports import Inbound, Receipt
from broadcasts.sms.states import MessageState

NAME = "mas"
REFUSAL_OF: Mapping[str, Refusal] = {
    "IllegalMac": Refusal.CONFIGURATION,
    "IllegalSignId": Refusal.CONFIGURATION,
    "NoSignId": Refusal.CONFIGURATION,
    "InvalidUsrOrPwd": Refusal.CONFIGURATION,
    "InvalidMessage": Refusal.REJECTED,
    "TooManyMobiles": Refusal.REJECTED,
    "EmptyMobiles": Refusal.INVALID_NUMBER,
    "FlowControl": Refusal.THROTTLED,
}


def open_gateway(context: GatewayContext) -> "MasGateway":
    """Open the gateway with the contract in the settings."""
    return MasGateway(context)


class MasGateway:
    """Free text through the carrier itself, to up to 5,000 numbers in a call."""

    name = NAME
    # Fewer in a call than would be taken: an unclear call leaves everybody in it unclear.
    caps = Caps(
        max_per_call=200,
        receipts=True,
        inbound=True,
        query=False,
        reports="token",
        hook_answer='{"rspcod":"success"}',
        hook_type="application/json",
    )

    def __init__(self, context: GatewayContext) -> None:
        self._own = context.need(MasSettings, "url", "ec_name", "ap_id", "secret_key", "sign")
        self._caller, self._token = Caller(context.settings), context.hook_token

    def check(self, text: str) -> Sequence[Objection]:
        """Only what no carrier takes."""
        return [*content.too_long(text, 500), *content.objections(text, topics=(), strict=False)]

    def submit(self, submission: Submission) -> SubmitResult:
        """Post one call, once."""
        own, words = self._own, unsigned(submission.text)[1]
        mobiles = ",".join(national(person.number) for person in submission.people)
        secret = own.secret_key.get_secret_value()
        said = own.ec_name + own.ap_id + secret + mobiles + words + own.sign + own.add_serial
        wanted = {
            "ecName": own.ec_name,
            "apId": own.ap_id,
            "mobiles": mobiles,
            "content": words,
            "sign": own.sign,
            "addSerial": own.add_serial,
            "mac": hashlib.md5(said.encode(), usedforsecurity=False).hexdigest(),
        }
        body = base64.b64encode(json.dumps(wanted, ensure_ascii=False).encode())
        answer = self._caller.post(f"{own.url}/sms/norsubmit", body, {"Content-Type": "text/plain"})
        return _read(answer, submission) if isinstance(answer, Answer) else answer

    def query(self, submission: Submission) -> Found | None:
        """There is no way to ask."""
        return None

    def verify(self, request: WebhookRequest) -> bool:
        """Nothing is signed; what the platform has is the unguessable address."""
        return same_token(self._token, request)

    def parse_receipts(self, request: WebhookRequest, now: datetime) -> Sequence[Receipt]:
        """Return the reports of a push."""
        return tuple(_receipt(item) for item in told(request) if text_of(item, "msgGroup") and "reportStatus" in item)

    def parse_inbound(self, request: WebhookRequest, now: datetime) -> Sequence[Inbound]:
        """Return the residents' messages of a push. They have no id: number, text and second tell them apart."""
        return tuple(
            Inbound(
                text_of(item, "mobile"),
                text_of(item, "smsContent"),
                "",
                local_time(text_of(item, "sendTime")) or now,
            )
            for item in told(request)
            if text_of(item, "mobile") and "smsContent" in item
        )


def _read(answer: Answer, submission: Submission) -> SubmitResult:
    plain = by_status(answer)
    said = answer.json()
    if plain is not None or said is None:
        return plain or Unknown("unreadable_answer")
    code, group = text_of(said, "rspcod"), text_of(said, "msgGroup")
    if code == "success" or said.get("success") is True:
        return Accepted({p.ref: group for p in submission.people}) if group else Unknown("unreadable_answer")
    return Refused(REFUSAL_OF.get(code, Refusal.REJECTED), code) if code else Unknown("unreadable_answer")


def _receipt(item: Mapping[str, object]) -> Receipt:
    good = text_of(item, "reportStatus") == "CM:0000" or text_of(item, "errorCode") == "DELIVRD"
    return Receipt(
        provider_ref=text_of(item, "msgGroup"),
        state=MessageState.DELIVERED if good else MessageState.UNDELIVERED,
        code="" if good else text_of(item, "errorCode"),
        reported_at=local_time(text_of(item, "receiveDate")),
        number=text_of(item, "mobile"),
    )
