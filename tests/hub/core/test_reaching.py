"""An address that somebody typed never leads the hub to this machine itself."""

import socket
from typing import Any

import pytest

from hub.core.config import HubSettings
from hub.core.reaching import guard_of, lies_here


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9090/-/quit",
        "http://127.8.8.8/",
        "https://localhost/",
        "http://[::1]:8600/",
        "http://[::ffff:127.0.0.1]/",
        "http://0.0.0.0:8600/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[fe80::1]/",
        "http://224.0.0.1/",
        "http://2130706433/",
        "http://0x7f.1/",
    ],
)
def test_this_machine_is_recognised_however_it_is_written(url: str) -> None:
    assert lies_here(url)


@pytest.mark.parametrize("url", ["http://10.0.0.5/", "https://192.0.2.7:8443/x", "http://[2001:db8::7]/", "x", ""])
def test_an_office_has_a_network_of_its_own(url: str) -> None:
    assert not lies_here(url)


def test_a_name_counts_by_where_it_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    def leads(*found: str) -> None:
        def asked(*_: Any, **__: Any) -> list[Any]:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, 80)) for each in found]

        monkeypatch.setattr(socket, "getaddrinfo", asked)

    leads("192.0.2.7")
    assert not lies_here("http://hub.example/")
    leads("192.0.2.7", "127.0.0.1")
    assert lies_here("http://hub.example/"), "one of several is enough"


def test_whoever_runs_the_machine_may_allow_it() -> None:
    assert guard_of(HubSettings())("http://127.0.0.1/")
    assert not guard_of(HubSettings(reach_this_machine=True))("http://127.0.0.1/")
