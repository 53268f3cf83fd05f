"""Nobody makes the hub expand, fetch, or work for hours by sending it XML."""

import os
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from caplab import area, document, info
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broadcasts.cap.examining import Examined, examine
from broadcasts.cap.findings import Verdict
from broadcasts.cap.limits import Limits
from broadcasts.cap.opening import CAP_NS

ROUNDS = 4000 if os.environ.get("CUNXIANG_LONG") else 250


def only(found: Examined) -> str:
    assert found.schema is Verdict.INVALID
    assert found.prose is Verdict.SKIPPED
    (finding,) = found.findings
    return finding.code


@pytest.fixture
def listener() -> Iterator[tuple[str, list[str]]]:
    """A door that notes every knock."""
    knocks: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        over = threading.Event()

        def wait() -> None:
            while not over.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                knocks.append("knock")
                connection.close()

        thread = threading.Thread(target=wait)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", knocks
        over.set()
        thread.join()


def test_a_billion_laughs_are_not_laughed() -> None:
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    data = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "lol">{entities}]><x>&l11;</x>'.encode()
    begun = time.process_time()
    assert only(examine(data)) == "xml_doctype"
    assert time.process_time() - begun < 1


@pytest.mark.parametrize(
    "doctype",
    [
        "<!DOCTYPE alert>",
        '<!DOCTYPE alert SYSTEM "{url}/a.dtd">',
        '<!DOCTYPE alert PUBLIC "-//A//B" "{url}/a.dtd">',
        '<!DOCTYPE alert [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE alert [<!ENTITY % x SYSTEM "{url}/b"> %x;]>',
        '<!DOCTYPE alert [<!ATTLIST alert a CDATA "b">]>',
    ],
)
def test_no_dtd_and_no_entity_and_nobody_is_asked_for_one(doctype: str, listener: tuple[str, list[str]]) -> None:
    url, knocks = listener
    head, _, body = document().decode().partition("\n")
    data = f"{head}\n{doctype.format(url=url)}\n{body}".replace("县气象台发布", "&x;", 1).encode()
    assert only(examine(data)) == "xml_doctype"
    assert knocks == []


def test_schema_hints_stylesheets_and_inclusions_are_not_followed(listener: tuple[str, list[str]]) -> None:
    url, knocks = listener
    head, _, body = document().decode().partition("\n")
    hints = f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="{CAP_NS} {url}/cap.xsd" '
    sheet = f'<?xml-stylesheet type="text/xsl" href="{url}/a.xsl"?>'
    data = f"{head}\n{sheet}\n{body}".replace("<alert ", f"<alert {hints}").encode()
    assert examine(data).sound
    inclusion = f'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="{url}/x"/>'
    assert examine(document(extra=inclusion)).schema is Verdict.INVALID
    assert knocks == []


def test_an_entity_without_a_dtd_is_a_mistake_in_the_xml() -> None:
    assert only(examine(document(info(headline="&nbsp;")))) == "xml_not_well_formed"


def test_depth_is_counted_before_a_tree_is_built() -> None:
    data = b"<a>" * 50_000
    begun = time.process_time()
    assert only(examine(data)) == "xml_too_deep"
    assert time.process_time() - begun < 1


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        ('a="' + "x" * 100_000 + '"', "xml_attributes_too_many"),
        (" ".join(f'a{n}="1"' for n in range(5_000)), "xml_attributes_too_many"),
        (" ".join(f'xmlns:a{n}="urn:{n}"' for n in range(5_000)), "xml_attributes_too_many"),
    ],
    ids=["long", "many", "namespaces"],
)
def test_attributes_are_few_and_short(attributes: str, code: str) -> None:
    assert only(examine(f"<alert {attributes}/>".encode())) == code


def test_size_is_looked_at_before_anything_else() -> None:
    found = examine(b"<" * 3_000_000)
    assert only(found) == "xml_too_large"
    assert only(examine(document(), Limits(size=100))) == "xml_too_large"


def test_a_thousand_polygons_and_no_more() -> None:
    ring = "<polygon>0,0 0,1 1,1 0,0</polygon>"
    assert examine(document(info(area(ring * 999 + "<circle>0,0 1</circle>")))).sound
    assert only(examine(document(info(area(ring * 1000) + area("<circle>0,0 1</circle>"))))) == "cap_too_many_polygons"


def test_fifty_thousand_points_and_no_more() -> None:
    many = "0,0 0,1 1,1 " * 16_666 + "0,0 0,0"
    assert examine(document(info(area(f"<polygon>{many}</polygon>")))).sound
    assert only(examine(document(info(area(f"<polygon>{many} 0,0</polygon>"))))) == "cap_too_many_points"


def test_too_many_elements() -> None:
    assert only(examine(b"<a>" + b"<b/>" * 100_001 + b"</a>")) == "xml_too_many_elements"


def test_one_endless_text() -> None:
    assert only(examine(document(info(description="雨" * 1_300_000)), Limits(size=9_000_000))) == "xml_text_too_long"


@pytest.mark.parametrize("encoding", ["gb18030", "iso-8859-1", "windows-1252", "utf-8"])
def test_declared_encodings_are_read_as_declared(encoding: str) -> None:
    words = "暴雨预警" if encoding in ("gb18030", "utf-8") else "Überflutung é"
    text = document(info(headline=words, description="", instruction="", event="rain", senderName="x")).decode()
    text = text.replace("UTF-8", encoding).replace("北镇", "x")
    found = examine(text.encode(encoding))
    assert found.alert is not None, found.findings
    assert found.alert.infos[0].headline == words


@pytest.mark.parametrize("mark", ["utf-16", "utf-8-sig", "utf-16-le", "utf-16-be"])
def test_byte_order_marks_are_understood(mark: str) -> None:
    found = examine(document().decode().replace(' encoding="UTF-8"', "").encode(mark))
    assert found.alert is not None, found.findings


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (document().replace(b'"UTF-8"', b'"UTF-7"'), "xml_encoding_unknown"),
        (document().replace(b'"UTF-8"', b'"utf-16"'), "xml_encoding_unknown"),
        (document().replace(b'"UTF-8"', b'"rot13"'), "xml_encoding_unknown"),
        (document().replace("暴".encode(), b"\xff\xfe"), "xml_bytes_wrong"),
        (document().replace("暴".encode(), b"\xc0\x80"), "xml_bytes_wrong"),
        (document().replace("暴".encode(), b"\xed\xa0\x80"), "xml_bytes_wrong"),
        (document().replace("暴".encode(), b"\x00"), "xml_not_well_formed"),
        (b"", "xml_not_well_formed"),
        (b"{}", "xml_not_well_formed"),
        (b"<html><body>404</body></html>", "cap_no_alert"),
        (b"<alert/>", "cap_no_alert"),
    ],
)
def test_bad_bytes_are_said_to_be_bad(data: bytes, code: str) -> None:
    assert only(examine(data)) == code


def test_the_line_of_a_bad_byte_is_named() -> None:
    lines = document().split(b"\n")
    place = next(n for n, line in enumerate(lines, start=1) if b"headline" in line)
    found = examine(document().replace("暴雨橙色".encode(), b"\xff"))
    assert found.findings[0].line == place


@settings(max_examples=ROUNDS, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=400))
def test_any_bytes_get_a_verdict(data: bytes) -> None:
    assert not examine(data).sound


PIECES = st.sampled_from(
    [b"<", b">", b"</alert>", b"<info>", b"&#0;", b"&amp;", b"<!--", b"-->", b"<![CDATA[", b"]]>", b"\x00", b"\xff"]
)


@settings(max_examples=ROUNDS, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_any_damage_to_a_document_gets_a_verdict(data: st.DataObject) -> None:
    whole = document(info(area("<polygon>0.1,0.1 0.1,0.2 0.2,0.2 0.1,0.1</polygon>")))
    begin = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(begin, min(len(whole), begin + 40)))
    piece = data.draw(PIECES | st.binary(max_size=6))
    found = examine(whole[:begin] + piece + whole[end:])
    assert (found.alert is not None) == (found.schema is Verdict.VALID and found.prose is Verdict.VALID)
