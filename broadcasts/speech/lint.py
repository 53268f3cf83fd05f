"""What a text would better say otherwise before it is heard by everybody: pure rules, each with what to do about it."""

import re
from collections.abc import Iterator, Sequence

from broadcasts.speech.engine import N_
from broadcasts.speech.findings import Finding, FindingLevel, Fix, Watched
from broadcasts.speech.polyphones import doubts
from broadcasts.speech.pronunciation import AROUND_COMPILED, BUILT_IN, Lexicon
from broadcasts.speech.reading import Reading, as_read, to_script

LONGEST_BREATH = 40
"""Syllables without a pause; more than that nobody follows by ear."""
MOST_DIGITS = 11
MOST_REQUESTS = 3
MOST_FINDINGS = 30


def lint(
    text: str, *, lexicon: Lexicon = BUILT_IN, watched: Sequence[Watched] = (), drill: bool = False
) -> tuple[Finding, ...]:
    """Everything worth a second look, in the order of the text, what must be mended first where two begin together."""
    reading = as_read(text, lexicon)
    found = [
        *_unread(reading),
        *_blanks(text),
        *_watched(text, watched),
        *_reserved(text),
        *_drill(text, drill=drill),
        *_breath(reading, lexicon),
        *_digits(reading),
        *_numbers(text),
        *_requests(text),
        *_clock(text),
        *_letters(text),
        *_polyphones(reading, lexicon),
    ]
    return tuple(sorted(found, key=lambda f: (f.start, f.level is not FindingLevel.MUST, f.end))[:MOST_FINDINGS])


def _finding(match: re.Match[str], level: FindingLevel, code: str, message: str, suggestion: str = "") -> Finding:
    return Finding(match.start(), match.end(), match[0], level, code, message, suggestion)


# ---- what is not read at all

_IDENTITY = re.compile(r"(?<![0-9A-Za-z])[1-9]\d{5}(?:19|20)\d{9}[0-9Xx](?![0-9A-Za-z])")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def _unread(reading: Reading) -> Iterator[Finding]:
    for caution in reading.warnings:
        private = _is_identity_number(caution.written)
        fix = Fix(caution.start, caution.end, "", N_("删掉"))
        yield Finding(
            caution.start,
            caution.end,
            caution.written,
            FindingLevel.MUST if private else FindingLevel.ADVICE,
            "identity_number" if private else "unread",
            caution.message,
            N_("只报姓名，或者让本人自己来查") if private else "",
            fixes=(fix,),
        )


def _is_identity_number(written: str) -> bool:
    if not _IDENTITY.fullmatch(written):
        return False
    total = sum(int(digit) * weight for digit, weight in zip(written, _WEIGHTS, strict=False))
    return "10X98765432"[total % 11] == written[17].upper()


_BLANK = re.compile(r"[×_＿]{2,}|[（(【\[]\s*[)）】\]]|(?<![A-Za-z])[Xx]{2,4}(?=[村镇县乡组月日号人元年时点])|某某")


def _blanks(text: str) -> Iterator[Finding]:
    for match in _BLANK.finditer(text):
        yield _finding(match, FindingLevel.MUST, "blank", N_("这里空着没填"), N_("填上，或者把这半句删掉"))


# ---- words

_OWN_WORD = "提醒"
_SIREN = re.compile(r"防空警报|空袭警报|紧急状态|戒严")
_WARNING = re.compile(
    r"(?<!来电)(?<!反诈)(?<!诈骗)(?<!劝阻)(?<!资金)(?<!智能)(?<!自动)(?:[红橙黄蓝]色)?预警(?:信号)?"
    r"(?!电话|热线|短信|平台|App|APP|功能|机制|劝阻|中心|广播|喇叭|民警|员|系统|设备|软件|信息|知识|常识|是什么)"
)
_ISSUER = re.compile(
    r"气象(?:台|局|部门|站)|应急(?:管理)?(?:局|厅|部)|防汛|防指|水文|水利(?:局|厅)|自然资源|地震(?:局|台)|林业(?:局|站)|消防|政府|指挥部"
    r"|预警信息发布中心|预警中心|疾控中心|生态环境局|农业农村局"
)
_RANK = re.compile(
    r"[红橙黄蓝]色|[ⅠⅡⅢⅣ]级|[一二三四]级|\b(?:I{1,3}|IV)级|第\s?[\d一二三四五六七八九十]+号|〔\d{4}〕|\d+号"
)


def _watched(text: str, watched: Sequence[Watched]) -> Iterator[Finding]:
    for entry in watched:
        at = text.find(entry.word) if entry.word else -1
        while at >= 0:
            yield _of_word(entry, at)
            at = text.find(entry.word, at + len(entry.word))


_WHY = N_("%(why)s")


def _of_word(entry: Watched, at: int) -> Finding:
    end = at + len(entry.word)
    shown = N_("换成“%(say)s”") if entry.say else N_("删掉")
    level = FindingLevel.MUST if entry.blocking else FindingLevel.ADVICE
    message = N_("这个词不能播") if entry.blocking else N_("最好换个说法")
    fix = Fix(at, end, entry.say, shown, {"say": entry.say})
    return Finding(
        at, end, entry.word, level, "forbidden_word", message, _WHY if entry.why else "", {"why": entry.why}, (fix,)
    )


def _reserved(text: str) -> Iterator[Finding]:
    """预警 is what authorities issue: who, and which colour, level or number; whoever has neither says 提醒."""
    for match in _SIREN.finditer(text):
        yield _finding(
            match, FindingLevel.MUST, "reserved", N_("这是政府才能发布的说法"), N_("改成平常的提醒，或者走应急播发")
        )
    if _ISSUER.search(text) and _RANK.search(text):
        return
    for match in _WARNING.finditer(text):
        fix = Fix(match.start(), match.end(), _OWN_WORD, N_("换成“%(say)s”"), {"say": _OWN_WORD})
        yield Finding(
            match.start(),
            match.end(),
            match[0],
            FindingLevel.MUST,
            "reserved",
            N_("“预警”只能照部门发布的播"),
            N_("写上哪个部门发的、什么颜色或几号；村里自己提醒就说“提醒”"),
            fixes=(fix,),
        )


# ---- drills

_DRILL = re.compile(r"演练|演习")
_MOVES = re.compile(r"警报|鸣笛|疏散|撤离|转移|避险|集合")
_DRILL_WORDS = "演练，演练，演练。"


def _drill(text: str, *, drill: bool) -> Iterator[Finding]:
    body = text.strip(" \n。，！!,.")
    meant = drill or (_DRILL.search(body) is not None and _MOVES.search(body) is not None and "正在" in body)
    if not body or not meant or (body.startswith(("演练", "演习")) and body.endswith(("演练", "演习"))):
        return
    whole = Fix(0, len(text), f"{_DRILL_WORDS}{text.strip()}{_DRILL_WORDS}", N_("开头结尾都加上"))
    yield Finding(
        0,
        len(text),
        text,
        FindingLevel.MUST if drill else FindingLevel.ADVICE,
        "drill",
        N_("演练的广播没有从头说到尾都是演练"),
        N_("开头和结尾都说“演练，演练，演练”，免得有人当真"),
        fixes=(whole,),
    )


# ---- what the ear cannot hold

_CUT = re.compile(r"(?=请|并且|同时|如果|如有|凡是|以便|但是|否则|因此|由于|为了|或者|以及|然后|需要|应当|不要)")


def _breath(reading: Reading, lexicon: Lexicon) -> Iterator[Finding]:
    """More syllables in one breath than anybody follows by ear."""
    at = syllables = begun = 0
    for segment in to_script(reading, lexicon):
        found = reading.spoken.find(segment.source, at) if segment.source else at
        found = found if found >= 0 else at
        if segment.kind == "pause":
            yield from _long(reading, begun, found, syllables)
            syllables, begun = 0, found + len(segment.source)
        else:
            syllables += len(segment.text.split())
        at = found + len(segment.source)
    yield from _long(reading, begun, len(reading.spoken), syllables)


def _long(reading: Reading, begun: int, ended: int, syllables: int) -> Iterator[Finding]:
    if syllables <= LONGEST_BREATH:
        return
    start = reading.origin(begun)
    end = reading.origin(ended) if ended < len(reading.spoken) else len(reading.text)
    written = reading.text[start:end]
    yield Finding(
        start,
        end,
        written,
        FindingLevel.ADVICE,
        "too_long",
        N_("%(n)s 个字没有一处停顿，听不过来（最多 %(most)s 个）"),
        N_("中间加个逗号或句号，分成两句"),
        {"n": syllables, "most": LONGEST_BREATH},
        _cuts(start, written),
    )


def _cuts(start: int, written: str) -> tuple[Fix, ...]:
    """Offer a comma before the conjunction nearest to the middle."""
    places = [match.start() for match in _CUT.finditer(written) if 6 <= match.start() <= len(written) - 6]
    if not places:
        return ()
    at = start + min(places, key=lambda place: abs(place - len(written) // 2))
    after = written[at - start : at - start + 2]
    return (Fix(at, at, "，", N_("在“%(after)s”前面加逗号"), {"after": after}),)


_RUN = re.compile(f"[零幺一二三四五六七八九]{{{MOST_DIGITS + 1},}}")


def _digits(reading: Reading) -> Iterator[Finding]:
    for match in _RUN.finditer(reading.spoken):
        start = reading.origin(match.start())
        change = next((c for c in reading.changes if c.start == start), None)
        end = change.end if change else start + len(match[0])
        if _IDENTITY.fullmatch(reading.text[start:end]):
            continue
        yield Finding(
            start,
            end,
            reading.text[start:end],
            FindingLevel.ADVICE,
            "many_digits",
            N_("一口气 %(n)s 个数字，没人记得住"),
            N_("播出去不念号码，写清楚到哪里看、问谁"),
            {"n": len(match[0])},
        )


_NUMBER = re.compile(
    r"(?<![\d.])(?:1[3-9]\d[- ]?\d{4}[- ]?\d{4}|0\d{2,3}[-) ]{0,2}\d{7,8}|[48]00-?\d{3}-?\d{4}"
    r"|9[56]\d{3}|12\d{3})(?!\d)"
)


def _numbers(text: str) -> Iterator[Finding]:
    """More than one number to call."""
    seen: dict[str, re.Match[str]] = {}
    for match in _NUMBER.finditer(text):
        seen.setdefault(re.sub(r"\D", "", match[0]), match)
    if len(seen) < 2:
        return
    second = list(seen.values())[1]
    yield Finding(
        second.start(),
        second.end(),
        second[0],
        FindingLevel.ADVICE,
        "many_numbers",
        N_("一条广播里有 %(n)s 个电话，听的人一个也记不住"),
        N_("只留一个，最好是村里的"),
        {"n": len(seen)},
    )


_REQUEST = re.compile(r"(?<![申邀宴聘约恳])请(?!假|客|柬|帖|示|安|听|大家注意|注意|放心|问|勿)")


def _requests(text: str) -> Iterator[Finding]:
    found = list(_REQUEST.finditer(text))
    if len(found) < MOST_REQUESTS:
        return
    third = found[MOST_REQUESTS - 1]
    yield Finding(
        third.start(),
        third.end(),
        third[0],
        FindingLevel.ADVICE,
        "many_requests",
        N_("一条广播里叫人做 %(n)s 件事，听完记不住"),
        N_("一条只说一件事，另外的再写一条"),
        {"n": len(found)},
    )


_CLOCK = re.compile(
    r"(?:凌晨|早上|早晨|上午|中午|下午|傍晚|晚上|夜里)?(?<!\d)(?:[01]?\d|2[0-4])(?:[:：][0-5]\d(?![:：]?\d|的?比|[兑配稀])|[点时](?!间|段))|"
    r"(?:凌晨|早上|早晨|上午|中午|下午|傍晚|晚上|夜里)[一二两三四五六七八九十]{1,3}点"
)
_DAYS = ("今天", "明天")
_DAY = re.compile(
    r"今|明|后天|昨|周[一二三四五六日天\d]|星期|礼拜|\d[日号]|[一二三四五六七八九十][日号]|每天|每日|天天|每周|每月|工作日|平时|即日|现在|马上|立即|立刻"
    r"|当天|当日|当晚|次日|除夕|初[一二三四五]|元旦|春节|中秋|国庆|端午|清明|月底|月初|本周|下周|近期|全天|夜间|平日|周末"
)


def _clock(text: str) -> Iterator[Finding]:
    """A time of day, and no day anywhere before it or in its sentence."""
    for match in _CLOCK.finditer(text):
        rest = re.split(r"[。！？\n]", text[match.end() :])[0]
        if _DAY.search(text[: match.start()]) or _DAY.search(rest):
            return
        yield Finding(
            match.start(),
            match.end(),
            match[0],
            FindingLevel.ADVICE,
            "no_day",
            N_("只说了几点，没说哪一天"),
            N_("前面加上哪天"),
            fixes=tuple(Fix(match.start(), match.start(), day, N_("加“%(day)s”"), {"day": day}) for day in _DAYS),
        )
        return


_LATIN = re.compile(r"(?<![A-Za-z0-9/.@-])[A-Z][A-Z&]{1,7}(?![A-Za-z0-9])")
_UNDERSTOOD = frozenset({"APP", "ATM", "QQ", "CT", "WIFI", "VIP", "OK", "LED", "DNA", "KTV", "IC", "ETC", "SIM", "AI"})
_ROMAN = re.compile("[IVX]+")


def _letters(text: str) -> Iterator[Finding]:
    for match in _LATIN.finditer(text):
        if match[0] not in _UNDERSTOOD and not _ROMAN.fullmatch(match[0]):
            yield _finding(match, FindingLevel.ADVICE, "abbreviation", N_("字母缩写，老人听不懂"), N_("换成中文说法"))


# ---- readings that are a guess


def _polyphones(reading: Reading, lexicon: Lexicon) -> Iterator[Finding]:
    text = reading.text
    given = [(start, end) for start, end, _ in lexicon.hits(text)]
    given += [(change.start, change.end) for change in reading.changes]
    given += [match.span() for pattern, _ in AROUND_COMPILED for match in pattern.finditer(text)]
    for doubt in doubts(text, given):
        char = text[doubt.at]
        yield Finding(
            doubt.at,
            doubt.at + 1,
            char,
            FindingLevel.ADVICE,
            "polyphone",
            N_("这个字有几种读法，系统拿不准"),
            N_("听一遍；读错了就选一个"),
            fixes=tuple(
                Fix(
                    doubt.at,
                    doubt.at + 1,
                    f"{char}{{{said}}}",
                    N_("读“%(word)s”的%(char)s"),
                    {"word": word, "char": char},
                )
                for said, word in doubt.readings
            ),
        )
