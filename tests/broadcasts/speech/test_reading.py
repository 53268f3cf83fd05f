"""What a text becomes when it is read aloud."""

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from broadcasts.speech.engine import VoiceSpec
from broadcasts.speech.pronunciation import Lexicon
from broadcasts.speech.reading import Change, as_read, estimate_seconds, to_script

TABLE = """
2026年7月3日8时30分 | 二零二六年七月三日八时三十分
2026-07-03 08:30 | 二零二六年七月三日 八点三十分
2026/7/3 | 二零二六年七月三日
2026.7.3 | 二零二六年七月三日
2027年度 | 二零二七年度
2024-2025年 | 二零二四到二零二五年
二〇二六年 | 二零二六年
２０２６年 | 二零二六年
3月15日 | 三月十五日
8月15日18时 | 八月十五日十八时
10月1日-7日 | 十月一日到七日
10月1日至7日 | 十月一日至七日
1-3月 | 一到三月
2月2日 | 二月二日
12·4 | 十二四
5·12防灾减灾日 | 五一二防灾减灾日
5.12防灾减灾日 | 五一二防灾减灾日
11·9消防日 | 幺幺九消防日
119消防宣传日 | 幺幺九消防宣传日
今天8:30开会 | 今天八点三十分开会
06:05 | 六点零五分
8：30 | 八点三十分
下午15:05 | 下午十五点零五分
截至12:00 | 截至十二点
2:00 | 两点
10:30:20 | 十点三十分二十秒
8:30-11:00停电 | 八点三十分到十一点停电
20:00-次日6:00 | 二十点到次日六点
3时05分 | 三时零五分
周一-周五 | 周一到周五
24小时 | 二十四小时
降水概率80% | 降水概率百分之八十
湿度85.5% | 湿度百分之八十五点五
100% | 百分之一百
95%-98% | 百分之九十五到百分之九十八
10-20% | 百分之十到二十
５０％ | 百分之五十
气温-5℃ | 气温零下五摄氏度
−3℃ | 零下三摄氏度
－3℃ | 零下三摄氏度
25℃ | 二十五摄氏度
-10°C | 零下十摄氏度
最低气温-5~3℃ | 最低气温零下五摄氏度到三摄氏度
零下5℃ | 零下五摄氏度
零下-5℃ | 零下五摄氏度
温度-3℃ | 温度零下三摄氏度
请拨打96110 | 请拨打九六幺幺零
96110 | 九六幺幺零
119, 110 | 幺幺九, 幺幺零
火警119，报警110，急救120 | 火警幺幺九，报警幺幺零，急救幺二零
电话12379 | 电话幺二三七九
预警信息请拨12379热线 | 预警信息请拨幺二三七九热线
12348 | 幺二三四八
12345热线 | 幺二三四五热线
客服95598 | 客服九五五九八
联系人张三，电话13800138000 | 联系人张三，电话幺三八，零零幺三，八零零零
13800000000对吗 | 幺三八，零零零零，零零零零对吗
手机138-0013-8000 | 手机幺三八，零零幺三，八零零零
+86 13800138000 | 幺三八，零零幺三，八零零零
座机0564-1234567 | 座机零五六四，幺二三四五六七
0700-1234567 | 零七零零，幺二三四五六七
咨询电话：0830-552 6110 | 咨询电话：零八三零，五五二，六幺幺零
电话(0830)5526110 | 电话零八三零，五五二六幺幺零
24小时值班电话：0564-7356110 | 二十四小时值班电话：零五六四，七三五六幺幺零
400-123-4567 | 四零零，幺二三，四五六七
全长119公里 | 全长一百一十九公里
报名人数达110人 | 报名人数达一百一十人
补贴120元 | 补贴一百二十元
共计110。 | 共计一百一十。
值班120人 | 值班一百二十人
补贴¥5,000 | 补贴五千元
¥2000元 | 两千元
¥200-500 | 两百到五百元
￥3.5万 | 三点五万元
补贴5000元 | 补贴五千元
1,234 | 一千二百三十四
共计12,345.60元 | 共计一万二千三百四十五点六元
补贴标准为每亩120元 | 补贴标准为每亩一百二十元
400元/人 | 每人四百元
$100 | 一百美元
2.5万亩 | 二点五万亩
100000人 | 十万人
2条河2个人2户 | 两条河两个人两户
2楼2组 | 二楼二组
第2次 | 第二次
第3村民组 | 第三村民组
第2组 | 第二组
2号楼3单元405室 | 二号楼三单元四零五室
2-301室 | 二杠三零幺室
1/3 | 三分之一
3/4 | 四分之三
2:1 | 二比一
0.5.1 | 零点五点一
5+3=8 | 五加三等于八
50mm | 五十毫米
雨量100-150mm | 雨量一百到一百五十毫米
1.94米 | 一点九四米
限速40km/h | 限速每小时四十公里
110kV | 一百一十千伏
35kV线路 | 三十五千伏线路
100m² | 一百平方米
风力8级 | 风力八级
8级大风 | 八级大风
阵风8-9级 | 阵风八到九级
6-8小时 | 六到八小时
6～8小时 | 六到八小时
1~2小时 | 一到两小时
2-3天 | 两到三天
3-5人 | 三到五人
K12+300 | 十二公里加三百米
K100+050 | 一百公里加五十米
G318 | G三幺八
G35济广高速K12+300处 | G三五济广高速十二公里加三百米处
粤B12345 | 粤B幺二三四五
皖N12345 | 皖N幺二三四五
车牌皖N·A1234 | 车牌皖NA幺二三四
身份证342425199001011234 | 身份证三四二四二五幺九九零零幺零幺幺二三四
34242519900101123X | 三四二四二五幺九九零零幺零幺幺二三叉
95后 | 九五后
H7N9 | H七N九
COVID-19 | COVID十九
A4纸 | A四纸
5G手机 | 五G手机
PM2.5 | PM二点五
①带证②签字 | 一，带证二，签字
Ⅲ级 | 三级
123456789012 | 幺二三四五六七八九零幺二
重庆/重点 | 重庆/重点
请扫二维码，下载App | 请扫二维码，下载App
"""


@pytest.mark.parametrize("row", TABLE.strip().splitlines())
def test_announcements_are_read_as_a_person_would(row: str) -> None:
    written, spoken = row.split(" | ")
    assert as_read(written).spoken.replace(" ", "") == spoken.replace(" ", "")


def test_every_change_is_marked_where_it_was_written() -> None:
    text = "请在12月31日前交400元，有事拨打96110。"
    reading = as_read(text)
    assert [(c.written, c.spoken) for c in reading.changes] == [
        ("12月", "十二月"),
        ("31日", "三十一日"),
        ("400元", "四百元"),
        ("96110", "九六幺幺零"),
    ]
    assert all(text[c.start : c.end] == c.written for c in reading.changes)
    assert reading.spoken == "请在十二月三十一日前交四百元，有事拨打九六幺幺零。"


def test_plain_words_are_left_alone() -> None:
    reading = as_read("今天下午三点停水，请大家提前存水。")
    assert reading.spoken == reading.text
    assert not reading.changes
    assert not reading.warnings


@pytest.mark.parametrize(
    "web", ["http://abc.cn/x?id=1", "https://a.gov.cn", "www.abc.com", "zhen@abc.cn", "abc.gov.cn/a1"]
)
def test_web_addresses_are_skipped_with_a_warning(web: str) -> None:
    reading = as_read(f"请看{web}，谢谢")
    assert reading.spoken == "请看，谢谢"
    assert [w.written for w in reading.warnings] == [web]
    assert "网址" in reading.warnings[0].message


def test_an_identity_number_is_read_but_warned_about() -> None:
    reading = as_read("身份证号342425199001011234")
    assert "三四二四二五" in reading.spoken
    assert "身份证" in reading.warnings[0].message


def test_what_nobody_can_read_is_skipped_with_one_warning_for_each_stretch() -> None:
    reading = as_read("Привет，好😀")
    assert reading.spoken == "，好"
    assert [w.written for w in reading.warnings] == ["Привет"]
    assert [c.written for c in reading.changes][-1] == "😀"


def test_an_unknown_character_is_skipped_unless_its_reading_is_given() -> None:
    assert as_read("㐂").warnings
    given_ = as_read("㐂{xi3}")
    assert not given_.warnings
    assert to_script(given_)[0].text == "xi3"
    assert not as_read("㐂", Lexicon({"㐂": "xi3"})).warnings


def test_the_writer_can_choose_a_reading_in_braces() -> None:
    reading = as_read("请找单{shan4}行长{hang2 zhang3}，他今天在。")
    assert reading.spoken == "请找单行长，他今天在。"
    assert reading.changes[1] == Change(10, 26, "行长{hang2 zhang3}", "行长", "hang2 zhang3")
    assert to_script(reading)[0].text == "qing2 zhao3 shan4 hang2 zhang3"


def test_the_choice_keeps_its_place_when_figures_before_it_change_length() -> None:
    script = to_script(as_read("2026年12月31日，20000人，长{zhang3}，400元"))
    assert [s.text for s in script if s.source == "长"] == ["zhang3"]


def test_the_writer_wins_over_the_lexicon() -> None:
    assert to_script(as_read("朝阳{zhao1 yang2}路"))[0].text == "zhao1 yang2 lu4"


@pytest.mark.parametrize("wrong", ["行长{hang zhang}", "行长{hang2 zhang3 x1}", "行长{}", "行长{12}", "{hang2}"])
def test_wrong_braces_are_not_read_and_warned_about(wrong: str) -> None:
    reading = as_read(wrong)
    assert reading.spoken == wrong.partition("{")[0]
    assert "花括号" in reading.warnings[0].message


def test_a_hub_can_say_words_its_own_way() -> None:
    reading = as_read("下载App，不是Apple", Lexicon(words={"App": "手机应用"}))
    assert reading.spoken == "下载手机应用，不是Apple"


POLYPHONES = """重庆 chong2 qing4|重点 zhong4 dian3|涨水 zhang2 shui3|上涨 shang4 zhang3|银行 yin2 hang2
行动 xing2 dong4|乡长 xiang1 zhang3|长江 chang2 jiang1|都江堰 du1 jiang1 yan4
六安 lu4 an1|六安市 lu4 an1 shi4|蚌埠 beng4 bu4
番禺 pan1 yu2|周六安排 zhou1 liu4 an1 pai2|城乡长期 cheng2 xiang1 chang2 qi1|还款 huan2 kuan3
猪圈 zhu1 juan4|女儿 nv3 er2
一月一日 yi1 yue4 yi1 ri4|第一组 di4 yi1 zu3|一点五 yi4 dian2 wu3|一起 yi4 qi3|不是 bu2 shi4|你好 ni2 hao3"""


@pytest.mark.parametrize("case", POLYPHONES.replace("\n", "|").split("|"))
def test_polyphones_are_pronounced_as_their_word_wants(case: str) -> None:
    word, pinyin = case.split(" ", 1)
    assert " ".join(s.text for s in to_script(as_read(word))) == pinyin


def test_a_script_has_syllables_latin_words_and_pauses() -> None:
    script = to_script(as_read("请下载App，看LED屏！！\n“好”。"))
    assert [(s.kind, s.text) for s in script] == [
        ("pinyin", "qing3 xia4 zai4"),
        ("latin", "App"),
        ("pause", ","),
        ("pinyin", "kan4"),
        ("latin", "L E D"),
        ("pinyin", "ping2"),
        ("pause", "!"),
        ("pinyin", "hao3"),
        ("pause", "."),
    ]


ANYTHING = st.text(
    st.one_of(st.characters(), st.sampled_from("0123456789-~:/.,·%℃年月日时点元第KGm¥{}①Ⅲ幺热线电话")), max_size=60
)


@given(ANYTHING)
@example("\ue0001")
@example("1e5 ٣٤ ２ ²")
@example("9" * 60)
def test_reading_never_fails_and_leaves_no_figure(text: str) -> None:
    reading = as_read(text)
    assert not any(c.isascii() and c.isdigit() for c in reading.spoken)
    at, spoken = 0, ""
    for change in reading.changes:
        assert at <= change.start <= change.end
        assert text[change.start : change.end] == change.written
        spoken += text[at : change.start] + change.spoken
        at = change.end
    assert spoken + text[at:] == reading.spoken
    for segment in to_script(reading):
        assert segment.text
        if segment.kind == "pinyin":
            assert len(segment.text.split()) == len(segment.source)
    assert estimate_seconds(reading, VoiceSpec()) >= 0


def test_feedback_while_typing_is_instant() -> None:
    text = "各位村民请注意：2027年度医保缴费12月31日截止，每人400元。咨询电话：0830-552 6110。" * 4
    estimate_seconds(as_read(text), VoiceSpec())
    started = time.process_time()
    for extra in "一二三四五":
        estimate_seconds(as_read(text + extra), VoiceSpec())
    assert (time.process_time() - started) / 5 < 0.020


@pytest.mark.parametrize("piece", ["-", "a-", "-a", "a.", "a@", "9", "1-", "1,", "{", "停", "电话", " ", "😀"])
def test_a_strange_text_is_read_in_time_too(piece: str) -> None:
    started = time.process_time()
    as_read(piece * 3000)
    assert time.process_time() - started < 2.0
