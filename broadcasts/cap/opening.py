"""From bytes to a tree, trusting nobody: no DTD, no entities, no network, and nothing built before it was measured."""

import codecs
import re
from dataclasses import dataclass
from typing import Final
from xml.parsers import expat

from lxml import etree

from broadcasts.cap.findings import Finding, Stage
from broadcasts.cap.limits import USUAL, Limits

CAP_NS: Final = "urn:oasis:names:tc:emergency:cap:1.2"
SIGNATURE_NS: Final = "http://www.w3.org/2000/09/xmldsig#"
ENCODINGS: Final = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "ascii",
    "ascii": "ascii",
    "utf-16": "utf-16",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "gb18030": "gb18030",
    "windows-1250": "cp1250",
    "windows-1251": "cp1251",
    "windows-1252": "cp1252",
    "koi8-r": "koi8_r",
    "big5": "big5",
    "shift_jis": "shift_jis",
    "euc-jp": "euc_jp",
    "euc-kr": "euc_kr",
} | {f"iso-8859-{n}": f"iso8859-{n}" for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14, 15, 16)}
"""What a document may be written in. GB 2312 and GBK are parts of GB 18030 and read as such."""
_DECLARED = re.compile(rb"""^\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z][A-Za-z0-9._-]{0,39})["']""")
_MARKS: Final = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


class Unreadable(Exception):
    """It is no document, or none that may be opened. `finding` says why and where."""

    def __init__(self, code: str, line: int = 0, **params: str) -> None:
        super().__init__(code)
        self.finding = Finding(Stage.SCHEMA, code, line=line, params=params)


@dataclass(frozen=True)
class Opened:
    """A document that was measured and parsed."""

    root: etree._Element
    encoding: str
    doubtful: bool = False
    """It is written in another encoding than the standard wants."""


def open_document(data: bytes, limits: Limits = USUAL) -> Opened:
    """Return the tree. Raises Unreadable."""
    if len(data) > limits.size:
        raise Unreadable("xml_too_large", most=str(limits.size // 1000))
    encoding, start = _encoding_of(data)
    try:
        text = data[start:].decode(encoding)
    except UnicodeDecodeError as error:
        raise Unreadable("xml_bytes_wrong", data.count(b"\n", 0, error.start) + 1, encoding=encoding) from None
    plain = text.encode("utf-8")
    _Measure(limits).take(plain)
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        collect_ids=False,
    )
    try:
        root = etree.fromstring(plain, parser)
    except etree.XMLSyntaxError as error:
        raise Unreadable("xml_not_well_formed", error.lineno or 0) from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise Unreadable("xml_doctype", 1)  # the measure has refused it already; never rely on one lock alone
    return Opened(root, encoding, doubtful=encoding != "utf-8")


def _encoding_of(data: bytes) -> tuple[str, int]:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return encoding, len(mark)
    if data.startswith((b"<\x00", b"\x00<")):
        return ("utf-16-le" if data[1:2] == b"\x00" else "utf-16-be"), 0
    declared = _DECLARED.match(data[:400])
    if declared is None:
        return "utf-8", 0
    name = declared.group(1).decode("ascii").lower()
    found = ENCODINGS.get(name)
    if found is None:
        raise Unreadable("xml_encoding_unknown", 1, encoding=name)
    if found.startswith("utf-16"):
        raise Unreadable("xml_encoding_unknown", 1, encoding=name)  # it says so in one byte a letter
    return found, 0


class _Measure:
    """Reads a document once without keeping it, and stops at the first thing that is too much."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._depth = self._elements = self._shapes = self._points = self._length = 0
        self._shape = ""
        self._in_gap = True
        self._parser = expat.ParserCreate("utf-8", "}")
        self._parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.EntityDeclHandler = self._entity
        self._parser.StartNamespaceDeclHandler = self._namespace
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._names = 0

    def take(self, data: bytes) -> None:
        """Read all of it. Raises Unreadable."""
        try:
            self._parser.Parse(data, True)
        except expat.ExpatError as error:
            raise Unreadable("xml_not_well_formed", error.lineno) from None

    def _refuse(self, code: str, **params: str) -> None:
        raise Unreadable(code, self._parser.CurrentLineNumber, **params)

    def _doctype(self, *_: object) -> None:
        self._refuse("xml_doctype")

    def _entity(self, *_: object) -> None:
        self._refuse("xml_doctype")

    def _namespace(self, prefix: str | None, uri: str | None) -> None:
        self._names += 1
        if self._names > self._limits.attributes or len(uri or "") > self._limits.attribute_length:
            self._refuse("xml_attributes_too_many")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        limits = self._limits
        self._depth += 1
        self._elements += 1
        if self._depth > limits.depth:
            self._refuse("xml_too_deep", most=str(limits.depth))
        if self._elements > limits.elements:
            self._refuse("xml_too_many_elements", most=str(limits.elements))
        longest = max((len(value) for value in attributes.values()), default=0)
        if len(attributes) > limits.attributes or longest > limits.attribute_length:
            self._refuse("xml_attributes_too_many")
        self._names = 0
        self._length = 0
        self._shape = name.rpartition("}")[2]
        if self._shape in ("polygon", "circle"):
            self._in_gap = True
            self._shapes += 1
            if self._shapes > limits.polygons:
                self._refuse("cap_too_many_polygons", most=str(limits.polygons))

    def _end(self, name: str) -> None:
        self._depth -= 1
        self._shape = ""

    def _text(self, data: str) -> None:
        self._length += len(data)
        if self._length > self._limits.text_length:
            self._refuse("xml_text_too_long")
        if self._shape != "polygon":
            return
        for gap in map(str.isspace, data):
            self._points += self._in_gap and not gap
            self._in_gap = gap
        if self._points > self._limits.points:
            self._refuse("cap_too_many_points", most=str(self._limits.points))
