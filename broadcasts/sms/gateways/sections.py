"""The tables of config.toml that belong to single gateways; each is read only where `[sms] gateways` names it."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, field_validator

from hub.core.config import Section


def _listed(value: object) -> object:
    return tuple(part.strip() for part in value.split("|") if part.strip()) if isinstance(value, str) else value


def _address(value: str) -> str:
    if value and (urlsplit(value).scheme not in {"http", "https"} or not urlsplit(value).hostname):
        raise ValueError("must be an address such as https://example.com")
    return value.rstrip("/")


def _filed(value: tuple[str, ...]) -> tuple[str, ...]:
    for entry in value:
        code, equals, text = entry.partition("=")
        if not (code.strip() and equals and text.strip()):
            raise ValueError("every entry must be written as 'CODE=text of the template'")
    return value


Address = Annotated[str, AfterValidator(_address)]
Filed = Annotated[tuple[str, ...], BeforeValidator(_listed), AfterValidator(_filed)]
_TEMPLATES = (
    "templates the provider has approved, each as 'CODE=text without signature', blanks as {}; a text that fits none "
)
_TEMPLATES += "of them and none of 短信模板 cannot go out this way (in the environment: separated by |)"


class TwilioSettings(Section):
    """Twilio (no replies from +86 numbers)."""

    table = "twilio"

    account_sid: str = Field("", description="account, begins with AC")
    auth_token: SecretStr = Field(
        SecretStr(""), description="auth token; better by CUNXIANG_TWILIO_AUTH_TOKEN than in the file"
    )
    sender: str = Field("", description="number (+1…) or messaging service (begins with MG) that sends")
    base_url: Address = Field(
        "", description="where its interface is reached; empty = https://api.twilio.com (others: tests, a proxy)"
    )


class AliyunSettings(Section):
    """Aliyun 阿里云短信服务."""

    table = "aliyun"

    access_key_id: str = Field("", description="AccessKey ID of an account that may do nothing but send messages")
    access_key_secret: SecretStr = Field(
        SecretStr(""), description="its secret; better by CUNXIANG_ALIYUN_ACCESS_KEY_SECRET than in the file"
    )
    sign_name: str = Field("", description="approved signature, without brackets; empty = [sms] signature")
    templates: Filed = Field((), description=_TEMPLATES.format("${name}"))
    endpoint: Address = Field("https://dysmsapi.aliyuncs.com", description="where its interface is reached")


class TencentSettings(Section):
    """Tencent Cloud 腾讯云短信."""

    table = "tencent"

    secret_id: str = Field("", description="SecretId of an account that may do nothing but send messages")
    secret_key: SecretStr = Field(
        SecretStr(""), description="its SecretKey; better by CUNXIANG_TENCENT_SECRET_KEY than in the file"
    )
    sdk_app_id: str = Field("", description="SdkAppId of the SMS application, ten digits")
    sign_name: str = Field("", description="approved signature, without brackets; empty = [sms] signature")
    region: str = Field("ap-guangzhou", description="region of the interface")
    templates: Filed = Field((), description=_TEMPLATES.format("{1} {2}"))
    endpoint: Address = Field("https://sms.tencentcloudapi.com", description="where its interface is reached")


class MasSettings(Section):
    """China Mobile 移动云MAS."""

    table = "mas"

    url: Address = Field("", description="address of the interface up to and without /sms/norsubmit")
    ec_name: str = Field("", description="name of the enterprise as the contract has it (ecName)")
    ap_id: str = Field("", description="user of the interface (apId)")
    secret_key: SecretStr = Field(
        SecretStr(""), description="its password (secretKey); better by CUNXIANG_MAS_SECRET_KEY than in the file"
    )
    sign: str = Field("", description="code of the signature (sign)")
    add_serial: str = Field("", description="extension of the sending number (addSerial)")


class KannelSettings(Section):
    """Kannel, a gateway of your own to a carrier."""

    table = "kannel"

    url: Address = Field("", description="address of its smsbox, such as http://127.0.0.1:13013")
    username: str = Field("", description="user of group sendsms-user")
    password: SecretStr = Field(
        SecretStr(""), description="password; better by CUNXIANG_KANNEL_PASSWORD than in the file"
    )
    sender: str = Field("", description="number that sends (from); empty = as Kannel has it")
    smsc: str = Field("", description="connection to use (smsc); empty = Kannel decides")


class GammuSettings(Section):
    """A GSM modem by gammu-smsd (seconds for each part: for a hundred people, not for thousands)."""

    table = "gammu"

    database: str = Field(
        "",
        description="SQLAlchemy URL of the database of smsd ([smsd] service = sql), one of its own: sqlite:////var/…",
    )
    sender_id: str = Field("", description="which modem sends (PhoneID of its smsd); empty = any")


class HttpSettings(Section):
    """Any other provider that takes a POST."""

    table = "sms_http"

    url: Address = Field("", description="where to post; may not hold the number or the text, addresses end up in logs")
    body: str = Field(
        '{"to": "{number}", "text": "{text}", "ref": "{ref}"}',
        description="what to post: {number} {number11} (without +86) {text} {ref} {signature} {secret}; JSON if it "
        "begins like JSON, else a form a={number}&b={text}",
    )
    headers: tuple[str, ...] = Field((), description="headers, each as 'Name: value'")
    secret: SecretStr = Field(
        SecretStr(""), description="stands for {secret} in body and headers; better by CUNXIANG_SMS_HTTP_SECRET"
    )
    accepted: str = Field("", description="regular expression an accepting answer matches; empty = any 200 to 202")
    reference: str = Field("", description="regular expression whose first group is the provider's id in the answer")
    receipt_ref: str = Field("ref", description="field of a report (form or JSON) that holds {ref}")
    receipt_id: str = Field("id", description="field of a report that holds the provider's id")
    receipt_status: str = Field("status", description="field of a report that says what became of it")
    delivered: tuple[str, ...] = Field(("delivered", "DELIVRD"), description="what it says when the phone has it")
    pending: tuple[str, ...] = Field(
        ("sent", "queued", "accepted"), description="what it says when nothing is decided yet; all else: not delivered"
    )
    inbound_number: str = Field("from", description="field of a resident's message that holds the number")
    inbound_text: str = Field("text", description="field of a resident's message that holds the text")

    @field_validator("url")
    @classmethod
    def _nobody_in_it(cls, value: str) -> str:
        if "{" in value:
            raise ValueError("must not hold blanks: numbers do not belong into an address")
        return value


SECTIONS: tuple[type[Section], ...] = (
    TwilioSettings,
    AliyunSettings,
    TencentSettings,
    MasSettings,
    KannelSettings,
    GammuSettings,
    HttpSettings,
)
