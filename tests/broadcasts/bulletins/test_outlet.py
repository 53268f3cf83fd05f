"""What goes out is signed, sound, in a chain, and read by other people's tools."""

import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from apilab import program
from caplab import BRIDGE, NORTH, NOW, codes, document, hand_in
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from lxml import etree
from sqlalchemy import select

from broadcasts.alerts.models import Alert, AlertState
from broadcasts.audience.selection import Audience
from broadcasts.bulletins.formats import ebm
from broadcasts.bulletins.models import Notice, TrustedSender
from broadcasts.bulletins.notices import CERTIFICATE_FILE, KEY_FILE, Issuer, Publisher, load_key
from broadcasts.cap.building import serialise
from broadcasts.cap.document import MsgType, Status
from broadcasts.cap.examining import examine
from broadcasts.cap.feeds import entries
from broadcasts.cap.opening import open_document
from broadcasts.cap.schema import SCHEMA
from broadcasts.cap.signatures import Signed, SigningKey, new_key, sign, verify
from broadcasts.kinds import Act, Colour, Mode
from hub.core.runtime import Runtime
from hub.regions.tree import path_of

pytestmark = pytest.mark.slow

needs_xmlsec = pytest.mark.skipif(shutil.which("xmlsec1") is None, reason="xmlsec1 is not here")
WHILE = "2026-11-23 02:30:00"
LONG_AGO, LATER = datetime(2020, 1, 1, tzinfo=UTC), datetime(2090, 1, 1, tzinfo=UTC)
"""signxml also asks the real clock."""


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return new_key("试县", now=LONG_AGO, until=LATER)


def fired(runtime: Runtime, **given: object) -> UUID:
    values: dict[str, object] = {
        "form_key": str(uuid4()),
        "hazard": "flash_flood",
        "colour": Colour.RED,
        "title": "山洪·红色",
        "text": "北镇要发山洪！",
        "sms_text": "紧急：北镇要发山洪。",
        "audience": Audience((NORTH,)).as_json(),
        "home_path": path_of(NORTH),
        "speakers_confirmed": 4,
        "state": AlertState.FIRED,
        "armed_at": NOW,
        "fires_at": NOW,
        "fired_at": NOW,
        "expires_at": NOW + timedelta(hours=1),
        "armed_by": uuid4(),
        "armed_by_name": "值班员",
    }
    with runtime.sessions.begin() as session:
        alert = Alert(**(values | given))
        session.add(alert)
        session.flush()
        return alert.id


def publish(runtime: Runtime, key: SigningKey, *, now: datetime = NOW) -> list[Notice]:
    publisher = Publisher(runtime.sessions, Issuer("cunxiang@shi.example", "试县"), lambda: key)
    while publisher.step(now) == 0.0:
        continue
    with runtime.sessions.read() as session:
        return list(session.scalars(select(Notice).order_by(Notice.sent, Notice.id)))


def test_an_emergency_goes_out_as_a_signed_document_once(runtime: Runtime, key: SigningKey) -> None:
    fired(runtime, issuer="县气象台", issuer_ref="9901-1")
    (notice,) = publish(runtime, key)
    assert len(publish(runtime, key)) == 1
    found = examine(notice.xml)
    assert (found.findings, found.alert is not None) == ((), True)
    assert found.alert is not None
    assert found.root is not None
    assert (found.alert.status, found.alert.msg_type) == (Status.ACTUAL, MsgType.ALERT)
    assert found.alert.infos[0].sender_name == "县气象台"
    assert found.alert.infos[0].areas[0].geocodes[0].value == NORTH
    assert verify(found.root, key.certificate_pem.decode(), now=NOW) is Signed.GOOD


def test_stopping_calls_it_off_and_names_what_was_sent(runtime: Runtime, key: SigningKey) -> None:
    alert_id = fired(runtime)
    publish(runtime, key)
    with runtime.sessions.begin() as session:
        session.get_one(Alert, alert_id).state = AlertState.STOPPED
    first, second = publish(runtime, key, now=NOW + timedelta(minutes=1))
    cancel = examine(second.xml)
    assert cancel.findings == ()
    assert cancel.alert is not None
    assert cancel.alert.msg_type is MsgType.CANCEL
    assert [r.identifier for r in cancel.alert.references] == [first.identifier]


@pytest.mark.parametrize("at_once", [True, False])
def test_nothing_is_called_off_twice(runtime: Runtime, key: SigningKey, at_once: bool) -> None:
    alert_id = fired(runtime)
    publish(runtime, key)
    if not at_once:
        with runtime.sessions.begin() as session:
            session.get_one(Alert, alert_id).state = AlertState.STOPPED
        publish(runtime, key, now=NOW + timedelta(minutes=1))
    with runtime.sessions.begin() as session:
        session.get_one(Alert, alert_id).state = AlertState.STOPPED
    fired(runtime, act=Act.CORRECTION, follows_id=alert_id, text="更正通知！刚才是误播。")
    notices = publish(runtime, key, now=NOW + timedelta(minutes=5))
    assert len(publish(runtime, key, now=NOW + timedelta(minutes=9))) == len(notices)
    read = [examine(notice.xml) for notice in notices]
    assert all(found.findings == () for found in read)
    kinds = [found.alert.msg_type for found in read if found.alert]
    assert kinds == [MsgType.ALERT, MsgType.CANCEL] + ([] if at_once else [MsgType.UPDATE])
    last = read[-1].alert
    assert last is not None
    assert [one.identifier for one in last.references] == [notice.identifier for notice in notices[:-1]]
    assert (last.infos[0].urgency, last.infos[0].responses) == ("Past", ("AllClear",))
    with runtime.sessions.begin() as session:  # another hub of this kind reads all of it without a complaint
        for number, notice in enumerate(notices):
            received = hand_in(session, notice.xml, now=NOW + timedelta(minutes=10 + number))
            assert not received.refused, codes(received)


def test_an_update_names_what_it_follows_and_a_drill_is_an_exercise(runtime: Runtime, key: SigningKey) -> None:
    first = fired(runtime)
    publish(runtime, key)
    fired(runtime, act=Act.UPDATE, follows_id=first)
    fired(runtime, mode=Mode.DRILL)
    notices = publish(runtime, key, now=NOW + timedelta(minutes=1))
    read = [examine(notice.xml) for notice in notices]
    assert all(found.findings == () for found in read)
    assert [(f.alert.msg_type, f.alert.status) for f in read if f.alert] == [
        (MsgType.ALERT, Status.ACTUAL),
        (MsgType.UPDATE, Status.ACTUAL),
        (MsgType.ALERT, Status.EXERCISE),
    ]


@needs_xmlsec
def test_other_peoples_tools_agree(runtime: Runtime, key: SigningKey, tmp_path: Path) -> None:
    fired(runtime)
    (notice,) = publish(runtime, key)
    paper, pem = tmp_path / "a.xml", tmp_path / "c.pem"
    pem.write_bytes(key.certificate_pem)
    command = [
        "xmlsec1",
        "--verify",
        "--enabled-key-data",
        "x509",
        "--trusted-pem",
        str(pem),
        "--verification-time",
        WHILE,
    ]
    for data, good in ((notice.xml, True), (notice.xml.replace("山洪".encode(), "小雨".encode(), 1), False)):
        paper.write_bytes(data)
        said = subprocess.run([*command, str(paper)], capture_output=True, text=True, check=False)
        assert (said.returncode == 0) == good, said.stderr
        ours = verify(open_document(data).root, key.certificate_pem.decode(), now=NOW)
        assert (ours is Signed.GOOD) == good
    if shutil.which("xmllint"):
        paper.write_bytes(notice.xml)
        lint = ["xmllint", "--nonet", "--noout", "--schema", str(SCHEMA), str(paper)]
        assert subprocess.run(lint, capture_output=True, check=False).returncode == 0


TEMPLATE = """<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"><SignedInfo>
<CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"/>
<SignatureMethod Algorithm="http://www.w3.org/{method}"/>
<Reference URI=""><Transforms><Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/></Transforms>
<DigestMethod Algorithm="http://www.w3.org/{digest}"/><DigestValue/></Reference></SignedInfo><SignatureValue/>
<KeyInfo><X509Data><X509Certificate/></X509Data></KeyInfo></Signature>"""


@needs_xmlsec
@pytest.mark.parametrize(
    ("method", "digest", "expected"),
    [
        ("2001/04/xmldsig-more#rsa-sha256", "2001/04/xmlenc#sha256", Signed.GOOD),
        ("2000/09/xmldsig#rsa-sha1", "2000/09/xmldsig#sha1", Signed.BAD),
    ],
)
def test_signatures_of_xmlsec_are_judged(
    key: SigningKey, tmp_path: Path, method: str, digest: str, expected: Signed
) -> None:
    paper, both, out = tmp_path / "in.xml", tmp_path / "k.pem", tmp_path / "out.xml"
    template = TEMPLATE.format(method=method, digest=digest)
    paper.write_bytes(document(extra=template).replace(b"<info>", b"<!-- as it came -->\n<info>"))
    both.write_bytes(key.private_pem)
    pem = tmp_path / "c.pem"
    pem.write_bytes(key.certificate_pem)
    made = subprocess.run(
        ["xmlsec1", "--sign", "--privkey-pem", f"{both},{pem}", "--output", str(out), str(paper)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    assert verify(open_document(out.read_bytes()).root, key.certificate_pem.decode(), now=NOW) is expected


def test_signatures_that_prove_nothing(key: SigningKey) -> None:
    other = new_key("else", now=LONG_AGO, until=LATER)
    signed = sign(etree.fromstring(document()), key)
    data = serialise(signed)
    pem = key.certificate_pem.decode()
    assert verify(open_document(document()).root, pem, now=NOW) is Signed.NONE
    assert verify(open_document(data).root, "", now=NOW) is Signed.UNKNOWN
    assert verify(open_document(data).root, other.certificate_pem.decode(), now=NOW) is Signed.BAD
    assert verify(open_document(data).root, pem, now=LATER + timedelta(days=2)) is Signed.BAD
    assert verify(open_document(data.replace(b"Severe", b"Minor")).root, pem, now=NOW) is Signed.BAD
    cut = data.replace(b"SignatureValue>", b"SignatureValue>AAAA", 1)
    assert verify(open_document(cut).root, pem, now=NOW) is Signed.BAD
    # a signed document wrapped into another one
    wrapped = etree.fromstring(document(identifier="forged"))
    inner = open_document(data).root
    signature = next(inner.iterchildren("{http://www.w3.org/2000/09/xmldsig#}Signature"))
    wrapped.append(signature)
    assert verify(wrapped, pem, now=NOW) is Signed.BAD


def test_who_must_sign_and_does_not_is_refused(runtime: Runtime, key: SigningKey) -> None:
    pem = key.certificate_pem.decode()
    with runtime.sessions.begin() as session:
        session.add(
            TrustedSender(
                sender="qxt@weather.example",
                name="县气象台",
                home_path=path_of(NORTH),
                certificate=pem,
                needs_signature=True,
                at=NOW,
            )
        )
        session.flush()
        assert codes(hand_in(session, document())) == ["policy_signature_missing"]
        good = serialise(sign(etree.fromstring(document()), key))
        assert codes(hand_in(session, good.replace("五十".encode(), "五百".encode()))) == ["policy_signature_bad"]
        assert not hand_in(session, good).refused


def test_the_key_is_made_once_and_belongs_to_its_owner_alone(tmp_path: Path) -> None:
    first = load_key(tmp_path, "试县", now=datetime.now(UTC))
    assert load_key(tmp_path, "试县", now=datetime.now(UTC)).private_pem == first.private_pem
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o077 == 0
    assert (tmp_path / CERTIFICATE_FILE).read_bytes() == first.certificate_pem
    assert "PRIVATE" not in repr(first)


def test_the_feed_is_read_with_a_key_and_by_our_own_reader(app: OpenAPI, runtime: Runtime, key: SigningKey) -> None:
    fired(runtime)
    (notice,) = publish(runtime, key)
    client = app.test_client()
    assert client.get("/cap/feed.atom").status_code in (302, 401)
    reader = {"Authorization": f"Bearer {program(app, runtime, 'viewer').key}"}
    answer = client.get("/cap/feed.atom", headers=reader)
    assert answer.mimetype == "application/atom+xml"
    (entry,) = entries(answer.data, "http://hub.example/cap/feed.atom")
    assert entry.address.endswith(f"/cap/{notice.id}.xml")
    paper = client.get(f"/cap/{notice.id}.xml", headers=reader)
    assert (paper.data, paper.mimetype) == (notice.xml, "application/cap+xml")
    assert client.get(f"/cap/{uuid4()}.xml", headers=reader).status_code == 404


def test_the_message_of_chinese_platforms_says_that_it_is_unverified(runtime: Runtime, key: SigningKey) -> None:
    alert_id = fired(runtime, audience=Audience((BRIDGE,)).as_json())
    (notice,) = publish(runtime, key)
    with runtime.sessions.read() as session:
        data = ebm(notice, session.get_one(Alert, alert_id), runtime.zone)
    root = etree.fromstring(data)
    assert "never tried" in data.decode()
    assert len(root.findtext("EBMID") or "") == 35
    assert root.findtext("MsgBasicInfo/Severity") == "1"
    assert root.findtext("MsgBasicInfo/EventType") == "11A51"
    assert root.findtext("MsgBasicInfo/SendTime") == "2026-11-23 10:00:00"
    assert root.findtext("MsgContent/AreaCode") == BRIDGE


def test_the_hubs_own_documents_are_listed_with_all_their_forms_for_who_answers_for_the_place(
    app: OpenAPI, runtime: Runtime, key: SigningKey, sign_in: Callable[[str], FlaskClient]
) -> None:
    duty = sign_in("duty")
    assert "还没有发过" in duty.get("/cap/").text
    fired(runtime)
    (notice,) = publish(runtime, key)
    page = duty.get("/cap/").text
    assert "山洪·红色" in page
    assert "发出去的文件" in duty.get("/warnings").text
    for address, first in ((f"/cap/{notice.id}.xml", "<?xml"), (f"/cap/{notice.id}/ebm.xml", "<?xml")):
        assert f'href="{address}"' in page
        assert duty.get(address).text.startswith(first)
    assert f'href="/emergency/{notice.alert_id}"' in page
    assert 'href="/cap/feed.atom"' in page
    assert "山洪·红色" not in sign_in("strange_duty").get("/cap/").text
    assert app.test_client().get("/cap/").status_code == 302
    older = duty.get(f"/cap/?before={notice.sent.isoformat().replace('+', '%2B')}_{notice.id}").text
    assert "山洪·红色" not in older
