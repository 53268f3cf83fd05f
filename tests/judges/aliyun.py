"""Aliyun's own SDK, in a process of its own: sign a request, or send by it and say how it understood the answer.

Reads one JSON object from standard input and writes one to standard output.
"""

import json
import sys
from typing import Any

from alibabacloud_dysmsapi20170525.client import Client
from alibabacloud_dysmsapi20170525.models import SendSmsRequest
from alibabacloud_tea_openapi.utils import Utils
from alibabacloud_tea_openapi.utils_models import Config
from darabonba.request import DaraRequest
from darabonba.runtime import RuntimeOptions


def sign(wanted: dict[str, Any]) -> dict[str, Any]:
    """Sign a request as the SDK signs its own."""
    request = DaraRequest()
    request.method, request.pathname, request.query, request.headers = "POST", "/", {}, wanted["headers"]
    hashed = wanted["headers"]["x-acs-content-sha256"]
    return {
        "authorization": Utils.get_authorization(request, "ACS3-HMAC-SHA256", hashed, wanted["key"], wanted["secret"])
    }


def send(wanted: dict[str, Any]) -> dict[str, Any]:
    """Send by the SDK."""
    config = Config(access_key_id="LTAI", access_key_secret="secret", endpoint=wanted["endpoint"], protocol="HTTP")
    request = SendSmsRequest(
        phone_numbers="13800000001", sign_name="青石镇", template_code="SMS_1", template_param='{"place":"沟口村"}'
    )
    answer = Client(config).send_sms_with_options(request, RuntimeOptions(autoretry=False, read_timeout=5000))
    return {"code": answer.body.code, "biz_id": answer.body.biz_id}


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    json.dump({"sign": sign, "send": send}[asked["do"]](asked), sys.stdout)
