"""Tencent Cloud 腾讯云短信, SendSms of 2021-01-11, signed by TC3-HMAC-SHA256, without the vendor's SDK.

    POST https://sms.tencentcloudapi.com/        X-TC-Action: SendSms, Authorization: TC3-HMAC-SHA256 …
    {"PhoneNumberSet": ["+8613800001111"], "SmsSdkAppId": "1400000000", "SignName": "村响", "TemplateId": "1",
     "TemplateParamSet": ["…"], "SessionContext": "…"}

    {"Response": {"SendStatusSet": [{"SerialNo": "5000:1045710669157053657849499619", "PhoneNumber": "+8613800001111",
      "Code": "Ok", "Message": "send success", "SessionContext": "…", "Fee": 1}], "RequestId": "…"}}

Every number has its own answer and id. Reports and replies are pushed:

    [{"user_receive_time": "2026-11-01 10:00:00", "nationcode": "86", "mobile": "13800001111",
      "report_status": "SUCCESS", "errmsg": "DELIVRD", "description": "…", "sid": "5000:1045…"}]
    {"extend": "", "mobile": "13800001111", "nationcode": "86", "sign": "村响", "text": "退订", "time": 1793500000}
"""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

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
from broadcasts.sms.gateways.pushed import local_time, text_of, told
from broadcasts.sms.gateways.sections import TencentSettings
from broadcasts.sms.reports import Inbound, Receipt
from broadcasts.sms.states import MessageState

NAME = "tencent"
VERSION = "2021-01-11"
_TYPE = "application/json; charset=utf-8"
REFUSAL_OF: Mapping[str, Refusal] = {
    "RequestLimitExceeded": Refusal.THROTTLED,
    "LimitExceeded.AppMainlandChinaDailyLimit": Refusal.CONFIGURATION,
    "LimitExceeded.DailyLimit": Refusal.CONFIGURATION,
    "LimitExceeded.DeliveryFrequencyLimit": Refusal.TEMPORARY,
    "LimitExceeded.PhoneNumberThirtySecondLimit": Refusal.TEMPORARY,
    "LimitExceeded.PhoneNumberOneHourLimit": Refusal.REJECTED,
    "LimitExceeded.PhoneNumberDailyLimit": Refusal.REJECTED,
    "LimitExceeded.PhoneNumberSameContentDailyLimit": Refusal.REJECTED,
    "FailedOperation.PhoneNumberInBlacklist": Refusal.OPTED_OUT,
    "FailedOperation.ContainSensitiveWord": Refusal.CARRIER_BLOCKED,
    "FailedOperation.InsufficientBalanceInSmsPackage": Refusal.CONFIGURATION,
    "FailedOperation.SignatureIncorrectOrUnapproved": Refusal.CONFIGURATION,
    "FailedOperation.TemplateIncorrectOrUnapproved": Refusal.CONFIGURATION,
    "FailedOperation.TemplateParamSetNotMatchApprovedTemplate": Refusal.REJECTED,
    "InvalidParameterValue.IncorrectPhoneNumber": Refusal.INVALID_NUMBER,
    "InvalidParameterValue.TemplateParameterFormatError": Refusal.REJECTED,
    "InvalidParameterValue.TemplateParameterLengthLimit": Refusal.REJECTED,
    "InvalidParameterValue.SdkAppIdNotExist": Refusal.CONFIGURATION,
    "AuthFailure": Refusal.CONFIGURATION,
    "AuthFailure.SecretIdNotFound": Refusal.CONFIGURATION,
    "AuthFailure.SignatureFailure": Refusal.CONFIGURATION,
    "AuthFailure.SignatureExpire": Refusal.CONFIGURATION,
    "AuthFailure.UnauthorizedOperation": Refusal.CONFIGURATION,
    "UnauthorizedOperation.SdkAppIdIsDisabled": Refusal.CONFIGURATION,
    "UnauthorizedOperation.ServiceSuspendDueToArrears": Refusal.CONFIGURATION,
    "UnsupportedOperation.ContainDomesticAndInternationalPhoneNumber": Refusal.REJECTED,
}


def open_gateway(context: GatewayContext) -> "TencentGateway":
    """Open the gateway with the account in the settings."""
    return TencentGateway(context)


def sign(
    secret_key: str, secret_id: str, *, host: str, action: str, region: str, body: bytes, moment: datetime
) -> dict[str, str]:
    """Return the headers of a POST to `/`, signed by TC3-HMAC-SHA256."""
    stamp, day = int(moment.timestamp()), moment.astimezone(UTC).strftime("%Y-%m-%d")
    scope = f"{day}/sms/tc3_request"
    canonical = f"POST\n/\n\ncontent-type:{_TYPE}\nhost:{host}\n\ncontent-type;host\n{hashlib.sha256(body).hexdigest()}"
    to_sign = f"TC3-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"TC3{secret_key}".encode()
    for word in (day, "sms", "tc3_request"):
        key = hmac.digest(key, word.encode(), "sha256")
    signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    proof = f"TC3-HMAC-SHA256 Credential={secret_id}/{scope}, SignedHeaders=content-type;host, Signature={signature}"
    return {
        "Content-Type": _TYPE,
        "Host": host,
        "X-TC-Action": action,
        "X-TC-Version": VERSION,
        "X-TC-Timestamp": str(stamp),
        "X-TC-Region": region,
        "Authorization": proof,
    }


class TencentGateway(TemplateGateway):
    """One approved template with its blanks filled, to up to 200 numbers in a call."""

    name = NAME
    caps = Caps(
        max_per_call=200,
        receipts=True,
        inbound=True,
        query=False,
        free_text=False,
        blank="{#}",
        reports="token",
        hook_answer='{"result":0,"errmsg":"OK"}',
        hook_type="application/json",
    )
    topics = (*content.POLITICS, *content.LAW, *content.CHARITY, *content.FINANCE)
    strict = False

    def __init__(self, context: GatewayContext) -> None:
        own = context.need(TencentSettings, "secret_id", "secret_key", "sdk_app_id")
        super().__init__(context, own)
        self._own = own

    def request(self, submission: Submission, fitting: Fit) -> tuple[bytes, Mapping[str, str]]:
        """Return JSON, and the signed headers."""
        wanted = {
            "PhoneNumberSet": [person.number for person in submission.people],
            "SmsSdkAppId": self._own.sdk_app_id,
            "SignName": self.sign_name,
            "TemplateId": fitting.template.code,
            "TemplateParamSet": [value for _, value in fitting.values],
            "SessionContext": submission.id.hex,
        }
        body = json.dumps(wanted, ensure_ascii=False).encode()
        headers = sign(
            self._own.secret_key.get_secret_value(),
            self._own.secret_id,
            host=self.host,
            action="SendSms",
            region=self._own.region,
            body=body,
            moment=self.clock(),
        )
        return body, headers

    def read(self, answer: Answer, submission: Submission) -> SubmitResult:
        """Every number has an answer of its own."""
        return _read(answer, submission)

    def parse_receipts(self, request: WebhookRequest, now: datetime) -> Sequence[Receipt]:
        """Return the reports of a push."""
        return tuple(_receipt(item) for item in told(request) if text_of(item, "sid") and "report_status" in item)

    def parse_inbound(self, request: WebhookRequest, now: datetime) -> Sequence[Inbound]:
        """Return the residents' messages of a push. They have no id: number, text and second tell them apart."""
        return tuple(
            Inbound(_number(item), text_of(item, "text"), "", _moment(text_of(item, "time")) or now)
            for item in told(request)
            if text_of(item, "mobile") and "text" in item
        )


def _read(answer: Answer, submission: Submission) -> SubmitResult:
    said = (answer.json() or {}).get("Response")
    if not isinstance(said, dict):
        return by_status(answer) or Unknown("unreadable_answer")
    error = said.get("Error")
    if isinstance(error, dict):
        return _refusal(str(error.get("Code", "")))
    states = said.get("SendStatusSet")
    if answer.status != 200 or not isinstance(states, list):
        return by_status(answer) or Unknown("unreadable_answer")
    return _each(states, submission)


def _each(states: list[Any], submission: Submission) -> SubmitResult:
    """Sort the people of a call by their own answers. Whoever has none stays without, and becomes unknown."""
    by_number = {text_of(item, "PhoneNumber"): item for item in states if isinstance(item, dict)}
    refs: dict[str, str] = {}
    refused: dict[str, Refused] = {}
    for person in submission.people:
        item = by_number.get(person.number, {})
        code = text_of(item, "Code")
        if code == "Ok":
            refs[person.ref] = text_of(item, "SerialNo")
        elif code:
            found = _refusal(code)
            if isinstance(found, Refused):
                refused[person.ref] = found
    return Accepted(refs, refused)


def _refusal(code: str) -> Refused | Unknown:
    kind = REFUSAL_OF.get(code)
    if kind is None and code.startswith(("InternalError", "FailedOperation.FailResolvePacket")):
        return Unknown(code[:60])
    if kind is None and code.startswith("AuthFailure"):
        kind = Refusal.CONFIGURATION
    return Refused(kind or Refusal.REJECTED, code)


def _receipt(item: Mapping[str, object]) -> Receipt:
    good = text_of(item, "report_status") == "SUCCESS"
    return Receipt(
        provider_ref=text_of(item, "sid"),
        state=MessageState.DELIVERED if good else MessageState.UNDELIVERED,
        code="" if good else text_of(item, "errmsg"),
        reported_at=local_time(text_of(item, "user_receive_time")),
    )


def _number(item: Mapping[str, object]) -> str:
    nation = text_of(item, "nationcode") or "86"
    return f"+{nation.lstrip('+')}{text_of(item, 'mobile')}"


def _moment(text: str) -> datetime | None:
    return datetime.fromtimestamp(int(text), UTC) if text.isascii() and text.isdigit() and len(text) == 10 else None
