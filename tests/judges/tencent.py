"""Tencent's own SDK, in a process of its own: sign a request, or send by it and say how it understood the answer.

Reads one JSON object from standard input and writes one to standard output.
"""

import json
import sys
from typing import Any

from tencentcloud.common.credential import Credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.http.request import RequestInternal
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.sms.v20210111.models import SendSmsRequest
from tencentcloud.sms.v20210111.sms_client import SmsClient


def client(endpoint: str = "localhost") -> SmsClient:
    """Return the SDK's client on that address."""
    profile = ClientProfile(httpProfile=HttpProfile(protocol="http", endpoint=endpoint, reqTimeout=5))
    return SmsClient(Credential("AKID", "secret"), "ap-guangzhou", profile)


def sign(wanted: dict[str, Any]) -> dict[str, Any]:
    """Sign a request as the SDK signs its own."""
    headers = wanted["headers"]
    request = RequestInternal(headers["Host"], "POST", "/", header=headers, data=wanted["body"])
    return {"signature": client()._get_tc3_signature({}, request, wanted["day"], "sms", wanted["secret"])}


def send(wanted: dict[str, Any]) -> dict[str, Any]:
    """Send by the SDK."""
    request = SendSmsRequest()
    request.PhoneNumberSet, request.SmsSdkAppId, request.TemplateId = ["+8613800000001"], "1400000000", "11"
    request.SignName, request.TemplateParamSet = "青石镇", ["沟口村", "离开河边"]
    try:
        answer = client(wanted["endpoint"]).SendSms(request)
    except TencentCloudSDKException as error:
        return {"error": error.get_code()}
    return {"states": [[each.PhoneNumber, each.Code, each.SerialNo] for each in answer.SendStatusSet]}


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    json.dump({"sign": sign, "send": send}[asked["do"]](asked), sys.stdout)
