"""The `[sms]` section of the configuration."""

from datetime import time
from decimal import Decimal
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator

from broadcasts.sms.segments import Policy
from hub.core.config import Section


class SmsSettings(Section):
    """Text messages: through whom, signed how, at what price and when."""

    table = "sms"

    gateway: str = Field(
        "local", description="who sends: local (built in, sends to simulated phones only) or twilio; one by entry point"
    )
    signature: str = Field("村响", max_length=16, description="sender's name, put in front of every text as 【…】")
    fen_per_part: Decimal = Field(
        Decimal("4.5"), ge=0, le=1000, decimal_places=2, description="price of one part in fen, for the estimates"
    )
    counting: Policy = Field(
        Policy.DOMESTIC,
        description="how parts are counted: domestic (70/67 characters, China) or gsm (160/153 for Latin)",
    )
    window_from: time = Field(time(8), description="routine messages go out from this local time on")
    window_until: time = Field(time(21), description="… until this one; emergencies go out at any hour")
    most_a_day: int = Field(
        5, ge=0, le=100, description="ordinary messages one number gets a day at most; 0 = no limit, emergencies never"
    )
    same_text_minutes: int = Field(
        10, ge=0, le=1440, description="minutes in which nobody gets the same ordinary text twice; 0 = no limit"
    )
    calls_at_once: int = Field(8, ge=1, le=64, description="calls to the provider open at the same time, per lane")
    lease_s: int = Field(
        60, ge=5, le=3600, description="seconds after which an unfinished call of a dead process is given up as unknown"
    )
    no_receipt_after_h: int = Field(
        72, ge=1, le=240, description="hours after which a missing receipt is shown as such"
    )
    emergency_resend_after_s: int = Field(
        30, ge=1, le=3600, description="seconds to wait for a receipt before an emergency of unknown fate is sent again"
    )
    forget_numbers_after_d: int = Field(
        90, ge=1, le=3650, description="days after which the numbers in old messages are erased; the masked ones stay"
    )
    connect_timeout_s: float = Field(5.0, gt=0, le=60, description="seconds to wait for a connection to the provider")
    answer_timeout_s: float = Field(10.0, gt=0, le=60, description="seconds to wait for the provider's answer")
    local_seed: int = Field(
        2026, description="what the local gateway's chances are drawn from; the same seed gives the same course"
    )
    local_switched_off_percent: float = Field(
        2.0, ge=0, le=100, description="share of the local gateway's phones that are switched off and get nothing"
    )
    twilio_account_sid: str = Field("", description="Twilio account, begins with AC")
    twilio_auth_token: SecretStr = Field(
        SecretStr(""), description="Twilio auth token; better by CUNXIANG_SMS_TWILIO_AUTH_TOKEN than in the file"
    )
    twilio_from: str = Field("", description="Twilio number (+1…) or messaging service (begins with MG) that sends")
    twilio_base_url: str = Field(
        "", description="where Twilio's interface is reached; empty = https://api.twilio.com (others: tests, a proxy)"
    )

    @field_validator("signature")
    @classmethod
    def _bare(cls, value: str) -> str:
        if any(mark in value for mark in "【】[]"):
            raise ValueError("must not contain brackets: they are put around it")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.window_from >= self.window_until:
            raise ValueError("window_from must be before window_until")
        if self.lease_s < self.connect_timeout_s + 2 * self.answer_timeout_s:
            raise ValueError("lease_s must be at least connect_timeout_s plus twice answer_timeout_s")
        if self.gateway == "twilio" and not (
            self.twilio_account_sid and self.twilio_auth_token.get_secret_value() and self.twilio_from
        ):
            raise ValueError("gateway 'twilio' needs twilio_account_sid, twilio_auth_token and twilio_from")
        return self
