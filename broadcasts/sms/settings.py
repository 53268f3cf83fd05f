"""The `[sms]` section of the configuration."""

import re
from datetime import time
from decimal import Decimal
from ipaddress import ip_address, ip_network
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from broadcasts.sms.segments import Policy
from hub.core.config import Section

WEIGHT = re.compile(r"([a-z][a-z0-9_]*)(?::(\d{1,4}))?")


def _listed(value: object) -> object:
    """Take what the environment gives, entries between commas, like a list."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _by_name(entries: tuple[str, ...]) -> dict[str, str]:
    """Return what stands behind each name in entries like `mas=3.2`."""
    return {name.strip(): given.strip() for name, _, given in (entry.partition("=") for entry in entries)}


class SmsSettings(Section):
    """Text messages: through whom, signed how, at what price and when."""

    table = "sms"

    gateways: Annotated[tuple[str, ...], BeforeValidator(_listed)] = Field(
        ("local",),
        description="who sends, the preferred first; the next takes over while one is in trouble. Names in one entry "
        "share by weight: ['aliyun:7 tencent:3', 'kannel']. local (simulated phones only), twilio, aliyun, tencent, "
        "mas, kannel, gammu, sms_http; others by entry point",
    )
    hooks_from: Annotated[tuple[str, ...], BeforeValidator(_listed)] = Field(
        (),
        description="from where a gateway may report to the hub, for those that sign nothing: "
        "['kannel=127.0.0.1', 'mas=192.0.2.0/24 198.51.100.7']; who is not named may from anywhere",
    )
    signature: str = Field("村响", max_length=16, description="sender's name, put in front of every text as 【…】")
    fen_per_part: Decimal = Field(
        Decimal("4.5"), ge=0, le=1000, decimal_places=2, description="price of one part in fen, for the estimates"
    )
    prices: Annotated[tuple[str, ...], BeforeValidator(_listed)] = Field(
        (), description="price of one part in fen by gateway, where it differs: ['mas=3.2', 'aliyun=4.5']"
    )
    counting: Policy = Field(
        Policy.DOMESTIC,
        description="how parts are counted: domestic (70/67 characters, China) or gsm (160/153 for Latin)",
    )
    countings: Annotated[tuple[str, ...], BeforeValidator(_listed)] = Field(
        ("twilio=gsm",), description="how parts are counted by gateway, where it differs: ['twilio=gsm']"
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
    help_wakes_after_s: int = Field(
        120,
        ge=0,
        le=3600,
        description="a resident's cry for help is texted to the first on the roster at once, and to the next after so "
        "many seconds in which nobody has taken it on; 0 = nobody is texted",
    )
    help_joined_for_s: int = Field(
        600,
        ge=0,
        le=3600,
        description="a cry for help from a village whose people on call were woken less than so many seconds ago is "
        "joined to that one and wakes nobody by itself",
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

    @field_validator("window_from", "window_until")
    @classmethod
    def _is_local(cls, value: time) -> time:
        if value.tzinfo is not None:  # a bare number is read as seconds of UTC
            raise ValueError("must be a local time in quotes, like '08:00'")
        return value

    @field_validator("signature")
    @classmethod
    def _bare(cls, value: str) -> str:
        if any(mark in value for mark in "【】[]"):
            raise ValueError("must not contain brackets: they are put around it")
        return value

    @field_validator("gateways")
    @classmethod
    def _readable(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        names = [word.partition(":")[0] for entry in value for word in entry.split()]
        if not names:
            raise ValueError("must name at least one")
        for word in (word for entry in value for word in entry.split()):
            if not WEIGHT.fullmatch(word) or word.endswith(":0"):
                raise ValueError(f"'{word}' must be a name, or a name and its weight such as kannel:7")
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"names {', '.join(twice)} twice")
        return value

    @field_validator("hooks_from")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for entry in value:
            name, _, nets = entry.partition("=")
            if not WEIGHT.fullmatch(name.strip()) or not nets.split():
                raise ValueError(f"'{entry}' must be a name and addresses, such as kannel=127.0.0.1")
            for net in nets.split():
                ip_network(net)
        return value

    @field_validator("prices")
    @classmethod
    def _priced(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for entry in value:
            name, _, price = entry.partition("=")
            if not WEIGHT.fullmatch(name.strip()) or not re.fullmatch(r"\d{1,3}(\.\d{1,2})?", price.strip()):
                raise ValueError(f"'{entry}' must be a name and a price in fen, such as mas=3.2")
        return value

    @field_validator("countings")
    @classmethod
    def _counted(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for entry in value:
            name, _, way = entry.partition("=")
            if not WEIGHT.fullmatch(name.strip()) or way.strip() not in set(Policy):
                raise ValueError(f"'{entry}' must be a name and domestic or gsm, such as twilio=gsm")
        return value

    def price_of(self, name: str) -> Decimal:
        """Return the price of one part through a gateway, in fen."""
        listed = _by_name(self.prices)
        return Decimal(listed[name]) if name in listed else self.fen_per_part

    def counting_of(self, name: str) -> Policy:
        """Return how a gateway counts parts."""
        listed = _by_name(self.countings)
        return Policy(listed[name]) if name in listed else self.counting

    @property
    def preferred(self) -> str:
        """The gateway that sends unless it is in trouble."""
        return self.ranks[0][0][0]

    @property
    def usual_price(self) -> Decimal:
        """The price of one part through the preferred gateway."""
        return self.price_of(self.preferred)

    @property
    def usual_counting(self) -> Policy:
        """How the preferred gateway counts."""
        return self.counting_of(self.preferred)

    def may_report(self, name: str, address: str) -> bool:
        """Return whether a gateway may report from that address."""
        listed = [
            entry.partition("=")[2].split() for entry in self.hooks_from if entry.partition("=")[0].strip() == name
        ]
        if not listed:
            return True
        try:
            here = ip_address(address)
        except ValueError:
            return False
        here = getattr(here, "ipv4_mapped", None) or here
        return any(here in ip_network(net) for nets in listed for net in nets)

    @property
    def ranks(self) -> tuple[tuple[tuple[str, int], ...], ...]:
        """Names and weights of the gateways, those that share in one tuple, the preferred ones first."""
        return tuple(
            tuple((name, int(weight or 1)) for name, _, weight in (word.partition(":") for word in entry.split()))
            for entry in self.gateways
        )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.window_from >= self.window_until:
            raise ValueError("window_from must be before window_until")
        if self.lease_s < self.connect_timeout_s + 2 * self.answer_timeout_s:
            raise ValueError("lease_s must be at least connect_timeout_s plus twice answer_timeout_s")
        return self
