"""What loudspeakers are told of the broker, and when the hub warns that it stands open."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from hub.speakers.settings import MqttSettings

CERTIFICATE: dict[str, Any] = {"tls_cert": Path("c.pem"), "tls_key": Path("k.pem")}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, ""),
        ({"host": "0.0.0.0"}, ""),  # noqa: S104
        ({"host": "10.0.0.5"}, "10.0.0.5"),
        ({"host": "0.0.0.0", "public_host": "broker.example"}, "broker.example"),  # noqa: S104
        ({"host": "10.0.0.5", "public_host": "1.2.3.4"}, "1.2.3.4"),
        ({"engine": "external", "hosts": ("one.example:1884", "two.example:1884")}, "one.example"),
        ({"engine": "external", "hosts": ("127.0.0.1:1884",)}, ""),
    ],
)
def test_the_host_loudspeakers_are_told(given: dict[str, Any], told: str) -> None:
    assert MqttSettings(**given).told_host == told


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, 40001),
        (CERTIFICATE, 40002),
        ({**CERTIFICATE, "public_port": 443}, 443),
        ({"engine": "external", "port": 8883, "tls": True}, 40001),
    ],
)
def test_the_port_loudspeakers_are_told(given: dict[str, Any], told: int) -> None:
    assert MqttSettings(**given).told_port(40001, 40002) == told


@pytest.mark.parametrize(
    ("given", "is_open"),
    [
        ({}, False),
        ({"host": "0.0.0.0"}, True),  # noqa: S104
        ({"host": "0.0.0.0", **CERTIFICATE}, False),  # noqa: S104
        ({"host": "0.0.0.0", **CERTIFICATE, "plain_too": True}, True),  # noqa: S104
        ({"host": "10.0.0.5", "engine": "external"}, False),
    ],
)
def test_a_broker_that_others_reach_without_tls_stands_open(given: dict[str, Any], is_open: bool) -> None:
    assert MqttSettings(**given).is_open is is_open


@pytest.mark.parametrize(
    "given", [{"tls_cert": "c.pem"}, {"tls_key": "k.pem"}, {"public_host": "http://x"}, {"public_host": "a b"}]
)
def test_what_cannot_work_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        MqttSettings(**given)
