"""Aliyun 阿里云短信服务, SendSms of 2017-05-25, without the vendor's SDK: that puts the numbers into the address.

    POST https://dysmsapi.aliyuncs.com/          x-acs-action: SendSms, Authorization: ACS3-HMAC-SHA256 …
    PhoneNumbers=13800001111,13800002222&SignName=村响&TemplateCode=SMS_1&TemplateParam={"place":"…"}&OutId=…

    {"Code": "OK", "Message": "OK", "BizId": "900619746936498440^0", "RequestId": "…"}

One BizId stands for the whole call; reports name it with the number, and echo our OutId, the id of the call:

    [{"phone_number": "13800001111", "success": true, "err_code": "DELIVERED", "report_time": "2026-11-01 10:00:00",
      "biz_id": "900619746936498440^0", "out_id": "…", "sms_size": "1"}]
"""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

from uuid6 import uuid7

from broadcasts.sms.gateway import (
    Accepted,
    Caps,
    GatewayContext,
    Refusal,
    Refused,
    Submission,
    SubmitResult,
    Unknown,
    WebhookRequest,
)
from broadcasts.sms.gateways import content
from broadcasts.sms.gateways.by_template import TemplateGateway
from broadcasts.sms.gateways.calling import Answer, by_status
from broadcasts.sms.gateways.filed import Fit
from broadcasts.sms.gateways.pushed import call_of, local_time, national, text_of, told
from broadcasts.sms.gateways.sections import AliyunSettings
from broadcasts.sms.reports import Inbound, Receipt
from broadcasts.sms.states import MessageState

NAME = "aliyun"
VERSION = "2017-05-25"
REFUSAL_OF: Mapping[str, Refusal] = {
    "isv.BUSINESS_LIMIT_CONTROL": Refusal.THROTTLED,
    "isv.DAY_LIMIT_CONTROL": Refusal.CONFIGURATION,
    "Throttling": Refusal.THROTTLED,
    "Throttling.User": Refusal.THROTTLED,
    "Throttling.Api": Refusal.THROTTLED,
    "isv.MOBILE_NUMBER_ILLEGAL": Refusal.INVALID_NUMBER,
    "isv.MOBILE_COUNT_OVER_LIMIT": Refusal.REJECTED,
    "isv.BLACK_KEY_CONTROL_LIMIT": Refusal.CARRIER_BLOCKED,
    "isv.SENSITIVE_WORD": Refusal.CARRIER_BLOCKED,
    "isv.PARAM_LENGTH_LIMIT": Refusal.REJECTED,
    "isv.TEMPLATE_PARAMS_ILLEGAL": Refusal.REJECTED,
    "isv.TEMPLATE_MISSING_PARAMETERS": Refusal.REJECTED,
    "isv.SMS_CONTENT_ILLEGAL": Refusal.CARRIER_BLOCKED,
    "isv.SMS_TEMPLATE_ILLEGAL": Refusal.CONFIGURATION,
    "isv.SMS_SIGNATURE_ILLEGAL": Refusal.CONFIGURATION,
    "isv.SIGN_NAME_ILLEGAL": Refusal.CONFIGURATION,
    "isv.AMOUNT_NOT_ENOUGH": Refusal.CONFIGURATION,
    "isv.ACCOUNT_ABNORMAL": Refusal.CONFIGURATION,
    "isv.ACCOUNT_NOT_EXISTS": Refusal.CONFIGURATION,
    "isv.OUT_OF_SERVICE": Refusal.CONFIGURATION,
    "isv.PRODUCT_UN_SUBSCRIPT": Refusal.CONFIGURATION,
    "isp.RAM_PERMISSION_DENY": Refusal.CONFIGURATION,
    "SignatureDoesNotMatch": Refusal.CONFIGURATION,
    "InvalidAccessKeyId.NotFound": Refusal.CONFIGURATION,
    "InvalidAccessKeyId.Inactive": Refusal.CONFIGURATION,
    "InvalidTimeStamp.Expired": Refusal.CONFIGURATION,
    "Forbidden.RAM": Refusal.CONFIGURATION,
}
_UNCLEAR = frozenset({"isp.SYSTEM_ERROR", "InternalError", "ServiceUnavailable", "SignatureNonceUsed"})
"""The provider broke down, or says that it has had this request: the message may have been taken."""


def open_gateway(context: GatewayContext) -> "AliyunGateway":
    """Open the gateway with the account in the settings."""
    return AliyunGateway(context)


def sign(
    secret: str, key_id: str, *, host: str, action: str, body: bytes, moment: datetime, nonce: str
) -> dict[str, str]:
    """Return the headers of a POST to `/`, signed by ACS3-HMAC-SHA256."""
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        "host": host,
        "x-acs-action": action,
        "x-acs-content-sha256": hashlib.sha256(body).hexdigest(),
        "x-acs-date": moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "x-acs-signature-nonce": nonce,
        "x-acs-version": VERSION,
    }
    names = ";".join(headers)
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    canonical = "\n".join(["POST", "/", "", lines, names, headers["x-acs-content-sha256"]])
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    signature = hmac.new(secret.encode(), f"ACS3-HMAC-SHA256\n{hashed}".encode(), hashlib.sha256).hexdigest()
    proof = f"ACS3-HMAC-SHA256 Credential={key_id},SignedHeaders={names},Signature={signature}"
    return {**headers, "accept": "application/json", "Authorization": proof}


class AliyunGateway(TemplateGateway):
    """One approved template with its blanks filled, to up to 1,000 numbers in a call."""

    name = NAME
    # An unclear call leaves everybody in it unclear, so calls are smaller than the 1,000 Aliyun would take.
    caps = Caps(
        max_per_call=200,
        receipts=True,
        inbound=True,
        query=False,
        free_text=False,
        blank="${v#}",
        reports="token",
        hook_answer='{"code":0,"msg":"成功"}',
        hook_type="application/json",
    )
    topics = (*content.POLITICS, *content.LAW, *content.CHARITY)
    strict = True

    def __init__(self, context: GatewayContext) -> None:
        own = context.need(AliyunSettings, "access_key_id", "access_key_secret")
        super().__init__(context, own)
        self._key_id, self._secret = own.access_key_id, own.access_key_secret

    def request(self, submission: Submission, fitting: Fit) -> tuple[bytes, Mapping[str, str]]:
        """Return a form, and the signed headers."""
        form = {
            "PhoneNumbers": ",".join(national(person.number) for person in submission.people),
            "SignName": self.sign_name,
            "TemplateCode": fitting.template.code,
            "TemplateParam": json.dumps(dict(fitting.values), ensure_ascii=False, separators=(",", ":")),
            "OutId": submission.id.hex,
        }
        body = urlencode(form, quote_via=quote).encode()
        headers = sign(
            self._secret.get_secret_value(),
            self._key_id,
            host=self.host,
            action="SendSms",
            body=body,
            moment=self.clock(),
            nonce=uuid7().hex,
        )
        return body, headers

    def read(self, answer: Answer, submission: Submission) -> SubmitResult:
        """One id stands for the whole call."""
        return _read(answer, submission)

    def parse_receipts(self, request: WebhookRequest, now: datetime) -> Sequence[Receipt]:
        """Return the reports of a push."""
        return tuple(_receipt(item) for item in told(request) if text_of(item, "biz_id") or text_of(item, "out_id"))

    def parse_inbound(self, request: WebhookRequest, now: datetime) -> Sequence[Inbound]:
        """Return the residents' messages of a push (SmsUp)."""
        return tuple(
            Inbound(
                text_of(item, "phone_number"),
                text_of(item, "content"),
                text_of(item, "sequence_id"),
                local_time(text_of(item, "send_time")) or now,
            )
            for item in told(request)
            if text_of(item, "phone_number") and "content" in item
        )


def _read(answer: Answer, submission: Submission) -> SubmitResult:
    said = answer.json() or {}
    code = str(said.get("Code", ""))
    if code == "OK" and answer.status == 200:
        biz_id = str(said.get("BizId") or "")
        return Accepted({p.ref: biz_id for p in submission.people}) if biz_id else Unknown("unreadable_answer")
    if code in _UNCLEAR:
        return Unknown(code)
    kind = REFUSAL_OF.get(code)
    if kind is not None:
        return Refused(kind, code, answer.retry_after_s)
    plain = by_status(answer)
    if plain is not None:
        return plain
    return Refused(Refusal.REJECTED, code) if code else Unknown("unreadable_answer")


def _receipt(item: Mapping[str, object]) -> Receipt:
    good = str(item.get("success")).lower() == "true"
    return Receipt(
        provider_ref=text_of(item, "biz_id"),
        state=MessageState.DELIVERED if good else MessageState.UNDELIVERED,
        code="" if good else text_of(item, "err_code"),
        reported_at=local_time(text_of(item, "report_time")),
        call=call_of(text_of(item, "out_id")),
        number=text_of(item, "phone_number"),
    )
