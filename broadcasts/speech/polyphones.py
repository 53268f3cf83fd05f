"""Characters with several readings, and where it is a guess which one is meant."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from broadcasts.speech.pronunciation import HAN, words_of


@dataclass(frozen=True, slots=True)
class Doubt:
    """text[at] may be said in these ways: (syllable, a word in which it is said so)."""

    at: int
    readings: tuple[tuple[str, str], ...]


_READINGS: dict[str, tuple[tuple[str, str], ...]] = {
    "长": (("chang2", "长短"), ("zhang3", "村长")),
    "行": (("xing2", "行走"), ("hang2", "一行树")),
    "重": (("zhong4", "重量"), ("chong2", "重新")),
    "还": (("hai2", "还有"), ("huan2", "还钱")),
    "调": (("tiao2", "调解"), ("diao4", "调动")),
    "得": (("de5", "跑得快"), ("dei3", "得去"), ("de2", "得奖")),
    "着": (("zhe5", "看着"), ("zhao2", "着火"), ("zhuo2", "穿着")),
    "率": (("lv4", "报销率"), ("shuai4", "率队")),
    "中": (("zhong1", "中间"), ("zhong4", "中奖")),
    "种": (("zhong4", "种地"), ("zhong3", "种子")),
    "数": (("shu4", "数字"), ("shu3", "数钱")),
    "量": (("liang4", "数量"), ("liang2", "量体温")),
    "倒": (("dao3", "倒塌"), ("dao4", "倒水")),
    "干": (("gan1", "干净"), ("gan4", "干活")),
    "差": (("cha4", "差一点"), ("cha1", "差别"), ("chai1", "出差")),
    "散": (("san4", "散会"), ("san3", "散装")),
    "圈": (("quan1", "圆圈"), ("juan4", "猪圈")),
    "空": (("kong1", "空气"), ("kong4", "空地")),
    "盛": (("sheng4", "盛大"), ("cheng2", "盛饭")),
    "扎": (("zha1", "扎针"), ("za1", "捆扎")),
    "落": (("luo4", "落下来"), ("la4", "落在家里")),
    "乐": (("le4", "快乐"), ("yue4", "音乐")),
    "单": (("dan1", "单位"), ("shan4", "姓单")),
    "朝": (("chao2", "朝东"), ("zhao1", "朝阳")),
    "降": (("jiang4", "下降"), ("xiang2", "投降")),
    "囤": (("tun2", "囤货"), ("dun4", "粮囤")),
    "垛": (("duo4", "草垛"), ("duo3", "城垛")),
    "背": (("bei4", "后背"), ("bei1", "背包")),
    "卡": (("ka3", "银行卡"), ("qia3", "卡住")),
    "转": (("zhuan3", "转移"), ("zhuan4", "转圈")),
    "处": (("chu4", "住处"), ("chu3", "处理")),
}

# Where it is no guess, because of what stands beside it.
_SURE: dict[str, str] = {
    "长": r"(?<=[很较太全多最米厘丈尺月年不时增拉延片])长|长(?=[达约米])",
    "行": r"(?<=[就不都也还才可限禁通同步绕慢])行",
    "重": r"(?<=[很较太超体最多加净毛举限])重|重(?=[达约])",
    "还": r"还(?=[剩有没是要会能可得不在将需应很想请差未给他我你她咱])",
    "调": r"调(?=[到至高低整解查])",
    "得": r"(?<=[一-龥])得|得(?=[到了知出奖票分益病])",
    "着": r"(?<=[^睡烧点燃找穿衣])着|着(?=[火急凉手])",
    "率": r"(?<=[一-龥])率(?!队|部|众|领|兵)",
    "中": r"(?<![打击猜抽射考选相看买])中(?!了|过|一)",
    "种": r"(?<=[这那各多几某此哪一二两三四五六七八九十百良豆麦稻树花菌育制留])种|种(?=[子类的])",
    "数": r"数(?=[字据额量目万百千十])|(?<=[人户次天分总个件只岁票时])数",
    "量": r"(?<=[一-龥])量(?!一|体|血|身|尺)",
    "倒": r"倒(?=[塌伏地])",
    "干": r"(?<=[饼豆肉菜笋果风晒烘擦])干",
    "差": r"(?<=[相温时偏误])差|差(?=[一两几点])",
    "散": r"散(?=[会步发开])",
    "圈": r"(?<=[猪羊牛鸡一两几])圈",
    "空": r"(?<=[天高上低太航])空",
    "盛": r"(?<=[茂丰])盛",
    "扎": r"扎(?=[针实根])",
    "落": r"(?<=[降下坠滑掉跌飘])落",
    "乐": r"(?<=[快欢])乐",
    "单": r"(?<=[名菜账传订罚清表简刷])单|单(?=[位独个间])",
    "朝": r"朝(?=[东西南北上下左右着向前后里外])",
    "降": r"(?<!投)降(?!服)",
    "囤": r"囤(?=[粮货积])",
    "垛": r"(?<=[草柴麦秸])垛",
    "背": r"背(?=[后面着起老孩])|(?<=手)背",
    "卡": r"(?<=[一-龥A-Za-z])卡(?!在|着|住|脖)|卡(?=[号片上里的])",
    "转": r"转(?!了|着|一圈|圈|动|几)",
    "处": r"(?<=[一-龥\d])处(?!罚|置|理|死|于|以|在)",
}
_KNOWN = {char: re.compile(pattern) for char, pattern in _SURE.items()}
_STRETCH = re.compile(f"[{HAN}]+")


def doubts(text: str, settled: Sequence[tuple[int, int]]) -> Iterator[Doubt]:
    """Find characters that stand in no word of the dictionary; `settled` are the stretches whose reading is given."""
    given = {at for start, end in settled for at in range(start, end)}
    for stretch in _STRETCH.finditer(text):
        at = stretch.start()
        for word in words_of(stretch[0]):
            if len(word) == 1 and at not in given and _doubtful(text, at):
                yield Doubt(at, _READINGS[word])
            at += len(word)


def _doubtful(text: str, at: int) -> bool:
    char = text[at]
    if char not in _READINGS or text[at + 1 : at + 2] in ("{", "｛"):
        return False
    return all(match.start() != at for match in _KNOWN[char].finditer(text, max(0, at - 1), at + 4))
