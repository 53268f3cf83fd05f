"""Schema and prose: each rule of CAP 1.2 has a document that keeps it and one that breaks it."""

import base64
import csv
import hashlib
import os
from pathlib import Path

import pytest
from caplab import COUNTY, area, at, document, geocode, info, reference

from broadcasts.cap.examining import Examined, examine
from broadcasts.cap.findings import Verdict
from hub.web.words import catalogue

FOLDER = Path(os.environ.get("CUNXIANG_CAP", Path(__file__).resolve().parents[4] / "shared" / "cap"))
MANIFEST = FOLDER / "manifest.tsv"
RING = "0.1,0.1 0.1,0.2 0.2,0.2 0.1,0.1"


def wrong(examined: Examined, *, warnings: bool = False) -> list[str]:
    return [finding.code for finding in examined.findings if finding.warning == warnings]


def rows() -> list[dict[str, str]]:
    if not MANIFEST.exists():
        return []
    with MANIFEST.open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


@pytest.mark.skipif(not MANIFEST.exists(), reason="the documents of public agencies are not here (CUNXIANG_CAP)")
@pytest.mark.parametrize("row", rows(), ids=lambda row: row["document"])
def test_documents_of_public_agencies_get_their_verdicts(row: dict[str, str]) -> None:
    found = examine((FOLDER / "documents" / row["document"]).read_bytes())
    assert (found.schema is Verdict.VALID) == (row["base_schema"] == "valid"), found.findings
    both = found.schema is Verdict.VALID and found.prose is Verdict.VALID
    assert both == (row["strict_schema"] == "valid"), found.findings
    assert ("xml_doctype" in wrong(found)) == (row["has_doctype"] == "True")
    assert found.sound == both


def test_a_plain_document_is_sound_and_nothing_is_said_about_it() -> None:
    found = examine(document())
    assert (found.schema, found.prose, found.findings) == (Verdict.VALID, Verdict.VALID, ())
    assert found.alert is not None
    assert found.alert.infos[0].areas[0].geocodes[0].value.startswith("990101")


SCHEMA_BREAKS = {
    "a time with Z": document(sent="2026-11-23T02:00:00Z"),
    "fractions of a second": document(sent="2026-11-23T02:00:00.5-00:00"),
    "an offset with a comma": document(sent="2026-11-23T02:00:00,00:00"),
    "no calendar has it": document(sent="2026-02-30T02:00:00+08:00"),
    "a certainty of 1.0": document(info(certainty="Very Likely")),
    "no scope": document(scope=""),
    "an unknown status": document(status="Real"),
    "an element of somebody else": document(extra="<own xmlns='urn:x'>1</own>"),
    "an area without words": document(info("<area><polygon>" + RING + "</polygon></area>")),
    "two identifiers": document(extra="<identifier>2</identifier>"),
    "a language that is none": document(info(language="zh_CN")),
    "a size that is no number": document(
        info(
            resource="<resource><resourceDesc>图</resourceDesc><mimeType>image/png</mimeType><size>大</size></resource>"
        )
    ),
}


@pytest.mark.parametrize("data", SCHEMA_BREAKS.values(), ids=SCHEMA_BREAKS.keys())
def test_what_the_schema_catches_names_the_element_and_the_line(data: bytes) -> None:
    found = examine(data)
    assert found.schema is Verdict.INVALID
    first = next(f for f in found.findings if not f.warning)
    assert first.element.startswith("/alert")
    assert first.line > 1
    assert not found.sound


def test_an_older_cap_is_said_to_be_one() -> None:
    found = examine(document().replace(b":cap:1.2", b":cap:1.1"))
    assert wrong(found) == ["cap_version"]
    assert found.prose is Verdict.SKIPPED


MUST = {
    "cap_name_characters": (document(identifier="a b"), "/alert/identifier"),
    "cap_references_missing": (document(msgType="Update"), "/alert/msgType"),
    "cap_references_empty": (document(references="<empty/>"), "/alert/references"),
    "cap_reference_malformed": (document(msgType="Cancel", references="x,1"), "/alert/references"),
    "cap_reference_to_itself": (document(msgType="Update", references=reference()), "/alert/references"),
    "cap_restriction_missing": (document(scope="Restricted"), "/alert/scope"),
    "cap_addresses_missing": (document(scope="Private"), "/alert/scope"),
    "cap_list_quotes": (document(addresses='"a b'), "/alert/addresses"),
    "cap_polygon_open": (
        document(info(area("<polygon>0.1,0.1 0.1,0.2 0.2,0.2 0.2,0.1</polygon>"))),
        "/alert/info/area/polygon",
    ),
    "cap_polygon_too_few": (document(info(area("<polygon>1,1 1,2 1,1</polygon>"))), "/alert/info/area/polygon"),
    "cap_polygon_malformed": (document(info(area("<polygon>hier und da</polygon>"))), "/alert/info/area/polygon"),
    "cap_not_on_earth": (document(info(area("<circle>91,0 3</circle>"))), "/alert/info/area/circle"),
    "cap_circle_malformed": (document(info(area("<circle>around here</circle>"))), "/alert/info/area/circle"),
    "cap_circle_radius": (document(info(area("<circle>1,1 -3</circle>"))), "/alert/info/area/circle"),
    "cap_ceiling_alone": (document(info(area("<ceiling>900</ceiling>"))), "/alert/info/area/ceiling"),
    "cap_ceiling_below": (
        document(info(area("<altitude>900</altitude><ceiling>100</ceiling>"))),
        "/alert/info/area/ceiling",
    ),
    "cap_expires_before_sent": (document(info(expires=at(-30))), "/alert/info/expires"),
    "cap_deref_no_base64": (
        document(
            info(
                resource="<resource><resourceDesc>图</resourceDesc><mimeType>image/png</mimeType>"
                "<derefUri>!!</derefUri></resource>"
            )
        ),
        "/alert/info/resource/derefUri",
    ),
    "cap_digest_differs": (
        document(
            info(
                resource="<resource><resourceDesc>图</resourceDesc><mimeType>image/png</mimeType>"
                f"<derefUri>{base64.b64encode(b'x').decode()}</derefUri><digest>{'0' * 40}</digest></resource>"
            )
        ),
        "/alert/info/resource/digest",
    ),
}


@pytest.mark.parametrize("code", MUST)
def test_what_the_standard_forbids_in_words_refuses_a_document_the_schema_lets_pass(code: str) -> None:
    data, element = MUST[code]
    found = examine(data)
    assert found.schema is Verdict.VALID
    assert found.prose is Verdict.INVALID
    assert wrong(found) == [code]
    assert next(f.element for f in found.findings if f.code == code) == element
    assert not found.sound


@pytest.mark.parametrize("kind", ["Update", "Cancel", "Ack", "Error"])
def test_whatever_speaks_of_another_document_must_name_it(kind: str) -> None:
    assert "cap_references_missing" in wrong(examine(document(msgType=kind)))
    assert "cap_references_missing" not in wrong(examine(document(msgType=kind, references=reference("0"))))


@pytest.mark.parametrize("name", ["identifier", "sender"])
@pytest.mark.parametrize("value", ["a b", "a,b", "a&lt;b", "a&amp;b", " a", "a\u3000b", "a\n"])
def test_names_hold_no_space_comma_or_markup(name: str, value: str) -> None:
    assert "cap_name_characters" in wrong(examine(document(**{name: value})))


SHOULD = {
    "cap_utc_sign": document(sent="2026-11-23T01:59:00+00:00"),
    "cap_exercise_without_note": document(status="Exercise"),
    "cap_error_without_note": document(msgType="Error", references=reference("0")),
    "cap_restriction_unused": document(restriction="nobody"),
    "cap_info_missing": document(""),
    "cap_says_nothing": document(info(event=" ")),
    "cap_expires_before_onset": document(info(onset=at(300))),
    "cap_address_relative": document(info(web="warnings/1.html")),
    "cap_acronym_dotted": document(
        info(parameter="<parameter><valueName>S.A.M.E.</valueName><value>1</value></parameter>")
    ),
    "cap_mime_type": document(
        info(resource="<resource><resourceDesc>图</resourceDesc><mimeType>picture</mimeType></resource>")
    ),
    "cap_size_negative": document(
        info(
            resource="<resource><resourceDesc>图</resourceDesc><mimeType>image/png</mimeType><size>-1</size></resource>"
        )
    ),
    "cap_digest_malformed": document(
        info(
            resource="<resource><resourceDesc>图</resourceDesc><mimeType>image/png</mimeType>"
            "<uri>http://x.example/a</uri><digest>abc</digest></resource>"
        )
    ),
    "cap_encoding": document(info(description="Überschwemmung")).decode().replace("UTF-8", "GB18030").encode("gb18030"),
}


@pytest.mark.parametrize("code", SHOULD)
def test_what_the_standard_only_advises_is_a_remark_and_refuses_nothing(code: str) -> None:
    found = examine(SHOULD[code])
    assert wrong(found) == []
    assert code in wrong(found, warnings=True)
    assert found.sound


GOOD = {
    "restricted": document(scope="Restricted", restriction="镇干部"),
    "private, with spaces in quotes": document(scope="Private", addresses='"village head" a@b.example'),
    "addresses although public": document(addresses="0"),
    "empty and optional": document(restriction="<empty/>", addresses="<empty/>", incidents="<empty/>", note="<empty/>"),
    "several references": document(msgType="Update", references=f"{reference('0')}\n  {reference('00')}"),
    "a range of heights": document(info(area("<altitude>100</altitude><ceiling>900</ceiling>"))),
    "a point as a circle": document(info(area("<circle>32.9,-115.5 0</circle>"))),
    "signs and dots": document(info(area("<polygon>+.1,-.1 +.1,-0.2 .2,-.2 +.1,-.1</polygon>"))),
    "at the poles": document(info(area("<polygon>90,180 -90,180 -90,-180 90,180</polygon>"))),
    "midnight as 24:00": document(info(expires="2026-11-23T24:00:00+08:00")),
    "a cancel that names a time gone by": document(info(expires=at(-30)), msgType="Cancel", references=reference("0")),
    "a comment inside": document(info(area("<polygon>0.1,0.1 <!-- corner --> 0.1,0.2 0.2,0.2 0.1,0.1</polygon>"))),
    "a digest that fits": document(
        info(
            resource="<resource><resourceDesc>图</resourceDesc><mimeType>image/png; q=1</mimeType>"
            f"<derefUri>{base64.b64encode(b'x').decode()}</derefUri>"
            f"<digest>{hashlib.sha1(b'x').hexdigest()}</digest></resource>"  # noqa: S324 - CAP wants SHA-1
        )
    ),
}


@pytest.mark.parametrize("data", GOOD.values(), ids=GOOD.keys())
def test_what_the_standard_allows_is_allowed(data: bytes) -> None:
    found = examine(data)
    assert wrong(found) == []
    assert found.sound


def test_the_second_of_two_blocks_is_named() -> None:
    found = examine(document(info(), info(area(geocode(COUNTY)) + area("<circle>no</circle><circle>1,1 1</circle>"))))
    assert [f.element for f in found.findings if not f.warning] == ["/alert/info[2]/area[2]/circle[1]"]


def test_every_remark_has_its_sentence() -> None:
    said = {*MUST, *SHOULD, "cap_schema", "cap_version", "cap_no_alert", "cap_value_impossible"}
    assert said - catalogue().keys() == set()
