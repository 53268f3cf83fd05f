"""Names, places and texts of a document's elements."""

import re
from collections.abc import Iterator
from typing import Final

from lxml import etree

from broadcasts.cap.opening import CAP_NS

SPACE: Final = " \t\r\n"
"""What XML calls white space: not what Unicode calls it."""
_GAP = re.compile(rf"[{SPACE}]+")


def local(element: etree._Element) -> str:
    """Return an element's name without its namespace; empty for comments and the like."""
    return etree.QName(element).localname if isinstance(element.tag, str) else ""


def children(element: etree._Element, name: str) -> list[etree._Element]:
    """Return the children of that name in CAP's namespace, in their order."""
    return list(element.iterchildren(f"{{{CAP_NS}}}{name}"))


def child(element: etree._Element, name: str) -> etree._Element | None:
    """Return the first child of that name, None if there is none."""
    return next(iter(children(element, name)), None)


def raw(element: etree._Element | None) -> str:
    """Return the text of an element, comments left out, exactly as it stands; empty if there is no element."""
    if element is None:
        return ""
    parts = [element.text or ""]
    parts += [item.tail or "" for item in element.iterchildren()]
    return "".join(parts)


def text(element: etree._Element, name: str) -> str:
    """Return the text of a child without white space around it."""
    return raw(child(element, name)).strip(SPACE)


def words(value: str) -> list[str]:
    """Return what stands between white space."""
    return [part for part in _GAP.split(value) if part]


def where(element: etree._Element) -> str:
    """Return `/alert/info[2]/area/polygon[1]`: numbered only where there are several."""
    steps: list[str] = []
    at: etree._Element | None = element
    while at is not None:
        above = at.getparent()
        same = list(above.iterchildren(at.tag)) if above is not None else []
        number = f"[{same.index(at) + 1}]" if len(same) > 1 else ""
        steps.append(local(at) + number)
        at = above
    return "/" + "/".join(reversed(steps))


def line_of(element: etree._Element) -> int:
    """Return the line an element begins on."""
    line = element.sourceline
    return line if isinstance(line, int) else 0


def each(root: etree._Element, *path: str) -> Iterator[etree._Element]:
    """Return every element below `root` that lies along the path."""
    if not path:
        yield root
        return
    for item in children(root, path[0]):
        yield from each(item, *path[1:])
