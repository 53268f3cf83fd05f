"""Names of an invented county. The code 99 stands for no province, so none of it can be mistaken for a real place."""

COUNTY = ("990101000000", "云岫县")
TOWNSHIPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("石笛镇", ("石笛社区", "竹影村", "晒谷村", "麦浪村", "灯笼村", "碾坊村")),
    ("柚溪镇", ("柚溪社区", "渡船村", "橘灯村", "水磨村", "鹅潭村", "芦花村")),
    ("松铃乡", ("松铃村", "风铃村", "鹰翅村", "蕨坪村", "樵歌村", "雪顶村")),
    ("雁回乡", ("雁回村", "蓑衣村", "萤火村", "秋千村", "纸鸢村", "渔歌村")),
)
GROUPS = ("一组", "二组")
SPOTS = ("村委会", "村口", "小学旁", "晒坝", "桥头")
"""Where the five loudspeakers of a village hang."""
DRILL_SPOTS = ("值班室", "会议室", "院子")
"""Where the loudspeakers of a township's yard hang that sound drills and nothing else, in its first village."""

SURNAMES = "李王张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
GIVEN = (
    "秀英",
    "桂花",
    "建国",
    "志强",
    "春梅",
    "大山",
    "小满",
    "长生",
    "玉兰",
    "石头",
    "文清",
    "水生",
    "冬梅",
    "家旺",
    "福贵",
    "巧云",
    "天明",
    "禾苗",
    "守田",
    "金凤",
)
TAGS = ("独居老人", "沿河户", "外出务工", "村干部", "网格员")


def township_code(index: int) -> str:
    """Return the code of the township at that place, counted from 0."""
    return f"990101{index + 1:03d}000"


def village_code(township: int, village: int) -> str:
    """Return the code of a village."""
    return f"990101{township + 1:03d}{village + 1:03d}"


def group_code(village: str, index: int) -> str:
    """Return the code of a group below a village."""
    return f"{village}{index + 1:02d}"
