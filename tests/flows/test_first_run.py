"""From an empty database to a loudspeaker that sounds: the first person, step by step, by the pages alone."""

import io
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from livehub import Person, until
from openpyxl import load_workbook
from shoutlab import read_wav
from sqlalchemy import select

import cunxiang
from hub.app import build, open_runtime
from hub.audit.models import AuditEntry
from hub.commands.frame import sections
from hub.core.clock import utc_now
from hub.core.config import load
from hub.core.runtime import Runtime
from hub.core.typed import read_code, shown
from hub.first_run.opening import first_code
from hub.regions.models import Region
from hub.running import Server
from hub.speakers.device.client import ReferenceSpeaker, SpeakerSettings
from hub.speakers.device.device_file import DeviceFile
from hub.speakers.device.player import FileSink
from hub.speakers.joining import device
from hub.speakers.station import Station

pytestmark = pytest.mark.slow
BEGIN = "/first-run/begin"
CODE = re.compile(r'label-code">([0-9A-Z-]{19})<')
OPENING = {
    "county_name": "雨帘县",
    "county_code": "990107",
    "name": "县广播站管理员",
    "login": "first",
    "password": "stone-boat-9-lantern",
    "again": "stone-boat-9-lantern",
}


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    """A hub that runs on an empty database, with its broker."""
    overrides: dict[str, dict[str, object]] = {
        "hub": {"data_dir": tmp_path / "var", "port": 0, "threads": 4},
        "speech": {"engines": ("tone",)},
        "mqtt": {"engine": "embedded", "port": 0},
        "broadcast": {"quiet_hours": ()},
    }
    found = open_runtime(load(None, sections(cunxiang.FEATURES), environ={}, overrides=overrides), clock=utc_now)
    server = Server(build(found, cunxiang.FEATURES), found, cunxiang.FEATURES)
    thread = threading.Thread(target=server.serve, name="hub", daemon=True)
    thread.start()
    until(lambda: found.get(Station).connected, 30, what="the broker")
    yield found
    server.close()
    thread.join(30)
    found.sessions.engine.dispose()


def plain(answer: requests.Response) -> str:
    """The words of a page."""
    return " ".join(re.sub(r"<[^>]+>", " ", answer.text.partition("<main")[2]).split())


def sheet(empty: bytes) -> bytes:
    """The downloaded table, filled in by somebody who makes one mistake."""
    book = load_workbook(io.BytesIO(empty))
    page = book.worksheets[0]
    for row in (
        ("听雨镇", "檐下村", "", "990107001001"),
        ("听雨镇", "檐下村", "一组", ""),
        ("听雨镇", "", "二组", ""),
        ("落梅镇", "溪头村", "", ""),
    ):
        page.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_the_first_person_is_led_from_nothing_to_a_loudspeaker_that_sounds(runtime: Runtime, tmp_path: Path) -> None:
    somebody = Person(runtime.base_url)
    open_the_hub(somebody, runtime)
    codes = bring_the_villages_in(somebody, runtime)
    leave_out_and_take_back(somebody, codes["听雨镇"])
    claim = label_for(somebody, codes["檐下村"])
    with a_new_horn(runtime, claim, tmp_path) as name:
        until(lambda: name in somebody.get("/first-run/test").text, what="the loudspeaker on the list")
        assert somebody.post("/first-run/test", data={"speaker": name}).status_code == 200
        until(lambda: "它响过了" in plain(somebody.get(f"/first-run/test?speaker={name}")))
    sound, rate = read_wav(min((tmp_path / "sounded").glob("*.wav")))
    assert len(sound) / rate > 1
    assert max(abs(float(x)) for x in sound[: rate * 2]) > 0.1, "the file holds a tone, not silence"
    put_the_guide_away(somebody, runtime)


def open_the_hub(somebody: Person, runtime: Runtime) -> None:
    """Nobody has an account: every way leads to the first page, and without the code nobody gets further."""
    assert somebody.get("/").url.endswith(BEGIN)
    refused = somebody.post(BEGIN, page=BEGIN, data={**OPENING, "code": "0000-0000-0000-0000"})
    assert refused.status_code == 422
    assert "开机码不对" in plain(refused)
    assert somebody.get("/sign-in").url.endswith(BEGIN)
    code = shown(first_code(runtime.secrets))
    mistaken = {**OPENING, "code": code, "county_code": "12", "login": "", "name": ""}
    wrong = somebody.post(BEGIN, page=BEGIN, data=mistaken)
    assert wrong.status_code == 422
    assert {f"#f-{field}" in wrong.text for field in ("county_code", "login", "name")} == {True}
    guide = somebody.post(BEGIN, page=BEGIN, data={**OPENING, "code": code.lower()})
    assert guide.url.endswith("/first-run")
    assert "做好 0 步，一共 6 步" in plain(guide)
    late = Person(runtime.base_url)
    assert late.get(BEGIN).url.endswith("/sign-in"), "once there is an account, the code opens nothing"
    assert late.post(BEGIN, page="/sign-in", data={**OPENING, "code": code, "login": "second"}).status_code == 409
    assert "还没设置完" in plain(somebody.get("/"))


def bring_the_villages_in(somebody: Person, runtime: Runtime) -> dict[str, str]:
    """The table comes back with the fault in its cell; what is right is added. Return the codes by name."""
    empty = somebody.get("/regions/import/empty.xlsx").content
    looked = somebody.post("/regions/import", files={"file": ("a.xlsx", sheet(empty))})
    assert "新加 2 个镇、2 个村、1 个组，1 行有错，要跳过" in plain(looked)
    assert re.search(r'class="bad"><div>（空）<div class="error">.{0,200}村没填', looked.text, re.DOTALL)
    done = somebody.post(f"/regions/import/{looked.url.rsplit('/', 1)[1]}")
    assert "回到第一次设置" in plain(done)
    with runtime.sessions.read() as session:
        codes = {region.name: region.code for region in session.scalars(select(Region))}
    assert codes["檐下村"] == "990107001001"
    assert codes["听雨镇"] == "990107001000", "a township's code follows from its village's"
    assert (codes["落梅镇"], codes["溪头村"]) == ("990107002000", "990107002001")
    return codes


def leave_out_and_take_back(somebody: Person, township: str) -> None:
    """What is left out says what that means, stays so, and can be taken up again."""
    assert "没人能批" in plain(somebody.post("/first-run/people", data={"said": "skipped"}))
    assert "跳过了" in plain(somebody.get("/first-run"))
    somebody.post("/first-run/people", data={"said": ""})
    new = {"login": "writer", "name": "听雨镇广播员", "role": "clerk", "region": township}
    assert "一次性码" in plain(somebody.post("/accounts/new", data=new))
    somebody.post("/first-run/residents", data={"said": "skipped"})
    somebody.post("/first-run/voice", data={"said": "done"})


def label_for(somebody: Person, village: str) -> str:
    """Make a claim code for a new loudspeaker."""
    label = somebody.post("/speakers/joining/codes", data={"name": "晒坝", "region_code": village})
    found = CODE.search(label.text)
    assert found, plain(label)
    return read_code(found[1]) or ""


@contextmanager
def a_new_horn(runtime: Runtime, claim: str, folder: Path) -> Iterator[str]:
    """A device with nothing but that code becomes a loudspeaker; return its name."""
    out = device.join(device.Applicant(runtime.base_url, claim), folder / "horn.toml", sleep=lambda _: None)
    time.sleep(1)  # brokers take a new account over within half a second; who comes sooner is sent away for a while
    papers = DeviceFile.load(out)
    horn = ReferenceSpeaker(SpeakerSettings(papers), FileSink(folder / "sounded"))
    horn.start()
    try:
        yield papers.id
    finally:
        horn.stop()


def put_the_guide_away(somebody: Person, runtime: Runtime) -> None:
    """All is done or left out; the overview says no more of it, and the log knows who did what."""
    assert "都做好或者跳过了" in plain(somebody.get("/first-run"))
    somebody.post("/first-run/whole", data={"said": "done"})
    assert "还没设置完" not in plain(somebody.get("/"))
    with runtime.sessions.read() as session:
        deeds = [entry.deed for entry in session.scalars(select(AuditEntry).order_by(AuditEntry.id))]
    assert deeds.index("account.create") < deeds.index("hub.open") < deeds.index("speaker.sound")
    assert {"region.add", "first_run.skipped", "first_run.done", "first_run.reopen"} <= set(deeds)
