"""The record of an incident: one time line, printable, and the evidence in one file that proves itself."""

import csv
import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Callable
from datetime import timedelta

from builders import NORTH
from conftest import SetClock
from flask.testing import FlaskClient
from sqlalchemy import select, text, update

from broadcasts.alerts import firing
from broadcasts.alerts.incidents.models import Incident
from broadcasts.alerts.models import Alert, AlertState
from broadcasts.delivery.rules import Rules
from broadcasts.loudspeaker import listing
from broadcasts.loudspeaker.models import OrderState, PlayOrder, SpeakerDelivery
from hub.audit.models import AuditEntry
from hub.core.runtime import Runtime

SignIn = Callable[[str], FlaskClient]
FORM = {"form_key": "evidence-1", "hazard": "cold", "colour": "red", "area": NORTH, "sms": "0", "speakers": "4"}


def fired(runtime: Runtime, clock: SetClock, browser: FlaskClient) -> str:
    address = browser.post("/emergency", data=FORM).location
    clock.now += timedelta(seconds=3.1)
    firing.fire_due(runtime.sessions, rules=runtime.get(Rules), now=clock())
    listing.write_all(runtime.sessions, now=clock())
    return str(address)


def test_the_time_line_says_who_what_when_and_how_long(runtime: Runtime, clock: SetClock, sign_in: SignIn) -> None:
    duty = sign_in("duty")
    address = fired(runtime, clock, duty)
    with runtime.sessions.begin() as session:
        incident = session.scalars(select(Incident)).one()
        session.execute(update(PlayOrder).values(state=OrderState.SENT, sent_at=clock() + timedelta(seconds=0.2)))
        session.execute(update(SpeakerDelivery).values(started_at=clock() + timedelta(seconds=1)))
    duty.post(f"/incidents/{incident.id}/notes", data={"text": "老桥已经封了"})
    clock.now += timedelta(seconds=60)
    duty.post(f"{address}/take-back")
    page = duty.get(f"/incidents/{incident.id}").text
    for words in (
        "北镇值班员 按下播发：低温冰冻·红色，4 只喇叭",
        "命令交给喇叭网，应响 4 只",
        "3.3 秒",
        "第一只喇叭响",
        "北镇值班员 记：老桥已经封了",
        "北镇值班员 撤回，播更正",
    ):
        assert words in page
    assert sign_in("strange_duty").get(f"/incidents/{incident.id}").status_code == 404


def test_the_evidence_is_one_file_whose_hashes_fit_and_taking_it_is_noted(
    runtime: Runtime, clock: SetClock, sign_in: SignIn
) -> None:
    fired(runtime, clock, sign_in("duty"))
    with runtime.sessions.read() as session:
        incident = session.scalars(select(Incident)).one()
        alert = session.scalars(select(Alert)).one()
    where = f"/incidents/{incident.id}/evidence.zip"
    assert sign_in("duty").get(where).status_code == 403
    assert sign_in("strange_approver").get(where).status_code == 404
    answer = sign_in("approver").get(where)
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    sums = files.pop("SHA256SUMS").decode()
    assert sums == "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items()))
    assert answer.headers["X-Evidence-SHA256"] == hashlib.sha256(sums.encode()).hexdigest()
    assert f"sounds/{alert.audio_sha256}.mp3" in files
    assert hashlib.sha256(files[f"sounds/{alert.audio_sha256}.mp3"]).hexdigest() == alert.audio_sha256
    told = json.loads(files["incident.json"])
    assert told["alerts"][0]["armed_by"] == "北镇值班员"
    rows = list(csv.reader(io.StringIO(files["loudspeakers.csv"].decode("utf-8-sig"))))
    assert len(rows) == 5
    deeds = [entry["deed"] for entry in json.loads(files["log.json"])]
    assert {"alert.arm", "broadcast.release"} <= set(deeds)
    with runtime.sessions.read() as session:
        taken = session.scalars(select(AuditEntry).where(AuditEntry.deed == "incident.export")).one()
    assert taken.details["content"] == answer.headers["X-Evidence-SHA256"]


def test_a_database_that_is_held_up_delays_an_emergency_and_loses_none(
    runtime: Runtime, clock: SetClock, sign_in: SignIn
) -> None:
    sign_in("duty").post("/emergency", data=FORM)
    clock.now += timedelta(seconds=3.1)
    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        with runtime.sessions.begin() as session:
            session.execute(text("UPDATE speaker SET note = note"))
            held.set()
            over.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(5)
    threading.Timer(1.0, over.set).start()
    assert firing.fire_due(runtime.sessions, rules=runtime.get(Rules), now=clock()) == 1
    holder.join(10)
    with runtime.sessions.read() as session:
        assert session.scalars(select(Alert.state)).one() is AlertState.FIRED
