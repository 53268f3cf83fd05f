"""Numbers in Chinese words: counted, spelled digit by digit, or told over the telephone."""

DIGITS = "零一二三四五六七八九"
UNITS = ("", "十", "百", "千")
MYRIADS = ("", "万", "亿", "万亿")
LONGEST_COUNTED = 16


def spell(digits: str) -> str:
    """2026 -> 二零二六. What is not a digit is left out."""
    return "".join(DIGITS[int(d)] for d in digits if d.isdigit())


def telephone(digits: str) -> str:
    """96110 -> 九六幺幺零: as `spell`, with 幺 for one, which cannot be mistaken for seven."""
    return spell(digits).replace("一", "幺")


def cardinal(digits: str) -> str:
    """12345 -> 一万二千三百四十五; numbers written with a leading zero, or too long to count, are spelled."""
    if (len(digits) > 1 and digits[0] == "0") or len(digits) > LONGEST_COUNTED:
        return spell(digits)
    if int(digits) == 0:
        return "零"
    groups = [digits[max(0, end - 4) : end] for end in range(len(digits), 0, -4)]
    words = ""
    for power in reversed(range(len(groups))):
        group = groups[power]
        if int(group) == 0:
            continue
        if words and int(group) < 1000:
            words += "零"
        said = _below_myriad(group, first=not words)
        words += ("两" if said == "二" and power else said) + MYRIADS[power]
    return words


def decimal(number: str) -> str:
    """1.94 -> 一点九四; a whole number as `cardinal`; thousands commas are ignored."""
    whole, _, fraction = number.replace(",", "").partition(".")
    return cardinal(whole or "0") + ("点" + spell(fraction) if fraction else "")


def counted(number: str) -> str:
    """As `decimal`, but a bare 2 is 两, as before a measure word."""
    return "两" if number == "2" else decimal(number)


def price(number: str) -> str:
    """38.00 -> 三十八, 4.80 -> 四点八: as `decimal`, without the zeros that only a price list needs."""
    whole, point, fraction = number.replace(",", "").partition(".")
    return decimal(whole + point + fraction.rstrip("0") if fraction.strip("0") else whole)


def _below_myriad(group: str, *, first: bool) -> str:
    words = ""
    gap = False
    for position, digit in enumerate(group.lstrip("0")):
        power = len(group.lstrip("0")) - 1 - position
        if digit == "0":
            gap = True
            continue
        if gap and words:
            words += "零"
        gap = False
        words += _digit(digit, power, leads=first and not words) + UNITS[power]
    return words


def _digit(digit: str, power: int, *, leads: bool) -> str:
    if leads and digit == "1" and power == 1:
        return ""  # 十二, but 一百一十二
    if leads and digit == "2" and power >= 2:
        return "两"  # 两百, 两千, 两万, but 二十 and 一万二千
    return DIGITS[int(digit)]
