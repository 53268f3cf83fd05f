"""How many parts a text message is billed as, what that costs, and how much to cut to save one.

Lengths count UTF-16 units: a rare character or an emoji outside the basic plane is two, and no part may end between
its halves. `DOMESTIC` is how carriers in China bill, 70 then 67 units whatever the characters; `GSM` is the rest of
the world, where a text in the GSM 7-bit alphabet gets 160 then 153.
"""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum


class Policy(StrEnum):
    """How a provider counts."""

    DOMESTIC = "domestic"
    GSM = "gsm"


@dataclass(frozen=True, slots=True)
class Length:
    """What a text measures. `units` are UTF-16 units, or septets for a text in the GSM alphabet."""

    units: int
    parts: int
    chars_over: int
    """How many characters to cut off the end to save one part; 0 when there is only one."""
    room: int
    """How many more units fit into the last part."""


_UCS2 = (70, 67)
_GSM7 = (160, 153)
_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ ÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("\f^{}\\[~]|€")


def signed(text: str, signature: str) -> str:
    """Return the text as it goes out: the sender's name in 【】 in front."""
    return f"【{signature}】{text}" if signature else text


def measure(text: str, policy: Policy = Policy.DOMESTIC) -> Length:
    """Return units, parts and what to cut for a whole text, signature included."""
    widths, (single, joined) = _widths(text, policy)
    units = sum(widths) if widths is not None else len(text)
    parts = _parts(len(text), widths, units, single, joined)
    if parts <= 1:
        return Length(units, parts, 0, single - units)
    kept, _ = _fill(len(text), widths, single if parts == 2 else joined, parts - 1)
    _, last = _fill(len(text), widths, joined, parts)
    return Length(units, parts, len(text) - kept, joined - last)


def parts_of(text: str, policy: Policy = Policy.DOMESTIC) -> int:
    """Return how many parts a whole text is billed as."""
    widths, (single, joined) = _widths(text, policy)
    return _parts(len(text), widths, sum(widths) if widths is not None else len(text), single, joined)


def split(text: str) -> list[str]:
    """Return a text in the pieces it is carried in (UCS-2), no character cut in two."""
    widths = [2 if c > "\uffff" else 1 for c in text]
    single, joined = _UCS2
    if sum(widths) <= single:
        return [text]
    pieces, start, used = [], 0, 0
    for at, width in enumerate(widths):
        if used + width > joined:
            pieces.append(text[start:at])
            start, used = at, 0
        used += width
    return [*pieces, text[start:]]


def cost_fen(parts: int, fen_per_part: Decimal) -> int:
    """Return the price of that many parts in whole fen; rounded once, at the end."""
    return int((parts * fen_per_part).quantize(Decimal(1), ROUND_HALF_UP))


def _widths(text: str, policy: Policy) -> tuple[list[int] | None, tuple[int, int]]:
    """Return the width of each character (None: all are one wide) and the sizes of a lone and of a joined part."""
    if policy is Policy.GSM and (_BASIC | _EXTENDED).issuperset(text):
        return (None if _EXTENDED.isdisjoint(text) else [2 if c in _EXTENDED else 1 for c in text]), _GSM7
    if len(text.encode("utf-16-le", "surrogatepass")) == 2 * len(text):
        return None, _UCS2
    return [2 if c > "\uffff" else 1 for c in text], _UCS2


def _parts(count: int, widths: list[int] | None, units: int, single: int, joined: int) -> int:
    if units <= single:
        return 1 if units else 0
    if widths is None:
        return -(-count // joined)
    parts, used = 1, 0
    for width in widths:
        if used + width > joined:
            parts, used = parts + 1, 0
        used += width
    return parts


def _fill(count: int, widths: list[int] | None, size: int, parts: int) -> tuple[int, int]:
    """Fill at most `parts` parts; return how many characters went in, and the units in the last part."""
    if widths is None:
        kept = min(count, size * parts)
        return kept, kept - size * (-(-kept // size) - 1)
    filled, used = 1, 0
    for at, width in enumerate(widths):
        if used + width > size:
            if filled == parts:
                return at, used
            filled, used = filled + 1, 0
        used += width
    return count, used
