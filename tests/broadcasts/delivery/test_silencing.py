"""全部静音: on the page, for programs and from the machine; what it stops and what goes on."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from apilab import program
from builders import BRIDGE, COUNTY, FERRY, HILL, NORTH
from click.testing import CliRunner
from composelab import said
from conftest import NOON, SetClock
from deliverylab import B1, B2, H1, Air
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from orderslab import Hub, plays, stops
from sqlalchemy import select

import cunxiang
from broadcasts.delivery.models import BroadcastState, Kind
from broadcasts.loudspeaker.models import StopOrder
from broadcasts.loudspeaker.states import PlayState
from broadcasts.sms.models import SmsRun
from broadcasts.sms.states import RunState
from hub.audit.models import AuditEntry
from hub.commands.top import command_line
from hub.core.runtime import Runtime

SignIn = Callable[[str], FlaskClient]


@pytest.fixture
def radio(runtime: Runtime, clock: SetClock, app: OpenAPI) -> Hub:
    return Hub(runtime, clock)


def orders(runtime: Runtime) -> list[StopOrder]:
    with runtime.sessions.read() as session:
        return list(session.scalars(select(StopOrder)))


def test_the_page_says_what_would_fall_silent_and_does_nothing_yet(air: Air, sign_in: SignIn, runtime: Runtime) -> None:
    air.release(BRIDGE, title="开会通知")
    air.release(NORTH, title="停水通知")
    air.offline(B2)
    words = said(sign_in("duty").get("/silence", query_string={"region": BRIDGE}).text)
    assert "让 1 个村 2 只喇叭全部静音？" in words
    assert "没发的短信也不发了：开会通知" in words
    assert "别处照常，短信照发：停水通知" in words
    assert "1 只现在没连上" in words
    assert "让 2 个村 4 只喇叭全部静音？" in said(sign_in("duty").get("/silence").text), "their own township at first"
    assert orders(runtime) == []


def test_pressing_it_stops_what_is_for_the_region_alone_and_lets_the_rest_go_on(
    air: Air, sign_in: SignIn, radio: Hub, runtime: Runtime
) -> None:
    inside, wider = air.release(BRIDGE, sms=True), air.release(NORTH, kind=Kind.EMERGENCY)
    answer = sign_in("duty").post("/silence", data={"region": BRIDGE})
    assert answer.status_code == 302
    assert (air.state(inside).state, air.state(wider).state) == (BroadcastState.STOPPED, BroadcastState.GOING)
    with runtime.sessions.read() as session:
        assert session.scalars(select(SmsRun)).one().state is RunState.CANCELLED
        assert session.scalars(select(AuditEntry.deed).where(AuditEntry.deed == "region.silence")).one()
    first = stops(radio.step())[0]
    assert first.all is True
    radio.answer(first.id, PlayState.FINISHED, B1)
    page = said(sign_in("viewer").get("/").text)
    assert "全部静音" not in page, "who may stop nothing is offered nothing"
    words = said(sign_in("duty").get("/silence/latest").text)
    assert "1 / 2 只回报停了" in words
    assert "1 只没回音" in words


def test_what_is_released_afterwards_sounds(air: Air, sign_in: SignIn, radio: Hub) -> None:
    sign_in("duty").post("/silence", data={"region": BRIDGE})
    radio.step()
    radio.place(BRIDGE)
    assert len(plays(radio.step())) == 1


def test_the_overview_and_the_emergency_page_lead_to_it(air: Air, sign_in: SignIn) -> None:
    air.release(BRIDGE)
    assert 'id="silence-all"' in sign_in("duty").get("/").text
    assert 'id="silence-all"' in sign_in("duty").get("/overview/on-air").text


@pytest.mark.parametrize("region", [FERRY, COUNTY, "990109999999", "nonsense", ""])
def test_nobody_silences_what_is_not_theirs(region: str, sign_in: SignIn, runtime: Runtime) -> None:
    duty = sign_in("duty")
    assert duty.post("/silence", data={"region": region}).status_code in (404, 422)
    if region:
        assert duty.get("/silence", query_string={"region": region}).status_code in (404, 422)
    assert sign_in("stranger").post("/silence", data={"region": BRIDGE}).status_code == 404
    assert sign_in("viewer").post("/silence", data={"region": BRIDGE}).status_code == 403
    assert orders(runtime) == []


def test_a_stranger_sees_nothing_of_it_and_who_is_not_signed_in_signs_in(
    air: Air, app: OpenAPI, sign_in: SignIn, runtime: Runtime
) -> None:
    sign_in("duty").post("/silence", data={"region": BRIDGE})
    assert "桥村" not in sign_in("strange_duty").get("/silence/latest").text
    nobody = app.test_client()
    for method in ("get", "post"):
        answer = getattr(nobody, method)("/silence", data={"region": HILL})
        assert answer.status_code in (302, 401)
    assert len(orders(runtime)) == 1


def test_a_program_silences_and_reads_who_has_confirmed(
    air: Air, app: OpenAPI, runtime: Runtime, radio: Hub, clock: SetClock
) -> None:
    duty = program(app, runtime, "duty")
    made = duty.made("/silences", {"region_code": NORTH})
    assert (made["region"], made["loudspeakers"], made["confirmed"]) == (NORTH, 4, 0)
    radio.answer(made["id"], PlayState.FINISHED, B1, B2, H1)
    (listed,) = duty.get("/silences").json["items"]  # type: ignore[index]
    assert listed == made | {"confirmed": 3}
    clock.now = NOON + timedelta(days=2)
    assert duty.get("/silences").json == {"items": []}


def test_a_program_of_strangers_gets_nowhere(app: OpenAPI, runtime: Runtime, air: Air) -> None:
    stranger = program(app, runtime, "strange_duty")
    assert stranger.post("/silences", {"region_code": NORTH}).status_code == 404
    assert program(app, runtime, "viewer").post("/silences", {"region_code": NORTH}).status_code == 403
    program(app, runtime, "duty").made("/silences", {"region_code": NORTH})
    assert stranger.get("/silences").json == {"items": []}


def test_the_machine_itself_can_silence_a_region(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    data_dir = runtime.config.data_dir
    config = tmp_path / "config.toml"
    config.write_text(f'[hub]\ndata_dir = "{data_dir}"\n', encoding="utf-8")
    monkeypatch.setattr("hub.commands.frame.open_runtime", lambda _: runtime)
    run = CliRunner()
    command = command_line(cunxiang.FEATURES)
    refused = run.invoke(command, ["--config", str(config), "stop", "--region", NORTH], input="n\n")
    assert "4 loudspeakers in 2 villages" in refused.output
    assert orders(runtime) == []
    done = run.invoke(command, ["--config", str(config), "stop", "--region", NORTH, "--yes"])
    assert done.exit_code == 0, done.output
    assert [(o.region_code, o.made_by_name) for o in orders(runtime)] == [(NORTH, "console")]
    assert run.invoke(command, ["--config", str(config), "stop", "--region", "990109999999", "--yes"]).exit_code == 2
