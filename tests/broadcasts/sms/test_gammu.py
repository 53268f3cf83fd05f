"""gammu-smsd with its dummy phone: out, delivered, and a resident who wants no more."""

import shutil
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from carrierlab import started, wait_for
from gatewaylab import submission
from smslab import SHANGHAI, crowd, lab_context, lab_routes, lab_run, lab_safe, lab_settings, mobile
from sqlalchemy import func, select

from broadcasts.sms.gateway import Accepted, Refusal, Refused
from broadcasts.sms.gateways.gammu import GammuGateway
from broadcasts.sms.gateways.sections import GammuSettings
from broadcasts.sms.models import SmsMessage
from broadcasts.sms.polling import Poller
from broadcasts.sms.sending.pump import SmsPump
from broadcasts.sms.states import Lane, MessageState, Priority
from hub.core.clock import utc_now
from hub.core.db import Sessions
from hub.residents.models import BlockedNumber

SCHEMA = Path("/usr/share/doc/gammu-smsd/examples/sqlite.sql")
CONFIGURATION = """[gammu]
model = dummy
connection = none
device = {folder}/phone

[smsd]
service = sql
driver = sqlite3
dbdir = {folder}/
database = smsd.db
logfile = {folder}/smsd.log
debuglevel = 1
loopsleep = 0
statusfrequency = 0
checksecurity = 0
deliveryreport = sms
"""


def database(folder: Path) -> Path:
    """Make smsd's own tables."""
    if not SCHEMA.exists():
        pytest.skip("gammu-smsd is not installed (Debian: apt install gammu-smsd libdbd-sqlite3)")
    path = folder / "smsd.db"
    with sqlite3.connect(path) as made:
        made.executescript(SCHEMA.read_text(encoding="utf-8"))
    return path


def gateway_on(path: Path) -> GammuGateway:
    section = GammuSettings.model_validate({"database": f"sqlite:///{path}"})
    return GammuGateway(lab_context(None, lab_settings(), section, clock=utc_now))


@contextmanager
def smsd(folder: Path) -> Iterator[Path]:
    """Run smsd on a dummy phone; yield the folder new messages are put into."""
    if not shutil.which("gammu-smsd") or not list(Path("/usr/lib").glob("*/dbd/libdbdsqlite3.so")):
        pytest.skip("gammu-smsd is not installed (Debian: apt install gammu-smsd libdbd-sqlite3)")
    for number in range(1, 6):
        (folder / "phone" / "sms" / str(number)).mkdir(parents=True)
    (folder / "smsdrc").write_text(CONFIGURATION.format(folder=folder), encoding="utf-8")
    with started(["gammu-smsd", "-c", str(folder / "smsdrc")], folder, None):
        yield folder / "phone" / "sms" / "1"


def put(inbox: Path, name: str, *lines: str) -> None:
    """Let the phone have a message."""
    (inbox / "new").write_text("\n".join(["[SMSBackup000]", 'SMSC = "123456"', "State = UnRead", *lines]) + "\n")
    (inbox / "new").rename(inbox / name)


def words(text: str) -> tuple[str, str]:
    """A text as the phone keeps it."""
    return "Coding = Unicode_No_Compression", f"Text00 = {text.encode('utf-16-be').hex().upper()}"


@pytest.mark.slow
def test_out_delivered_and_no_more(tmp_path: Path, sms_sessions: Sessions) -> None:
    crowd(sms_sessions, 2)
    gateway = gateway_on(database(tmp_path))
    with sms_sessions.begin() as session:
        lab_run(session, priority=Priority.EMERGENCY, now=utc_now(), text="请马上离开河边" * 12)
    pump = SmsPump(
        sms_sessions, lab_safe(), lab_routes(gateway), utc_now, lab_settings(), zone=SHANGHAI, lane=Lane.EMERGENCY
    )
    poller = Poller(sms_sessions, lab_safe(), "gammu", gateway, utc_now)

    def states() -> Counter[MessageState]:
        poller.step()
        with sms_sessions.read() as session:
            return Counter(session.scalars(select(SmsMessage.state)))

    def all_parts_sent() -> bool:
        with sqlite3.connect(tmp_path / "smsd.db") as looked:
            return bool(looked.execute("SELECT count(*) = 4 FROM sentitems WHERE Status = 'SendingOK'").fetchone()[0])

    with smsd(tmp_path) as inbox:
        while pump.step() == 0.0:
            pass
        assert states() == {MessageState.SENT: 2}
        wait_for(all_parts_sent, "the modem sends nothing", within_s=90)
        assert states() == {MessageState.SENT: 2}
        # Both parts have the dummy's one reference, so one report speaks of both.
        put(inbox, "1", "PDU = Status_Report", f'Number = "{mobile(0)}"', "MessageReference = 255", *words("Delivered"))
        wait_for(lambda: states()[MessageState.DELIVERED] == 1, "no report", within_s=60)
        text = "退订".encode("utf-16-be").hex().upper()
        put(
            inbox,
            "3",
            "PDU = Deliver",
            f'Number = "{mobile(1)}"',
            "Coding = Unicode_No_Compression",
            f"Text00 = {text}",
        )

        def left() -> bool:
            poller.step()
            with sms_sessions.read() as session:
                return bool(session.scalar(select(func.count()).select_from(BlockedNumber)))

        wait_for(left, "退订 did not arrive", within_s=60)
    pump.close()
    assert states() == {MessageState.SENT: 1, MessageState.DELIVERED: 1}


def test_what_stands_in_its_outbox_is_known_and_what_does_not_is_not(tmp_path: Path) -> None:
    gateway = gateway_on(database(tmp_path))
    call = submission(2)
    before = gateway.query(call)
    assert before is not None
    assert not before.refs
    assert isinstance(gateway.submit(call), Accepted)
    found = gateway.query(call)
    assert found is not None
    assert set(found.refs) == {person.ref for person in call.people}


def test_a_long_text_is_put_in_as_parts_that_belong_together(tmp_path: Path) -> None:
    path = database(tmp_path)
    text = "【青石镇】" + "请马上离开河边🌊" * 20
    gateway_on(path).submit(submission(1, text))
    with sqlite3.connect(path) as looked:
        first = looked.execute("SELECT TextDecoded, UDH FROM outbox").fetchall()
        more = looked.execute("SELECT TextDecoded, UDH FROM outbox_multipart ORDER BY SequencePosition").fetchall()
    parts = first + more
    assert "".join(part for part, _ in parts) == text
    assert all(len(part.encode("utf-16-be")) <= 134 for part, _ in parts)
    assert [udh[-4:] for _, udh in parts] == [f"{len(parts):02X}{i:02X}" for i in range(1, len(parts) + 1)]


def test_a_locked_or_empty_database_means_that_nothing_was_sent(tmp_path: Path) -> None:
    path = database(tmp_path)
    section = GammuSettings.model_validate({"database": f"sqlite:///{path}"})
    gateway = GammuGateway(lab_context(None, lab_settings(connect_timeout_s=0.2, answer_timeout_s=1), section))
    ready, done = threading.Event(), threading.Event()

    def hold() -> None:
        with sqlite3.connect(path) as holder:
            holder.execute("BEGIN EXCLUSIVE")
            ready.set()
            done.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    ready.wait(10)
    begin = time.monotonic()
    assert gateway.submit(submission(1)) == Refused(Refusal.THROTTLED, "smsd_database")
    assert time.monotonic() - begin < 15
    done.set()
    thread.join()
    (tmp_path / "other").mkdir()
    assert gateway_on(tmp_path / "other" / "empty.db").submit(submission(1)) in (
        Refused(Refusal.THROTTLED, "smsd_database"),
        Refused(Refusal.CONFIGURATION, "smsd_tables"),
    )
